//! Pictures varied at random where a network runs: a batch of pictures in bytes becomes a normalised NCHW tensor.
//!
//! Geometry is one affine resampling between the four nearest pixels, with border pixels repeated around the picture. Then
//! come contrast and brightness, noise, and erasing; between these, values are kept within 0 and 255, and nothing is
//! rounded. What is drawn for a whole picture is a [`Variation`], which [`crate::prepare::Augmentation`] draws. What is
//! drawn for each pixel comes from Philox4x32-10 by the variation's seed and the pixel's place, so that every device draws
//! the same.
//!
//! ```
//! use vultus::ops::{Activation, Normalization, Order, Variation};
//! use vultus::{Device, Options};
//!
//! // Two gray pixels, mirrored and a little brighter.
//! let mirrored = Variation { x: [-1.0, 0.0, 2.0], offset: 10.0, ..Variation::none() };
//! let plain = Normalization { order: Order::Rgb, mean: [0.0; 3], std: [1.0; 3], gray: false };
//! let mut plan = Device::Cpu.compile_op(&Activation::Relu.into(), &[&[1, 3, 1, 2]], &Options::default())?;
//! plan.set_varied(&[&[50, 200]], &[mirrored], &plain)?;
//! plan.execute()?;
//! assert_eq!(plan.outputs()?[0].data(), [210.0, 60.0, 210.0, 60.0, 210.0, 60.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Normalization;
use crate::error::{Error, Result};
use crate::random::{Random, philox4x32};

/// What is done to one picture.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::Variation;
/// use vultus::prepare::Augmentation;
///
/// let picture = vultus::image::RgbImage::new(48, 48);
/// let draw = |seed| Augmentation::standard().draw(&picture, &mut Random::new(seed));
/// assert_eq!(draw(1), draw(1));
/// assert_ne!(draw(1), draw(2));
/// assert_eq!(Augmentation::none().draw(&picture, &mut Random::new(1)).x, Variation::none().x);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Variation {
    /// From a place (x, y) in the changed picture to the one in the picture as it was: its x is
    /// `x[0]`·x + `x[1]`·y + `x[2]`. A pixel covers the unit square from its place on.
    pub x: [f32; 3],
    /// The same for its y.
    pub y: [f32; 3],
    /// What each value is multiplied with: the contrast.
    pub gain: f32,
    /// What is added to that, in pixel values: the brightness, and what keeps the mean where the contrast changes.
    pub offset: f32,
    /// The standard deviation of noise in pixel values, from 0 on. It is the same for all channels of a pixel.
    pub noise: f32,
    /// Left, upper, right and lower edge, in pixels, of a rectangle that is filled with random gray values: the first two
    /// belong to it, the others do not. Empty where nothing is erased.
    pub erased: [u32; 4],
    /// What noise and erased pixels are drawn from.
    pub seed: u64,
}

/// What a draw for four pixels is for.
#[derive(Clone, Copy)]
pub(crate) enum Purpose {
    Noise,
    Erasing,
}

impl Variation {
    /// Nothing is changed.
    pub const fn none() -> Self {
        Variation {
            x: [1.0, 0.0, 0.0],
            y: [0.0, 1.0, 0.0],
            gain: 1.0,
            offset: 0.0,
            noise: 0.0,
            erased: [0; 4],
            seed: 0,
        }
    }

    /// Whether every pixel stays in its place.
    pub(crate) fn is_still(&self) -> bool {
        (self.x, self.y) == (Self::none().x, Self::none().y)
    }

    /// Whether a pixel is erased.
    pub(crate) fn erases(&self, x: u32, y: u32) -> bool {
        let [left, upper, right, lower] = self.erased;
        (left..right).contains(&x) && (upper..lower).contains(&y)
    }

    /// What the sum of four random bytes, less its mean, is multiplied with to be noise: nearly normal, and never more than
    /// 3.5 standard deviations.
    pub(crate) fn noise_factor(&self) -> f32 {
        // The variance of four uniform bytes is 4 · (256² − 1) / 12.
        self.noise / (65535.0f32 / 3.0).sqrt()
    }

    /// Random words for four neighbouring pixels, of which this is the number in the order of rows.
    pub(crate) fn words(&self, quad: u32, purpose: Purpose) -> [u32; 4] {
        philox4x32([quad, purpose as u32, 0, 0], self.key())
    }

    /// The key of its draws.
    pub(crate) fn key(&self) -> [u32; 2] {
        [self.seed as u32, (self.seed >> 32) as u32]
    }

    /// Checks that all numbers are finite and the noise is not negative.
    pub(crate) fn check(&self) -> Result<()> {
        let Variation { x, y, gain, offset, noise, .. } = *self;
        let is_finite = x.iter().chain(&y).chain(&[gain, offset, noise]).all(|value| value.is_finite());
        if is_finite && noise >= 0.0 {
            return Ok(());
        }
        Err(Error::invalid("augment", format!("{self:?} has a number that is not finite, or noise below 0")))
    }
}

