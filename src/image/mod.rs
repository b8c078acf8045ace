//! Pictures from files.
use std::path::Path;

use ::image::RgbImage;

use crate::error::{Error, Result};

/// Decodes a file.
pub fn decode_file(path: &Path) -> Result<RgbImage> {
    let image = ::image::open(path).map_err(|e| Error::Image { file: path.to_path_buf(), reason: e.to_string() })?;
    Ok(image.to_rgb8())
}
