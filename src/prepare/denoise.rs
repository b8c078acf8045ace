//! Taking noise out of a picture.

use std::fmt;
use std::str::FromStr;

use ::image::RgbImage;
use serde::{Deserialize, Serialize};

use super::bilateral::bilateral;
use super::median::median;
use super::non_local_means::non_local_means;
use super::raster::{Raster, is_gray};
use super::spelling::Spelling;
use crate::error::{Error, Result};

/// How noise is taken out of a picture. Around it, its border pixels are repeated. The definitions are those of OpenCV,
/// apart from the distance of two colours: here it is the mean over the channels, so that a gray picture gives the same
/// whether it is stored in one channel or three.
///
/// As text it is `none`, `median[:RADIUS]`, `bilateral[:RADIUS:SIGMA_SPACE:SIGMA_VALUE]` or
/// `nlm[:PATCH:WINDOW:STRENGTH]`.
///
/// ```
/// use vultus::prepare::Denoise;
///
/// assert_eq!("median:2".parse::<Denoise>()?, Denoise::Median { radius: 2 });
/// assert_eq!("bilateral".parse::<Denoise>()?.to_string(), "bilateral:3:2:25");
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Denoise {
    /// The picture stays as it is.
    #[default]
    None,
    /// The median of each channel in a square around each pixel: takes away single wrong pixels.
    Median {
        /// The square has a side of 2 `radius` + 1 pixels: 1 to 15.
        radius: u32,
    },
    /// The mean of what is near and alike (Tomasi and Manduchi 1998): keeps edges.
    Bilateral {
        /// The pixels of a circle of this radius count: 1 to 15.
        radius: u32,
        /// The standard deviation of the distance in pixels: 0.1 to 100.
        sigma_space: f32,
        /// The standard deviation of the distance in pixel values: 0.1 to 255.
        sigma_value: f32,
    },
    /// The mean of pixels whose surroundings are alike (Buades, Coll, Morel 2005): keeps texture, takes the longest.
    NonLocalMeans {
        /// The side of the surroundings that are compared: odd, 1 to 15.
        patch: u32,
        /// The side of the square in which is searched: odd, 1 to 41.
        window: u32,
        /// Surroundings whose root mean square difference is this have the weight 1/e: 0.1 to 255.
        strength: f32,
    },
}

impl Denoise {
    const SPELLING: Spelling = Spelling {
        what: "denoise",
        forms: "none, median[:RADIUS], bilateral[:RADIUS:SIGMA_SPACE:SIGMA_VALUE], nlm[:PATCH:WINDOW:STRENGTH]",
    };

    /// Whether the parameters are within their ranges.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] names the first that is not.
    pub fn check(&self) -> Result<()> {
        let within = |name: &str, value: f32, low: f32, high: f32| Self::SPELLING.within(name, value, low, high);
        let odd = |name: &str, side: u32, most: u32| {
            if side % 2 == 1 && side <= most {
                return Ok(());
            }
            Err(Error::invalid("denoise", format!("{name} is {side}, it must be odd and at most {most}")))
        };
        match *self {
            Denoise::None => Ok(()),
            Denoise::Median { radius } => within("radius", radius as f32, 1.0, 15.0),
            Denoise::Bilateral { radius, sigma_space, sigma_value } => {
                within("radius", radius as f32, 1.0, 15.0)?;
                within("sigma_space", sigma_space, 0.1, 100.0)?;
                within("sigma_value", sigma_value, 0.1, 255.0)
            }
            Denoise::NonLocalMeans { patch, window, strength } => {
                odd("patch", patch, 15)?;
                odd("window", window, 41)?;
                within("strength", strength, 0.1, 255.0)
            }
        }
    }

    /// A copy of the picture with less noise; the picture as it is if the parameters do not pass
    /// [`Denoise::check`].
    ///
    /// ```
    /// use vultus::image::RgbImage;
    /// use vultus::prepare::Denoise;
    ///
    /// // A single wrong pixel.
    /// let mut image = RgbImage::from_pixel(9, 9, [100; 3].into());
    /// image.put_pixel(4, 4, [255; 3].into());
    /// let clean = Denoise::Median { radius: 1 }.apply(&image);
    /// assert!(clean.pixels().all(|pixel| pixel.0 == [100; 3]));
    /// ```
    pub fn apply(&self, image: &RgbImage) -> RgbImage {
        if *self == Denoise::None || self.check().is_err() || image.is_empty() {
            image.clone()
        } else if is_gray(image) {
            self.filter(&Raster::luma(image)).to_image()
        } else {
            self.filter(&Raster::of(image)).to_image()
        }
    }

