//! The neighbours of a pixel on a circle, and the binary patterns that they make.

use std::f64::consts::TAU;

use image::GrayImage;

use crate::error::{Error, Result};

/// Fractions of a pixel and of a gray level are whole numbers, so that weights add up exactly: flat regions have
/// differences of exactly 0, and turning a picture by 90° turns the differences without changing them.
const STEPS: i32 = 256;

/// Where local binary patterns look: `points` neighbours at equal angles on a circle of `radius` pixels. Neighbour 0
/// lies to the right, the others follow counter-clockwise. Between pixels the gray value is interpolated bilinearly.
///
/// ```
/// use vultus::baseline::{Circle, Settings};
///
/// assert_eq!(Circle::default(), Circle { points: 8, radius: 1.0 });
/// let wide = Settings { circle: Circle { points: 12, radius: 2.5 }, ..Settings::default() };
/// assert!(wide.circle.radius <= 8.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Circle {
    /// The number of neighbours: 4 to 16.
    pub points: usize,
    /// The radius in pixels: 1 to 8.
    pub radius: f64,
}

impl Default for Circle {
    /// Eight neighbours at a distance of one pixel.
    fn default() -> Self {
        Circle { points: 8, radius: 1.0 }
    }
}

/// A pixel relative to the centre, and how much of it a neighbour takes, in 1 / [`STEPS`]².
#[derive(Clone, Copy, Debug)]
struct Tap {
    x: i64,
    y: i64,
    weight: i32,
}

/// The pixels from which each neighbour of a [`Circle`] is interpolated.
#[derive(Clone, Debug)]
pub(super) struct Neighbours {
    taps: Vec<Vec<Tap>>,
    /// Pixels at the border that have no pattern, since their circle leaves the picture.
    margin: u32,
}

/// A number for each pixel whose circle lies within the picture, row by row.
pub(super) struct Codes {
    pub width: usize,
    pub values: Vec<u16>,
}

impl Neighbours {
    /// # Errors
    /// [`Error::InvalidArgument`] for a circle outside of the ranges that [`Circle`] states.
    pub fn new(circle: Circle) -> Result<Self> {
        if !(4..=16).contains(&circle.points) || !(1.0..=8.0).contains(&circle.radius) {
            let reason = format!(
                "{} points at radius {}: 4 to 16 points and a radius of 1 to 8 pixels are needed",
                circle.points, circle.radius
            );
            return Err(Error::invalid("local binary patterns", reason));
        }
        let taps = (0..circle.points).map(|point| taps(circle.radius, TAU * point as f64 / circle.points as f64));
        Ok(Neighbours { taps: taps.collect(), margin: circle.radius.ceil() as u32 })
    }

    pub fn points(&self) -> usize {
        self.taps.len()
    }

    /// The smallest side that a picture may have to give at least `codes` codes along it.
    pub fn side(&self, codes: usize) -> usize {
        codes + 2 * self.margin as usize
    }

    /// What `code` makes of the differences between the neighbours and the centre, in 1/65536 of a gray level, for
    /// every pixel but those at the border. None for a picture that is all border.
    pub fn codes(&self, picture: &GrayImage, code: impl Fn(&[i32]) -> u16) -> Codes {
        let (width, height) = picture.dimensions();
        let inner = |side: u32| self.margin..side.saturating_sub(self.margin).max(self.margin);
        let mut differences = vec![0; self.taps.len()];
        let mut values = Vec::with_capacity(inner(width).len() * inner(height).len());
        for y in inner(height) {
            for x in inner(width) {
                self.differences(picture, x, y, &mut differences);
                values.push(code(&differences));
            }
        }
        Codes { width: inner(width).len(), values }
    }

    fn differences(&self, picture: &GrayImage, x: u32, y: u32, out: &mut [i32]) {
        let (pixels, width) = (picture.as_raw(), i64::from(picture.width()));
        let centre = i64::from(y) * width + i64::from(x);
        let gray = |index: i64| i32::from(pixels[index as usize]);
        for (difference, taps) in out.iter_mut().zip(&self.taps) {
            let neighbour: i32 = taps.iter().map(|tap| tap.weight * gray(centre + tap.y * width + tap.x)).sum();
            *difference = neighbour - gray(centre) * (STEPS * STEPS);
        }
    }
}

/// The up to four pixels around the place at this angle.
fn taps(radius: f64, angle: f64) -> Vec<Tap> {
    let place = |offset: f64| (f64::from(STEPS) * offset).round() as i32;
    // Rows are counted downwards, angles upwards.
    let (x, y) = (place(radius * angle.cos()), place(-radius * angle.sin()));
    let (left, right) = (x.div_euclid(STEPS), x.rem_euclid(STEPS));
    let (top, bottom) = (y.div_euclid(STEPS), y.rem_euclid(STEPS));
    let corner = |dx: i32, dy: i32| Tap {
        x: i64::from(left + dx),
        y: i64::from(top + dy),
        weight: [STEPS - right, right][dx as usize] * [STEPS - bottom, bottom][dy as usize],
    };
    // A pixel without weight may lie outside of the picture.
    let corners = [corner(0, 0), corner(1, 0), corner(0, 1), corner(1, 1)];
    corners.into_iter().filter(|tap| tap.weight > 0).collect()
}

