//! Weights of Keras: HDF5 files, of which this reads what Keras and h5py write.
//!
//! The structures are described in the
//! [HDF5 file format specification](https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html). Read are all versions
//! of superblocks, object headers and groups; datasets of floats that are contiguous, compact or chunked, by any index but
//! the extensible array, plain or packed by gzip, shuffle and Fletcher's checksum. Links that lead elsewhere and
//! descriptions that datasets share are refused.

mod attribute;
mod chunks;
mod datatype;
mod fields;
mod file;
mod filters;
mod group;
mod header;
mod heap;
mod index;
mod keras;
mod layout;
mod tree;
mod walk;

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use file::File;
use header::Header;
use walk::Walk;

use super::catalog::Catalog;
use super::format::Format;
use super::source::Source;
use crate::error::Result;

/// Looks into a file: its datasets of any type by their paths, in the order of its layers, and the texts that it has as
/// attributes.
pub(in crate::weights) fn catalog(source: Source<'_>) -> Result<Catalog<'_>> {
    let refuse = |error: io::Error| walk::refuse(&source, "", error);
    let (file, root) = File::open(&source).map_err(refuse)?;
    let header = Header::read(&file, root).map_err(refuse)?;
    let mut walk = Walk { source: &source, file: &file, groups: BTreeSet::new() };
    let (entries, attributes) = walk.group("", root, &header, 0)?;
    let metadata: BTreeMap<String, String> = (attributes.into_iter().filter(|(_, texts)| texts.single))
        .filter_map(|(name, mut texts)| Some((name, texts.values.pop()?)))
        .collect();
    Catalog::new(source, Format::Hdf5, entries, metadata)
}
