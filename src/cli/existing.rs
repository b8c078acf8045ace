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

/// Refuses to write over a file that the command reads, by whatever path or link it is named.
pub fn refuse_input<'a>(out: &Path, inputs: impl IntoIterator<Item = &'a Path>) -> Result<(), Failure> {
    let same = |input: &Path| matches!((out.canonicalize(), input.canonicalize()), (Ok(a), Ok(b)) if a == b);
    if inputs.into_iter().any(same) {
        let reason = "this is read by the same command: give the output another name";
        return Err(Failure::Usage(format!("{}: {reason}", out.display())));
    }
    Ok(())
}