/// The local binary pattern Σ s(gₚ − g) 2ᵖ with s(x) = 1 for x ≥ 0, else 0 (Ojala, Pietikäinen & Mäenpää,
/// "Multiresolution gray-scale and rotation invariant texture classification with local binary patterns", 2002).
pub(super) fn pattern(differences: &[i32]) -> u16 {
    differences.iter().enumerate().map(|(p, &difference)| u16::from(difference >= 0) << p).sum()
}

/// The rotated local binary pattern Σ s(gₚ − g) 2^((p − D) mod P): the weights begin at the dominant direction
/// D = argmax |gₚ − g| (Mehta & Egiazarian, "Dominant rotated local binary patterns (DRLBP) for texture
/// classification", 2016). Where several neighbours are equally far from the centre, which the paper leaves open, the
/// one that makes the smallest pattern counts: so a rotation leaves the pattern unchanged there too.
pub(super) fn rotated_pattern(differences: &[i32]) -> u16 {
    let furthest = differences.iter().map(|difference| difference.abs()).max().unwrap_or(0);
    let (points, pattern) = (differences.len(), u32::from(pattern(differences)));
    let dominant = (0..points).filter(|&p| differences[p].abs() == furthest);
    let all = (1u32 << points) - 1;
    let rotated = dominant.map(|d| (pattern >> d | pattern << (points - d)) & all);
    rotated.min().unwrap_or(0) as u16
}

#[cfg(test)]
mod tests {
    use image::imageops::{rotate90, rotate180, rotate270};

    use super::*;
    use crate::random::Random;

    /// The eight pixels around the centre of a 3×3 patch, from the right counter-clockwise.
    fn around(patch: [u8; 9]) -> Vec<i32> {
        [5, 2, 1, 0, 3, 6, 7, 8].map(|i: usize| i32::from(patch[i]) - i32::from(patch[4])).to_vec()
    }

    #[test]
    fn patterns_of_a_patch_computed_by_hand() {
        let differences = around([149, 155, 140, 150, 150, 190, 50, 170, 180]);
        assert_eq!(differences, [40, -10, 5, -1, 0, -100, 20, 30]);
        assert_eq!(pattern(&differences), 0b1101_0101);
        // The dominant direction is 5: bit 5 becomes bit 0, and so on around.
        assert_eq!(rotated_pattern(&differences), 0b1010_1110);
    }

    #[test]
    fn flat_patches_have_all_bits_even_between_pixels() {
        for radius in [1.0, 1.5, 2.3] {
            let neighbours = Neighbours::new(Circle { points: 16, radius }).unwrap();
            let codes = neighbours.codes(&GrayImage::from_pixel(9, 9, image::Luma([77])), pattern);
            assert_eq!(codes.values, vec![u16::MAX; codes.width * codes.width]);
        }
    }

    #[test]
    fn rotating_the_circle_changes_patterns_but_no_rotated_pattern() {
        let mut random = Random::new(3);
        for _ in 0..200 {
            // Few levels, so that several neighbours are often equally far away.
            let mut differences: Vec<i32> = (0..8).map(|_| random.below(7) as i32 - 3).collect();
            let first = rotated_pattern(&differences);
            for _ in 0..8 {
                differences.rotate_left(1);
                assert_eq!(rotated_pattern(&differences), first, "{differences:?}");
            }
        }
        let step = [9, 1, 1, -2, -2, -2, 1, 1];
        let mut turned = step;
        turned.rotate_left(1);
        assert_ne!(pattern(&step), pattern(&turned));
    }

    #[test]
    fn turning_a_picture_turns_its_map_of_rotated_patterns() {
        let mut random = Random::new(9);
        let picture = GrayImage::from_fn(12, 12, |_, _| image::Luma([random.below(256) as u8]));
        let neighbours = Neighbours::new(Circle::default()).unwrap();
        let sorted = |picture: &GrayImage, code: fn(&[i32]) -> u16| {
            let mut values = neighbours.codes(picture, code).values;
            values.sort_unstable();
            values
        };
        let upright = sorted(&picture, rotated_pattern);
        for turned in [rotate90(&picture), rotate180(&picture), rotate270(&picture)] {
            assert_eq!(sorted(&turned, rotated_pattern), upright);
            assert_ne!(sorted(&turned, pattern), sorted(&picture, pattern));
        }
    }

    #[test]
    fn neighbours_are_interpolated_between_pixels() {
        // A ramp of 10 per pixel to the right: at 45° and radius 1 the place is 181/256 of a pixel to the right.
        let picture = GrayImage::from_fn(5, 5, |x, _| image::Luma([10 * x as u8]));
        let neighbours = Neighbours::new(Circle::default()).unwrap();
        let mut differences = [0; 8];
        neighbours.differences(&picture, 2, 2, &mut differences);
        let right = 10 * 65536;
        let diagonal = 10 * 181 * 256;
        assert_eq!(differences, [right, diagonal, 0, -diagonal, -right, -diagonal, 0, diagonal]);
    }

    #[test]
    fn pictures_that_are_all_border_have_no_codes_and_wrong_circles_are_refused() {
        let neighbours = Neighbours::new(Circle { points: 8, radius: 2.0 }).unwrap();
        assert!(neighbours.codes(&GrayImage::new(4, 9), pattern).values.is_empty());
        assert!(neighbours.codes(&GrayImage::new(0, 0), pattern).values.is_empty());
        for (points, radius) in [(3, 1.0), (17, 1.0), (8, 0.5), (8, f64::NAN), (8, 9.0)] {
            assert!(Neighbours::new(Circle { points, radius }).is_err());
        }
    }
}
