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

mod catalog;
mod checksums;
mod entry;
mod graph_layer;
mod layout;
#[cfg(feature = "import")]
mod npy;
#[cfg(feature = "import")]
mod npz;
#[cfg(feature = "onnx")]
mod onnx;
#[cfg(feature = "import")]
mod pytorch;
#[cfg(feature = "import")]
mod record;
pub mod safetensors;
mod source;
mod store;
#[cfg(feature = "import")]
mod strided;
mod weight_file;
#[cfg(feature = "import")]
mod zip;

pub use catalog::{Catalog, Format};
pub use entry::{Dtype, Entry};
#[cfg(feature = "onnx")]
pub(crate) use entry::{check_finite, index};
pub use store::{DefaultFile, Store};
pub use weight_file::WeightFile;
