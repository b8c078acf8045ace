//! Files of PyTorch before 1.6: five pickles, and then the storages one behind the other, each after its length.

use std::collections::{BTreeMap, BTreeSet};

use super::input::Input;
use super::pickle::{self, Pickle};
use super::value::Value;
use super::{LONGEST_PICKLE, largest_count, tensors};
use crate::error::Result;
use crate::weights::catalog::{Catalog, Format};
use crate::weights::record::Record;
use crate::weights::source::Source;

/// The second pickle.
const PROTOCOL: Value = Value::Int(1001);

/// A storage's length stands before its numbers.
const LENGTH_BYTES: u64 = 8;

/// The pickles that are of use, and where they end.
struct Header {
    system: Pickle,
    tensors: Pickle,
    /// The names of the storages.
    keys: Pickle,
    end: u64,
}

/// Looks into a file whose first pickle is PyTorch's magic number.
pub(in crate::weights) fn catalog(source: Source<'_>) -> Result<Catalog<'_>> {
    let header = header(&source).map_err(|reason| source.refuse(reason))?;
    let big_endian = match header.system.heap.get(header.system.value, "little_endian") {
        Some(Value::Bool(little)) => !little,
        _ => return Err(source.refuse("a PyTorch file that does not say in which order its bytes are")),
    };
    let records = records(&source, &header, big_endian)?;
    let entries = tensors::entries(&source, &header.tensors, big_endian, |key, _| {
        records.get(key).copied().ok_or_else(|| "its numbers are not listed in the file".to_owned())
    })?;
    Catalog::new(source, Format::Pytorch, entries, BTreeMap::new())
}

fn header(source: &Source) -> std::result::Result<Header, String> {
    let mut input = Input::new(Box::new(source.section(0, LONGEST_PICKLE)));
    let limit = largest_count(source);
    pickle::load(&mut input, limit)?;
    if pickle::load(&mut input, limit)?.value != PROTOCOL {
        return Err("a PyTorch file of another protocol than 1001".to_owned());
    }
    let mut next = || pickle::load(&mut input, limit);
    let (system, tensors, keys) = (next()?, next()?, next()?);
    Ok(Header { system, tensors, keys, end: input.at() })
}

/// Where the numbers of each storage are. How long they are follows from the tensors' descriptions of them.
fn records<'h>(source: &Source, header: &'h Header, big_endian: bool) -> Result<BTreeMap<&'h str, Record>> {
    let heap = &header.tensors.heap;
    let mut sizes = BTreeMap::new();
    for storage in &heap.storages {
        let described = (storage.kind, storage.length, storage.bytes());
        if *sizes.entry(heap.text(storage.key)).or_insert(described) != described {
            return Err(source.refuse("a storage of the PyTorch file is described in two ways"));
        }
    }
    let Value::List(keys) = header.keys.value else {
        return Err(source.refuse("the names of the storages are no list"));
    };
    let (mut records, mut at) = (BTreeMap::new(), header.end);
    for key in header.keys.heap.list(keys) {
        let Value::Text(key) = *key else { return Err(source.refuse("the name of a storage is no text")) };
        let key = header.keys.heap.text(key);
        let Some(&(_, length, size)) = sizes.get(key) else {
            return Err(source.refuse(format!("no tensor has the storage {key:?}")));
        };
        let bytes = source.read(at, LENGTH_BYTES)?;
        let order = |n: u64, byte: &u8| n << 8 | u64::from(*byte);
        let found = if big_endian { bytes.iter().fold(0, order) } else { bytes.iter().rev().fold(0, order) };
        if found != length {
            let reason =
                format!("the storage {key:?} has {length} numbers by its description, but {found} where it is");
            return Err(source.refuse(reason));
        }
        let offset = at + LENGTH_BYTES;
        at = offset + source.check(offset, size)? as u64;
        if records.insert(key, Record { offset, packed: size, size, deflated: false, crc: None }).is_some() {
            return Err(source.refuse(format!("two storages have the name {key:?}")));
        }
    }
    let missing: BTreeSet<_> = sizes.keys().filter(|key| !records.contains_key(**key)).collect();
    if let Some(key) = missing.first() {
        return Err(source.refuse(format!("the numbers of the storage {key:?} are missing")));
    }
    if at != source.length() {
        let (follow, held) = (source.length() - at, source.length());
        return Err(source.refuse(format!("the file of {held} bytes is {follow} longer than its storages")));
    }
    Ok(records)
}
