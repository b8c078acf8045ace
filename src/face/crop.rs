//! What is cut out around a face for the network that judges it.

use ::image::RgbImage;
use ::image::imageops;

use crate::ops::Crop;

/// The square around a box (x1, y1, x2, y2) in a picture of this size, with the same centre and a side of `margin`
/// times the longer side of the box. Where it would leave the picture it is moved inside; it is never larger than the
/// picture's shorter side.
///
/// ```
/// let crop = vultus::face::square_crop([10.0, 20.0, 30.0, 60.0], 1.5, 640, 480);
/// assert_eq!((crop.x, crop.y, crop.width, crop.height), (0, 10, 60, 60));
/// ```
pub fn square_crop(bounds: [f32; 4], margin: f32, width: u32, height: u32) -> Crop {
    let [x1, y1, x2, y2] = bounds;
    // Casts saturate, so that any box gives a crop.
    let side = ((x2 - x1).max(y2 - y1) * margin).round() as u32;
    let side = side.clamp(1, width.min(height).max(1));
    let start = |low: f32, high: f32, size: u32| {
        let start = ((low + high) / 2.0 - side as f32 / 2.0).round() as u32;
        start.min(size.saturating_sub(side))
    };
    Crop { x: start(x1, x2, width), y: start(y1, y2, height), width: side, height: side, mirror: false }
}

/// The picture within [`square_crop`], in its own size.
///
/// ```
/// use vultus::face::cut_square;
/// use vultus::image::RgbImage;
///
/// let photo = RgbImage::new(640, 480);
/// assert_eq!(cut_square(&photo, [100.0, 100.0, 180.0, 200.0], 1.2).dimensions(), (120, 120));
/// ```
pub fn cut_square(image: &RgbImage, bounds: [f32; 4], margin: f32) -> RgbImage {
    let Crop { x, y, width, height, .. } = square_crop(bounds, margin, image.width(), image.height());
    imageops::crop_imm(image, x, y, width, height).to_image()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crop(bounds: [f32; 4], margin: f32) -> [u32; 3] {
        let crop = square_crop(bounds, margin, 100, 80);
        assert_eq!(crop.width, crop.height);
        crop.check(100, 80).unwrap();
        [crop.x, crop.y, crop.width]
    }

    #[test]
    fn the_longer_side_counts_and_the_centre_stays() {
        assert_eq!(crop([40.0, 30.0, 60.0, 40.0], 1.0), [40, 25, 20]);
        assert_eq!(crop([40.0, 30.0, 60.0, 40.0], 1.5), [35, 20, 30]);
        assert_eq!(crop([40.2, 30.0, 50.4, 50.0], 1.1), [34, 29, 22]);
    }

    #[test]
    fn a_square_at_the_edge_is_moved_inside() {
        assert_eq!(crop([-5.0, -8.0, 15.0, 12.0], 1.0), [0, 0, 20]);
        assert_eq!(crop([90.0, 70.0, 110.0, 90.0], 1.2), [76, 56, 24]);
    }

    #[test]
    fn a_square_larger_than_the_picture_has_its_shorter_side() {
        assert_eq!(crop([20.0, 0.0, 80.0, 79.0], 1.5), [10, 0, 80]);
    }

    #[test]
    fn any_box_gives_a_crop() {
        for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e30, -1e30, 0.0] {
            crop([value; 4], 1.0);
            crop([0.0, 0.0, value, value], 1.0);
            crop([0.0, 0.0, 10.0, 10.0], value);
        }
    }
}
