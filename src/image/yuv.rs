//! From luma and chroma to RGB and back: ITU-R BT.601 with 8 bits.
//!
//! Neither Y4M nor the NV12 of a camera says which matrix its colours were made with. BT.601 is what programs take for
//! it; colours of BT.709 then are off by a little, mostly in saturated greens and reds.

/// Which values a video uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// 16 to 235 for luma, 16 to 240 for chroma: what nearly all videos have.
    Limited,
    /// 0 to 255, as in JPEG.
    #[cfg(any(feature = "video", test))]
    Full,
}

/// Bits behind the point of the factors.
const BITS: u32 = 16;

/// Factors of the way to RGB, times 2^16.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ToRgb {
    black: i32,
    luma: i32,
    red_v: i32,
    green_u: i32,
    green_v: i32,
    blue_u: i32,
}

impl ToRgb {
    pub fn new(range: Range) -> Self {
        // BT.601: 1.402 = 2 (1 − 0.299), 1.772 = 2 (1 − 0.114), and what of both is left for green.
        let (black, luma, chroma) = match range {
            Range::Limited => (16, 255.0 / 219.0, 255.0 / 224.0),
            #[cfg(any(feature = "video", test))]
            Range::Full => (0, 1.0, 1.0),
        };
        let fixed = |factor: f64| (factor * f64::from(1 << BITS)).round() as i32;
        ToRgb {
            black,
            luma: fixed(luma),
            red_v: fixed(1.402 * chroma),
            green_u: fixed(1.772 * 0.114 / 0.587 * chroma),
            green_v: fixed(1.402 * 0.299 / 0.587 * chroma),
            blue_u: fixed(1.772 * chroma),
        }
    }

    pub fn pixel(&self, [y, u, v]: [u8; 3]) -> [u8; 3] {
        let light = (i32::from(y) - self.black) * self.luma + (1 << (BITS - 1));
        let (u, v) = (i32::from(u) - 128, i32::from(v) - 128);
        let channels = [light + self.red_v * v, light - self.green_u * u - self.green_v * v, light + self.blue_u * u];
        channels.map(|value| (value >> BITS).clamp(0, 255) as u8)
    }
}

/// Luma of a colour, limited range.
#[cfg(any(feature = "video", test))]
pub(crate) fn luma(rgb: [u8; 3]) -> u8 {
    let [r, g, b] = rgb.map(f32::from);
    (16.0 + (0.299 * r + 0.587 * g + 0.114 * b) * (219.0 / 255.0)).round() as u8
}

/// Both chroma values of a colour whose channels may be means of several pixels', limited range.
#[cfg(any(feature = "video", test))]
pub(crate) fn chroma([r, g, b]: [f32; 3]) -> [u8; 2] {
    let light = 0.299 * r + 0.587 * g + 0.114 * b;
    let value = |difference: f32, scale: f32| (128.0 + difference / scale * (224.0 / 255.0)).round() as u8;
    [value(b - light, 1.772), value(r - light, 1.402)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_those_of_the_standard() {
        // The colour bars of BT.601 at 100 %, as its values are listed everywhere.
        let bars = [
            ([255, 255, 255], [235, 128, 128]),
            ([255, 255, 0], [210, 16, 146]),
            ([0, 255, 255], [170, 166, 16]),
            ([0, 255, 0], [145, 54, 34]),
            ([255, 0, 255], [106, 202, 222]),
            ([255, 0, 0], [81, 90, 240]),
            ([0, 0, 255], [41, 240, 110]),
            ([0, 0, 0], [16, 128, 128]),
        ];
        for (rgb, yuv) in bars {
            let [u, v] = chroma(rgb.map(f32::from));
            assert_eq!([luma(rgb), u, v], yuv, "{rgb:?}");
            let back = ToRgb::new(Range::Limited).pixel(yuv);
            // Values are rounded to whole ones, which are up to 2 steps of blue.
            assert!(back.iter().zip(rgb).all(|(&a, b)| a.abs_diff(b) <= 2), "{rgb:?}: {back:?}");
        }
    }

    #[test]
    fn values_beyond_the_range_are_clipped() {
        let limited = ToRgb::new(Range::Limited);
        assert_eq!(limited.pixel([0, 128, 128]), [0; 3]);
        assert_eq!(limited.pixel([255, 128, 128]), [255; 3]);
        assert_eq!(limited.pixel([255, 255, 255])[0], 255);
        assert_eq!(limited.pixel([0, 0, 0])[2], 0);
    }

    #[test]
    fn gray_stays_gray() {
        for value in 0..=255 {
            assert_eq!(ToRgb::new(Range::Full).pixel([value, 128, 128]), [value; 3]);
            let back = ToRgb::new(Range::Limited).pixel([luma([value; 3]), 128, 128]);
            assert!(back[0].abs_diff(value) <= 1 && back == [back[0]; 3], "{value}: {back:?}");
        }
    }
}
