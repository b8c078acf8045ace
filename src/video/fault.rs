//! What ends the reading of a video.

use std::io;

/// Why the next frame cannot be had.
#[derive(Debug)]
pub(super) enum Fault {
    Io(io::Error),
    /// The video ends within a frame.
    CutShort,
    Wrong(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}
