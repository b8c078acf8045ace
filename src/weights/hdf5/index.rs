//! The lists of a dataset's chunks.

use std::io;

use super::fields::{Fields, damaged};
use super::file::File;
use super::tree;

/// Bytes of a packed chunk for each byte in it, and in any case.
const LARGEST_PACKED: (u64, u64) = (2, 1 << 10);

/// Where the places of a dataset's chunks are listed. None of them is there before something is written.
#[derive(Clone, Copy, Debug)]
pub(super) enum Index {
    /// A B-tree of version 1.
    Tree(Option<u64>),
    /// There is one chunk, with its length and its skipped filters if there are filters.
    Single { packed: Option<(u64, u32)>, address: Option<u64> },
    /// One behind the other.
    Implicit(Option<u64>),
    /// A list in row order.
    FixedArray(Option<u64>),
    /// A B-tree of version 2.
    Records(Option<u64>),
}

/// One chunk in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chunk {
    /// Its place in row order.
    pub cell: u64,
    pub address: u64,
    pub length: u64,
    /// A bit for each filter that it did not go through.
    pub skipped: u32,
}

/// How a dataset is cut into chunks.
#[derive(Clone, Debug)]
pub(super) struct Grid {
    /// Numbers of chunks along each dimension.
    pub counts: Vec<u64>,
    /// Sizes of a chunk.
    pub chunk: Vec<u64>,
    /// Bytes of a chunk.
    pub length: u64,
}

impl Grid {
    /// How many chunks there are.
    pub fn cells(&self) -> u64 {
        self.counts.iter().product()
    }

    /// The place in row order of a chunk's coordinates.
    fn cell(&self, mut coordinate: impl FnMut() -> io::Result<u64>) -> io::Result<u64> {
        self.counts.iter().try_fold(0, |cell, &count| {
            let at = coordinate()?;
            if at >= count {
                return Err(damaged("a chunk is outside of the dataset: the HDF5 file is damaged"));
            }
            Ok(cell * count + at)
        })
    }
}

/// The chunks in row order, each once and none in the place of another. Some may be missing.
pub(super) fn chunks(file: &File, index: Index, grid: &Grid, filtered: bool) -> io::Result<Vec<Chunk>> {
    let mut chunks = Vec::new();
    let twice = || damaged("one of its chunks is there twice: the HDF5 file is damaged");
    let mut add = |chunk: Chunk| {
        if chunks.len() as u64 == grid.cells() {
            return Err(twice());
        }
        if chunk.length > LARGEST_PACKED.0 * grid.length + LARGEST_PACKED.1 {
            return Err(damaged("a chunk takes far more bytes than it holds: the HDF5 file is damaged"));
        }
        chunks.push(chunk);
        Ok(())
    };
    match index {
        Index::Tree(Some(address)) => tree_1(file, address, grid, &mut add)?,
        Index::Single { packed, address: Some(address) } => {
            let (length, skipped) = packed.unwrap_or((grid.length, 0));
            add(Chunk { cell: 0, address, length, skipped })?;
        }
        Index::Implicit(Some(address)) => {
            for cell in 0..grid.cells() {
                let address = address.saturating_add(cell.saturating_mul(grid.length));
                add(Chunk { cell, address, length: grid.length, skipped: 0 })?;
            }
        }
        Index::FixedArray(Some(address)) => fixed_array(file, address, grid, filtered, &mut add)?,
        Index::Records(Some(address)) => tree_2(file, address, grid, filtered, &mut add)?,
        _ => {}
    }
    chunks.sort_unstable_by_key(|chunk| chunk.address);
    if chunks.windows(2).any(|pair| pair[0].address.saturating_add(pair[0].length) > pair[1].address) {
        return Err(damaged("two of its chunks are in the same place: the HDF5 file is damaged"));
    }
    chunks.sort_unstable_by_key(|chunk| chunk.cell);
    if chunks.windows(2).any(|pair| pair[0].cell == pair[1].cell) {
        return Err(twice());
    }
    Ok(chunks)
}

type Add<'c> = dyn FnMut(Chunk) -> io::Result<()> + 'c;

