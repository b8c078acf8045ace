//! The size of the smallest face to find.

use std::fmt;
use std::str::FromStr;

use super::options::LEAST_FACE;
use crate::error::{Error, Result};

/// The least that a share of a picture means, in pixels: smaller faces show little.
const LEAST_BY_SHARE: f32 = 20.0;

/// The size of the smallest face to find: the longer side of its box.
///
/// As text it is a number of pixels or, with a percent sign, a share.
///
/// ```
/// use vultus::face::FaceSize;
///
/// let default = FaceSize::default();
/// assert_eq!([default.pixels(640, 480), default.pixels(3000, 5000)], [20.0, 100.0]);
/// assert_eq!("5%".parse::<FaceSize>()?.pixels(1000, 800), 50.0);
/// assert_eq!("40".parse::<FaceSize>()?, FaceSize::Pixels(40.0));
/// assert!("3".parse::<FaceSize>().is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum FaceSize {
    /// In pixels, at least 12.
    Pixels(f32),
    /// As a part of the longer side of the picture, 0 to 1, and at least 20 pixels.
    Share(f32),
}

impl Default for FaceSize {
    /// 2 % of the longer side.
    fn default() -> Self {
        FaceSize::Share(0.02)
    }
}

impl FaceSize {
    /// The pixels in a picture of this size.
    pub fn pixels(self, width: u32, height: u32) -> f32 {
        match self {
            FaceSize::Pixels(pixels) => pixels,
            FaceSize::Share(share) => (share * width.max(height) as f32).max(LEAST_BY_SHARE),
        }
    }

    /// Whether it is within its range.
    pub(super) fn check(self) -> Result<()> {
        let reason = match self {
            FaceSize::Pixels(pixels) if pixels >= LEAST_FACE && pixels.is_finite() => return Ok(()),
            FaceSize::Share(share) if (0.0..=1.0).contains(&share) => return Ok(()),
            FaceSize::Pixels(pixels) => {
                format!("the smallest face has {pixels} pixels, at least {LEAST_FACE} are needed")
            }
            FaceSize::Share(share) => {
                format!("the smallest face is {}% of the picture, which is not within 0 and 100%", 100.0 * share)
            }
        };
        Err(Error::invalid("detector", reason))
    }
}

impl FromStr for FaceSize {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let number = |text: &str| text.trim().parse::<f32>();
        let size = match text.trim().strip_suffix('%') {
            Some(percent) => number(percent).map(|percent| FaceSize::Share(percent / 100.0)),
            None => number(text).map(FaceSize::Pixels),
        };
        let bad = |_| {
            Error::invalid("detector", format!("\"{text}\" is neither pixels, such as 40, nor a share, such as 5%"))
        };
        let size = size.map_err(bad)?;
        size.check().map(|()| size)
    }
}

impl fmt::Display for FaceSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FaceSize::Pixels(pixels) => pixels.fmt(f),
            FaceSize::Share(share) => write!(f, "{:.3}%", 100.0 * share),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_range_or_no_number_is_refused() {
        for text in ["", "%", "11.9", "-20", "nan", "inf", "101%", "-1%", "nan%", "20px", "1/2"] {
            assert!(text.parse::<FaceSize>().is_err(), "{text}");
        }
        for (text, size) in
            [("12", FaceSize::Pixels(12.0)), (" 2.5 % ", FaceSize::Share(0.025)), ("0%", FaceSize::Share(0.0))]
        {
            assert_eq!(text.parse::<FaceSize>().unwrap(), size);
        }
    }

    #[test]
    fn a_share_goes_by_the_longer_side() {
        assert_eq!(FaceSize::Share(0.1).pixels(100, 900), 90.0);
        assert_eq!(FaceSize::Share(0.1).pixels(900, 100), 90.0);
        assert_eq!(FaceSize::Share(0.0).pixels(900, 100), 20.0);
        assert_eq!(FaceSize::Pixels(12.0).pixels(9000, 1000), 12.0);
    }
}
