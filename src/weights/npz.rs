//! NumPy's `.npy`, an array with a short text before its numbers, and `.npz`, a zip file of such.
//!
//! The format: <https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>.

use std::collections::BTreeMap;

use super::catalog::{self, Catalog};
use super::entry::Entry;
use super::format::Format;
use super::natural_order::natural_order;
use super::npy::{self, Header};
use super::record::Record;
use super::source::Source;
use super::strided::Strided;
use super::zip::Records;
use crate::error::Result;

/// What the names of arrays end with in the zip file.
pub(super) const EXTENSION: &str = ".npy";

/// Looks into a zip file that holds these records.
pub(super) fn catalog<'a>(source: Source<'a>, records: &Records) -> Result<Catalog<'a>> {
    let mut cost = 0u64;
    let mut entries = Vec::with_capacity(records.len());
    for (file, record) in records {
        let Some(name) = file.strip_suffix(EXTENSION) else {
            return Err(source.refuse(format!("the record {file:?} of the zip file is not an array of NumPy")));
        };
        let (entry, bytes) = entry(&source, name, *record).map_err(|reason| source.refuse_tensor(name, reason))?;
        cost = cost.saturating_add(bytes);
        entries.push(entry);
    }
    if cost > catalog::largest(&source) {
        return Err(source.refuse("the arrays are far larger than the file"));
    }
    entries.sort_by(|a, b| natural_order(&a.name, &b.name));
    Catalog::new(source, Format::Npz, entries, BTreeMap::new())
}

/// Looks into a file that is one array, which gets the name of the file without its extension.
pub(super) fn single(source: Source<'_>) -> Result<Catalog<'_>> {
    let name = source.path().file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let record = Record { offset: 0, packed: source.length(), size: source.length(), deflated: false, crc: None };
    let (entry, _) = entry(&source, &name, record).map_err(|reason| source.refuse(reason))?;
    Catalog::new(source, Format::Npy, vec![entry], BTreeMap::new())
}

/// An array and how many bytes are gone through to read it.
fn entry(source: &Source, name: &str, record: Record) -> std::result::Result<(Entry, u64), String> {
    let mut reader = record.open(source, 0, record.size.min(npy::LONGEST_START)).map_err(|e| npy::failed(&e))?;
    let (text, start) = npy::text(&mut reader)?;
    let Header { descr, fortran_order, shape } = npy::parse(&text)?;
    let (dtype, size, big_endian) = npy::dtype(&descr)?;
    let bytes = shape.iter().try_fold(size as u64, |n, &extent| n.checked_mul(extent as u64));
    let held = record.size.saturating_sub(start);
    if bytes != Some(held) {
        return Err(format!("{descr:?} of the shape {shape:?} does not have the {held} bytes that follow: damaged?"));
    }
    let strided = Strided::new(record, start, size, &shape, &strides(&shape, fortran_order))?;
    let cost = strided.cost();
    Ok((Entry { name: name.to_owned(), dtype, shape, big_endian, storage: Box::new(strided) }, cost))
}

/// The distances of neighbours: the last index is the fastest, in Fortran's order the first. The product of the shape is
/// known to be small, unless it is 0.
fn strides(shape: &[usize], fortran_order: bool) -> Vec<usize> {
    let mut stride = 1usize;
    let step = |&extent: &usize| {
        let this = stride;
        stride = stride.saturating_mul(extent);
        this
    };
    if fortran_order {
        shape.iter().map(step).collect()
    } else {
        let mut strides: Vec<usize> = shape.iter().rev().map(step).collect();
        strides.reverse();
        strides
    }
}
