//! Videos that need no codec of their own: Y4M (uncompressed) and Motion JPEG (pictures one after the other), read and
//! written frame by frame with the memory of one frame.
//!
//! Other formats come through a program that turns them into Y4M, such as
//! `ffmpeg -i clip.mp4 -f yuv4mpegpipe -pix_fmt yuv420p -`.
//!
//! ```
//! use std::io::Cursor;
//! use std::path::Path;
//! use vultus::image::RgbImage;
//! use vultus::video::{FrameRate, VideoReader, Y4mWriter};
//!
//! let rate = FrameRate::new(25, 1).expect("neither is 0");
//! let mut writer = Y4mWriter::new(Vec::new(), 64, 48, rate)?;
//! writer.write(&RgbImage::new(64, 48))?;
//! let bytes = writer.finish()?;
//!
//! let mut reader = VideoReader::open(Path::new("example.y4m"), Cursor::new(bytes), rate)?;
//! while reader.advance()? {
//!     assert_eq!(reader.image()?.dimensions(), (64, 48));
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fault;
mod format;
mod frame_rate;
mod mjpeg;
mod reader;
#[cfg(test)]
mod tests;
mod y4m;

pub use format::VideoFormat;
pub use frame_rate::FrameRate;
pub use mjpeg::MjpegWriter;
pub use reader::VideoReader;
pub use y4m::Y4mWriter;

/// The most pixels that a frame may have: those of 8192×4320.
pub const MAX_FRAME_PIXELS: u64 = 8192 * 4320;
