//! An HDF5 file: its superblock, and the reading of its structures.

use std::cell::Cell;
use std::io::{self, Read};

use super::fields::{Fields, Sizes, damaged};
use crate::weights::format;
use crate::weights::source::Source;

/// Bytes of the signature.
const SIGNATURE: u64 = 8;

/// How many times the bytes of the file the structures may take together, up to a size that they never have, and what
/// every file may use. Each is read once or twice; a file in which they go round in circles takes more.
const BUDGET: (u64, u64, u64) = (4, 16 << 20, 1 << 20);

/// What is counted for a reading at least, since many small ones take long.
const SMALLEST_READ: u64 = 64;

/// What has to be known to read a structure: where the file starts, and how wide its numbers are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub base: u64,
    pub sizes: Sizes,
}

/// A file whose structures are read.
pub(super) struct File<'s, 'a> {
    source: &'s Source<'a>,
    pub frame: Frame,
    budget: Cell<u64>,
}

impl<'s, 'a> File<'s, 'a> {
    pub fn new(source: &'s Source<'a>, frame: Frame) -> Self {
        File::limited(source, frame, BUDGET.0 * source.length().min(BUDGET.1) + BUDGET.2)
    }

    /// A file of whose structures no more bytes are read.
    pub fn limited(source: &'s Source<'a>, frame: Frame, budget: u64) -> Self {
        File { source, frame, budget: Cell::new(budget) }
    }

    /// Reads the superblock: the file, and the place of its root group.
    pub fn open(source: &'s Source<'a>) -> io::Result<(Self, u64)> {
        let base = format::hdf5(source).ok_or_else(|| damaged("this is not an HDF5 file"))?;
        let unknown = Frame { base, sizes: Sizes { offset: 8, length: 8 } };
        let bytes = File::new(source, unknown).read_up_to(SIGNATURE, 128)?;
        let mut fields = Fields::new(&bytes, unknown.sizes);
        let version = fields.version("superblock", &[0, 1, 2, 3])?;
        if version < 2 {
            fields.skip(4)?;
        }
        let sizes = Sizes { offset: fields.u8()?.into(), length: fields.u8()?.into() };
        if ![2, 4, 8].contains(&sizes.offset) || ![2, 4, 8].contains(&sizes.length) {
            let Sizes { offset, length } = sizes;
            return Err(damaged(format!("places of {offset} bytes and lengths of {length} cannot be read")));
        }
        fields.skip([9, 13, 1, 1][usize::from(version)])?;
        let mut fields = Fields::new(fields.rest(), sizes);
        fields.skip(2 * sizes.offset)?;
        let end = fields.defined()?;
        if end > source.length() {
            let held = source.length();
            return Err(damaged(format!("the file is cut short: it should have {end} bytes and has {held}")));
        }
        if version < 2 {
            fields.skip(2 * sizes.offset)?;
        }
        Ok((File::new(source, Frame { base, sizes }), fields.defined()?))
    }

    /// The bytes at a place.
    pub fn read(&self, address: u64, length: u64) -> io::Result<Vec<u8>> {
        let bytes = self.read_up_to(address, length)?;
        if bytes.len() as u64 != length {
            let reason = format!("{length} bytes at {address} are announced, where the file ends: it is damaged");
            return Err(damaged(reason));
        }
        Ok(bytes)
    }

    /// The bytes at a place, fewer if the file ends.
    pub fn read_up_to(&self, address: u64, length: u64) -> io::Result<Vec<u8>> {
        let start = self.frame.base.saturating_add(address).min(self.source.length());
        let length = length.min(self.source.length() - start);
        self.spend(length.max(SMALLEST_READ))?;
        let mut bytes = vec![0; usize::try_from(length).map_err(|_| damaged("a structure is too large"))?];
        self.source.section(start, length).read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// A structure's numbers.
    pub fn fields<'b>(&self, bytes: &'b [u8]) -> Fields<'b> {
        Fields::new(bytes, self.frame.sizes)
    }

    /// Counts bytes that were read or are kept: this ends every circle, and limits the memory for what is found.
    pub fn spend(&self, bytes: u64) -> io::Result<()> {
        let left = self.budget.get().checked_sub(bytes).ok_or_else(|| {
            damaged("the structures of the HDF5 file take more than the file has: they go round in a circle")
        })?;
        self.budget.set(left);
        Ok(())
    }
}
