//! PNGs without what is unpacked for nothing: a colour profile, of which nothing is used, can be a thousand times as
//! large as the file (ISO/IEC 15948, 11.3).

use std::borrow::Cow;

/// What a PNG begins with.
const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The chunks that are left out: colour profiles and packed texts.
const PACKED: [&[u8]; 3] = [b"iCCP", b"zTXt", b"iTXt"];

/// The bytes of a PNG without these chunks. Of what is no PNG, or is cut short, nothing is changed.
pub(super) fn without_packed_chunks(bytes: &[u8]) -> Cow<'_, [u8]> {
    let (mut kept, mut first) = (Vec::new(), 0);
    let mut at = MAGIC.len();
    if !bytes.starts_with(MAGIC) {
        return Cow::Borrowed(bytes);
    }
    while let Some((end, kind)) = chunk(bytes, at) {
        if PACKED.contains(&kind) {
            kept.extend_from_slice(&bytes[first..at]);
            first = end;
        }
        at = end;
    }
    if first == 0 {
        return Cow::Borrowed(bytes);
    }
    kept.extend_from_slice(&bytes[first..]);
    Cow::Owned(kept)
}

/// Where the chunk that begins here ends, and of which kind it is: its length, its kind, its data and a checksum.
fn chunk(bytes: &[u8], at: usize) -> Option<(usize, &[u8])> {
    let [a, b, c, d] = *bytes.get(at..at + 4)? else { return None };
    let end = at.checked_add(12)?.checked_add(u32::from_be_bytes([a, b, c, d]) as usize)?;
    (end <= bytes.len()).then(|| (end, &bytes[at + 4..at + 8]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_packed_chunks_are_left_out() {
        let chunk = |kind: &[u8], data: &[u8]| [&(data.len() as u32).to_be_bytes(), kind, data, &[0; 4]].concat();
        let [head, profile, text, data] = [(b"IHDR", 13), (b"iCCP", 40), (b"zTXt", 3), (b"IDAT", 9)]
            .map(|(kind, length)| chunk(kind, &vec![7; length]));
        let file = [MAGIC, &head, &profile, &data, &text, &data].concat();
        assert_eq!(*without_packed_chunks(&file), [MAGIC, &head, &data, &data].concat());
        let plain = [MAGIC, &head, &data].concat();
        assert!(matches!(without_packed_chunks(&plain), Cow::Borrowed(bytes) if bytes == plain));
        // What is cut short is for the decoder to refuse.
        let cut = &file[..MAGIC.len() + head.len() + 20];
        assert_eq!(*without_packed_chunks(cut), *cut);
        assert_eq!(*without_packed_chunks(b"GIF89a"), *b"GIF89a");
    }
}
