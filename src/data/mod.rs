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

mod balance;
mod class_map;
mod dataset;
mod inspect;
mod layout;
mod sample;
mod split;
mod votes;

pub use balance::{class_weights, over_sample, under_sample};
pub use class_map::ClassMap;
pub use dataset::Dataset;
pub use inspect::{
    ClassCount, Cleaning, Duplicates, Found, Inspected, Inspection, Leak, Leakage, PartLeakage, Sizes, Spread,
    Unreadable, dedup, inspect, leakage,
};
pub use sample::{Part, Sample, Source};
#[cfg(feature = "baseline")]
pub(crate) use split::stratified_split;
pub use split::{Protocol, SHARES, Split, SplitPart};
pub use votes::Votes;
