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
#[cfg(feature = "import")]
mod hdf5;
mod layout;
#[cfg(feature = "import")]
mod npy;
#[cfg(feature = "import")]
mod npz;
#[cfg(feature = "import")]
mod pytorch;
#[cfg(feature = "import")]
mod record;
pub mod safetensors;
mod signature;
mod source;
mod store;
#[cfg(feature = "import")]
mod strided;
mod weight_file;
#[cfg(feature = "import")]
mod zip;

pub use catalog::{Catalog, Format};
pub use entry::{Dtype, Entry};
pub use store::{DefaultFile, Store};
pub use weight_file::WeightFile;
