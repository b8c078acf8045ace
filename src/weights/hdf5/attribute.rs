//! Attributes that are texts: lists of names, and what a file says about itself.

use std::collections::BTreeMap;
use std::io;

use super::datatype::{Datatype, Kind, dimensions};
use super::fields::{Fields, damaged};
use super::file::File;
use super::header::{Header, kind};
use super::heap::{Collection, FractalHeap};
use super::tree;

/// A longer text is no name, and nothing to show.
const LONGEST_TEXT: usize = 1024;

/// The kind of B-trees of version 2 that hold attributes by name.
const ATTRIBUTES_BY_NAME: u8 = 8;

/// The value of an attribute.
pub(super) struct Texts {
    pub values: Vec<String>,
    /// Whether it is a text and not a list with one.
    pub single: bool,
}

/// The attributes of an object that are texts or lists of texts.
pub(super) fn texts(file: &File, header: &Header) -> io::Result<BTreeMap<String, Texts>> {
    let mut found = BTreeMap::new();
    for message in header.all(kind::ATTRIBUTE) {
        found.extend(parse(file, message)?);
    }
    let Some(info) = header.find(kind::ATTRIBUTE_INFO)? else { return Ok(found) };
    let mut fields = file.fields(info);
    fields.version("attribute info", &[0])?;
    if fields.u8()? & 1 != 0 {
        fields.skip(2)?;
    }
    if let Some(heap) = fields.address()? {
        let heap = FractalHeap::read(file, heap)?;
        tree::records(file, fields.defined()?, |kind, record| {
            if kind != ATTRIBUTES_BY_NAME {
                return Err(damaged("the attributes of an object are in a B-tree of an unknown kind"));
            }
            found.extend(parse(file, &heap.object(record.bytes(8)?)?)?);
            Ok(())
        })?;
    }
    Ok(found)
}

/// An attribute, if it is a text or a list of texts.
fn parse(file: &File, message: &[u8]) -> io::Result<Option<(String, Texts)>> {
    let mut fields = file.fields(message);
    let version = fields.version("attribute", &[1, 2, 3])?;
    let shared = fields.u8()? & 3 != 0 && version > 1;
    let mut sizes = [0; 3];
    for size in &mut sizes {
        *size = usize::from(fields.u16()?);
    }
    fields.skip(if version == 3 { 1 } else { 0 })?;
    let mut part = |size| if version == 1 { fields.padded(size) } else { fields.bytes(size) };
    let (name, datatype, dataspace) = (part(sizes[0])?, part(sizes[1])?, part(sizes[2])?);
    if shared {
        return Ok(None);
    }
    let Some(shape) = dimensions(file, dataspace)? else { return Ok(None) };
    let values = values(file, Datatype::parse(file.fields(datatype))?, &shape, fields)?;
    Ok(values.map(|values| (text(name), Texts { values, single: shape.is_empty() })))
}

fn values(file: &File, datatype: Datatype, shape: &[u64], mut fields: Fields) -> io::Result<Option<Vec<String>>> {
    if !matches!(datatype.kind, Kind::Text | Kind::TextInHeap) {
        return Ok(None);
    }
    if datatype.kind == Kind::Text && datatype.size > LONGEST_TEXT {
        return Ok(None);
    }
    let count = shape.iter().try_fold(1u64, |count, &size| count.checked_mul(size));
    let count = count.filter(|&count| count <= fields.len() as u64);
    let count = count.ok_or_else(|| damaged("an attribute has more values than bytes: the HDF5 file is damaged"))?;
    let (mut values, mut collection) = (Vec::new(), None);
    for _ in 0..count {
        let element = fields.bytes(datatype.size)?;
        file.spend((size_of::<String>() + element.len()) as u64)?;
        match datatype.kind {
            Kind::Text => values.push(text(element)),
            _ => match in_heap(file, file.fields(element), &mut collection)? {
                Some(value) => values.push(value),
                None => return Ok(None),
            },
        }
    }
    Ok(Some(values))
}

/// A text in the global heap, unless it is too long. The collection that was read last is kept for the next one.
fn in_heap(file: &File, mut fields: Fields, collection: &mut Option<Collection>) -> io::Result<Option<String>> {
    let length = fields.u32()? as usize;
    let (address, index) = (fields.address()?, fields.u32()?);
    if length > LONGEST_TEXT {
        return Ok(None);
    }
    let Some(address) = address.filter(|_| length > 0) else { return Ok(Some(String::new())) };
    let held = match collection.take().filter(|held| held.is_at(address)) {
        Some(held) => held,
        None => Collection::read(file, address)?,
    };
    let held = collection.insert(held);
    let bytes = held.object(file, index)?;
    file.spend(length as u64)?;
    Ok(Some(text(&bytes[..length.min(bytes.len())])))
}

/// A text without what fills it up.
fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}
