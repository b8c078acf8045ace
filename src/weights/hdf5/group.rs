//! The links of a group to what it holds.

use std::io;

use super::fields::damaged;
use super::file::File;
use super::header::{Header, kind};
use super::heap::{FractalHeap, LocalHeap};
use super::tree;

/// A name in a group, and the place of the object's header.
pub(super) struct Link {
    pub name: String,
    pub target: u64,
}

/// The kind of B-trees of version 1 that hold names, and those of version 2 that hold links by name.
const NAMES: u8 = 0;
const LINKS_BY_NAME: u8 = 5;

/// All links of a group, of the old and the new kinds.
pub(super) fn links(file: &File, header: &Header) -> io::Result<Vec<Link>> {
    let mut links = Vec::new();
    if let Some(table) = header.find(kind::SYMBOL_TABLE)? {
        let mut fields = file.fields(table);
        symbols(file, fields.defined()?, fields.defined()?, &mut links)?;
    }
    for link in header.all(kind::LINK) {
        links.push(parse(file, link)?);
    }
    if let Some(info) = header.find(kind::LINK_INFO)? {
        let mut fields = file.fields(info);
        fields.version("link info", &[0])?;
        if fields.u8()? & 1 != 0 {
            fields.skip(8)?;
        }
        if let Some(heap) = fields.address()? {
            let heap = FractalHeap::read(file, heap)?;
            tree::records(file, fields.defined()?, |kind, record| {
                if kind != LINKS_BY_NAME {
                    return Err(damaged("the names of a group are in a B-tree of an unknown kind"));
                }
                record.skip(4)?;
                links.push(parse(file, &heap.object(record.bytes(7)?)?)?);
                Ok(())
            })?;
        }
    }
    Ok(links)
}

/// The old kind: a B-tree of tables, whose names are in a local heap.
fn symbols(file: &File, tree: u64, heap: u64, links: &mut Vec<Link>) -> io::Result<()> {
    let heap = LocalHeap::read(file, heap)?;
    let sizes = file.frame.sizes;
    let entry = 2 * sizes.offset as u64 + 24;
    tree::entries(file, tree, NAMES, sizes.length, &mut |_, table| {
        let bytes = file.read(table, 8)?;
        let mut fields = file.fields(&bytes);
        fields.begin(b"SNOD", 1)?;
        fields.skip(1)?;
        let count = u64::from(fields.u16()?);
        let bytes = file.read(table.saturating_add(8), count * entry)?;
        let mut fields = file.fields(&bytes);
        for _ in 0..count {
            let (name, target) = (name(file, heap.text(fields.uint(sizes.offset)?)?)?, fields.address()?);
            let cached = fields.u32()?;
            fields.skip(20)?;
            let target = target.filter(|_| cached != 2).ok_or_else(|| indirect(&name, "a soft"))?;
            links.push(Link { name, target });
        }
        Ok(())
    })
}

/// A message of the new kind.
fn parse(file: &File, message: &[u8]) -> io::Result<Link> {
    let mut fields = file.fields(message);
    fields.version("link", &[1])?;
    let flags = fields.u8()?;
    let kind = if flags & 1 << 3 != 0 { fields.u8()? } else { 0 };
    fields.skip(if flags & 1 << 2 != 0 { 8 } else { 0 } + if flags & 1 << 4 != 0 { 1 } else { 0 })?;
    let length = fields.uint(1 << (flags & 3))?;
    let name = name(file, fields.bytes(length.try_into().unwrap_or(usize::MAX))?)?;
    match kind {
        0 => Ok(Link { name, target: fields.defined()? }),
        1 => Err(indirect(&name, "a soft")),
        64 => Err(indirect(&name, "an external")),
        _ => Err(indirect(&name, "a user-defined")),
    }
}

fn name(file: &File, bytes: &[u8]) -> io::Result<String> {
    file.spend((bytes.len() + size_of::<Link>()) as u64)?;
    let name = std::str::from_utf8(bytes).map_err(|_| damaged("a name in the HDF5 file is not text"))?;
    if name.is_empty() || name.contains('/') {
        return Err(damaged(format!("{name:?} is not a name of an HDF5 object: the file is damaged")));
    }
    Ok(name.to_owned())
}

fn indirect(name: &str, kind: &str) -> io::Error {
    damaged(format!("{name} is {kind} link, which is not followed: copy what it leads to into the file"))
}
