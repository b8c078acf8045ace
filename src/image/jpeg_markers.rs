//! The markers of a JPEG and what they hold (ITU-T T.81, B.1).

/// The next marker and what follows it. Any number of fill bytes may stand before it.
pub(super) fn next_marker(bytes: &[u8]) -> Option<(u8, &[u8])> {
    let rest = &bytes[bytes.iter().position(|&byte| byte == 0xFF)?..];
    let rest = &rest[rest.iter().position(|&byte| byte != 0xFF)?..];
    rest.split_first().map(|(&marker, after)| (marker, after))
}

/// What is in a segment, whose length counts its own two bytes, and what follows it.
pub(super) fn segment(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = usize::from(u16::from_be_bytes([*bytes.first()?, *bytes.get(1)?])).max(2);
    Some((bytes.get(2..length)?, bytes.get(length..)?))
}
