//! Pictures that a network learns from, changed at random in ways that do not change what a face shows.

use ::image::RgbImage;
use serde::{Deserialize, Serialize};

use super::sheet::mosaic;
use super::warp::Affine;
use crate::cpu::augment::vary;
use crate::error::{Error, Result};
use crate::image::bytes::Bytes;
use crate::ops::Variation;
use crate::random::Random;

/// How much a training picture may be changed. The default changes nothing.
///
/// A picture keeps its size. Geometry (mirror, crop, scale, rotation, shift) is one resampling between the four nearest
/// pixels, with border pixels repeated around the picture; then come contrast and brightness, noise, and erasing. Noise
/// and erased pixels have no colour of their own: a gray picture stays gray. What is drawn for a picture is a
/// [`Variation`]; [`crate::ops::augment`] says what that does, on the host and on any device.
///
/// ```
/// use vultus::prepare::Augmentation;
/// use vultus::Random;
///
/// let image = vultus::image::RgbImage::new(48, 48);
/// let augmentation = Augmentation { flip: 0.5, rotation: 10.0, ..Augmentation::none() };
/// augmentation.check()?;
/// let changed = augmentation.apply(&image, &mut Random::new(1));
/// assert_eq!(changed.dimensions(), (48, 48));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// The probability that left and right are exchanged: 0 to 1.
    pub flip: f32,
    /// The farthest shift along each axis, as a fraction of the side: 0 to 0.5.
    pub shift: f32,
    /// The largest rotation about the centre, either way, in degrees: 0 to 180.
    pub rotation: f32,
    /// Sizes change by a factor of 1 − `scale` to 1 + `scale`: 0 to 0.9.
    pub scale: f32,
    /// At most this fraction of both sides is cut away, at a random place, and the rest enlarged again: 0 to 0.9.
    pub crop: f32,
    /// At most this fraction of the range of values (255) is added or taken away: 0 to 1.
    pub brightness: f32,
    /// Distances from the mean of the picture as it was change by a factor of 1 − `contrast` to 1 + `contrast`: 0 to 1.
    pub contrast: f32,
    /// The standard deviation of noise, in pixel values: 0 to 255. It is the sum of four uniform numbers, nearly normal
    /// and never more than 3.5 standard deviations.
    pub noise: f32,
    /// The probability that a rectangle is filled with random gray values (random erasing: Zhong, Zheng, Kang, Li, Yang
    /// 2020, arXiv:1708.04896): 0 to 1.
    pub erase: f32,
    /// The smallest and largest area of that rectangle, as fractions of the picture: above 0, to 1. The paper's are
    /// 0.02 and 0.4. Its sides are in a ratio of 0.3 to 1 / 0.3.
    pub erase_area: [f32; 2],
}

/// The smallest ratio of a rectangle's sides in random erasing.
const ERASE_RATIO: f32 = 0.3;

impl Default for Augmentation {
    fn default() -> Self {
        Self::none()
    }
}

impl Augmentation {
    /// Nothing is changed.
    pub const fn none() -> Self {
        Augmentation {
            flip: 0.0,
            shift: 0.0,
            rotation: 0.0,
            scale: 0.0,
            crop: 0.0,
            brightness: 0.0,
            contrast: 0.0,
            noise: 0.0,
            erase: 0.0,
            erase_area: [0.02, 0.4],
        }
    }

    /// What does little harm to faces that are aligned well: mirrored, a little moved, turned and scaled.
    pub const fn light() -> Self {
        Augmentation { flip: 0.5, shift: 0.04, rotation: 5.0, scale: 0.05, ..Self::none() }
    }

    /// What suits small data sets of faces: more of the same, light and contrast, a little noise, and sometimes a part
    /// of the face erased.
    pub const fn standard() -> Self {
        Augmentation {
            flip: 0.5,
            shift: 0.08,
            rotation: 12.0,
            scale: 0.12,
            crop: 0.08,
            brightness: 0.12,
            contrast: 0.25,
            noise: 4.0,
            erase: 0.25,
            erase_area: [0.02, 0.15],
        }
    }

