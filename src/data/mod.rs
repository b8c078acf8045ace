//! Data sets of labelled pictures of faces.
//!
//! [`Dataset::open`] reads the layouts that such sets come in. What it makes is an index: pictures are decoded when
//! they are asked for, one at a time.
//!
//! ```no_run
//! use std::path::Path;
//! use vultus::data::Dataset;
//!
//! let faces = Dataset::open(Path::new("ck48"))?;
//! println!("{} pictures of {:?}", faces.samples.len(), faces.classes);
//! let picture = faces.samples[0].decode()?;
//! # Ok::<(), vultus::Error>(())
//! ```

mod class_folders;
mod class_map;
mod dataset;
mod fer2013;
mod image_folder;
mod layout;
mod sample;
mod subject;

pub use class_map::ClassMap;
pub use dataset::Dataset;
pub use image_folder::{ImageFolder, stratified_split};
pub use sample::{Part, Sample, Source};
