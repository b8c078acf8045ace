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

/// Whether two paths or links lead to the same file or folder.
pub fn is_same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Refuses to write over a file that the command reads.
pub fn refuse_input<'a>(out: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    if inputs.into_iter().any(|input| is_same(out, input)) {
        let reason = "this is read by the same command: give the output another name";
        return Err(Failure::Usage(format!("{}: {reason}", out.display())));
    }
    Ok(())
}