/// The keys are a chunk's length, skipped filters, and the index of its first element.
fn tree_1(file: &File, address: u64, grid: &Grid, add: &mut Add) -> io::Result<()> {
    const CHUNKS: u8 = 1;
    let key_size = 8 * grid.chunk.len() + 16;
    tree::entries(file, address, CHUNKS, key_size, &mut |key, address| {
        let (length, skipped) = (key.u32()?.into(), key.u32()?);
        let mut sizes = grid.chunk.iter();
        let cell = grid.cell(|| {
            let (first, size) = (key.uint(8)?, sizes.next().copied().unwrap_or(1));
            if first % size == 0 { Ok(first / size) } else { Err(damaged("a chunk is between others")) }
        })?;
        add(Chunk { cell, address, length, skipped })
    })
}

fn tree_2(file: &File, address: u64, grid: &Grid, filtered: bool, add: &mut Add) -> io::Result<()> {
    const PLAIN: u8 = 10;
    const FILTERED: u8 = 11;
    tree::records(file, address, |kind, record| {
        if kind != if filtered { FILTERED } else { PLAIN } {
            return Err(damaged("its chunks are in a B-tree of an unknown kind: the HDF5 file is damaged"));
        }
        let size = record.len().saturating_sub(8 * grid.chunk.len());
        let (address, length, skipped) = element(record, size, grid, filtered)?;
        let cell = grid.cell(|| record.uint(8))?;
        address.map_or(Ok(()), |address| add(Chunk { cell, address, length, skipped }))
    })
}

/// A chunk's address, and with filters also its length and those that were skipped, in `size` bytes.
fn element(fields: &mut Fields, size: usize, grid: &Grid, filtered: bool) -> io::Result<(Option<u64>, u64, u32)> {
    let address = fields.address()?;
    if !filtered {
        return Ok((address, grid.length, 0));
    }
    let width = size.saturating_sub(fields.sizes().offset + 4);
    Ok((address, fields.uint(width)?, fields.u32()?))
}

/// A list of all chunks, which is cut into pages where it is long.
fn fixed_array(file: &File, address: u64, grid: &Grid, filtered: bool, add: &mut Add) -> io::Result<()> {
    let bytes = file.read_up_to(address, 32)?;
    let mut fields = file.fields(&bytes);
    fields.begin(b"FAHD", 0)?;
    fields.skip(1)?;
    let (size, bits, count, block) = (fields.u8()?, fields.u8()?, fields.length()?, fields.address()?);
    let Some(block) = block else { return Ok(()) };
    if count != grid.cells() || bits > 32 || usize::from(size) < file.frame.sizes.offset {
        return Err(damaged("the list of its chunks does not fit to its shape: the HDF5 file is damaged"));
    }
    let (size, page) = (u64::from(size), 1 << bits);
    let pages = if count > page { count.div_ceil(page) } else { 0 };
    let head = 6 + file.frame.sizes.offset as u64;
    let bitmap = file.read(block, head + pages.div_ceil(8))?;
    let mut fields = file.fields(&bitmap);
    fields.begin(b"FADB", 0)?;
    // Behind the bits that say which pages are used, and behind each page, is a checksum.
    let mut at = block.saturating_add(bitmap.len() as u64).saturating_add(if pages > 0 { 4 } else { 0 });
    for number in 0..pages.max(1) {
        let first = number * page;
        let held = if pages > 0 { page.min(count - first) } else { count };
        let used = pages == 0 || bitmap[(head + number / 8) as usize] & 0x80 >> (number % 8) != 0;
        if used {
            let bytes = file.read(at, held.saturating_mul(size))?;
            let mut fields = file.fields(&bytes);
            for cell in first..first + held {
                let mut fields = file.fields(fields.bytes(size as usize)?);
                if let (Some(address), length, skipped) = element(&mut fields, size as usize, grid, filtered)? {
                    add(Chunk { cell, address, length, skipped })?;
                }
            }
        }
        at = at.saturating_add(held.saturating_mul(size)).saturating_add(if pages > 0 { 4 } else { 0 });
    }
    Ok(())
}