/// A case for tests and benches: a batch of pictures of one size, what is done to them, and how they are normalised.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::augment::{cases, random_case};
///
/// assert!(cases().iter().any(|case| case.gray.contains(&true)));
/// let case = random_case(&mut Random::new(1));
/// assert_eq!(case.gray.len(), case.variations.len());
/// ```
#[derive(Clone, Debug)]
#[doc(hidden)]
pub struct AugmentCase {
    /// Height and width of the pictures.
    pub size: [usize; 2],
    /// Which of the pictures have one byte for each pixel.
    pub gray: Vec<bool>,
    /// What is done to each.
    pub variations: Vec<Variation>,
    /// The normalisation.
    pub normalization: Normalization,
}

impl AugmentCase {
    /// The bytes of each picture for this seed.
    pub fn pictures(&self, seed: u64) -> Vec<Vec<u8>> {
        let mut random = Random::new(seed);
        let [height, width] = self.size;
        let mut picture = |&gray: &bool| {
            let channels = if gray { 1 } else { 3 };
            (0..channels * height * width).map(|_| random.bits() as u8).collect()
        };
        self.gray.iter().map(&mut picture).collect()
    }
}

/// Every kind of variation on its own, and all at once.
///
/// ```
/// use vultus::ops::{Variation, augment};
///
/// assert!(augment::cases().iter().all(|case| case.variations.contains(&Variation::none())));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<AugmentCase> {
    let none = Variation::none();
    let geometry = Variation { x: [0.9, 0.3, 1.5], y: [-0.3, 0.9, 4.25], ..none };
    let light = Variation { gain: 1.3, offset: -20.0, ..none };
    let noise = Variation { noise: 12.0, seed: 1 << 40 | 7, ..none };
    let erased = Variation { erased: [2, 1, 9, 6], seed: 3 << 33 | 1, ..none };
    let all = Variation { gain: 0.8, offset: 31.0, noise: 40.0, erased: [0, 0, 4, 30], seed: u64::MAX, ..geometry };
    let outside = Variation { x: [1.0, 0.0, 100.0], y: [0.0, -1.0, -100.0], ..none };
    let kinds = vec![none, geometry, light, noise, erased, all, outside];
    let case = |size: [usize; 2], gray, normalization| AugmentCase {
        size,
        gray: (0..kinds.len()).map(|index| gray && index % 2 == 0).collect(),
        variations: kinds.clone(),
        normalization,
    };
    vec![
        case([16, 16], false, Normalization::CAFFE),
        case([9, 13], true, Normalization::TORCHVISION),
        case([1, 1], true, Normalization::MTCNN),
        case([7, 3], true, Normalization { gray: true, ..Normalization::CAFFE }),
        case([40, 31], false, Normalization { gray: true, ..Normalization::TORCHVISION }),
    ]
}

/// A case with random sizes and variations.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::augment::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert_eq!(case.pictures(7).len(), case.variations.len());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> AugmentCase {
    let size = [1 + random.below(40), 1 + random.below(40)];
    let count = 1 + random.below(4);
    let mut normalization = [Normalization::CAFFE, Normalization::TORCHVISION, Normalization::MTCNN][random.below(3)];
    normalization.gray = random.below(2) == 0;
    AugmentCase {
        size,
        gray: (0..count).map(|_| random.below(2) == 0).collect(),
        variations: (0..count).map(|_| random_variation(size, random)).collect(),
        normalization,
    }
}

fn random_variation([height, width]: [usize; 2], random: &mut Random) -> Variation {
    let mut below = |side: usize| random.below(side + 1) as u32;
    let erased = [below(width), below(height), below(width), below(height)];
    let mut around = |most: f32| most * (2.0 * random.uniform() - 1.0);
    let place = |side: usize, other: f32| side as f32 * (0.5 + other);
    Variation {
        x: [around(2.0), around(2.0), place(width, around(1.0))],
        y: [around(2.0), around(2.0), place(height, around(1.0))],
        gain: 1.0 + around(1.0),
        offset: around(100.0),
        noise: around(60.0).max(0.0),
        erased,
        seed: u64::from(random.bits()) << 32 | u64::from(random.bits()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_number_is_refused() {
        assert!(Variation::none().check().is_ok());
        for wrong in [
            Variation { x: [f32::NAN, 0.0, 0.0], ..Variation::none() },
            Variation { y: [0.0, f32::INFINITY, 0.0], ..Variation::none() },
            Variation { gain: f32::NAN, ..Variation::none() },
            Variation { noise: -1.0, ..Variation::none() },
        ] {
            assert!(wrong.check().unwrap_err().to_string().starts_with("augment: Variation"));
        }
    }

    #[test]
    fn noise_and_erasing_draw_words_of_their_own() {
        let one = Variation { seed: 1, ..Variation::none() };
        let other = Variation { seed: 1 << 32, ..Variation::none() };
        let words = [
            one.words(0, Purpose::Noise),
            one.words(1, Purpose::Noise),
            one.words(0, Purpose::Erasing),
            other.words(0, Purpose::Noise),
        ];
        assert!((0..4).all(|i| (0..i).all(|j| words[i] != words[j])), "{words:?}");
    }
}
