//! Whether a JPEG is all there. The decoder fills up what is missing with gray and says nothing.

/// Whether the markers of a JPEG (ITU-T T.81, B.1) lead to the end-of-image marker. Segments are skipped by their
/// length, so that the end of a thumbnail inside one does not count; what follows the end (as in files of several
/// pictures) is not looked at.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|&byte| byte == 0xFF) {
        rest = &rest[at + 1..];
        let Some(&marker) = rest.first() else { return false };
        match marker {
            // The end of the image.
            0xD9 => return true,
            // A fill byte: the marker is still to come.
            0xFF => {}
            // A byte 0xFF of compressed data, a temporary marker, a restart, the start of the image: nothing follows.
            0x00 | 0x01 | 0xD0..=0xD8 => rest = &rest[1..],
            // A segment of this length, which counts its own two bytes but not the marker.
            _ => {
                let length = match rest {
                    [_, high, low, ..] => usize::from(u16::from_be_bytes([*high, *low])),
                    _ => return false,
                };
                let Some(behind) = rest.get(1 + length..) else { return false };
                rest = behind;
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::is_complete;

    #[test]
    fn only_the_marker_behind_the_segments_is_the_end() {
        let start = [0xFF, 0xD8];
        // An APP1 segment of 6 bytes that holds a whole thumbnail: start and end of image.
        let thumbnail = [0xFF, 0xE1, 0x00, 0x06, 0xFF, 0xD8, 0xFF, 0xD9];
        // A scan with an empty header, a stuffed 0xFF, a restart, and data.
        let scan = [0xFF, 0xDA, 0x00, 0x02, 0x12, 0xFF, 0x00, 0xFF, 0xD0, 0x34];
        let end = [0xFF, 0xFF, 0xD9];
        let file = [start.as_slice(), &thumbnail, &scan, &end].concat();
        assert!(is_complete(&file));
        assert!(is_complete(&[file.as_slice(), b"trailing"].concat()));
        for length in 0..file.len() {
            assert!(!is_complete(&file[..length]), "{length} bytes");
        }
    }
}