    /// Whether all values are within their ranges.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] names the first that is not.
    pub fn check(&self) -> Result<()> {
        let ranges = [
            ("flip", self.flip, 1.0),
            ("shift", self.shift, 0.5),
            ("rotation", self.rotation, 180.0),
            ("scale", self.scale, 0.9),
            ("crop", self.crop, 0.9),
            ("brightness", self.brightness, 1.0),
            ("contrast", self.contrast, 1.0),
            ("noise", self.noise, 255.0),
            ("erase", self.erase, 1.0),
        ];
        if let Some((name, value, most)) = ranges.iter().find(|(_, value, most)| !(0.0..=*most).contains(value)) {
            return Err(Error::invalid("augmentation", format!("{name} is {value}, it must be within 0 and {most}")));
        }
        let [low, high] = self.erase_area;
        if !(low > 0.0 && low <= high && high <= 1.0) {
            let reason = format!("erase_area is {low} to {high}, it must be above 0, at most 1, and in this order");
            return Err(Error::invalid("augmentation", reason));
        }
        Ok(())
    }

    /// Whether pictures stay as they are.
    pub fn is_none(&self) -> bool {
        Augmentation { erase_area: Self::none().erase_area, ..*self } == Self::none()
    }

    /// A changed copy of a picture, rounded to bytes. The same numbers give the same copy; which change is drawn does not
    /// depend on whether the others are switched on.
    pub fn apply(&self, image: &RgbImage, random: &mut Random) -> RgbImage {
        let mut out = image.clone();
        if let Some(bytes) = bytes_of(image) {
            let pixels: &mut [u8] = &mut out;
            vary(&bytes, &self.draw_for(&bytes, random), |place, rgb| {
                pixels[3 * place..3 * place + 3].copy_from_slice(&rgb.map(|value| value.round() as u8));
            });
        }
        out
    }

    /// What [`Augmentation::apply`] would do to this picture, for a device that does it
    /// ([`Plan::set_varied`](crate::Plan::set_varied)).
    ///
    /// ```
    /// use vultus::Random;
    /// use vultus::prepare::Augmentation;
    ///
    /// let image = vultus::image::RgbImage::new(48, 48);
    /// let flip = Augmentation { flip: 1.0, ..Augmentation::none() };
    /// assert_eq!(flip.draw(&image, &mut Random::new(1)).x, [-1.0, 0.0, 48.0]);
    /// ```
    pub fn draw(&self, image: &RgbImage, random: &mut Random) -> Variation {
        bytes_of(image).map_or(Variation::none(), |bytes| self.draw_for(&bytes, random))
    }

    /// The same for a picture in bytes.
    pub(crate) fn draw_for(&self, picture: &Bytes, random: &mut Random) -> Variation {
        Drawn::new(self, random).variation(picture, self.noise)
    }
}

/// `None` for a picture without pixels.
fn bytes_of(image: &RgbImage) -> Option<Bytes<'_>> {
    Bytes::new(image, image.width() as usize, image.height() as usize)
}

/// One choice of all changes but the single pixels'.
#[derive(Debug)]
struct Drawn {
    flip: bool,
    /// Fractions of the sides.
    shift: [f64; 2],
    degrees: f64,
    scale: f64,
    /// The fraction of the sides that is left, and where the rest is cut away: 0 all behind, 1 all before.
    crop: f64,
    crop_place: [f64; 2],
    /// In pixel values.
    brightness: f32,
    contrast: f32,
    /// The fraction of the picture.
    erased: Option<f32>,
    erase_ratio: f32,
    erase_place: [f32; 2],
    seed: u64,
}

impl Drawn {
    fn new(of: &Augmentation, random: &mut Random) -> Self {
        let mut around = |most: f32| most * (2.0 * random.uniform() - 1.0);
        let shift = [around(of.shift), around(of.shift)].map(f64::from);
        let degrees = f64::from(around(of.rotation));
        let scale = 1.0 + f64::from(around(of.scale));
        let brightness = 255.0 * around(of.brightness);
        let contrast = 1.0 + around(of.contrast);
        let erase_ratio = (around(1.0) * ERASE_RATIO.ln()).exp();
        let mut uniform = || random.uniform();
        let flip = uniform() < of.flip;
        let crop = 1.0 - f64::from(of.crop * uniform());
        let crop_place = [uniform(), uniform()].map(f64::from);
        let [smallest, largest] = of.erase_area;
        let (erased, area) = (uniform() < of.erase, smallest + (largest - smallest) * uniform());
        let erase_place = [uniform(), uniform()];
        let erased = erased.then_some(area);
        let seed = u64::from(random.bits()) << 32 | u64::from(random.bits());
        Drawn {
            flip,
            shift,
            degrees,
            scale,
            crop,
            crop_place,
            brightness,
            contrast,
            erased,
            erase_ratio,
            erase_place,
            seed,
        }
    }

