//! A run of bytes within a file of weights, as it is or compressed, with a checksum or without.

use std::io::{self, Read};

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::source::Source;

/// Bytes that lie together in the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Record {
    /// The first byte in the file.
    pub offset: u64,
    /// How many bytes there are in the file.
    pub packed: u64,
    /// How many these are once they are inflated.
    pub size: u64,
    /// Whether they are compressed.
    pub deflated: bool,
    /// The CRC-32 of the inflated bytes.
    pub crc: Option<u32>,
}

impl Record {
    /// A reader of some of the inflated bytes, which lie within [`Record::size`]. The checksum is compared when it has
    /// gone through all of them, so not if only a part of an uncompressed record is wanted.
    pub fn open<'s>(&self, source: &'s Source, start: u64, length: u64) -> io::Result<Box<dyn Read + 's>> {
        if !self.deflated && (start > 0 || length < self.size) {
            return Ok(Box::new(source.section(self.offset.saturating_add(start), length)));
        }
        let section = source.section(self.offset, self.packed);
        let bytes: Box<dyn Read> =
            if self.deflated { Box::new(DeflateDecoder::new(section)) } else { Box::new(section) };
        let mut reader = Checked { bytes, left: self.size, crc: self.crc.map(|wanted| (Crc::new(), wanted)) };
        io::copy(&mut (&mut reader).take(start), &mut io::sink())?;
        Ok(Box::new(reader))
    }

    /// How many bytes are gone through to reach the end of this part.
    pub fn cost(&self, start: u64, length: u64) -> u64 {
        if self.deflated { start.saturating_add(length) } else { length }
    }
}

/// Compares what was read with the announced size and checksum.
struct Checked<'s> {
    bytes: Box<dyn Read + 's>,
    left: u64,
    crc: Option<(Crc, u32)>,
}

impl Read for Checked<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let read = self.bytes.read(&mut out[..length]).map_err(|e| match e.kind() {
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => damaged("its bytes cannot be inflated"),
            _ => e,
        })?;
        self.left -= read as u64;
        if let Some((crc, _)) = &mut self.crc {
            crc.update(&out[..read]);
        }
        if read > 0 && self.left == 0 {
            self.finish()?;
        }
        Ok(read)
    }
}

impl Checked<'_> {
    fn finish(&mut self) -> io::Result<()> {
        if self.bytes.read(&mut [0])? > 0 {
            return Err(damaged("more bytes come out than are announced"));
        }
        match &self.crc {
            Some((crc, wanted)) if crc.sum() != *wanted => Err(damaged("its checksum is wrong")),
            _ => Ok(()),
        }
    }
}

fn damaged(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("the file is damaged: {reason}"))
}
