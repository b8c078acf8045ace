//! Pictures from files: decoded, upright, 8-bit RGB.
//!
//! ```no_run
//! use std::path::Path;
//! use vultus::Device;
//!
//! let image = vultus::image::read(Path::new("photo.jpg"))?;
//! let picture = Device::best().upload(&image, image.width(), image.height())?;
//! # Ok::<(), vultus::Error>(())
//! ```

mod decode;
mod folder;
mod jpeg;

pub use ::image::RgbImage;
pub use decode::{MAX_FILE_BYTES, MAX_PIXELS, from_bytes, read};
pub use folder::pictures_in;
