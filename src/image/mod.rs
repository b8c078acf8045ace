//! Pictures from files: decoded, upright, 8-bit RGB.
//!
//! ```no_run
//! use std::path::Path;
//! use vultus::Device;
//!
//! let image = vultus::image::decode_file(Path::new("photo.jpg"))?;
//! let picture = Device::best().upload(&image, image.width(), image.height())?;
//! # Ok::<(), vultus::Error>(())
//! ```

pub(crate) mod bytes;
mod decode;
#[cfg(feature = "files")]
mod folder;
mod jpeg;
mod palette;
#[cfg(feature = "files")]
mod png;
pub(crate) mod resample;

pub use ::image::{GrayImage, RgbImage};
#[cfg(feature = "files")]
pub use decode::decode_file;
pub use decode::{MAX_FILE_BYTES, MAX_PIXELS, decode_bytes, decode_bytes_within, stored_size};
#[cfg(feature = "files")]
pub use folder::pictures_in;
#[cfg(feature = "files")]
pub use png::write_png;
