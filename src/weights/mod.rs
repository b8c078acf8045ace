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
#[cfg(feature = "files")]
mod checksums;
mod entry;
mod graph_layer;
#[cfg(feature = "import")]
mod hdf5;
mod layout;
mod natural_order;
pub mod safetensors;
mod sha256;
mod signature;
mod source;
#[cfg(feature = "files")]
mod store;
mod vgg16;
mod weight_file;

pub use catalog::{Catalog, Format};
pub use entry::{Dtype, Entry};
#[cfg(feature = "files")]
pub use store::{DefaultFile, Store};
pub use vgg16::{Match, Vgg16};
pub use weight_file::WeightFile;
