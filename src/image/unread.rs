//! Pictures that are known and not read.

/// What these bytes are, if it is known: ISO/IEC 14496-12 (a box of the kind `ftyp` with a brand), JPEG XL, JPEG 2000.
pub(super) fn name(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(b"\xFF\x0A") || bytes.starts_with(b"\0\0\0\x0CJXL \r\n\x87\n") {
        return Some("a JPEG XL picture");
    }
    if bytes.starts_with(b"\0\0\0\x0CjP  \r\n\x87\n") || bytes.starts_with(b"\xFF\x4F\xFF\x51") {
        return Some("a JPEG 2000 picture");
    }
    if bytes.get(4..8)? != b"ftyp" {
        return None;
    }
    // The main brand, a version, and the brands that it is compatible with.
    let brands = bytes.get(8..64.min(bytes.len()))?.chunks_exact(4);
    brands.into_iter().find_map(|brand| match brand {
        b"avif" | b"avis" => Some("an AVIF picture"),
        b"heic" | b"heix" | b"heim" | b"heis" | b"hevc" | b"hevx" => Some("a HEIC picture, as iPhones make them"),
        b"crx " => Some("a raw picture of a camera"),
        b"isom" | b"iso2" | b"mp41" | b"mp42" | b"qt  " | b"M4V " | b"avc1" => {
            Some("a video, which vultus video looks at")
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn pictures_of_phones_are_named() {
        let brands = |brands: &str| name(&[b"\0\0\0\x20ftyp", brands.as_bytes()].concat());
        assert!(brands("heic\0\0\0\0mif1heic").is_some_and(|name| name.contains("HEIC")));
        // A general main brand, and the one that counts among the compatible ones.
        assert!(brands("mif1\0\0\0\0mif1heic").is_some_and(|name| name.contains("HEIC")));
        assert!(brands("mif1\0\0\0\0avifmif1").is_some_and(|name| name.contains("AVIF")));
        assert!(brands("isom\0\0\0\0").is_some_and(|name| name.contains("video")));
        assert_eq!((brands("????"), name(b"\xFF\xD8\xFF"), name(b"")), (None, None, None));
    }
}
