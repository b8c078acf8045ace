//! Pictures written as PNG.

use std::io;
use std::path::Path;

use ::image::{ImageFormat, RgbImage};

use crate::error::Result;
use crate::file;

/// Writes a picture as PNG. The file appears complete or not at all.
///
/// ```
/// use vultus::image::{RgbImage, decode_file, write_png};
///
/// # let folder = tempfile::tempdir()?;
/// let (path, picture) = (folder.path().join("red.png"), RgbImage::from_pixel(4, 3, [200, 0, 0].into()));
/// write_png(&path, &picture)?;
/// assert_eq!(decode_file(&path)?, picture);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`crate::Error::Io`] if it cannot be written; an older file of that name is then still there.
pub fn write_png(path: &Path, image: &RgbImage) -> Result<()> {
    file::write(path, |out| image.write_to(out, ImageFormat::Png).map_err(io::Error::other))
}
