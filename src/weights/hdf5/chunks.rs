//! Datasets that are cut into chunks: read band by band, so that only as many chunks are in memory as lie side by side.

use std::io::{self, Read};

use flate2::read::ZlibDecoder;

use super::fields::damaged;
use super::file::{File, Frame};
use super::filters::{self, Filter};
use super::index::{self, Chunk, Grid, Index};
use crate::weights::entry::Storage;
use crate::weights::source::Source;

/// A chunk may be larger than its dataset, which can grow, by so many times and bytes.
const LARGEST_CHUNK: (u64, u64) = (2, 1 << 16);

/// Bytes that the list of a dataset's chunks may take: for each chunk, for each of its dimensions, and in any case.
const BUDGET: (u64, u64, u64) = (128, 16, 1 << 14);

/// Where a dataset's chunks are, and how they are cut and packed.
#[derive(Debug)]
pub(super) struct Chunked {
    frame: Frame,
    shape: Vec<u64>,
    element: u64,
    grid: Grid,
    index: Index,
    filters: Vec<Filter>,
}

impl Chunked {
    /// `chunk` has the sizes of a chunk and, behind them, that of an element.
    pub fn new(
        frame: Frame,
        shape: &[usize],
        element: usize,
        mut chunk: Vec<u64>,
        index: Index,
        filters: Vec<Filter>,
    ) -> io::Result<Self> {
        let (shape, element): (Vec<u64>, _) = (shape.iter().map(|&size| size as u64).collect(), element as u64);
        if chunk.pop() != Some(element) || chunk.len() != shape.len() || shape.is_empty() || chunk.contains(&0) {
            return Err(damaged(format!("chunks of {chunk:?} do not fit to the shape {shape:?}")));
        }
        let bytes = |sizes: &[u64]| sizes.iter().try_fold(element, |bytes, &size| bytes.checked_mul(size));
        let whole = bytes(&shape).unwrap_or(u64::MAX);
        let length = bytes(&chunk).filter(|&length| {
            length <= whole.saturating_mul(LARGEST_CHUNK.0).saturating_add(LARGEST_CHUNK.1) && length <= u32::MAX.into()
        });
        let length = length.ok_or_else(|| damaged(format!("its chunks of {chunk:?} are far larger than itself")))?;
        let counts: Vec<u64> = shape.iter().zip(&chunk).map(|(size, chunk)| size.div_ceil(*chunk)).collect();
        Ok(Chunked { frame, shape, element, grid: Grid { counts, chunk, length }, index, filters })
    }

    /// Bytes of all that one step along the first dimension spans.
    fn row(&self) -> u64 {
        self.shape[1..].iter().product::<u64>() * self.element
    }
}

impl Storage for Chunked {
    fn open<'s>(&'s self, source: &'s Source<'_>) -> io::Result<Box<dyn Read + 's>> {
        if self.shape.contains(&0) {
            return Ok(Box::new(io::empty()));
        }
        let of_a_chunk = BUDGET.0 + BUDGET.1 * self.shape.len() as u64;
        let budget = self.grid.cells().saturating_mul(of_a_chunk).saturating_add(BUDGET.2);
        let file = File::limited(source, self.frame, budget);
        let chunks = index::chunks(&file, self.index, &self.grid, !self.filters.is_empty())?;
        Ok(Box::new(Bands { chunked: self, source, chunks, next: 0, band: Box::new(io::empty()), left: 0, rest: 0 }))
    }
}

/// Reads a dataset band by band: the chunks that begin with the same row.
struct Bands<'s, 'a> {
    chunked: &'s Chunked,
    source: &'s Source<'a>,
    chunks: Vec<Chunk>,
    /// The band after this one.
    next: u64,
    band: Box<dyn Read + 's>,
    /// Bytes that are left in the band.
    left: u64,
    /// Bytes behind them that are outside of the dataset.
    rest: u64,
}

impl Read for Bands<'_, '_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            if self.next == self.chunked.grid.counts[0] {
                return Ok(0);
            }
            (self.band, self.left, self.rest) = self.open()?;
            self.next += 1;
        }
        let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(out.len());
        let read = self.band.read(&mut out[..length]).map_err(unpacking)?;
        self.left -= read as u64;
        let short = read == 0 && length > 0;
        if short || self.left == 0 && self.drain()? != self.rest {
            return Err(damaged("a chunk has more or fewer bytes than it should: the HDF5 file is damaged"));
        }
        Ok(read)
    }
}

