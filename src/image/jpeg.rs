//! What the decoder of JPEGs does not do by itself: it fills up what is missing with gray and says nothing, wants
//! tables that cameras leave out, and names in its own words what it does not read.

use std::borrow::Cow;

use super::jpeg_markers::{next_marker, segment};
use super::jpeg_scan::end_of_pixels;

/// The end of an image.
const END: [u8; 2] = [0xFF, 0xD9];

/// A segment of application data by which the decoder knows that Huffman tables may be missing, and takes those of
/// ITU-T T.81, K.3.
const AS_IN_AVI: [u8; 18] = *b"\xFF\xE0\x00\x10AVI1\0\0\0\0\0\0\0\0\0\0";

/// What stands after the start of an image up to the first scan.
struct Head {
    /// The marker that says how the image is coded, and its sampling factors.
    coding: Option<(u8, Vec<u8>)>,
    has_huffman_tables: bool,
}

/// Whether the markers of a JPEG (ITU-T T.81, B.1) lead to the end-of-image marker. Segments are skipped by their
/// length, so that the end of a thumbnail inside one does not count; what follows the end (as in files of several
/// pictures) is not looked at.
pub(super) fn is_complete(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    while let Some((marker, after)) = next_marker(rest) {
        rest = match marker {
            0xD9 => return true,
            // A byte 0xFF of compressed data, a temporary marker, a restart, the start of the image: nothing follows.
            0x00 | 0x01 | 0xD0..=0xD8 => after,
            _ => match segment(after) {
                Some((_, after)) => after,
                None => return false,
            },
        };
    }
    false
}

/// The bytes up to the last pixel with an end of their own; `None` if pixels are missing or that cannot be told.
pub(super) fn with_end(bytes: &[u8]) -> Option<Vec<u8>> {
    let pixels = &bytes[..end_of_pixels(bytes)?];
    Some([pixels, &END].concat())
}

/// The bytes with what tells the decoder to take the usual Huffman tables, where there are none: cameras and Motion JPEG
/// leave them out.
pub(super) fn with_tables(bytes: &[u8]) -> Cow<'_, [u8]> {
    let is_sequential = |head: &Head| matches!(head.coding, Some((0xC0 | 0xC1, _)));
    if head(bytes).is_some_and(|head| is_sequential(&head) && !head.has_huffman_tables) {
        let (start, rest) = bytes.split_at(2);
        return Cow::Owned([start, &AS_IN_AVI, rest].concat());
    }
    Cow::Borrowed(bytes)
}

/// Why a JPEG is not read, if it is coded in a way that the decoder does not know.
pub(super) fn unread(bytes: &[u8]) -> Option<&'static str> {
    let (marker, factors) = head(bytes)?.coding?;
    let odd = |factor: &u8| !matches!(factor >> 4, 1 | 2 | 4) || !matches!(factor & 15, 1 | 2 | 4);
    match marker {
        0xC3 => Some("a lossless JPEG, which is not read: store it as PNG or as an ordinary JPEG"),
        0xC9..=0xCB | 0xCD..=0xCF => Some(
            "a JPEG in arithmetic coding, which is not read: jpegtran -optimize makes an ordinary one without a loss",
        ),
        0xC5..=0xC7 => Some("a hierarchical JPEG, which is not read: store it as an ordinary JPEG"),
        _ if factors.iter().any(odd) => Some(
            "a JPEG whose colours are stored for three pixels at a time, which is not read: store it anew with 4:4:4",
        ),
        _ => None,
    }
}

fn head(bytes: &[u8]) -> Option<Head> {
    let mut rest = bytes.strip_prefix(&[0xFF, 0xD8])?;
    let mut head = Head { coding: None, has_huffman_tables: false };
    while let Some((marker, after)) = next_marker(rest) {
        if matches!(marker, 0xD9 | 0xDA) {
            return Some(head);
        }
        let (content, after) = segment(after)?;
        match marker {
            0xC4 => head.has_huffman_tables = true,
            // Precision, height, width and number of components; then for each its name, factors and table.
            0xC0..=0xCF if marker != 0xC8 && marker != 0xCC => {
                let components = content.get(6..).unwrap_or_default().chunks_exact(3);
                head.coding = Some((marker, components.map(|component| component[1]).collect()));
            }
            _ => {}
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn codings_that_are_not_read_are_told_by_their_head() {
        let picture = |marker: u8, factors: u8| {
            let frame = [0xFF, marker, 0, 11, 8, 0, 8, 0, 8, 1, 1, factors, 0];
            [&[0xFF, 0xD8], &frame[..], &[0xFF, 0xDA, 0, 2, 0x12, 0xFF, 0xD9]].concat()
        };
        for marker in [0xC0, 0xC1, 0xC2] {
            assert_eq!(unread(&picture(marker, 0x22)), None);
        }
        for (marker, factors, word) in [
            (0xC3, 0x11, "lossless"),
            (0xC9, 0x11, "arithmetic"),
            (0xC6, 0x11, "hierarchical"),
            (0xC0, 0x31, "three pixels"),
        ] {
            assert!(unread(&picture(marker, factors)).is_some_and(|reason| reason.contains(word)), "{word}");
        }
        for length in 0..16 {
            assert_eq!(unread(&picture(0xC9, 0x11)[..length]), None);
        }
        // No table before the scan: the usual ones are asked for, unless the coding has others.
        assert_eq!(with_tables(&picture(0xC0, 0x11)).len(), picture(0xC0, 0x11).len() + AS_IN_AVI.len());
        assert_eq!(with_tables(&picture(0xC2, 0x11)).len(), picture(0xC2, 0x11).len());
    }
}
