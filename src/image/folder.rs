//! The pictures of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use ::image::ImageFormat;

use crate::error::{Error, Result};

/// More endings of the names of JPEGs, and those of pictures that are refused by their formats' names.
const OTHERS: [&str; 11] = ["jpe", "mpo", "heic", "heif", "hif", "avif", "jxl", "jp2", "dng", "cr3", "cr2"];

/// The files of a folder (not of the folders in it) whose extension is that of a picture, in order of their names, also of
/// formats that [`super::decode_file`] refuses by name (HEIC, AVIF): who is asked for all pictures should not pass over
/// some in silence. Hidden files (`.name`) are left out. The files are not opened.
///
/// ```no_run
/// use std::path::Path;
/// use vultus::image::{decode_file, pictures_in};
///
/// for path in pictures_in(Path::new("holiday"))? {
///     println!("{}: {:?}", path.display(), decode_file(&path)?.dimensions());
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] if the folder cannot be read.
pub fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |e| Error::io(folder, e);
    let mut pictures = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if is_picture(&path) && !path.is_dir() {
            pictures.push(path);
        }
    }
    pictures.sort();
    Ok(pictures)
}

/// Whether a file's name is that of a picture.
fn is_picture(path: &Path) -> bool {
    let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase());
    let is_other = extension.is_some_and(|extension| OTHERS.contains(&extension.as_str()));
    !hidden && (is_other || ImageFormat::from_path(path).is_ok_and(|format| format.reading_enabled()))
}
