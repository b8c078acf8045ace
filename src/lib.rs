//! Facial expression recognition on a compute engine of hand-written WGSL kernels.

mod error;
mod tensor;
pub mod weights;

pub use error::{Error, Result};
pub use tensor::{Parameters, Tensor};
