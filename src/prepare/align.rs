//! Faces brought to one place: turned, scaled and moved by their eyes.

use ::image::RgbImage;
use serde::{Deserialize, Serialize};

use super::crop::points;
use super::warp::{Affine, warp};
use crate::error::{Error, Result};

/// The largest side of an aligned face that is not asked for by name; what is larger is reduced.
const LARGEST_SIDE: f32 = 1024.0;

/// Eyes that are nearer to each other than this, in pixels, say nothing about a face.
const NEAREST_EYES: f64 = 1.0;

/// Where the eyes of a face come to lie in a square, as fractions of its side. The default cuts out about what a
/// detector's box holds.
///
/// ```
/// use vultus::prepare::Alignment;
///
/// let landmarks = [[20.0, 30.0], [60.0, 30.0], [40.0, 50.0], [25.0, 70.0], [55.0, 70.0]];
/// let alignment = Alignment { eye_x: 0.25, eye_y: 0.5 };
/// assert_eq!(alignment.native_side(&landmarks), 80);
/// let aligned = alignment.place(&landmarks, 200)?;
/// assert_eq!((aligned[0], aligned[1]), ([50.0, 100.0], [150.0, 100.0]));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alignment {
    /// How far from the left edge the eye on the left is, and from the right edge the one on the right: 0 to 0.45.
    pub eye_x: f32,
    /// How far from the upper edge both eyes are: 0 to 1.
    pub eye_y: f32,
}

impl Default for Alignment {
    fn default() -> Self {
        Alignment { eye_x: 0.32, eye_y: 0.38 }
    }
}

impl Alignment {
    /// Whether the eyes' places are within their ranges.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] names the first that is not.
    pub fn check(&self) -> Result<()> {
        for (name, value, most) in [("eye_x", self.eye_x, 0.45), ("eye_y", self.eye_y, 1.0)] {
            if !(0.0..=most).contains(&value) {
                return Err(Error::invalid("alignment", format!("{name} is {value}, it must be within 0 and {most}")));
            }
        }
        Ok(())
    }

    /// The square of this side in which the eyes lie in their places. `landmarks` are x and y of the eyes, the nose and
    /// the corners of the mouth, as in [`crate::face::Face`]; only the eyes count. Angles and proportions stay; where
    /// the square leaves the picture, its border pixels go on.
    ///
    /// ```
    /// use vultus::image::RgbImage;
    /// use vultus::prepare::Alignment;
    ///
    /// // The head is tilted: the eye on the right is lower.
    /// let mut photo = RgbImage::new(100, 100);
    /// let landmarks = [[30.0, 30.0], [60.0, 50.0], [40.0, 55.0], [25.0, 65.0], [45.0, 75.0]];
    /// for [x, y] in landmarks {
    ///     let eye = |dx: u32, dy: u32| (x as u32 - 3 + dx, y as u32 - 3 + dy);
    ///     (0..36).map(|i| eye(i % 6, i / 6)).for_each(|(x, y)| photo.put_pixel(x, y, [255; 3].into()));
    /// }
    /// let face = Alignment { eye_x: 0.25, eye_y: 0.5 }.align(&photo, &landmarks, 80)?;
    /// assert!([[20, 40], [60, 40]].iter().all(|&[x, y]| face.get_pixel(x, y).0 == [255; 3]));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the eyes are less than a pixel apart or no numbers, the side is 0, or as
    /// [`Alignment::check`].
    pub fn align(&self, image: &RgbImage, landmarks: &[[f32; 2]; 5], side: u32) -> Result<RgbImage> {
        let map = self.map(landmarks, side)?;
        let scale = map.x[0].hypot(map.y[0]);
        // No more points than the picture has pixels, wherever the landmarks are.
        let pixels = (f64::from(image.width()) * f64::from(image.height())).sqrt();
        let points = points(scale.min(pixels / f64::from(side)));
        Ok(warp(image, &map, [side; 2], [points; 2]))
    }

    /// Where the landmarks lie in the square.
    ///
    /// # Errors
    /// As [`Alignment::align`].
    pub fn place(&self, landmarks: &[[f32; 2]; 5], side: u32) -> Result<[[f32; 2]; 5]> {
        let Affine { x: [a, _, left], y: [b, _, above] } = self.map(landmarks, side)?;
        let squared = a * a + b * b;
        let place = |[x, y]: [f32; 2]| {
            let (x, y) = (f64::from(x) - left, f64::from(y) - above);
            [((a * x + b * y) / squared) as f32, ((a * y - b * x) / squared) as f32]
        };
        Ok(landmarks.map(place))
    }

    /// [`Alignment::align`] to a square of [`Alignment::native_side`].
    ///
    /// # Errors
    /// As [`Alignment::align`].
    pub fn cut(&self, image: &RgbImage, landmarks: &[[f32; 2]; 5]) -> Result<RgbImage> {
        self.align(image, landmarks, self.native_side(landmarks))
    }

    /// The side of the square at which the face keeps its size, within 1 and 1024.
    pub fn native_side(&self, landmarks: &[[f32; 2]; 5]) -> u32 {
        let [[x1, y1], [x2, y2], ..] = *landmarks;
        ((x2 - x1).hypot(y2 - y1) / (1.0 - 2.0 * self.eye_x)).round().clamp(1.0, LARGEST_SIDE) as u32
    }

