//! Facial expression recognition on a compute engine of hand-written WGSL kernels.

#![warn(missing_docs)]

mod cpu;
mod device;
mod error;
pub mod face;
pub mod gpu;
pub mod image;
mod model;
pub mod nn;
pub mod ops;
mod picture;
mod plan;
mod program;
mod random;
mod tensor;
pub mod weights;

pub use device::Device;
pub use error::{Error, Result};
pub use model::Model;
pub use picture::Picture;
pub use plan::{LayerTime, Options, Plan};
pub use random::Random;
pub use tensor::{Parameters, Tensor};
pub use wgpu;
