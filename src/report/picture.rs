//! Pictures within the page.

use std::io::Cursor;

use image::ImageFormat;
use image::imageops::{FilterType, resize};

use super::base64;
use crate::image::RgbImage;

/// The longest side that a picture keeps in pixels, twice of what the page shows it at.
const LONGEST_SIDE: u32 = 384;

/// The picture as a PNG within a `data:` URI, scaled down to 384 pixels along its longer side where it is larger; none
/// if it has no pixels.
///
/// ```
/// use vultus::image::RgbImage;
/// use vultus::report::data_uri;
///
/// let uri = data_uri(&RgbImage::new(48, 48)).expect("it has pixels");
/// assert!(uri.starts_with("data:image/png;base64,"));
/// assert_eq!(data_uri(&RgbImage::new(0, 0)), None);
/// ```
pub fn data_uri(picture: &RgbImage) -> Option<String> {
    let longest = picture.width().max(picture.height());
    let mut png = Cursor::new(Vec::new());
    if longest > LONGEST_SIDE {
        let scaled = |side: u32| (u64::from(side) * u64::from(LONGEST_SIDE) / u64::from(longest)).max(1) as u32;
        let small = resize(picture, scaled(picture.width()), scaled(picture.height()), FilterType::Triangle);
        small.write_to(&mut png, ImageFormat::Png).ok()?;
    } else {
        picture.write_to(&mut png, ImageFormat::Png).ok()?;
    }
    let mut uri = String::from("data:image/png;base64,");
    base64::encode(png.get_ref(), &mut uri);
    Some(uri)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_pictures_become_smaller_and_none_is_stretched() {
        let small = data_uri(&RgbImage::new(48, 48)).expect("a picture");
        assert!(small.starts_with("data:image/png;base64,iVBORw0KGgo"), "{small}");
        // The first bytes of a PNG's header chunk hold width and height: 384 = 0x180 and 96 = 0x60.
        // They begin at byte 12, so that they are groups of their own in base64.
        let mut header = String::new();
        base64::encode(b"IHDR\x00\x00\x01\x80\x00\x00\x00\x60", &mut header);
        let wide = data_uri(&RgbImage::new(1600, 400)).expect("a picture");
        assert!(wide.contains(&header), "{}", &wide[..80]);
        assert_eq!(data_uri(&RgbImage::new(0, 0)), None);
    }
}
