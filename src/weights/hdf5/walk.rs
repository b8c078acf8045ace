//! From the root group to the list of all datasets.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use super::attribute::{self, Texts};
use super::datatype::{Datatype, Kind, dimensions};
use super::fields::damaged;
use super::file::File;
use super::group;
use super::header::{Header, kind};
use super::keras;
use super::layout;
use crate::error::{Error, Result};
use crate::weights::entry::{Dtype, Entry, Held};
use crate::weights::natural_order::natural_order;
use crate::weights::source::Source;

/// How deep groups may be in each other.
const DEEPEST: usize = 64;

/// A longer path from the root is no name of a tensor.
const LONGEST_PATH: usize = 1024;

/// The walk through a file.
pub(super) struct Walk<'f, 's, 'a> {
    pub source: &'s Source<'a>,
    pub file: &'f File<'s, 'a>,
    /// The places of the groups that were seen.
    pub groups: BTreeSet<u64>,
}

impl Walk<'_, '_, '_> {
    /// The datasets of a group and of all that are in it, in Keras's order, and the group's attributes.
    pub fn group(
        &mut self,
        path: &str,
        address: u64,
        header: &Header,
        depth: usize,
    ) -> Result<(Vec<Entry>, BTreeMap<String, Texts>)> {
        if depth > DEEPEST || !self.groups.insert(address) {
            let reason = "this group is in itself, in two others, or in far too many: that cannot be read";
            return Err(self.source.refuse_tensor(path, reason));
        }
        let attributes = attribute::texts(self.file, header).map_err(|e| self.refuse(path, e))?;
        let mut links = group::links(self.file, header).map_err(|e| self.refuse(path, e))?;
        links.sort_by(|a, b| natural_order(&a.name, &b.name));
        let mut entries = Vec::new();
        for link in links {
            let path = if path.is_empty() { link.name } else { format!("{path}/{}", link.name) };
            self.object(path, link.target, depth + 1, &mut entries)?;
        }
        let start = if path.is_empty() { 0 } else { path.len() + 1 };
        for list in ["layer_names", "weight_names"] {
            keras::sort_by_names(&mut entries, &keras::names(&attributes, list), |entry| &entry.name[start..]);
        }
        Ok((entries, attributes))
    }

    /// Whatever a link leads to.
    fn object(&mut self, path: String, address: u64, depth: usize, entries: &mut Vec<Entry>) -> Result<()> {
        if path.len() > LONGEST_PATH {
            return Err(self.source.refuse(format!("a name in the HDF5 file has more than {LONGEST_PATH} bytes")));
        }
        let header = Header::read(self.file, address).map_err(|e| self.refuse(&path, e))?;
        if header.has(kind::SYMBOL_TABLE) || header.has(kind::LINK_INFO) {
            entries.append(&mut self.group(&path, address, &header, depth)?.0);
        } else if header.has(kind::LAYOUT) {
            let entry = dataset(self.file, &path, &header).map_err(|e| self.refuse(&path, e))?;
            entries.push(entry);
        } else if !header.has(kind::DATATYPE) {
            return Err(self
                .source
                .refuse_tensor(&path, "it is neither a group nor a dataset: the HDF5 file is damaged"));
        }
        Ok(())
    }

    pub fn refuse(&self, path: &str, error: io::Error) -> Error {
        refuse(self.source, path, error)
    }
}

/// What is wrong with an object of the file, or that it cannot be read at all.
pub(super) fn refuse(source: &Source, path: &str, error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::InvalidData if path.is_empty() => source.refuse(error.to_string()),
        io::ErrorKind::InvalidData => source.refuse_tensor(path, error.to_string()),
        _ => Error::io(source.path(), error),
    }
}

fn dataset(file: &File, path: &str, header: &Header) -> io::Result<Entry> {
    file.spend((size_of::<Entry>() + path.len()) as u64)?;
    let part = |kind, name| header.find(kind)?.ok_or_else(|| damaged(format!("its {name} is missing")));
    let datatype = Datatype::parse(file.fields(part(kind::DATATYPE, "type")?))?;
    let shape = dimensions(file, part(kind::DATASPACE, "shape")?)?.unwrap_or_else(|| vec![0]);
    let shape: Vec<usize> = (shape.iter().map(|&size| usize::try_from(size)))
        .collect::<std::result::Result<_, _>>()
        .map_err(|_| damaged(format!("its shape {shape:?} is out of any range")))?;
    let dtype = match datatype.kind {
        Kind::Number(dtype) => dtype,
        Kind::Opaque => opaque(file, header, datatype.size)?,
        Kind::Text | Kind::TextInHeap => Dtype::Other("TEXT"),
    };
    let storage = match dtype {
        Dtype::Other(_) => Box::new(Held(Vec::new())),
        _ => layout::storage(file, header, &shape, datatype)?,
    };
    Ok(Entry { name: path.to_owned(), dtype, shape, big_endian: datatype.big_endian, storage })
}

/// Keras writes bfloat16 as two bytes without a meaning, and that in an attribute.
fn opaque(file: &File, header: &Header, size: usize) -> io::Result<Dtype> {
    let attributes = attribute::texts(file, header)?;
    let is_bf16 = |texts: &Texts| size == 2 && texts.values == ["bfloat16"];
    Ok(if attributes.get("dtype").is_some_and(is_bf16) { Dtype::BF16 } else { Dtype::Other("OPAQUE") })
}
