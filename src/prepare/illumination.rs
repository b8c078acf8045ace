//! Evening out the light on a face.

use std::fmt;
use std::str::FromStr;

use ::image::{Rgb, RgbImage};
use serde::{Deserialize, Serialize};

use super::equalize::{clahe, equalize};
use super::raster::Raster;
use super::spelling::Spelling;
use crate::error::{Error, Result};

/// How the light on a face is evened out. The definitions are those of OpenCV. In a coloured picture the luma (ITU-R
/// BT.601) is equalised, and every channel changes by as much as it does; a gamma is taken of every channel.
///
/// As text it is `none`, `equalize`, `clahe[:TILES:CLIP]` or `gamma[:GAMMA]`.
///
/// ```
/// use vultus::prepare::Illumination;
///
/// assert_eq!("gamma:0.8".parse::<Illumination>()?, Illumination::Gamma { gamma: 0.8 });
/// assert_eq!("clahe".parse::<Illumination>()?.to_string(), "clahe:8:2");
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Illumination {
    /// The picture stays as it is.
    #[default]
    None,
    /// Histogram equalisation of the whole picture.
    Equalize,
    /// Contrast-limited adaptive histogram equalisation (Zuiderveld 1994, "Contrast limited adaptive histogram
    /// equalization", Graphics Gems IV): evens out light from one side.
    Clahe {
        /// Tiles along each side: 1 to 32.
        tiles: u32,
        /// The most that a bin of a tile's histogram may hold, in multiples of the mean: 1 (hardly any change) to 256
        /// (no limit).
        clip: f32,
    },
    /// 255 · (value / 255)^`gamma`.
    Gamma {
        /// Below 1 brightens, above 1 darkens: 0.05 to 20.
        gamma: f32,
    },
}

impl Illumination {
    const SPELLING: Spelling =
        Spelling { what: "illumination", forms: "none, equalize, clahe[:TILES:CLIP], gamma[:GAMMA]" };

    /// Whether the parameters are within their ranges.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] names the first that is not.
    pub fn check(&self) -> Result<()> {
        let within = |name: &str, value: f32, low: f32, high: f32| Self::SPELLING.within(name, value, low, high);
        match *self {
            Illumination::None | Illumination::Equalize => Ok(()),
            Illumination::Clahe { tiles, clip } => {
                within("tiles", tiles as f32, 1.0, 32.0)?;
                within("clip", clip, 1.0, 256.0)
            }
            Illumination::Gamma { gamma } => within("gamma", gamma, 0.05, 20.0),
        }
    }

    /// A copy of the picture in more even light; the picture as it is if the parameters do not pass
    /// [`Illumination::check`].
    ///
    /// ```
    /// use vultus::image::RgbImage;
    /// use vultus::prepare::Illumination;
    ///
    /// let dark = RgbImage::from_fn(16, 16, |x, y| [(x + y) as u8; 3].into());
    /// let brightest = |image: RgbImage| image.pixels().map(|pixel| pixel.0[0]).max();
    /// assert_eq!(brightest(Illumination::Equalize.apply(&dark)), Some(255));
    /// assert!(brightest(Illumination::Gamma { gamma: 0.5 }.apply(&dark)) > brightest(dark));
    /// ```
    pub fn apply(&self, image: &RgbImage) -> RgbImage {
        if self.check().is_err() || image.is_empty() {
            return image.clone();
        }
        match *self {
            Illumination::None => image.clone(),
            Illumination::Equalize => with_luma(image, equalize),
            Illumination::Clahe { tiles, clip } => with_luma(image, |luma| clahe(luma, tiles as usize, clip)),
            Illumination::Gamma { gamma } => power(image, gamma),
        }
    }
}

/// The picture with another luma and the same differences of its channels from it.
fn with_luma(image: &RgbImage, change: impl FnOnce(&Raster<1>) -> Raster<1>) -> RgbImage {
    let before = Raster::luma(image);
    let after = change(&before);
    let mut out = image.clone();
    for ((Rgb(pixel), [before]), [after]) in out.pixels_mut().zip(&before.pixels).zip(&after.pixels) {
        *pixel = pixel.map(|value| (i16::from(value) + i16::from(*after) - i16::from(*before)).clamp(0, 255) as u8);
    }
    out
}

