//! Whole files, read only where they are ordinary files.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// The bytes of an ordinary file. Folders, pipes and devices are refused, since reading some of them never ends.
pub(crate) fn read_whole(path: &Path) -> Result<Vec<u8>> {
    let kind = fs::metadata(path).map_err(|e| Error::io(path, e))?.file_type();
    if kind.is_dir() {
        return Err(Error::weights(path, None, "this is a folder, a file is needed"));
    }
    if !kind.is_file() {
        return Err(Error::weights(path, None, "this is not an ordinary file"));
    }
    fs::read(path).map_err(|e| Error::io(path, e))
}
