//! What a chunk goes through on its way into the file.

use std::io::{self, Read};

use flate2::read::ZlibDecoder;

use super::fields::{Fields, damaged};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filter {
    /// Compression by zlib.
    Deflate,
    /// All first bytes of elements of a size, then all second ones, and so on.
    Shuffle { size: usize },
    /// Four bytes at the end that tell damage.
    Fletcher32,
}

/// The filters in the order of writing.
pub(super) fn parse(mut fields: Fields) -> io::Result<Vec<Filter>> {
    let version = fields.version("filter pipeline", &[1, 2])?;
    let count = fields.u8()?;
    fields.skip(if version == 1 { 6 } else { 0 })?;
    let mut filters = Vec::new();
    for _ in 0..count {
        let id = fields.u16()?;
        let name_length = if version == 1 || id >= 256 { fields.u16()? } else { 0 };
        fields.skip(2)?;
        let values = usize::from(fields.u16()?);
        let name = if version == 1 { fields.padded(name_length.into())? } else { fields.bytes(name_length.into())? };
        let name = String::from_utf8_lossy(name.split(|&byte| byte == 0).next().unwrap_or_default()).into_owned();
        let mut client = Fields::new(fields.bytes(4 * values)?, fields.sizes());
        fields.skip(if version == 1 && values % 2 == 1 { 4 } else { 0 })?;
        filters.push(match id {
            1 => Filter::Deflate,
            2 => Filter::Shuffle { size: client.u32()?.max(1) as usize },
            3 => Filter::Fletcher32,
            _ => {
                let reason = format!("it is packed by the filter {id} {name}: only gzip and shuffle can be read");
                return Err(damaged(reason));
            }
        });
    }
    Ok(filters)
}

/// The bytes of a chunk as they were before the filters, which are `length`. Filters whose bit is set in `skipped` were
/// not used.
pub(super) fn undo(filters: &[Filter], skipped: u32, mut bytes: Vec<u8>, length: usize) -> io::Result<Vec<u8>> {
    for (_, filter) in used(filters, skipped).rev() {
        bytes = match filter {
            Filter::Deflate => inflate(&bytes, length)?,
            Filter::Shuffle { size } => unshuffle(&bytes, size),
            Filter::Fletcher32 => verify(bytes)?,
        };
    }
    if bytes.len() != length {
        return Err(damaged(format!("a chunk has {} bytes and should have {length}", bytes.len())));
    }
    Ok(bytes)
}

/// The filters that a chunk went through, with their places.
pub(super) fn used(filters: &[Filter], skipped: u32) -> impl DoubleEndedIterator<Item = (usize, Filter)> {
    let kept = move |(at, _): &(usize, Filter)| *at >= 32 || skipped >> at & 1 == 0;
    filters.iter().copied().enumerate().filter(kept)
}

/// No more than is needed, however much is packed. A checksum may be packed with the rest.
fn inflate(bytes: &[u8], length: usize) -> io::Result<Vec<u8>> {
    let mut unpacked = Vec::new();
    ZlibDecoder::new(bytes)
        .take(length as u64 + 5)
        .read_to_end(&mut unpacked)
        .map_err(|e| damaged(format!("a chunk cannot be unpacked: {e}")))?;
    Ok(unpacked)
}

/// Bytes that do not fill an element stay at the end.
fn unshuffle(bytes: &[u8], size: usize) -> Vec<u8> {
    let mut out = bytes.to_vec();
    match size {
        2 => interleave::<2>(bytes, &mut out),
        4 => interleave::<4>(bytes, &mut out),
        8 => interleave::<8>(bytes, &mut out),
        _ => {
            let count = bytes.len() / size;
            for (at, element) in out.chunks_exact_mut(size).enumerate() {
                element.iter_mut().enumerate().for_each(|(place, byte)| *byte = bytes[place * count + at]);
            }
        }
    }
    out
}

/// [`unshuffle`] for a size that is known, which is several times quicker.
fn interleave<const SIZE: usize>(bytes: &[u8], out: &mut [u8]) {
    let (elements, _) = out.as_chunks_mut::<SIZE>();
    let count = elements.len();
    let planes: [&[u8]; SIZE] = std::array::from_fn(|place| &bytes[place * count..(place + 1) * count]);
    for (at, element) in elements.iter_mut().enumerate() {
        *element = std::array::from_fn(|place| planes[place][at]);
    }
}

/// The sum by Fletcher of two bytes at a time, the first of them the higher one, as HDF5 calculates it.
fn verify(mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
    let wrong = || damaged("the checksum of a chunk is wrong: the file is damaged");
    let (data, sum) = bytes.split_last_chunk::<4>().ok_or_else(wrong)?;
    let (mut low, mut high) = (0u64, 0u64);
    for pair in data.chunks(2) {
        let word = u64::from(pair[0]) << 8 | pair.get(1).copied().map_or(0, u64::from);
        low = (low + word) % 65535;
        high = (high + low) % 65535;
    }
    // Zero and 65535 are the same number in this sum, and HDF5 never ends with a zero that was not one from the start.
    let stored = u32::from_le_bytes(*sum);
    let same = |sum: u64, stored: u32| sum == u64::from(stored) % 65535;
    if !same(low, stored & 0xffff) || !same(high, stored >> 16) {
        return Err(wrong());
    }
    bytes.truncate(bytes.len() - 4);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_were_shuffled_come_back_with_what_does_not_fill_an_element_at_the_end() {
        assert_eq!(unshuffle(&[1, 5, 2, 6, 3, 7, 4, 8, 9], 4), [1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(unshuffle(&[1, 3, 5, 2, 4, 6, 7], 2), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(unshuffle(&[1, 4, 2, 5, 3, 6, 7], 3), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(unshuffle(&[1, 2], 4), [1, 2]);
        assert!(unshuffle(&[], 4).is_empty());
    }

    #[test]
    fn a_chunk_that_unpacks_to_more_or_less_than_it_should_is_refused() {
        let mut packed = Vec::new();
        flate2::read::ZlibEncoder::new([7; 100].as_slice(), flate2::Compression::fast())
            .read_to_end(&mut packed)
            .unwrap();
        assert_eq!(undo(&[Filter::Deflate], 0, packed.clone(), 100).unwrap(), [7; 100]);
        assert_eq!(undo(&[Filter::Deflate], 1, packed.clone(), packed.len()).unwrap(), packed);
        for length in [99, 101] {
            assert!(undo(&[Filter::Deflate], 0, packed.clone(), length).is_err());
        }
        assert!(undo(&[Filter::Fletcher32], 0, vec![1, 2, 3], 3).is_err());
    }
}
