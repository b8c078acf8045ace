//! Files that a command is about to write.

use std::path::Path;

use super::failure::Failure;

/// Refuses to overwrite a file, unless that is allowed. `advice` says how it is.
pub fn refuse_existing(file: &Path, allowed: bool, advice: &str) -> Result<(), Failure> {
    if allowed || !file.exists() {
        return Ok(());
    }
    Err(Failure::Usage(format!("{}: this file exists already; {advice}, or give another --out", file.display())))
}
