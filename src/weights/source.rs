//! The bytes that a file of weights is read from, piece by piece: reading one tensor takes the memory of one tensor.

#[cfg(feature = "files")]
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::sync::OnceLock;

#[cfg(feature = "files")]
use sha2::{Digest, Sha256};

#[cfg(feature = "files")]
use super::sha256::hexadecimal;
use super::sha256::sha256;
use crate::error::{Error, Result};

/// An ordinary file, or bytes in memory that stand for one.
pub(crate) struct Source<'a> {
    path: &'a Path,
    /// Where it begins in the file.
    start: u64,
    length: u64,
    bytes: Bytes<'a>,
    /// Once it was asked for.
    sum: OnceLock<String>,
}

enum Bytes<'a> {
    #[cfg(feature = "files")]
    File(File),
    Memory(&'a [u8]),
}

impl<'a> Source<'a> {
    /// Opens an ordinary file. Folders, pipes and devices are refused, since reading some of them never ends.
    #[cfg(feature = "files")]
    pub fn open(path: &'a Path) -> Result<Self> {
        let failed = |e| Error::io(path, e);
        let kind = fs::metadata(path).map_err(failed)?.file_type();
        if kind.is_dir() {
            return Err(Error::weights(path, None, "this is a folder, a file is needed"));
        }
        if !kind.is_file() {
            return Err(Error::weights(path, None, "this is not an ordinary file"));
        }
        let file = File::open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok(Source { path, start: 0, length, bytes: Bytes::File(file), sum: OnceLock::new() })
    }

    /// Bytes in memory; `path` is only for messages.
    pub fn from_bytes(path: &'a Path, bytes: &'a [u8]) -> Self {
        Source { path, start: 0, length: bytes.len() as u64, bytes: Bytes::Memory(bytes), sum: OnceLock::new() }
    }

    /// A part of it as a file of its own: what lies unpacked in an archive.
    ///
    /// # Errors
    /// [`Error::Weights`] if the file ends before the range does.
    #[cfg(feature = "import")]
    pub fn part(self, offset: u64, length: u64) -> Result<Self> {
        self.check(offset, length)?;
        Ok(Source { start: self.start + offset, length, sum: OnceLock::new(), ..self })
    }

    /// Where the bytes come from, for messages.
    pub fn path(&self) -> &'a Path {
        self.path
    }

    /// How many bytes there are.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// An error about the file as a whole.
    pub fn refuse(&self, reason: impl Into<String>) -> Error {
        Error::weights(self.path, None, reason)
    }

    /// An error about one tensor of the file.
    pub fn refuse_tensor(&self, name: &str, reason: impl Into<String>) -> Error {
        Error::weights(self.path, Some(name), reason)
    }

    /// Some bytes of the file. The range is checked before any memory is taken.
    ///
    /// # Errors
    /// [`Error::Weights`] if the file ends before the range does, [`Error::Io`] if it cannot be read.
    pub fn read(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let mut bytes = vec![0; self.check(offset, length)?];
        self.read_exact_at(offset, &mut bytes).map_err(|e| Error::io(self.path, e))?;
        Ok(bytes)
    }

    /// The length of a range that lies within the file.
    ///
    /// # Errors
    /// [`Error::Weights`] if the file ends before the range does.
    pub fn check(&self, offset: u64, length: u64) -> Result<usize> {
        let end = offset.checked_add(length).filter(|&end| end <= self.length);
        end.and_then(|_| usize::try_from(length).ok()).ok_or_else(|| {
            let held = self.length;
            self.refuse(format!(
                "{length} bytes from byte {offset} on are announced, but the file has {held}: cut short?"
            ))
        })
    }

    /// A reader of a range, which ends where the file does if that is earlier.
    pub fn section(&self, offset: u64, length: u64) -> Section<'_, 'a> {
        let end = offset.saturating_add(length).min(self.length);
        Section { source: self, at: offset.min(end), end }
    }

    /// The SHA-256 of everything in lower-case hexadecimal, calculated the first time.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read.
    pub fn sha256(&self) -> Result<&str> {
        if let Some(sum) = self.sum.get() {
            return Ok(sum);
        }
        let sum = match &self.bytes {
            Bytes::Memory(bytes) if self.start == 0 && self.length == bytes.len() as u64 => sha256(bytes),
            #[cfg(not(feature = "files"))]
            Bytes::Memory(_) => sha256(&self.read(0, self.length)?),
            #[cfg(feature = "files")]
            _ => {
                let (mut digest, mut block, mut at) = (Sha256::new(), vec![0; 1 << 20], 0);
                while at < self.length {
                    let block = &mut block[..(self.length - at).min(1 << 20) as usize];
                    self.read_exact_at(at, block).map_err(|e| Error::io(self.path, e))?;
                    digest.update(&*block);
                    at += block.len() as u64;
                }
                hexadecimal(&digest.finalize())
            }
        };
        Ok(self.sum.get_or_init(|| sum))
    }

    /// Fills a buffer from a place in the file; several threads may do so at once.
    pub(super) fn read_exact_at(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match &self.bytes {
            Bytes::Memory(bytes) => {
                let start = usize::try_from(self.start.saturating_add(offset)).unwrap_or(usize::MAX).min(bytes.len());
                (&bytes[start..]).read_exact(out)
            }
            #[cfg(feature = "files")]
            Bytes::File(file) => crate::file::read_exact_at(file, self.start.saturating_add(offset), out),
        }
    }
}

/// A range of a [`Source`], read from its start to its end.
pub(crate) struct Section<'s, 'a> {
    source: &'s Source<'a>,
    at: u64,
    end: u64,
}

impl Read for Section<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(out.len());
        self.source.read_exact_at(self.at, &mut out[..length])?;
        self.at += length as u64;
        Ok(length)
    }
}

#[cfg(all(test, feature = "files"))]
mod tests {
    use super::*;

    #[test]
    fn a_file_and_its_bytes_read_alike_and_no_further_than_they_go() {
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes) = (folder.path().join("w"), b"0123456789".as_slice());
        fs::write(&path, bytes).unwrap();
        for source in [Source::open(&path).unwrap(), Source::from_bytes(&path, bytes)] {
            assert_eq!(source.length(), 10);
            assert_eq!(source.read(3, 4).unwrap(), b"3456");
            assert_eq!(source.read(10, 0).unwrap(), b"");
            for (offset, length) in [(3, 8), (11, 0), (u64::MAX, 2), (0, u64::MAX)] {
                let error = source.read(offset, length).unwrap_err().to_string();
                assert!(error.ends_with("but the file has 10: cut short?"), "{error}");
            }
            let mut end = String::new();
            source.section(8, 100).read_to_string(&mut end).unwrap();
            assert_eq!(end, "89");
            assert_eq!(source.sha256().unwrap(), "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882");
        }
    }
    #[cfg(feature = "import")]
    #[test]
    fn a_part_reads_like_a_file_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let (path, bytes) = (folder.path().join("w"), b"0123456789".as_slice());
        fs::write(&path, bytes).unwrap();
        for source in [Source::open(&path).unwrap(), Source::from_bytes(&path, bytes)] {
            let part = source.part(2, 5).unwrap();
            assert_eq!((part.length(), part.read(1, 3).unwrap().as_slice()), (5, b"345".as_slice()));
            assert!(part.read(3, 3).is_err());
            assert_eq!(part.sha256().unwrap(), sha256(b"23456"));
            assert!(part.part(4, 2).is_err());
        }
    }
}