    /// From a place in the changed picture to the one in the picture as it was.
    fn geometry(&self, width: u32, height: u32) -> Affine {
        let [w, h] = [width, height].map(f64::from);
        let cut = |side: f64, place: f64| [self.crop, (1.0 - self.crop) * side * place];
        let ([zoom, left], [_, above]) = (cut(w, self.crop_place[0]), cut(h, self.crop_place[1]));
        let crop = Affine { x: [zoom, 0.0, left], y: [0.0, zoom, above] };
        let similarity = about_centre(w, h, self.degrees, self.scale, [self.shift[0] * w, self.shift[1] * h]);
        let mirror = if self.flip { Affine { x: [-1.0, 0.0, w], ..Affine::IDENTITY } } else { Affine::IDENTITY };
        crop.then(&similarity).then(&mirror)
    }

    /// All of it, with noise of this standard deviation, for this picture.
    fn variation(&self, picture: &Bytes, noise: f32) -> Variation {
        let (width, height) = (picture.width as u32, picture.height as u32);
        let Affine { x, y } = self.geometry(width, height);
        let rectangle = |area| rectangle(area, self.erase_ratio, self.erase_place, width, height);
        // The mean stays where it is, but for the brightness.
        let kept = if self.contrast == 1.0 { 0.0 } else { picture.mean() * (1.0 - self.contrast) };
        Variation {
            x: x.map(|value| value as f32),
            y: y.map(|value| value as f32),
            gain: self.contrast,
            offset: kept + self.brightness,
            noise,
            erased: self.erased.map_or([0; 4], rectangle),
            seed: self.seed,
        }
    }
}

/// From a place in the picture turned, scaled and then shifted (in pixels) about its centre to the one before. Turned
/// counter-clockwise as seen.
fn about_centre(width: f64, height: f64, degrees: f64, scale: f64, shift: [f64; 2]) -> Affine {
    let (sin, cos) = degrees.rem_euclid(360.0).to_radians().sin_cos();
    let (a, b) = (cos / scale, sin / scale);
    let (cx, cy) = (width / 2.0, height / 2.0);
    // The centre lands at centre + shift, so what lies there comes from the centre.
    let (x, y) = (cx + shift[0], cy + shift[1]);
    Affine { x: [a, -b, cx - a * x + b * y], y: [b, a, cy - b * x - a * y] }
}

/// Left, upper, right and lower edge of a rectangle with this part of the picture's area and this ratio of height to
/// width, as far as the picture has room for it; `place` 0 is left or above, 1 right or below.
fn rectangle(area: f32, ratio: f32, place: [f32; 2], width: u32, height: u32) -> [u32; 4] {
    let area = area * width as f32 * height as f32;
    // A side that is cut at the picture's is made up for by the other.
    let w = (area / ratio).sqrt().clamp((area / height as f32).min(width as f32), width as f32);
    let h = (area / w.max(1.0)).min(height as f32);
    let [w, h] = [w, h].map(|side| (side.round() as u32).max(1));
    let start = |length: u32, side: u32, place: f32| ((length.saturating_sub(side) + 1) as f32 * place) as u32;
    let (x, y) = (start(width, w, place[0]), start(height, h, place[1]));
    [x, y, (x + w).min(width), (y + h).min(height)]
}

