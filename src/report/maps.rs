//! What a layer's feature maps look like.

use image::Rgb;

use super::color_map::viridis;
use crate::error::{Error, Result};
use crate::image::RgbImage;
use crate::tensor::Tensor;

/// What lies between maps.
const GAP: Rgb<u8> = Rgb([24, 28, 33]);

/// The first `most` feature maps of the first image, as small pictures in a grid as square as can be, one dark pixel
/// apart, from dark blue for a map's own smallest value to yellow for its largest. A map that is the same everywhere is
/// dark blue.
///
/// `maps` is `[batch, channels, height, width]`.
///
/// # Errors
/// [`Error::Shape`] if these are no feature maps, or none are to be shown.
pub fn maps_picture(maps: &Tensor, most: usize) -> Result<RgbImage> {
    let refuse = |reason: String| Err(Error::shape("feature maps", reason));
    let &[_, channels, height, width] = maps.shape() else {
        return refuse(format!("{:?} cannot be shown: [batch, channels, height, width] is wanted", maps.shape()));
    };
    let shown = channels.min(most);
    if maps.is_empty() || shown == 0 {
        return refuse("there are none to show".to_owned());
    }
    let columns = (1..=shown).find(|n| n * n >= shown).unwrap_or(1);
    let side = |cells: usize, pixels: usize| u32::try_from(cells * (pixels + 1) + 1);
    let (Ok(across), Ok(down)) = (side(columns, width), side(shown.div_ceil(columns), height)) else {
        return refuse(format!("{shown} of {height}×{width} are too many"));
    };
    let mut picture = RgbImage::from_pixel(across, down, GAP);
    for (number, map) in maps.data().chunks(height * width).take(shown).enumerate() {
        let (left, top) = (number % columns * (width + 1) + 1, number / columns * (height + 1) + 1);
        let low = map.iter().copied().fold(f32::INFINITY, f32::min);
        let high = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        for (place, value) in map.iter().enumerate() {
            let color = viridis((value - low) / (high - low).max(f32::MIN_POSITIVE));
            picture.put_pixel((left + place % width) as u32, (top + place / width) as u32, Rgb(color));
        }
    }
    Ok(picture)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_map_fills_its_own_range() {
        // Two images of three maps of 1×2; only the first image's are shown.
        let values = vec![0.0, 1.0, -5.0, -3.0, 7.0, 7.0, 9.0, 9.0, 9.0, 9.0, 9.0, 9.0];
        let maps = Tensor::new([2, 3, 1, 2], values).expect("maps");
        let picture = maps_picture(&maps, 64).expect("a picture");
        // Two columns of two pixels and two rows of one.
        assert_eq!(picture.dimensions(), (7, 5));
        let at = |x, y| picture.get_pixel(x, y).0;
        assert_eq!([at(1, 1), at(2, 1)], [viridis(0.0), viridis(1.0)]);
        assert_eq!([at(4, 1), at(5, 1)], [viridis(0.0), viridis(1.0)]);
        assert_eq!([at(1, 3), at(2, 3)], [viridis(0.0); 2]);
        assert_eq!([at(0, 0), at(4, 3)], [GAP.0; 2]);
        assert_eq!(maps_picture(&maps, 1).expect("a picture").dimensions(), (4, 3));
    }

    #[test]
    fn what_are_no_maps_is_refused() {
        assert!(maps_picture(&Tensor::zeros([1, 4]), 64).is_err());
        assert!(maps_picture(&Tensor::zeros([1, 4, 2, 2]), 0).is_err());
        assert!(maps_picture(&Tensor::zeros([1, 4, 0, 2]), 4).is_err());
    }
}
