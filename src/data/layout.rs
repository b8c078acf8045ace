//! Which of the known layouts a data set has.

use std::path::Path;

use super::class_folders::{self, Listing};
use super::dataset::Dataset;
use super::fer2013;
use crate::error::Result;

impl Dataset {
    /// Opens a data set. Its layout is recognised by its contents:
    ///
    /// - a folder with one sub-folder per class, named after it; every file in it that is not hidden is a picture.
    ///   Names of files like CK+'s (`S010_004_00000017.png`) or JAFFE's (`KA.AN1.39.tiff`) tell the subject;
    /// - a folder with such folders for its parts: `train/happy/…`, `test/happy/…` (and `validation`).
    /// - FER2013's table of pixels (`emotion,pixels,Usage`).
    ///
    /// No picture is opened here.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if something cannot be read; [`crate::Error::Data`] if this is none of the layouts, or there are fewer
    /// than two classes or one without pictures.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() {
            return fer2013::open(path);
        }
        let listing = Listing::of(path)?;
        if let Some(parts) = listing.parts()? {
            return class_folders::open_parts(path, &parts);
        }
        class_folders::open_classes(path, &listing)
    }
}