fn power(image: &RgbImage, gamma: f32) -> RgbImage {
    let table: [u8; 256] = std::array::from_fn(|value| (255.0 * (value as f32 / 255.0).powf(gamma)).round() as u8);
    let mut out = image.clone();
    out.iter_mut().for_each(|value| *value = table[usize::from(*value)]);
    out
}

impl fmt::Display for Illumination {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Illumination::None => f.write_str("none"),
            Illumination::Equalize => f.write_str("equalize"),
            Illumination::Clahe { tiles, clip } => write!(f, "clahe:{tiles}:{clip}"),
            Illumination::Gamma { gamma } => write!(f, "gamma:{gamma}"),
        }
    }
}

impl FromStr for Illumination {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let words = Self::SPELLING.read(text)?;
        let illumination = match words.name {
            "none" => words.take([]).map(|[]| Illumination::None),
            "equalize" => words.take([]).map(|[]| Illumination::Equalize),
            "clahe" => words
                .take([8.0, 2.0])
                .and_then(|[tiles, clip]| Ok(Illumination::Clahe { tiles: words.whole(tiles)?, clip })),
            "gamma" => words.take([0.8]).map(|[gamma]| Illumination::Gamma { gamma }),
            _ => Err(words.unknown()),
        }?;
        illumination.check()?;
        Ok(illumination)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 4] = ["none", "equalize", "clahe:4:2.5", "gamma:0.5"];

    #[test]
    fn text_and_json_give_back_what_they_were_made_from() {
        for text in ALL {
            let illumination: Illumination = text.parse().unwrap();
            assert_eq!(illumination.to_string(), text);
            let json = serde_json::to_string(&illumination).unwrap();
            assert_eq!(serde_json::from_str::<Illumination>(&json).unwrap(), illumination, "{json}");
        }
        for text in ["dark", "equalize:1", "clahe:0", "clahe:33", "clahe:8:0.5", "gamma:0", "gamma:inf", "gamma:"] {
            let error = text.parse::<Illumination>().unwrap_err().to_string();
            assert!(error.starts_with("illumination: "), "{text}: {error}");
        }
    }

    #[test]
    fn any_size_is_taken() {
        for text in ALL {
            let illumination: Illumination = text.parse().unwrap();
            for size in [(1, 1), (2, 1), (1, 7), (9, 4)] {
                let image = RgbImage::from_fn(size.0, size.1, |x, y| Rgb([(x * 20) as u8, (y * 20) as u8, 99]));
                assert_eq!(illumination.apply(&image).dimensions(), size, "{text}");
            }
        }
        let unchecked = Illumination::Clahe { tiles: 0, clip: f32::NAN };
        assert_eq!(unchecked.apply(&RgbImage::new(3, 3)), RgbImage::new(3, 3));
    }

    #[test]
    fn a_gamma_of_one_and_the_ends_of_the_range_stay() {
        let image = RgbImage::from_fn(256, 1, |x, _| Rgb([x as u8, 0, 255]));
        assert_eq!(Illumination::Gamma { gamma: 1.0 }.apply(&image), image);
        let bright = Illumination::Gamma { gamma: 0.5 }.apply(&image);
        // 255 · √(64 / 255) is 127.7.
        assert_eq!(*bright.get_pixel(64, 0), Rgb([128, 0, 255]));
    }

    #[test]
    fn colours_keep_their_differences() {
        let image = RgbImage::from_fn(8, 8, |x, y| Rgb([90 + x as u8, 100 + y as u8, 110]));
        let mut spread = Illumination::Equalize.apply(&image);
        // Values that were cut at 0 or 255 have lost theirs.
        let inside = |pixel: &Rgb<u8>| pixel.0.iter().all(|value| (1..255).contains(value));
        let pairs = spread.enumerate_pixels_mut().filter(|(_, _, pixel)| inside(pixel));
        let kept = pairs.map(|(x, y, Rgb([r, g, b]))| {
            (*r as i16 - *g as i16, *g as i16 - *b as i16) == (x as i16 - y as i16 - 10, y as i16 - 10)
        });
        assert!(kept.filter(|kept| *kept).count() > 30);
    }
}
