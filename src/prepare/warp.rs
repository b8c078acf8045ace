//! One resampling for all geometry: an affine map, read backwards, between the four nearest pixels.

use ::image::RgbImage;

use crate::image::bytes::Bytes;

/// An affine map of the plane: x' = `x[0]`·x + `x[1]`·y + `x[2]`, and the same for y'. A pixel covers the unit square
/// from its place on, so that the centre of the first one is (0.5, 0.5).
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Affine {
    pub x: [f64; 3],
    pub y: [f64; 3],
}

impl Affine {
    pub(crate) const IDENTITY: Affine = Affine { x: [1.0, 0.0, 0.0], y: [0.0, 1.0, 0.0] };

    /// Where a point goes.
    pub(crate) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let along = |row: &[f64; 3]| row[0] * x + row[1] * y + row[2];
        (along(&self.x), along(&self.y))
    }

    /// The map that does `self` first and `next` then.
    pub(crate) fn then(&self, next: &Affine) -> Affine {
        let row = |r: &[f64; 3]| {
            let column = |i: usize| r[0] * self.x[i] + r[1] * self.y[i];
            [column(0), column(1), column(2) + r[2]]
        };
        Affine { x: row(&next.x), y: row(&next.y) }
    }
}

/// The picture of this size (width and height) whose every point shows what `map` says lies there in `image`. Around a
/// picture its border pixels go on. A pixel is the mean of this many points along its width and height, which keeps
/// what becomes smaller by that factor from aliasing.
pub(crate) fn warp(image: &RgbImage, map: &Affine, [width, height]: [u32; 2], points: [u32; 2]) -> RgbImage {
    let mut out = RgbImage::new(width, height);
    if out.is_empty() {
        return out;
    }
    let Some(image) = Bytes::new(image.as_raw(), image.width() as usize, image.height() as usize) else { return out };
    let [across, down] = points.map(|count| count.max(1));
    let share = 1.0 / (f64::from(across) * f64::from(down));
    let within = |i: u32, count: u32| (f64::from(i) + 0.5) / f64::from(count);
    for (y, row) in out.chunks_exact_mut(3 * width as usize).enumerate() {
        for (x, pixel) in row.chunks_exact_mut(3).enumerate() {
            let mut sum = [0.0; 3];
            for j in 0..down {
                let mut line = [0.0; 3];
                for i in 0..across {
                    let (u, v) = map.at(x as f64 + within(i, across), y as f64 + within(j, down));
                    let value = image.between(u as f32 - 0.5, v as f32 - 0.5);
                    line = [0, 1, 2].map(|channel| line[channel] + value[channel]);
                }
                sum = [0, 1, 2].map(|channel| sum[channel] + f64::from(line[channel]));
            }
            for (byte, sum) in pixel.iter_mut().zip(sum) {
                *byte = (sum * share + 0.5) as u8;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gradient(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| ::image::Rgb([(x * 20) as u8, (y * 20) as u8, (x * y) as u8]))
    }

    #[test]
    fn the_identity_changes_nothing_and_a_shift_moves_whole_pixels() {
        let image = gradient(7, 5);
        assert_eq!(warp(&image, &Affine::IDENTITY, [7, 5], [1; 2]), image);
        let right = Affine { x: [1.0, 0.0, 2.0], ..Affine::IDENTITY };
        let shifted = warp(&image, &right, [7, 5], [1; 2]);
        for (x, y, pixel) in shifted.enumerate_pixels() {
            assert_eq!(pixel, image.get_pixel((x + 2).min(6), y), "{x}, {y}");
        }
    }

    #[test]
    fn halves_lie_between_their_neighbours() {
        let image = gradient(4, 4);
        let half = Affine { x: [1.0, 0.0, 0.5], ..Affine::IDENTITY };
        // Red is 20 x: half a pixel further it is 10 more, and at the border it stays.
        let red: Vec<u8> = warp(&image, &half, [4, 1], [1; 2]).pixels().map(|pixel| pixel[0]).collect();
        assert_eq!(red, [10, 30, 50, 60]);
    }

    #[test]
    fn stripes_that_become_smaller_become_gray() {
        let stripes = RgbImage::from_fn(64, 64, |x, _| ::image::Rgb([255 * (x % 2) as u8; 3]));
        let smaller = Affine { x: [8.0, 0.0, 0.0], y: [0.0, 8.0, 0.0] };
        let small = warp(&stripes, &smaller, [8, 8], [8, 1]);
        assert!(small.pixels().all(|pixel| (126..=129).contains(&pixel[0])), "{:?}", small.as_raw());
    }

    #[test]
    fn maps_follow_each_other() {
        let a = Affine { x: [0.5, -1.0, 3.0], y: [2.0, 0.25, -1.0] };
        let b = Affine { x: [1.0, 2.0, 0.5], y: [-0.5, 1.0, 4.0] };
        let (x, y) = a.at(1.5, -2.0);
        assert_eq!(a.then(&b).at(1.5, -2.0), b.at(x, y));
    }

    #[test]
    fn any_map_gives_a_picture() {
        for value in [f64::NAN, f64::INFINITY, -1e300, 0.0] {
            warp(&gradient(3, 1), &Affine { x: [value; 3], y: [value; 3] }, [2, 2], [1; 2]);
        }
        assert_eq!(warp(&gradient(3, 1), &Affine::IDENTITY, [0, 4], [1; 2]).dimensions(), (0, 4));
    }
}
