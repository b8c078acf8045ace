//! Squares out of pictures, scaled.

use ::image::{RgbImage, imageops};

use super::warp::{Affine, warp};
use crate::ops::Crop;

/// The largest square in the middle of a picture of this size: for pictures that are already faces.
///
/// ```
/// let crop = vultus::prepare::centre_crop(640, 480);
/// assert_eq!((crop.x, crop.y, crop.width, crop.height), (80, 0, 480, 480));
/// ```
pub fn centre_crop(width: u32, height: u32) -> Crop {
    let side = width.min(height);
    Crop { x: (width - side) / 2, y: (height - side) / 2, width: side, height: side, mirror: false }
}

/// A part of a picture, scaled to this width and height: between its pixels where it becomes larger, by their mean
/// where it becomes smaller. What lies beside the part is not looked at; a part that leaves the picture is cut at its
/// edge.
///
/// ```
/// use vultus::image::RgbImage;
/// use vultus::prepare::{centre_crop, resize};
///
/// let stripes = RgbImage::from_fn(64, 48, |x, _| [if x % 2 == 0 { 0 } else { 200 }; 3].into());
/// let small = resize(&stripes, &centre_crop(64, 48), 24, 24);
/// // Each pixel is the mean of a dark and a bright one.
/// assert_eq!(small.get_pixel(12, 12).0, [100; 3]);
/// ```
pub fn resize(image: &RgbImage, part: &Crop, width: u32, height: u32) -> RgbImage {
    let part = imageops::crop_imm(image, part.x, part.y, part.width, part.height).to_image();
    if part.dimensions() == (width, height) {
        return part;
    }
    let scale = |from: u32, to: u32| f64::from(from) / f64::from(to.max(1));
    let [sx, sy] = [scale(part.width(), width), scale(part.height(), height)];
    let map = Affine { x: [sx, 0.0, 0.0], y: [0.0, sy, 0.0] };
    warp(&part, &map, [width, height], [sx, sy].map(points))
}

/// How many points along a side of a pixel keep it from aliasing when it covers this many.
pub(super) fn points(scale: f64) -> u32 {
    scale.ceil().max(1.0) as u32
}

#[cfg(test)]
mod tests {
    use ::image::Rgb;

    use super::*;

    fn picture() -> RgbImage {
        RgbImage::from_fn(8, 6, |x, y| Rgb([10 * x as u8, 10 * y as u8, 200]))
    }

    #[test]
    fn the_middle_of_a_picture_is_a_square_within_it() {
        assert_eq!(centre_crop(8, 6), Crop { x: 1, y: 0, width: 6, height: 6, mirror: false });
        assert_eq!(centre_crop(1, 5), Crop { x: 0, y: 2, width: 1, height: 1, mirror: false });
    }

    #[test]
    fn smaller_is_the_mean_and_the_same_size_the_same() {
        assert_eq!(resize(&picture(), &Crop::whole(8, 6), 8, 6), picture());
        let half = resize(&picture(), &Crop::whole(8, 6), 4, 3);
        assert_eq!(half, RgbImage::from_fn(4, 3, |x, y| Rgb([20 * x as u8 + 5, 20 * y as u8 + 5, 200])));
    }

    #[test]
    fn what_lies_beside_the_part_is_not_looked_at() {
        let part = Crop { x: 2, y: 1, width: 1, height: 1, mirror: false };
        assert_eq!(resize(&picture(), &part, 3, 2), RgbImage::from_pixel(3, 2, Rgb([20, 10, 200])));
    }

    #[test]
    fn any_part_and_size_end() {
        for part in
            [Crop::whole(100, 100), Crop { x: 90, y: 90, width: 5, height: 5, mirror: false }, Crop::whole(0, 0)]
        {
            for size in [(0, 0), (1, 1), (7, 300)] {
                assert_eq!(resize(&picture(), &part, size.0, size.1).dimensions(), size);
            }
        }
    }
}
