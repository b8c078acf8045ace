//! Formats that are told by what their files begin with.

use std::io::Read;

use super::source::Source;

const HDF5: &[u8; 8] = b"\x89HDF\r\n\x1a\n";

/// Where an HDF5 file starts, if this is one: at once, or after a block of another program's, which has 512 bytes or a
/// power of two times that.
pub(super) fn hdf5(source: &Source) -> Option<u64> {
    let places = std::iter::once(0).chain((9..63).map(|power| 1 << power));
    places.take_while(|&at| at < source.length()).find(|&at| {
        let mut bytes = [0; HDF5.len()];
        source.section(at, HDF5.len() as u64).read_exact(&mut bytes).is_ok() && bytes == *HDF5
    })
}
