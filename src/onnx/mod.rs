//! Networks as [ONNX](https://onnx.ai) models: written for other engines to run, and read from those that other programs
//! write. The weights alone of such a file are read by [`crate::weights::Catalog`].
//!
//! ```no_run
//! use std::path::Path;
//! use vultus::face::assemble;
//! use vultus::onnx::{self, Export};
//! use vultus::weights::{DefaultFile, Store};
//!
//! let store = Store::open(None)?;
//! let (card, parameters) = assemble(None, store.load(DefaultFile::ExpressionModel)?)?;
//! let export = Export { preprocessing: Some(card.preprocessing), metadata: card.to_metadata()?, ..Export::default() };
//! onnx::write(Path::new("model.onnx"), &card.network()?, &parameters, &export)?;
//! # Ok::<(), vultus::Error>(())
//! ```

mod activations;
mod arrange;
mod declared;
mod export;
mod graph;
mod import;
mod imported;
mod initializer;
mod preprocessing;
mod products;
mod read;
mod write;

use crate::proto;
pub use export::{Export, Precision};
pub use imported::{Import, Imported};
pub use read::read;
pub use write::write;
