//! The safetensors format: a JSON header of names, types, shapes and offsets, and then the raw little-endian numbers.
//! Specification: <https://github.com/huggingface/safetensors#format>.
//!
//! Weights in eight bits are plain safetensors too: a tensor `X` of the type I8 and a tensor `X.scale` of the type F32
//! and the shape `[out]`. A weight is the whole number times the scale of its first index.
//!
//! ```
//! use std::collections::BTreeMap;
//! use std::path::Path;
//! use vultus::weights::safetensors::{Precision, from_bytes, to_bytes};
//! use vultus::{Parameters, Tensor};
//!
//! let path = Path::new("fc.safetensors");
//! let parameters = Parameters::from([("fc.weight".to_owned(), Tensor::filled([2, 3], 0.5))]);
//! let metadata = BTreeMap::from([("license".to_owned(), "MIT".to_owned())]);
//! let file = from_bytes(path, &to_bytes(path, &parameters, &metadata, Precision::F32)?)?;
//! assert_eq!((file.parameters, file.metadata), (parameters, metadata));
//! # Ok::<(), vultus::Error>(())
//! ```

pub(super) mod channels;
mod read;
mod write;

pub(super) use read::catalog;
pub use read::from_bytes;
#[cfg(feature = "files")]
pub use read::read;
pub use write::to_bytes;
#[cfg(feature = "files")]
pub use write::{write, write_mixed};

/// The type of the numbers in a written file.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::path::Path;
/// use vultus::weights::safetensors::{Precision, from_bytes, to_bytes};
/// use vultus::{Parameters, Tensor};
///
/// let path = Path::new("fc.safetensors");
/// let parameters = Parameters::from([("fc.weight".to_owned(), Tensor::new([1, 2], vec![1.27, 0.014])?)]);
/// let bytes = to_bytes(path, &parameters, &BTreeMap::new(), Precision::I8)?;
/// let found = from_bytes(path, &bytes)?.parameters["fc.weight"].data().to_vec();
/// assert!((found[0] - 1.27).abs() < 1e-6 && (found[1] - 0.01).abs() < 1e-6);
/// # Ok::<(), vultus::Error>(())
/// ```
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