fn unpacking(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::InvalidInput => damaged(format!("a chunk cannot be unpacked: {error}")),
        _ => error,
    }
}

impl<'s> Bands<'s, '_> {
    /// The next band, how many bytes of it are in the dataset, and how many behind them are not.
    fn open(&self) -> io::Result<(Box<dyn Read + 's>, u64, u64)> {
        let Chunked { shape, grid, filters, .. } = self.chunked;
        let width: u64 = grid.counts[1..].iter().product();
        let rows = grid.chunk[0].min(shape[0] - self.next * grid.chunk[0]);
        let length = rows * self.chunked.row();
        let one = grid.chunk[1..] == shape[1..];
        let rest = if one { grid.length - length } else { 0 };
        if one && let Some(stream) = self.stream(self.find(self.next)?) {
            return Ok((stream, length, rest));
        }
        let mut band =
            vec![0; if one { 0 } else { usize::try_from(length).map_err(|_| damaged("a chunk is too large"))? }];
        for cell in self.next * width..(self.next + 1) * width {
            let chunk = self.find(cell)?;
            let packed = File::limited(self.source, self.chunked.frame, u64::MAX).read(chunk.address, chunk.length)?;
            let bytes = filters::undo(filters, chunk.skipped, packed, grid.length as usize)?;
            if one {
                band = bytes;
            } else {
                self.place(cell, rows, &bytes, &mut band);
            }
        }
        Ok((Box::new(io::Cursor::new(band)), length, rest))
    }

    /// Reads what is behind the band, and one byte more: the checksum of packed bytes is looked at only behind all of them.
    fn drain(&mut self) -> io::Result<u64> {
        io::copy(&mut self.band.as_mut().take(self.rest + 1), &mut io::sink()).map_err(unpacking)
    }

    fn find(&self, cell: u64) -> io::Result<Chunk> {
        let place = self.chunks.binary_search_by_key(&cell, |chunk| chunk.cell);
        place.map(|at| self.chunks[at]).map_err(|_| damaged("some of its chunks were never written"))
    }

    /// A chunk that is a band by itself, where its bytes can be read one after the other however large it is.
    fn stream(&self, chunk: Chunk) -> Option<Box<dyn Read + 's>> {
        let section = self.source.section(self.chunked.frame.base.saturating_add(chunk.address), chunk.length);
        let used: Vec<Filter> = filters::used(&self.chunked.filters, chunk.skipped).map(|(_, filter)| filter).collect();
        match used[..] {
            [] if chunk.length == self.chunked.grid.length => Some(Box::new(section)),
            [Filter::Deflate] => Some(Box::new(ZlibDecoder::new(section))),
            _ => None,
        }
    }

    /// Puts the part of a chunk that is in the dataset to where it belongs in its band.
    fn place(&self, cell: u64, rows: u64, bytes: &[u8], band: &mut [u8]) {
        let Chunked { shape, grid, element, .. } = self.chunked;
        let rank = shape.len();
        // Sizes of the part, and the distances between neighbours in the chunk and in the band, in bytes.
        let (mut part, mut from, mut to) = (vec![rows; rank], vec![*element; rank], vec![*element; rank]);
        let (mut rest, mut start) = (cell, 0);
        for axis in (1..rank).rev() {
            let first = rest % grid.counts[axis] * grid.chunk[axis];
            rest /= grid.counts[axis];
            part[axis] = grid.chunk[axis].min(shape[axis] - first);
            (from[axis - 1], to[axis - 1]) = (from[axis] * grid.chunk[axis], to[axis] * shape[axis]);
            start += first * to[axis];
        }
        let run = (part[rank - 1] * element) as usize;
        let lines: u64 = part[..rank - 1].iter().product();
        for line in 0..lines {
            let (mut rest, mut source, mut target) = (line, 0, start);
            for axis in (0..rank - 1).rev() {
                let at = rest % part[axis];
                rest /= part[axis];
                source += at * from[axis];
                target += at * to[axis];
            }
            let (source, target) = (source as usize, target as usize);
            band[target..target + run].copy_from_slice(&bytes[source..source + run]);
        }
    }
}
