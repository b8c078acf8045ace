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
mod jpeg_markers;
mod jpeg_scan;
mod palette;
#[cfg(feature = "files")]
mod png;
mod profile;
pub(crate) mod resample;
mod unread;
mod wide_tiff;
pub(crate) mod yuv;

pub use ::image::{GrayImage, RgbImage};
pub use decode::{
    Decoded, MAX_FILE_BYTES, MAX_PIXELS, decode_bytes, decode_bytes_within, decode_with_warnings, stored_size,
};
#[cfg(feature = "files")]
pub use decode::{decode_file, read_file};
#[cfg(feature = "files")]
pub use folder::pictures_in;
#[cfg(feature = "files")]
pub use png::write_png;
