//! What is done to the picture of a face before a network sees it, and to the pictures that a network learns from.
//!
//! A face is brought to its place ([`Alignment`], or [`centre_crop`] where the picture is a face already), goes through
//! the stages of a [`Preparation`], in training through an [`Augmentation`], and is scaled and normalised when a plan
//! takes it in ([`crate::Plan::set_picture`], [`crate::Plan::set_varied`]).
//!
//! ```
//! use vultus::prepare::{Alignment, Preparation};
//!
//! let photo = vultus::image::RgbImage::new(80, 100);
//! let landmarks = [[20.0, 30.0], [60.0, 30.0], [40.0, 50.0], [25.0, 70.0], [55.0, 70.0]];
//! let face = Alignment::default().align(&photo, &landmarks, 96)?;
//! let prepared = Preparation { denoise: "median".parse()?, illumination: "clahe".parse()?, gray: true }.apply(&face);
//! # Ok::<(), vultus::Error>(())
//! ```

mod align;
mod augment;
mod bilateral;
mod crop;
mod denoise;
mod equalize;
pub(crate) mod face;
mod illumination;
mod median;
mod mix;
mod non_local_means;
mod overlap;
mod preparation;
mod raster;
mod regions;
mod sheet;
mod spelling;
mod warp;

pub use align::Alignment;
pub use augment::{Augmentation, augmentation_sheet};
pub use crop::{centre_crop, resize};
pub use denoise::Denoise;
pub use illumination::Illumination;
pub use mix::{Mix, mix};
pub(crate) use overlap::Overlap;
pub use preparation::Preparation;
pub use regions::regions;