/// A picture to judge augmentation by: a row for each of the images, itself first and `copies` changed ones behind it.
///
/// ```
/// use vultus::Random;
/// use vultus::image::RgbImage;
/// use vultus::prepare::{Augmentation, augmentation_sheet};
///
/// let faces = [RgbImage::new(48, 48), RgbImage::new(48, 48)];
/// let sheet = augmentation_sheet(&faces, &Augmentation::standard(), 5, &mut Random::new(1));
/// assert!(sheet.width() >= 6 * 48 && sheet.height() >= 2 * 48);
/// ```
pub fn augmentation_sheet(
    images: &[RgbImage],
    augmentation: &Augmentation,
    copies: usize,
    random: &mut Random,
) -> RgbImage {
    let mut row = |image: &RgbImage| {
        let mut cells = vec![image.clone()];
        cells.extend((0..copies).map(|_| augmentation.apply(image, random)));
        cells
    };
    let rows: Vec<Vec<RgbImage>> = images.iter().map(&mut row).collect();
    mosaic(&rows)
}

#[cfg(test)]
mod tests {
    use super::super::warp::warp;
    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(48, 40, |x, y| ::image::Rgb([(5 * x) as u8, (6 * y) as u8, (x * y % 251) as u8]))
    }

    fn strong() -> Augmentation {
        Augmentation { erase: 1.0, ..Augmentation::standard() }
    }

    #[test]
    fn none_is_the_identity_and_the_presets_are_in_range() {
        assert_eq!(Augmentation::default().apply(&picture(), &mut Random::new(1)), picture());
        assert!(Augmentation::none().is_none() && !Augmentation::light().is_none());
        for preset in [Augmentation::none(), Augmentation::light(), Augmentation::standard()] {
            preset.check().unwrap();
        }
    }

    #[test]
    fn the_same_numbers_give_the_same_picture_and_others_another() {
        let apply = |seed| strong().apply(&picture(), &mut Random::new(seed));
        assert_eq!(apply(3), apply(3));
        assert_ne!(apply(3), apply(4));
    }

    #[test]
    fn flipping_twice_is_the_identity() {
        let flip = Augmentation { flip: 1.0, ..Augmentation::none() };
        let once = flip.apply(&picture(), &mut Random::new(1));
        assert_eq!(once, ::image::imageops::flip_horizontal(&picture()));
        assert_eq!(flip.apply(&once, &mut Random::new(2)), picture());
    }

    #[test]
    fn a_quarter_turn_moves_whole_pixels_and_a_whole_turn_none() {
        let square = ::image::imageops::crop_imm(&picture(), 0, 0, 40, 40).to_image();
        let turned = |degrees| warp(&square, &about_centre(40.0, 40.0, degrees, 1.0, [0.0; 2]), [40, 40], [1; 2]);
        assert_eq!(turned(360.0), square);
        assert_eq!(turned(90.0), ::image::imageops::rotate270(&square));
    }

    #[test]
    fn the_centre_goes_where_the_shift_says() {
        let map = about_centre(48.0, 40.0, 33.0, 1.3, [5.0, -7.0]);
        let (x, y) = map.at(24.0 + 5.0, 20.0 - 7.0);
        // Rounding in f64.
        assert!((x - 24.0).abs() < 1e-12 && (y - 20.0).abs() < 1e-12, "{x}, {y}");
    }

    #[test]
    fn a_gray_picture_stays_gray() {
        let gray = RgbImage::from_fn(48, 48, |x, y| ::image::Rgb([(x * y % 256) as u8; 3]));
        for seed in 0..20 {
            let changed = strong().apply(&gray, &mut Random::new(seed));
            assert!(changed.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]));
        }
    }

    #[test]
    fn brightness_and_contrast_keep_to_their_bounds() {
        let flat = RgbImage::from_pixel(8, 8, ::image::Rgb([100; 3]));
        let brightness = Augmentation { brightness: 0.1, ..Augmentation::none() };
        let values: Vec<u8> = (0..200).map(|seed| brightness.apply(&flat, &mut Random::new(seed))[(0, 0)][0]).collect();
        // 10 % of 255 are 25.5.
        assert!(values.iter().all(|value| (74..=126).contains(value)), "{values:?}");
        assert!(*values.iter().max().unwrap() > 120 && *values.iter().min().unwrap() < 80, "{values:?}");
        let contrast = Augmentation { contrast: 0.5, ..Augmentation::none() };
        assert_eq!(contrast.apply(&flat, &mut Random::new(1)), flat, "one value has no contrast");
    }

    #[test]
    fn noise_has_its_standard_deviation() {
        let flat = RgbImage::from_pixel(100, 100, ::image::Rgb([128; 3]));
        let image = Augmentation { noise: 10.0, ..Augmentation::none() }.apply(&flat, &mut Random::new(5));
        let n = 10_000.0f32;
        let differences = || image.pixels().map(|pixel| f32::from(pixel[0]) - 128.0);
        let mean = differences().sum::<f32>() / n;
        let deviation = (differences().map(|d| d * d).sum::<f32>() / n).sqrt();
        // Four standard errors, of the mean and of the deviation.
        assert!(mean.abs() < 4.0 * 10.0 / n.sqrt(), "{mean}");
        assert!((deviation - 10.0).abs() < 4.0 * 10.0 / (2.0 * n).sqrt(), "{deviation}");
    }

    #[test]
    fn what_is_erased_has_an_area_within_bounds() {
        let flat = RgbImage::from_pixel(60, 50, ::image::Rgb([7, 8, 9]));
        let erase = Augmentation { erase: 1.0, erase_area: [0.1, 0.4], ..Augmentation::none() };
        for seed in 0..200 {
            let erased = erase.apply(&flat, &mut Random::new(seed));
            let area = erased.pixels().zip(flat.pixels()).filter(|(a, b)| a != b).count() as f32 / 3000.0;
            // Sides are whole pixels: each is off by at most a half, the shorter one has at least 9.
            assert!((0.09..=0.43).contains(&area), "seed {seed}: {area}");
        }
        let share = (0..400).filter(|&seed| {
            let sometimes = Augmentation { erase: 0.25, ..erase };
            sometimes.apply(&flat, &mut Random::new(seed)) != flat
        });
        // Four standard errors of a quarter of 400.
        assert!((65..=135).contains(&share.count()));
    }

    #[test]
    fn contrast_leaves_the_mean_where_it_is() {
        let contrast = Augmentation { contrast: 0.5, ..Augmentation::none() };
        let mean = |image: &RgbImage| bytes_of(image).unwrap().mean();
        let picture = RgbImage::from_fn(48, 40, |x, y| ::image::Rgb([(80 + x + y) as u8; 3]));
        for seed in 0..20 {
            // Bytes are rounded, by a half at most.
            let apart = mean(&contrast.apply(&picture, &mut Random::new(seed))) - mean(&picture);
            assert!(apart.abs() < 0.5, "seed {seed}: {apart}");
        }
    }

    #[test]
    fn any_size_can_be_changed() {
        for size in [(0, 4), (1, 1), (1, 9), (9, 1), (2, 3)] {
            for seed in 0..20 {
                let image = RgbImage::from_pixel(size.0, size.1, ::image::Rgb([9; 3]));
                assert_eq!(strong().apply(&image, &mut Random::new(seed)).dimensions(), size);
            }
        }
    }

    #[test]
    fn values_out_of_range_are_refused_by_name() {
        let wrong = [
            (Augmentation { flip: 1.5, ..Augmentation::none() }, "flip"),
            (Augmentation { rotation: -1.0, ..Augmentation::none() }, "rotation"),
            (Augmentation { scale: 1.0, ..Augmentation::none() }, "scale"),
            (Augmentation { noise: f32::NAN, ..Augmentation::none() }, "noise"),
            (Augmentation { erase_area: [0.3, 0.2], ..Augmentation::none() }, "erase_area"),
        ];
        for (augmentation, name) in wrong {
            let error = augmentation.check().unwrap_err().to_string();
            assert!(error.starts_with(&format!("augmentation: {name} is")), "{error}");
        }
    }

    #[test]
    fn a_sheet_has_a_row_for_each_image() {
        let sheet = augmentation_sheet(&[picture(), picture()], &strong(), 3, &mut Random::new(1));
        assert!(sheet.width() >= 4 * 48 && sheet.height() >= 2 * 40);
        assert_eq!(augmentation_sheet(&[], &strong(), 3, &mut Random::new(1)).dimensions(), (1, 1));
    }
}