    /// From a place in the square to the one in the picture: a similarity, x' = a x − b y + …, y' = b x + a y + ….
    fn map(&self, landmarks: &[[f32; 2]; 5], side: u32) -> Result<Affine> {
        self.check()?;
        let [[x1, y1], [x2, y2], ..] = landmarks.map(|point| point.map(f64::from));
        let (dx, dy) = (x2 - x1, y2 - y1);
        let distance = dx.hypot(dy);
        if side == 0 || !(NEAREST_EYES..f64::INFINITY).contains(&distance) {
            let reason = format!("a square of {side} pixels cannot be made from eyes that are {distance} pixels apart");
            return Err(Error::invalid("alignment", reason));
        }
        let side = f64::from(side);
        let (left, above) = (f64::from(self.eye_x) * side, f64::from(self.eye_y) * side);
        let span = side - 2.0 * left;
        let (a, b) = (dx / span, dy / span);
        Ok(Affine { x: [a, -b, x1 - a * left + b * above], y: [b, a, y1 - b * left - a * above] })
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    const LANDMARKS: [[f32; 2]; 5] = [[20.0, 34.0], [44.0, 27.0], [34.0, 44.0], [27.0, 55.0], [46.0, 49.0]];

    #[test]
    fn the_eyes_come_to_their_places_and_angles_stay() {
        let alignment = Alignment { eye_x: 0.25, eye_y: 0.4 };
        let placed = alignment.place(&LANDMARKS, 80).unwrap();
        for (place, wanted) in placed.iter().zip([[20.0, 32.0], [60.0, 32.0]]) {
            // Rounded to f32.
            assert_abs_diff_eq!(place[0], wanted[0], epsilon = 1e-4);
            assert_abs_diff_eq!(place[1], wanted[1], epsilon = 1e-4);
        }
        let length = |points: &[[f32; 2]; 5], i: usize, j: usize| {
            (points[i][0] - points[j][0]).hypot(points[i][1] - points[j][1])
        };
        for (i, j) in [(0, 2), (1, 3), (3, 4)] {
            let ratio = length(&placed, i, j) / length(&LANDMARKS, i, j);
            assert_abs_diff_eq!(ratio, 40.0 / 25.0, epsilon = 1e-4);
        }
    }

    #[test]
    fn spots_on_the_eyes_are_found_there() {
        let mut image = RgbImage::new(64, 64);
        for ([x, y], channel) in LANDMARKS.into_iter().zip([0, 1]) {
            for (dx, dy) in (0..5).flat_map(|dy| (0..5).map(move |dx| (dx, dy))) {
                image.get_pixel_mut(x as u32 + dx - 2, y as u32 + dy - 2)[channel] = 255;
            }
        }
        for side in [40, 160] {
            let aligned = Alignment::default().align(&image, &LANDMARKS, side).unwrap();
            for channel in [0, 1] {
                let weight = |get: fn(u32, u32) -> u32| {
                    aligned
                        .enumerate_pixels()
                        .map(|(x, y, p)| f64::from(get(x, y)) * f64::from(p[channel]))
                        .sum::<f64>()
                };
                let total = weight(|_, _| 1);
                let centre = [weight(|x, _| x) / total + 0.5, weight(|_, y| y) / total + 0.5];
                let eye_x = if channel == 0 { 0.32 } else { 0.68 };
                // A spot's centre is half a pixel further than the landmark; the rest is resampling.
                let pixel = f64::from(side) / f64::from(Alignment::default().native_side(&LANDMARKS));
                assert!((centre[0] - eye_x * f64::from(side)).abs() < 0.8 * pixel, "{channel} {centre:?}");
                assert!((centre[1] - 0.38 * f64::from(side)).abs() < 0.8 * pixel, "{channel} {centre:?}");
            }
        }
    }

    #[test]
    fn eyes_that_say_nothing_are_refused() {
        let image = RgbImage::new(5, 5);
        for landmarks in
            [[[3.0; 2]; 5], [[f32::NAN; 2]; 5], [[0.0, 0.0], [f32::INFINITY, 0.0], [0.0; 2], [0.0; 2], [0.0; 2]]]
        {
            let error = Alignment::default().align(&image, &landmarks, 10).unwrap_err().to_string();
            assert!(error.contains("pixels apart"), "{error}");
        }
        assert!(Alignment::default().align(&image, &LANDMARKS, 0).is_err());
        let wrong = Alignment { eye_x: 0.5, ..Alignment::default() };
        assert!(wrong.align(&image, &LANDMARKS, 10).unwrap_err().to_string().contains("eye_x is 0.5"));
    }

    #[test]
    fn eyes_far_outside_of_the_picture_end() {
        let far = [[-1e9, -1e9], [1e9, 1e9], [0.0; 2], [0.0; 2], [0.0; 2]];
        let aligned = Alignment::default().align(&RgbImage::new(30, 1), &far, 16).unwrap();
        assert_eq!(aligned.dimensions(), (16, 16));
    }
}
