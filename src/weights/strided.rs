//! Tensors whose numbers lie in a record at regular distances: parts of it, transposed ones, in Fortran's order.

use std::io::{self, Read};

use super::entry::Storage;
use super::record::Record;
use super::source::Source;

/// Where the numbers of a tensor are within a record.
#[derive(Debug)]
pub(super) struct Strided {
    record: Record,
    /// The first byte in the record.
    start: u64,
    /// How many bytes from there to the end of the last number.
    span: u64,
    /// Bytes of one number.
    size: usize,
    /// The dimensions, each with the distance of its neighbours in bytes; none if the numbers lie in row order.
    axes: Vec<(usize, usize)>,
}

impl Strided {
    /// A tensor of numbers of `size` bytes, the first of which is at the byte `start` of a record. A stride is the distance
    /// of two neighbours along a dimension, counted in numbers.
    ///
    /// # Errors
    /// What is wrong, if some of the numbers are not in the record.
    pub fn new(record: Record, start: u64, size: usize, shape: &[usize], strides: &[usize]) -> Result<Self, String> {
        let outside = || {
            let held = record.size;
            format!("its shape {shape:?} with the strides {strides:?} goes beyond the {held} bytes of its record")
        };
        if shape.len() != strides.len() {
            return Err(format!("its shape {shape:?} and its strides {strides:?} do not fit to each other"));
        }
        let bytes = shape.iter().try_fold(size, |n, &extent| n.checked_mul(extent)).ok_or_else(outside)?;
        // The strides of a tensor without numbers may be anything.
        let numbers = if bytes == 0 { Some(0) } else { last(shape, strides).and_then(|last| last.checked_add(1)) };
        let span = numbers.and_then(|n| n.checked_mul(size)).ok_or_else(outside)? as u64;
        if start.checked_add(span).is_none_or(|end| end > record.size) {
            return Err(outside());
        }
        let axes = if bytes == 0 || is_row_order(shape, strides) {
            Vec::new()
        } else {
            // A stride that is not stepped along may be any number.
            shape.iter().zip(strides).map(|(&n, &stride)| (n, if n > 1 { stride * size } else { 0 })).collect()
        };
        Ok(Strided { record, start, span, size, axes })
    }

    /// How many bytes are gone through to read the tensor.
    pub fn cost(&self) -> u64 {
        self.record.cost(self.start, self.span)
    }
}

/// How far the last number is from the first, unless that is out of range.
fn last(shape: &[usize], strides: &[usize]) -> Option<usize> {
    let steps = shape.iter().zip(strides).filter(|(extent, _)| **extent > 1);
    steps.map(|(extent, stride)| (extent - 1).checked_mul(*stride)).try_fold(0usize, |sum, step| sum.checked_add(step?))
}

fn is_row_order(shape: &[usize], strides: &[usize]) -> bool {
    let mut wanted = 1;
    shape.iter().zip(strides).rev().all(|(&extent, &stride)| {
        let fits = extent == 1 || stride == wanted;
        wanted *= extent;
        fits
    })
}

impl Storage for Strided {
    fn open<'s>(&'s self, source: &'s Source<'_>) -> io::Result<Box<dyn Read + 's>> {
        let mut reader = self.record.open(source, self.start, self.span)?;
        if self.axes.is_empty() {
            return Ok(reader);
        }
        let mut bytes = vec![0; usize::try_from(self.span).map_err(io::Error::other)?];
        reader.read_exact(&mut bytes)?;
        Ok(Box::new(Gather {
            bytes,
            size: self.size,
            axes: &self.axes,
            index: vec![0; self.axes.len()],
            at: 0,
            part: 0,
        }))
    }
}

/// Reads the numbers in row order from wherever they are.
struct Gather<'s> {
    bytes: Vec<u8>,
    size: usize,
    axes: &'s [(usize, usize)],
    index: Vec<usize>,
    /// The first byte of the number that is next.
    at: usize,
    /// How many bytes of it have been read.
    part: usize,
}

impl Read for Gather<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < out.len() && self.index[0] < self.axes[0].0 {
            let run = (self.size - self.part).min(out.len() - written);
            let from = self.at + self.part;
            out[written..written + run].copy_from_slice(&self.bytes[from..from + run]);
            written += run;
            self.part += run;
            if self.part == self.size {
                self.part = 0;
                self.advance();
            }
        }
        Ok(written)
    }
}

impl Gather<'_> {
    /// Goes to the next number in row order.
    fn advance(&mut self) {
        for axis in (0..self.axes.len()).rev() {
            let (extent, stride) = self.axes[axis];
            self.index[axis] += 1;
            self.at += stride;
            if self.index[axis] < extent || axis == 0 {
                return;
            }
            self.index[axis] = 0;
            self.at -= extent * stride;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(start: u64, shape: &[usize], strides: &[usize]) -> Result<Vec<u8>, String> {
        let bytes: Vec<u8> = (0..24).collect();
        let source = Source::from_bytes(Path::new("w"), &bytes);
        let record = Record { offset: 4, packed: 20, size: 20, deflated: false, crc: None };
        let strided = Strided::new(record, start, 2, shape, strides)?;
        let mut found = Vec::new();
        strided.open(&source).unwrap().take(100).read_to_end(&mut found).unwrap();
        Ok(found)
    }

    #[test]
    fn numbers_come_in_row_order_however_they_lie() {
        assert_eq!(read(2, &[2, 2], &[2, 1]).unwrap(), [6, 7, 8, 9, 10, 11, 12, 13]);
        assert_eq!(read(2, &[2, 3], &[1, 2]).unwrap(), [6, 7, 10, 11, 14, 15, 8, 9, 12, 13, 16, 17]);
        assert_eq!(read(0, &[2, 2], &[5, 0]).unwrap(), [4, 5, 4, 5, 14, 15, 14, 15]);
        assert_eq!(read(18, &[], &[]).unwrap(), [22, 23]);
        assert_eq!(read(16, &[1, 2], &[usize::MAX, 1]).unwrap(), [20, 21, 22, 23]);
        assert!(read(20, &[3, 0], &[usize::MAX, 1]).unwrap().is_empty());
    }

    #[test]
    fn numbers_outside_of_the_record_are_refused() {
        for (start, shape, strides) in [
            (18, &[2][..], &[1][..]),
            (19, &[], &[]),
            (22, &[0], &[1]),
            (0, &[2, 2], &[usize::MAX, 1]),
            (0, &[usize::MAX, 2], &[0, 0]),
            (0, &[3], &[usize::MAX / 2]),
            (u64::MAX, &[2], &[1]),
        ] {
            let reason = read(start, shape, strides).unwrap_err();
            assert!(reason.contains("goes beyond the 20 bytes of its record"), "{reason}");
        }
        assert!(read(0, &[2], &[]).unwrap_err().contains("do not fit to each other"));
    }
}
