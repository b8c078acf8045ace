//! JAFFE (Lyons, Akamatsu, Kamachi & Gyoba, "Coding facial expressions with Gabor wavelets", 1998): all pictures in one
//! folder, named after subject and expression, as `KA.AN1.39.tiff`.

use std::path::{Path, PathBuf};

use ::image::ImageFormat;

use super::class_folders::Listing;
use super::subject::{Interned, jaffe};
use crate::data::dataset::Dataset;
use crate::data::sample::{Sample, Source};
use crate::error::{Error, Result};

/// The codes of the expressions and the names of their classes.
const CLASSES: [(&str, &str); 7] = [
    ("AN", "angry"),
    ("DI", "disgust"),
    ("FE", "fear"),
    ("HA", "happy"),
    ("NE", "neutral"),
    ("SA", "sad"),
    ("SU", "surprise"),
];

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

/// Whether a folder holds pictures that are named like this.
pub(super) fn is_jaffe(listing: &Listing) -> bool {
    listing.files.iter().any(|file| name(file).and_then(jaffe).is_some_and(|(_, code)| class(code).is_some()))
}

fn class(code: &str) -> Option<usize> {
    CLASSES.iter().position(|(known, _)| *known == code)
}

/// Lists the pictures of such a folder. Other files than pictures are passed over.
pub(super) fn open(folder: &Path, listing: &Listing) -> Result<Dataset> {
    let mut subjects = Interned::default();
    let is_picture = |file: &&PathBuf| ImageFormat::from_path(file).is_ok();
    let samples = listing.files.iter().filter(is_picture).map(|file| {
        let (subject, code) = name(file).and_then(jaffe).ok_or_else(|| {
            Error::data(
                file,
                "the name is not subject.expression.number, as the others of this folder (KA.AN1.39.tiff)",
            )
        })?;
        let label = class(code).ok_or_else(|| {
            Error::data(file, format!("the expression {code:?} is none of AN, DI, FE, HA, NE, SA and SU"))
        })?;
        let source = Source::File(file.as_path().into());
        Ok(Sample {
            source,
            label,
            subject: Some(subjects.get(subject)),
            part: None,
            face: None,
            detected: None,
            votes: None,
        })
    });
    let samples = samples.collect::<Result<Vec<_>>>()?;
    let classes = CLASSES.map(|(_, class)| class.to_owned()).to_vec();
    Ok(Dataset { path: folder.to_path_buf(), classes, samples })
}