    fn filter<const C: usize>(&self, raster: &Raster<C>) -> Raster<C> {
        match *self {
            Denoise::None => raster.clone(),
            Denoise::Median { radius } => median(raster, radius as usize),
            Denoise::Bilateral { radius, sigma_space, sigma_value } => {
                bilateral(raster, radius as usize, sigma_space, sigma_value)
            }
            Denoise::NonLocalMeans { patch, window, strength } => {
                non_local_means(raster, patch as usize, window as usize, strength)
            }
        }
    }
}

impl fmt::Display for Denoise {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Denoise::None => f.write_str("none"),
            Denoise::Median { radius } => write!(f, "median:{radius}"),
            Denoise::Bilateral { radius, sigma_space, sigma_value } => {
                write!(f, "bilateral:{radius}:{sigma_space}:{sigma_value}")
            }
            Denoise::NonLocalMeans { patch, window, strength } => write!(f, "nlm:{patch}:{window}:{strength}"),
        }
    }
}

impl FromStr for Denoise {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let words = Self::SPELLING.read(text)?;
        let denoise = match words.name {
            "none" => words.take([]).map(|[]| Denoise::None),
            "median" => words.take([1.0]).and_then(|[radius]| Ok(Denoise::Median { radius: words.whole(radius)? })),
            "bilateral" => words.take([3.0, 2.0, 25.0]).and_then(|[radius, sigma_space, sigma_value]| {
                Ok(Denoise::Bilateral { radius: words.whole(radius)?, sigma_space, sigma_value })
            }),
            "nlm" => words.take([5.0, 15.0, 10.0]).and_then(|[patch, window, strength]| {
                Ok(Denoise::NonLocalMeans { patch: words.whole(patch)?, window: words.whole(window)?, strength })
            }),
            _ => Err(words.unknown()),
        }?;
        denoise.check()?;
        Ok(denoise)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [&str; 4] = ["none", "median:2", "bilateral:4:1.5:30", "nlm:3:7:12.5"];

    #[test]
    fn text_and_json_give_back_what_they_were_made_from() {
        for text in ALL {
            let denoise: Denoise = text.parse().unwrap();
            assert_eq!(denoise.to_string(), text);
            let json = serde_json::to_string(&denoise).unwrap();
            assert_eq!(serde_json::from_str::<Denoise>(&json).unwrap(), denoise, "{json}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        for (text, reason) in [
            ("fog", "\"fog\" is unknown"),
            ("median:0", "radius is 0"),
            ("median:1.5", "1.5 is not a whole number"),
            ("median:1:2", "too many numbers"),
            ("bilateral:1:x", "\"x\" is not a number"),
            ("bilateral:3:nan:5", "sigma_space is NaN"),
            ("nlm:4", "patch is 4"),
            ("nlm:5:43", "window is 43"),
            ("nlm:5:15:0", "strength is 0"),
        ] {
            let error = text.parse::<Denoise>().unwrap_err().to_string();
            assert!(error.starts_with("denoise: ") && error.contains(reason), "{text}: {error}");
        }
    }

    #[test]
    fn a_flat_picture_stays_and_any_size_is_taken() {
        for text in ALL {
            let denoise: Denoise = text.parse().unwrap();
            for size in [(1, 1), (2, 1), (1, 7), (9, 4)] {
                let flat = RgbImage::from_pixel(size.0, size.1, ::image::Rgb([200, 30, 77]));
                assert_eq!(denoise.apply(&flat), flat, "{text}");
            }
        }
        let unchecked = Denoise::NonLocalMeans { patch: 0, window: 0, strength: f32::NAN };
        assert_eq!(unchecked.apply(&RgbImage::new(3, 3)), RgbImage::new(3, 3));
    }
}
