//! Both kinds of B-trees, from their root to what their leaves hold.

use std::io;

use super::fields::{Fields, damaged};
use super::file::File;

/// Visits the leaves' entries of a tree of version 1: with each the key before it, of `key_size` bytes.
pub(super) fn entries(
    file: &File,
    address: u64,
    kind: u8,
    key_size: usize,
    visit: &mut dyn FnMut(&mut Fields, u64) -> io::Result<()>,
) -> io::Result<()> {
    descend(file, address, kind, key_size, None, visit)
}

/// The levels of the nodes have to fall by one from each to the next, which ends every circle.
fn descend(
    file: &File,
    address: u64,
    kind: u8,
    key_size: usize,
    level: Option<u8>,
    visit: &mut dyn FnMut(&mut Fields, u64) -> io::Result<()>,
) -> io::Result<()> {
    let head = 8 + 2 * file.frame.sizes.offset as u64;
    let bytes = file.read(address, head)?;
    let mut fields = file.fields(&bytes);
    fields.begin(b"TREE", kind)?;
    let (found, used) = (fields.u8()?, u64::from(fields.u16()?));
    if level.is_some_and(|level| level != found) || found > 32 {
        return Err(damaged("a B-tree of the HDF5 file has a wrong level: the file is damaged"));
    }
    let entry = (key_size + file.frame.sizes.offset) as u64;
    let bytes = file.read(address.saturating_add(head), used * entry)?;
    let mut fields = file.fields(&bytes);
    for _ in 0..used {
        let mut key = file.fields(fields.bytes(key_size)?);
        let child = fields.defined()?;
        match found.checked_sub(1) {
            Some(below) => descend(file, child, kind, key_size, Some(below), visit)?,
            None => visit(&mut key, child)?,
        }
    }
    Ok(())
}

/// Bytes of a number that goes up to a limit.
pub(super) fn width_of(limit: u64) -> usize {
    limit.checked_ilog2().unwrap_or(0) as usize / 8 + 1
}

/// What the header of a tree of version 2 says about its nodes.
struct Shape {
    kind: u8,
    record_size: usize,
    /// Bytes of the number of records in a node.
    count_size: usize,
    /// Bytes of the number of records in a node of each level and all below it.
    total_sizes: Vec<usize>,
}

/// Visits the records of a tree of version 2, with the number of their kind.
pub(super) fn records(
    file: &File,
    address: u64,
    mut visit: impl FnMut(u8, &mut Fields) -> io::Result<()>,
) -> io::Result<()> {
    let bytes = file.read_up_to(address, 48)?;
    let mut fields = file.fields(&bytes);
    fields.begin(b"BTHD", 0)?;
    let (kind, node_size, record_size) = (fields.u8()?, u64::from(fields.u32()?), usize::from(fields.u16()?));
    let depth = usize::from(fields.u16()?);
    fields.skip(2)?;
    let (root, count) = (fields.address()?, fields.u16()?);
    let Some(root) = root else { return Ok(()) };
    if depth > 16 || record_size == 0 {
        return Err(damaged("a B-tree of the HDF5 file is impossibly deep: the file is damaged"));
    }
    // The letters, version, kind and checksum of a node take ten bytes.
    let mut largest = node_size.saturating_sub(10) / record_size as u64;
    let count_size = width_of(largest);
    let (mut total, mut total_sizes) = (largest, vec![0]);
    for _ in 1..depth {
        let pointer = (file.frame.sizes.offset + count_size + total_sizes[total_sizes.len() - 1]) as u64;
        largest = node_size.saturating_sub(10 + pointer) / (record_size as u64 + pointer);
        total = (largest + 1).saturating_mul(total).saturating_add(largest);
        total_sizes.push(width_of(total));
    }
    let shape = Shape { kind, record_size, count_size, total_sizes };
    node(file, &shape, depth, root, count.into(), &mut visit)
}

fn node(
    file: &File,
    shape: &Shape,
    depth: usize,
    address: u64,
    count: u64,
    visit: &mut dyn FnMut(u8, &mut Fields) -> io::Result<()>,
) -> io::Result<()> {
    let total_size = depth.checked_sub(1).map(|below| shape.total_sizes[below]);
    let pointer = total_size.map_or(0, |size| file.frame.sizes.offset + shape.count_size + size) as u64;
    let length = count.saturating_mul(shape.record_size as u64 + pointer).saturating_add(6 + pointer);
    let bytes = file.read(address, length)?;
    let mut fields = file.fields(&bytes);
    fields.begin(if depth == 0 { b"BTLF" } else { b"BTIN" }, 0)?;
    if fields.u8()? != shape.kind {
        return Err(damaged("a B-tree of the HDF5 file has nodes of several kinds: the file is damaged"));
    }
    for _ in 0..count {
        visit(shape.kind, &mut file.fields(fields.bytes(shape.record_size)?))?;
    }
    let Some(total_size) = total_size else { return Ok(()) };
    for _ in 0..=count {
        let (child, records) = (fields.defined()?, fields.uint(shape.count_size)?);
        fields.skip(total_size)?;
        node(file, shape, depth - 1, child, records, visit)?;
    }
    Ok(())
}
