//! Heaps: where names of links, links and attributes of large groups, and texts are kept.

use std::collections::BTreeMap;
use std::io;

use super::fields::{Fields, damaged};
use super::file::File;
use super::tree;

/// A local heap: the names of a group's links.
pub(super) struct LocalHeap(Vec<u8>);

impl LocalHeap {
    pub fn read(file: &File, address: u64) -> io::Result<Self> {
        let bytes = file.read_up_to(address, 32)?;
        let mut fields = file.fields(&bytes);
        fields.begin(b"HEAP", 0)?;
        fields.skip(3)?;
        let (length, _) = (fields.length()?, fields.length()?);
        Ok(LocalHeap(file.read(fields.defined()?, length)?))
    }

    /// The text at a place, which ends with a zero.
    pub fn text(&self, at: u64) -> io::Result<&[u8]> {
        let bytes = usize::try_from(at).ok().and_then(|at| self.0.get(at..)).unwrap_or_default();
        let end = bytes.iter().position(|&byte| byte == 0);
        Ok(&bytes[..end.ok_or_else(|| damaged("a name is outside of its heap: the HDF5 file is damaged"))?])
    }
}

/// A collection of a global heap: texts of any length.
pub(super) struct Collection {
    address: u64,
    bytes: Vec<u8>,
}

impl Collection {
    pub fn read(file: &File, address: u64) -> io::Result<Self> {
        let bytes = file.read_up_to(address, 16)?;
        let mut fields = file.fields(&bytes);
        fields.begin(b"GCOL", 1)?;
        fields.skip(3)?;
        Ok(Collection { address, bytes: file.read(address, fields.length()?)? })
    }

    /// Whether this is the collection at a place.
    pub fn is_at(&self, address: u64) -> bool {
        self.address == address
    }

    /// One of its objects. The search is counted as reading, since a file may ask for it again and again.
    pub fn object(&self, file: &File, index: u32) -> io::Result<&[u8]> {
        let mut fields = file.fields(&self.bytes);
        fields.skip(8)?;
        fields.length()?;
        while fields.len() >= 16 {
            file.spend(1)?;
            let found = fields.u16()?;
            fields.skip(6)?;
            let length = fields.length()?.try_into().unwrap_or(usize::MAX);
            if u32::from(found) == index {
                return fields.bytes(length);
            }
            if found == 0 {
                break;
            }
            fields.skip(length.checked_next_multiple_of(8).unwrap_or(usize::MAX))?;
        }
        Err(damaged(format!("text {index} of the heap at {} is missing: the HDF5 file is damaged", self.address)))
    }
}

/// A fractal heap: links or attributes of a group that has many.
pub(super) struct FractalHeap<'f, 's, 'a> {
    file: &'f File<'s, 'a>,
    offset_size: usize,
    length_size: usize,
    width: u64,
    start: u64,
    largest: u64,
    root: Option<u64>,
    rows: u64,
    huge: BTreeMap<u64, (u64, u64)>,
}

impl<'f, 's, 'a> FractalHeap<'f, 's, 'a> {
    pub fn read(file: &'f File<'s, 'a>, address: u64) -> io::Result<Self> {
        let bytes = file.read_up_to(address, 160)?;
        let mut fields = file.fields(&bytes);
        fields.begin(b"FRHP", 0)?;
        fields.skip(2)?;
        if fields.u16()? != 0 {
            return Err(damaged("the HDF5 file has a compressed heap, which cannot be read"));
        }
        fields.skip(1)?;
        let largest_object = fields.u32()?.into();
        fields.length()?;
        let huge = huge_objects(file, fields.address()?)?;
        fields.length()?;
        fields.address()?;
        for _ in 0..8 {
            fields.length()?;
        }
        let (width, start, largest) = (u64::from(fields.u16()?), fields.length()?, fields.length()?);
        let bits = usize::from(fields.u16()?);
        fields.skip(2)?;
        let (root, rows) = (fields.address()?, u64::from(fields.u16()?));
        if !start.is_power_of_two() || !largest.is_power_of_two() || start > largest || width == 0 || bits > 64 {
            return Err(damaged("the blocks of a heap have impossible sizes: the HDF5 file is damaged"));
        }
        let length_size = tree::width_of(largest).min(tree::width_of(largest_object));
        Ok(FractalHeap { file, offset_size: bits.div_ceil(8), length_size, width, start, largest, root, rows, huge })
    }

    /// The object of an identifier.
    pub fn object(&self, id: &[u8]) -> io::Result<Vec<u8>> {
        let mut fields = self.file.fields(id);
        let first = fields.u8()?;
        match first >> 4 & 3 {
            0 => {
                let (offset, length) = (fields.uint(self.offset_size)?, fields.uint(self.length_size)?);
                self.file.read(self.place(offset)?, length)
            }
            1 => {
                let number = fields.uint(fields.len().min(8))?;
                let place = self.huge.get(&number);
                let &(address, length) = place.ok_or_else(|| damaged("a large object of a heap is missing"))?;
                self.file.read(address, length)
            }
            2 => Ok(fields.bytes(usize::from(first & 15) + 1)?.to_vec()),
            _ => Err(damaged("an object of a heap has an unknown kind: the HDF5 file is damaged")),
        }
    }

    /// Where an offset in the heap is in the file: through a table whose rows have blocks of doubling size.
    fn place(&self, mut offset: u64) -> io::Result<u64> {
        let outside = || damaged("an object is outside of its heap: the HDF5 file is damaged");
        let (mut block, mut rows) = (self.root.ok_or_else(outside)?, self.rows);
        // Every table is in one of a larger size, so that there are fewer than bits in an offset.
        while rows > 0 {
            let (mut row, mut size) = (0, self.start);
            while offset >= size.saturating_mul(self.width) {
                offset -= size.saturating_mul(self.width);
                row += 1;
                size = if row > 1 { size.saturating_mul(2) } else { size };
            }
            if row >= rows {
                return Err(outside());
            }
            let (entry, entry_size) = (row * self.width + offset / size, self.file.frame.sizes.offset as u64);
            // Letters, version, the place of the heap, and this block's offset are in front of the entries.
            let head = 5 + entry_size + self.offset_size as u64;
            let at = block.saturating_add(head + entry * entry_size);
            let bytes = self.file.read(at, entry_size)?;
            block = self.file.fields(&bytes).address()?.ok_or_else(outside)?;
            offset %= size;
            rows = if size <= self.largest { 0 } else { rows_of(size, self.start, self.width) };
        }
        if self.rows == 0 && offset >= self.start {
            return Err(outside());
        }
        Ok(block.saturating_add(offset))
    }
}

/// How many rows a table has that covers a range.
fn rows_of(size: u64, start: u64, width: u64) -> u64 {
    u64::from((size / start.saturating_mul(width).max(1)).checked_ilog2().map_or(0, |log| log + 1))
}

/// The places and lengths of objects that are too large for a heap's blocks, by their numbers.
fn huge_objects(file: &File, address: Option<u64>) -> io::Result<BTreeMap<u64, (u64, u64)>> {
    let mut objects = BTreeMap::new();
    let Some(address) = address else { return Ok(objects) };
    tree::records(file, address, |kind, record: &mut Fields| {
        if kind != 1 {
            return Err(damaged("the large objects of a heap are compressed or of an unknown kind"));
        }
        let place = (record.defined()?, record.length()?);
        objects.insert(record.length()?, place);
        Ok(())
    })?;
    Ok(objects)
}
