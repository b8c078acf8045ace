//! Heat over a face: which places spoke for a class.

use image::Rgb;

use super::color_map::{viridis, within_unit};
use crate::error::{Error, Result};
use crate::image::RgbImage;
use crate::ops::resize::LUMA;

/// How much of the overlay is heat; the rest is the face.
const HEAT: f32 = 0.5;

/// The face in gray with the map's values over it in colour, from dark blue for 0 to yellow for 1.
///
/// The map has `size` (height, width) values in row order, each 0 to 1, such as those of [`crate::face::Occlusion`];
/// it is stretched over the face, bilinear between the centres of its cells. NaN counts as 0.
///
/// ```
/// use vultus::image::RgbImage;
/// use vultus::report::heat_overlay;
///
/// let face = RgbImage::from_pixel(96, 96, [128; 3].into());
/// // What spoke for the class is on the right.
/// let overlay = heat_overlay(&face, &[0.0, 1.0, 0.0, 1.0], [2, 2])?;
/// let [red_left, red_right] = [0, 95].map(|x| overlay.get_pixel(x, 48).0[0]);
/// assert!(red_right > red_left);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if the map has another number of values, or none.
pub fn heat_overlay(face: &RgbImage, map: &[f32], size: [usize; 2]) -> Result<RgbImage> {
    let [height, width] = size;
    if map.is_empty() || height.checked_mul(width) != Some(map.len()) {
        return Err(Error::shape("heat map", format!("{} values do not fill {height}×{width}", map.len())));
    }
    let along = |pixel: u32, pixels: u32, cells: usize| {
        let place = ((pixel as f32 + 0.5) / pixels as f32 * cells as f32 - 0.5).clamp(0.0, (cells - 1) as f32);
        let below = place as usize;
        (below, (below + 1).min(cells - 1), place - below as f32)
    };
    Ok(RgbImage::from_fn(face.width(), face.height(), |x, y| {
        let (left, right, over) = along(x, face.width(), width);
        let (top, bottom, down) = along(y, face.height(), height);
        let value = |row: usize, column: usize| within_unit(map[row * width + column]);
        let row = |row: usize| value(row, left) * (1.0 - over) + value(row, right) * over;
        let heat = viridis(row(top) * (1.0 - down) + row(bottom) * down);
        let gray: f32 = face.get_pixel(x, y).0.iter().zip(LUMA).map(|(&c, weight)| f32::from(c) * weight).sum();
        Rgb(heat.map(|channel| (f32::from(channel) * HEAT + gray * (1.0 - HEAT)).round() as u8))
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hot_places_are_yellow_and_cold_ones_blue() {
        let face = RgbImage::from_pixel(4, 2, Rgb([100; 3]));
        let overlay = heat_overlay(&face, &[0.0, 1.0], [1, 2]).expect("an overlay");
        let blend = |value: f32| viridis(value).map(|c| (f32::from(c) * 0.5 + 50.0).round() as u8);
        // Pixel centres lie at −0.25, 0.25, 0.75 and 1.25 cells.
        for (x, value) in [0.0, 0.25, 0.75, 1.0].into_iter().enumerate() {
            assert_eq!(overlay.get_pixel(x as u32, 1).0, blend(value), "pixel {x}");
        }
    }

    #[test]
    fn maps_of_another_size_are_refused() {
        let face = RgbImage::new(2, 2);
        for (map, size) in [(vec![0.0; 3], [2, 2]), (vec![], [0, 5]), (vec![0.0], [usize::MAX, 2])] {
            assert!(heat_overlay(&face, &map, size).is_err());
        }
    }

    #[test]
    fn numbers_out_of_range_do_no_harm() {
        let face = RgbImage::new(3, 3);
        let overlay = heat_overlay(&face, &[f32::NAN, f32::INFINITY, -4.0, 9.0], [2, 2]).expect("an overlay");
        assert_eq!(overlay.dimensions(), (3, 3));
        assert_eq!(heat_overlay(&RgbImage::new(0, 0), &[0.5], [1, 1]).expect("nothing").dimensions(), (0, 0));
    }
}
