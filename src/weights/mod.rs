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

#[cfg(feature = "files")]
mod checksums;
#[cfg(feature = "files")]
mod file;
pub mod safetensors;
mod sha256;
#[cfg(feature = "files")]
mod store;
mod weight_file;

#[cfg(feature = "files")]
pub use store::{DefaultFile, Store};
pub use weight_file::WeightFile;
