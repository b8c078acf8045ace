//! YUV4MPEG2, as mjpegtools define it and ffmpeg writes it: a line of text, then frames of whole planes.

mod header;
mod read;
mod write;

pub(super) use read::Y4mReader;
pub use write::Y4mWriter;
