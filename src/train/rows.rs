//! A file of rows of bytes, each with a checksum: what takes long to make is made once. A row is read where it is asked
//! for, so that memory does not grow with their number; the operating system keeps in memory what it has room for.
//!
//! The file holds a magic number, the rows one after the other, a table of them by index, and an [`End`].

use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::path::Path;

use bytemuck::{Pod, Zeroable};

use crate::error::{Error, Result};
use crate::file::{read_exact_at, write_atomically};
use crate::parallel::*;

/// What a file begins and ends with.
const MAGIC: [u8; 8] = *b"vultusR1";

/// Rows that are made at once.
const CHUNK: usize = 256;

/// Where a row is.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Entry {
    index: u64,
    offset: u64,
    length: u32,
    checksum: u32,
}

/// The last bytes of a file.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct End {
    /// How many rows there are.
    count: u32,
    /// The table's.
    checksum: u32,
    magic: [u8; 8],
}

/// A file of rows.
pub(super) struct Rows {
    file: File,
    /// By index.
    entries: Vec<Entry>,
}

impl Rows {
    /// Opens a file and checks all of it.
    ///
    /// # Errors
    /// Of the kind `NotFound` if it is not there, `InvalidData` if it is not whole, others if it cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let length = file.metadata()?.len();
        let mut magic = [0; MAGIC.len()];
        let mut end = End::zeroed();
        let before_end = length.checked_sub(size_of::<End>() as u64).ok_or_else(damaged)?;
        file.read_exact(&mut magic)?;
        read_exact_at(&file, before_end, bytemuck::bytes_of_mut(&mut end))?;
        let table = before_end.checked_sub(u64::from(end.count) * size_of::<Entry>() as u64);
        let table = table.filter(|_| magic == MAGIC && end.magic == MAGIC).ok_or_else(damaged)?;
        let mut entries = vec![Entry::zeroed(); end.count as usize];
        read_exact_at(&file, table, bytemuck::cast_slice_mut(&mut entries))?;
        if crc32fast::hash(bytemuck::cast_slice(&entries)) != end.checksum {
            return Err(damaged());
        }
        let rows = Rows { file, entries };
        rows.entries.par_chunks(CHUNK).try_for_each(|entries| {
            let mut row = Vec::new();
            entries.iter().try_for_each(|entry| rows.read_entry(entry, &mut row))
        })?;
        Ok(rows)
    }

    /// Writes a file with a row for each of these indices, which are in ascending order, and opens it. `progress` hears
    /// how many are done.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written.
    pub fn make(
        path: &Path,
        indices: &[usize],
        make: impl Fn(usize) -> Vec<u8> + Sync,
        progress: &mut dyn FnMut(usize),
    ) -> Result<Self> {
        let failed = |error| Error::io(path, error);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        }
        write_atomically(path, |out| {
            let mut entries: Vec<Entry> = Vec::with_capacity(indices.len());
            let mut offset = MAGIC.len() as u64;
            out.write_all(&MAGIC).map_err(failed)?;
            for chunk in indices.chunks(CHUNK) {
                let rows: Vec<Vec<u8>> = chunk.par_iter().map(|&index| make(index)).collect();
                for (&index, row) in chunk.iter().zip(&rows) {
                    let (length, checksum) = (row.len() as u32, crc32fast::hash(row));
                    entries.push(Entry { index: index as u64, offset, length, checksum });
                    out.write_all(row).map_err(failed)?;
                    offset += row.len() as u64;
                }
                progress(entries.len());
            }
            let table: &[u8] = bytemuck::cast_slice(&entries);
            let end = End { count: entries.len() as u32, checksum: crc32fast::hash(table), magic: MAGIC };
            out.write_all(table).and_then(|()| out.write_all(bytemuck::bytes_of(&end))).map_err(failed)
        })?;
        Rows::open(path).map_err(failed)
    }

    /// Whether it has rows for these indices and for no others.
    pub fn are_of(&self, indices: &[usize]) -> bool {
        self.entries.iter().map(|entry| entry.index).eq(indices.iter().map(|&index| index as u64))
    }

    /// Reads a row into `row`, whatever that held: whether there is such a row and it is as it was written.
    pub fn read(&self, index: usize, row: &mut Vec<u8>) -> bool {
        let found = self.entries.binary_search_by_key(&(index as u64), |entry| entry.index);
        found.is_ok_and(|place| self.read_entry(&self.entries[place], row).is_ok())
    }

    fn read_entry(&self, entry: &Entry, row: &mut Vec<u8>) -> io::Result<()> {
        row.resize(entry.length as usize, 0);
        read_exact_at(&self.file, entry.offset, row)?;
        if crc32fast::hash(row) == entry.checksum { Ok(()) } else { Err(damaged()) }
    }
}

fn damaged() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "is damaged")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Rows of different lengths, some of them empty.
    fn row(index: usize) -> Vec<u8> {
        (0..index % 7 * 5).map(|place| (index * 31 + place) as u8).collect()
    }

    #[test]
    fn rows_are_read_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let (file, indices) = (folder.path().join("new/rows"), (0..2000).step_by(3).collect::<Vec<_>>());
        let mut heard = Vec::new();
        let made = Rows::make(&file, &indices, row, &mut |done| heard.push(done)).unwrap();
        assert_eq!(heard, [256, 512, 667]);
        for rows in [made, Rows::open(&file).unwrap()] {
            assert!(rows.are_of(&indices) && !rows.are_of(&indices[1..]));
            let mut found = vec![1; 9];
            for &index in &indices {
                assert!(rows.read(index, &mut found));
                assert_eq!(found, row(index));
            }
            assert!(!rows.read(1, &mut found) && !rows.read(2001, &mut found));
        }
        assert_eq!(fs::read_dir(file.parent().unwrap()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn every_damaged_byte_and_every_cut_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows");
        assert_eq!(Rows::open(&file).err().map(|error| error.kind()), Some(ErrorKind::NotFound));
        Rows::make(&file, &[1, 2, 7, 9], row, &mut |_| {}).unwrap();
        let whole = fs::read(&file).unwrap();
        for place in 0..whole.len() {
            let mut other = whole.clone();
            other[place] ^= 0x10;
            fs::write(&file, &other).unwrap();
            assert!(Rows::open(&file).is_err(), "byte {place}");
            fs::write(&file, &whole[..place]).unwrap();
            assert!(Rows::open(&file).is_err(), "the first {place} bytes");
        }
    }

    #[test]
    fn a_row_that_is_damaged_later_is_not_given() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("rows");
        let rows = Rows::make(&file, &[1, 2], row, &mut |_| {}).unwrap();
        let mut bytes = fs::read(&file).unwrap();
        bytes[MAGIC.len()] ^= 1;
        fs::write(&file, &bytes).unwrap();
        let mut found = Vec::new();
        assert!(!rows.read(1, &mut found));
        assert!(rows.read(2, &mut found));
    }
}
