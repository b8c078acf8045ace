//! What `torch.save` writes: a pickle that describes tensors, and the bytes of their storages. They are in a zip file, or
//! one behind the other in files from before PyTorch 1.6.
//!
//! The format: <https://github.com/pytorch/pytorch/blob/v2.9.0/torch/serialization.py>.

mod globals;
mod input;
mod legacy;
mod opcode;
mod pickle;
mod tensors;
mod value;

use std::collections::BTreeMap;
use std::io::Read;

use self::input::Input;
use super::catalog::{Catalog, Format};
use super::source::Source;
use super::zip::Records;
use crate::error::Result;

pub(in crate::weights) use self::legacy::catalog as legacy;

/// The longest pickle. Those of large networks have a few megabytes.
const LONGEST_PICKLE: u64 = 1 << 26;

/// The name of the pickle in a zip file, behind that of a folder.
pub(in crate::weights) const PICKLE: &str = "/data.pkl";

/// How many values a pickle may have, however large its file is.
const MOST_VALUES: u64 = 1 << 22;

/// How many values a pickle may have: some dozens are needed for each tensor, which takes some hundred bytes.
fn largest_count(source: &Source) -> usize {
    (source.length() / 2).saturating_add(1 << 16).min(MOST_VALUES) as usize
}

/// Looks into a zip file that holds these records.
pub(in crate::weights) fn zipped<'a>(source: Source<'a>, records: &Records) -> Result<Catalog<'a>> {
    let mut pickles = records.iter().filter_map(|(name, record)| Some((name.strip_suffix(PICKLE)?, record)));
    let (Some((folder, record)), None) = (pickles.next(), pickles.next()) else {
        return Err(source.refuse("the zip file has several data.pkl, so not from PyTorch"));
    };
    if records.contains_key(&format!("{folder}/constants.pkl")) {
        return Err(source.refuse("this is a TorchScript program: save the model's state_dict() instead"));
    }
    if record.size > LONGEST_PICKLE {
        return Err(source.refuse(format!("its pickle has {} bytes, at most {LONGEST_PICKLE} are read", record.size)));
    }
    let refused = |reason: String| source.refuse(reason);
    let bytes = record.open(&source, 0, record.size).map_err(|e| refused(e.to_string()))?;
    let mut input = Input::new(bytes);
    let pickle = pickle::load(&mut input, largest_count(&source)).map_err(refused)?;
    if !input.is_at_end().map_err(refused)? {
        return Err(source.refuse(format!("the pickle ends at byte {}, but more follows", input.at())));
    }
    drop(input);
    let big_endian = is_big_endian(&source, records, folder)?;
    let entries = tensors::entries(&source, &pickle, big_endian, |key, storage| {
        let name = format!("{folder}/data/{key}");
        let record =
            *records.get(&name).ok_or_else(|| format!("its numbers are missing: there is no record {name}"))?;
        if storage.bytes() != record.size {
            let (wanted, found) = (storage.bytes(), record.size);
            return Err(format!("its storage has {wanted} bytes by its description, but {found} in the record {name}"));
        }
        Ok(record)
    })?;
    Catalog::new(source, Format::Pytorch, entries, BTreeMap::new())
}

/// Which byte of a number comes first, as a record says; files before PyTorch 2.1 have none.
fn is_big_endian(source: &Source, records: &Records, folder: &str) -> Result<bool> {
    let Some(record) = records.get(&format!("{folder}/byteorder")) else { return Ok(false) };
    let mut order = String::new();
    let read = record.open(source, 0, record.size).and_then(|bytes| bytes.take(16).read_to_string(&mut order));
    match (read, order.as_str()) {
        (Ok(_), "little") => Ok(false),
        (Ok(_), "big") => Ok(true),
        (Ok(_), _) => Err(source.refuse(format!("its order of bytes is neither little nor big: {order:?}"))),
        (Err(e), _) => Err(source.refuse(format!("its order of bytes cannot be read: {e}"))),
    }
}
