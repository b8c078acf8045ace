//! The pictures of a folder.

use std::fs;
use std::path::{Path, PathBuf};

use ::image::ImageFormat;

use crate::error::{Error, Result};

/// The files of a folder (not of the folders in it) whose extension is that of a format that [`super::decode_file`]
/// knows, in order of their names. Hidden files (`.name`) are left out. The files are not opened.
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
    !hidden && ImageFormat::from_path(path).is_ok_and(|format| format.reading_enabled())
}
