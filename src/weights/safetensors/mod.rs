//! The safetensors format: a JSON header of names, types, shapes and offsets, and then the raw little-endian numbers.
//! Specification: <https://github.com/huggingface/safetensors#format>.
//!
//! Weights in eight bits are plain safetensors too: a tensor `X` of the type I8 and a tensor `X.scale` of the type F32
//! and the shape `[out]`. A weight is the whole number times the scale of its first index.

pub(super) mod channels;
mod read;
mod write;

pub(super) use read::catalog;
pub use read::from_bytes;
#[cfg(feature = "files")]
pub(super) use read::from_bytes_with_sum;
#[cfg(feature = "files")]
pub use read::read;
pub use write::to_bytes;
#[cfg(feature = "files")]
pub use write::write;

/// The type of the numbers in a written file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Precision {
    /// Four bytes: the values as they are.
    F32,
    /// Two bytes: values rounded to 11 significant bits, up to 65504.
    F16,
    /// One byte for tensors of two or more dimensions: values rounded to multiples of a 127th of the largest magnitude
    /// with the same first index (the output channel), so that each errs by at most a 254th of that. Tensors of one
    /// dimension, such as biases, stay F32.
    I8,
}
