//! The stages that every picture of a face goes through, whoever looks at it then.

use ::image::RgbImage;
use serde::{Deserialize, Serialize};

use super::denoise::Denoise;
use super::illumination::Illumination;
use super::raster::Raster;
use crate::error::Result;

/// What is done to the picture of a face before it is scaled and normalised: gray, then denoise, then illumination.
/// Training and recognition must do the same; it is a part of what is known about a trained network. The default is
/// gray alone.
///
/// ```
/// use vultus::prepare::{Illumination, Preparation};
///
/// let preparation = Preparation { illumination: Illumination::Equalize, ..Preparation::default() };
/// let image = vultus::image::RgbImage::new(48, 48);
/// let names: Vec<_> = preparation.stages(&image).into_iter().map(|(name, _)| name).collect();
/// assert_eq!(names, ["gray", "illumination"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Preparation {
    /// Whether colour is taken out: the luma of ITU-R BT.601, rounded, in all three channels. It is the same as
    /// [`crate::ops::Normalization::gray`] does, but before everything else.
    pub gray: bool,
    /// What is done against noise.
    pub denoise: Denoise,
    /// What is done about uneven light.
    pub illumination: Illumination,
}

impl Default for Preparation {
    fn default() -> Self {
        Preparation { gray: true, ..Preparation::NONE }
    }
}

impl Preparation {
    /// Nothing is done.
    pub const NONE: Preparation = Preparation { gray: false, denoise: Denoise::None, illumination: Illumination::None };

    /// Whether all parameters are within their ranges.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] names the first that is not.
    pub fn check(&self) -> Result<()> {
        self.denoise.check()?;
        self.illumination.check()
    }

    /// A prepared copy of a picture, of the same size. A stage whose parameters do not pass [`Preparation::check`] is
    /// left out.
    pub fn apply(&self, image: &RgbImage) -> RgbImage {
        self.stages(image).pop().map_or_else(|| image.clone(), |(_, last)| last)
    }

    /// The picture after each of the stages that are switched on, with their names: `gray`, `denoise`, `illumination`.
    pub fn stages(&self, image: &RgbImage) -> Vec<(&'static str, RgbImage)> {
        let mut stages: Vec<(&'static str, RgbImage)> = Vec::new();
        let mut stage = |name, change: &dyn Fn(&RgbImage) -> RgbImage| {
            let next = change(stages.last().map_or(image, |(_, last)| last));
            stages.push((name, next));
        };
        if self.gray {
            stage("gray", &gray);
        }
        if self.denoise != Denoise::None {
            stage("denoise", &|image| self.denoise.apply(image));
        }
        if self.illumination != Illumination::None {
            stage("illumination", &|image| self.illumination.apply(image));
        }
        stages
    }
}

fn gray(image: &RgbImage) -> RgbImage {
    Raster::luma(image).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(9, 7, |x, y| ::image::Rgb([(x * 25) as u8, (y * 30) as u8, (x * y) as u8]))
    }

    fn all() -> Preparation {
        Preparation { gray: true, denoise: Denoise::Median { radius: 1 }, illumination: Illumination::Equalize }
    }

    #[test]
    fn stages_follow_each_other_in_a_fixed_order() {
        assert_eq!(Preparation::NONE.apply(&picture()), picture());
        let stages = all().stages(&picture());
        assert_eq!(stages.iter().map(|(name, _)| *name).collect::<Vec<_>>(), ["gray", "denoise", "illumination"]);
        assert_eq!(stages[0].1, Preparation::default().apply(&picture()));
        assert_eq!(stages[1].1, Denoise::Median { radius: 1 }.apply(&stages[0].1));
        assert_eq!(stages[2].1, Illumination::Equalize.apply(&stages[1].1));
        assert_eq!(stages[2].1, all().apply(&picture()));
    }

    #[test]
    fn json_gives_back_what_it_was_made_from_and_leaves_out_nothing() {
        for preparation in [all(), Preparation::default(), Preparation::NONE] {
            let json = serde_json::to_string(&preparation).unwrap();
            assert_eq!(serde_json::from_str::<Preparation>(&json).unwrap(), preparation);
        }
        assert_eq!(serde_json::from_str::<Preparation>("{}").unwrap(), Preparation::default());
        assert!(serde_json::from_str::<Preparation>("{\"grey\": true}").is_err());
    }

    #[test]
    fn a_wrong_parameter_is_refused_by_name() {
        let wrong = Preparation { denoise: Denoise::Median { radius: 0 }, ..Preparation::NONE };
        assert_eq!(wrong.check().unwrap_err().to_string(), "denoise: radius is 0, it must be within 1 and 15");
        assert_eq!(wrong.apply(&picture()), picture());
    }
}
