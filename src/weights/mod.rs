//! Files of weights: reading and writing them, and where the program's own come from.
//!
//! ```no_run
//! use vultus::weights::{DefaultFile, Store};
//!
//! let store = Store::open(None)?;
//! let base = store.load(DefaultFile::Vgg16Base)?;
//! println!("{} tensors, {}", base.parameters.len(), store.describe());
//! # Ok::<(), vultus::Error>(())
//! ```

#[cfg(all(feature = "files", feature = "import"))]
pub mod arrays;
mod catalog;
#[cfg(feature = "files")]
mod checksums;
mod entry;
mod format;
mod graph_layer;
#[cfg(feature = "import")]
mod hdf5;
mod layout;
mod natural_order;
#[cfg(feature = "import")]
mod npy;
#[cfg(feature = "import")]
mod npz;
#[cfg(feature = "onnx")]
mod onnx;
mod open;
#[cfg(feature = "import")]
mod pytorch;
#[cfg(feature = "import")]
mod record;
pub mod safetensors;
mod sha256;
mod source;
#[cfg(feature = "files")]
mod store;
#[cfg(feature = "import")]
mod strided;
mod vgg16;
mod weight_file;
#[cfg(feature = "import")]
mod zip;

pub use catalog::Catalog;
pub use entry::{Dtype, Entry};
#[cfg(feature = "onnx")]
pub(crate) use entry::{check_finite, index};
pub use format::Format;
#[cfg(feature = "files")]
pub use store::{DefaultFile, Store};
pub use vgg16::{Match, Vgg16};
pub use weight_file::WeightFile;
