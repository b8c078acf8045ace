//! How a command fails: what is said, and the exit status.

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use super::printable::printable;

/// The exit status of what was interrupted, as shells count it.
pub const INTERRUPTED: u8 = 130;

/// Why a command ends without success.
pub enum Failure {
    /// Bad use: another command line is needed. Exit status 2, as clap's own.
    Usage(String),
    /// It could not be done, or the answer is no. Exit status 1.
    Failed(String),
    /// It was ended before it was done (Ctrl-C); what was done is kept. Exit status 130.
    Interrupted(String),
    /// Standard output takes nothing more.
    Output(io::Error),
}

impl Failure {
    /// Says on standard error what failed; the exit status. A reader that has gone away (`vultus … | head`) is no
    /// failure.
    pub fn report(self) -> ExitCode {
        let (text, code) = match self {
            Failure::Output(error) if error.kind() == ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Failure::Output(error) => (format!("standard output: {error}"), 1),
            Failure::Failed(text) => (text, 1),
            Failure::Interrupted(text) => (text, INTERRUPTED),
            Failure::Usage(text) => (text, 2),
        };
        say(&format!("vultus: {text}"));
        ExitCode::from(code)
    }
}

/// Writes a line to standard error. That nobody can read it must not end the program.
pub fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(line));
}

impl From<vultus::Error> for Failure {
    fn from(error: vultus::Error) -> Self {
        match error {
            vultus::Error::NoDevice { .. } | vultus::Error::Precision { .. } | vultus::Error::Classes { .. } => {
                Failure::Usage(error.to_string())
            }
            _ => Failure::Failed(error.to_string()),
        }
    }
}

/// Commands write with `?` to standard output only; errors of files are `vultus::Error`s.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Failure::Output(error.into())
    }
}
