//! The numbers that the structures of an HDF5 file are made of: little-endian, those for places in the file as wide as its
//! superblock says.

use std::io;

/// How many bytes the numbers for places and for lengths have.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub offset: usize,
    pub length: usize,
}

/// What is left of the bytes of a structure.
pub(super) struct Fields<'b> {
    bytes: &'b [u8],
    sizes: Sizes,
}

/// An error whose text is for the user.
pub(super) fn damaged(reason: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason.into())
}

impl<'b> Fields<'b> {
    pub fn new(bytes: &'b [u8], sizes: Sizes) -> Self {
        Fields { bytes, sizes }
    }

    /// How wide the numbers for places are.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Bytes that are left.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The next bytes.
    pub fn bytes(&mut self, length: usize) -> io::Result<&'b [u8]> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(length)
            .ok_or_else(|| damaged("a structure of the HDF5 file ends in the middle: the file is damaged"))?;
        self.bytes = rest;
        Ok(taken)
    }

    /// Everything that is left.
    pub fn rest(self) -> &'b [u8] {
        self.bytes
    }

    pub fn skip(&mut self, length: usize) -> io::Result<()> {
        self.bytes(length).map(|_| ())
    }

    /// The next bytes, without those that fill them up to a multiple of eight.
    pub fn padded(&mut self, length: usize) -> io::Result<&'b [u8]> {
        let bytes = self.bytes(length)?;
        self.skip(length.next_multiple_of(8) - length)?;
        Ok(bytes)
    }

    /// A number of up to eight bytes.
    pub fn uint(&mut self, width: usize) -> io::Result<u64> {
        if width > 8 {
            return Err(damaged(format!("a number in the HDF5 file has {width} bytes: the file is damaged")));
        }
        Ok(self.bytes(width)?.iter().rev().fold(0, |number, &byte| number << 8 | u64::from(byte)))
    }

    pub fn u8(&mut self) -> io::Result<u8> {
        Ok(self.uint(1)? as u8)
    }

    pub fn u16(&mut self) -> io::Result<u16> {
        Ok(self.uint(2)? as u16)
    }

    pub fn u32(&mut self) -> io::Result<u32> {
        Ok(self.uint(4)? as u32)
    }

    /// A number for a length.
    pub fn length(&mut self) -> io::Result<u64> {
        self.uint(self.sizes.length)
    }

    /// A place in the file, which is undefined where all of its bits are set.
    pub fn address(&mut self) -> io::Result<Option<u64>> {
        let width = self.sizes.offset;
        let address = self.uint(width)?;
        Ok((address != u64::MAX >> (64 - 8 * width)).then_some(address))
    }

    /// A place in the file that there has to be.
    pub fn defined(&mut self) -> io::Result<u64> {
        self.address()?.ok_or_else(|| damaged("a structure of the HDF5 file is missing: the file is damaged"))
    }

    /// The four letters that a structure begins with, and its version.
    pub fn begin(&mut self, letters: &[u8; 4], version: u8) -> io::Result<()> {
        let name = String::from_utf8_lossy(letters);
        if self.bytes(4)? != letters {
            return Err(damaged(format!("the HDF5 structure {name} is not where it should be: the file is damaged")));
        }
        self.version(&name, &[version]).map(|_| ())
    }

    /// A version, which has to be one of those that can be read.
    pub fn version(&mut self, name: &str, known: &[u8]) -> io::Result<u8> {
        let version = self.u8()?;
        if !known.contains(&version) {
            return Err(damaged(format!("version {version} of the HDF5 structure {name} cannot be read")));
        }
        Ok(version)
    }
}
