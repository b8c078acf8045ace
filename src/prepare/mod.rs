//! What is done to a picture of a face before a network sees it, and to the pictures that a network learns from.

mod augment;
mod mix;
mod sheet;
mod warp;

pub use augment::{Augmentation, augmentation_sheet};
pub use mix::{Mix, mix};
