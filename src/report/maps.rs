//! What a layer's feature maps look like.

use super::color_map::viridis;
use super::grid::grid;
use crate::error::{Error, Result};
use crate::image::RgbImage;
use crate::tensor::Tensor;

/// The first `most` feature maps of the first image, as small pictures in a grid as square as can be, one dark pixel
/// apart, from dark blue for a map's own smallest value to yellow for its largest. A map that is the same everywhere is
/// dark blue.
///
/// `maps` is `[batch, channels, height, width]`.
///
/// ```
/// use vultus::Tensor;
/// use vultus::report::maps_picture;
///
/// let maps = Tensor::from_fn([1, 16, 6, 6], |i| (i % 6) as f32);
/// let picture = maps_picture(&maps, 4)?;
/// // Two by two maps with a pixel between them.
/// assert!((13..=15).contains(&picture.width()) && picture.width() == picture.height());
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if these are no feature maps, or too large ones; [`Error::InvalidArgument`] if none are to be
/// shown.
pub fn maps_picture(maps: &Tensor, most: usize) -> Result<RgbImage> {
    let &[_, channels, height, width] = maps.shape() else {
        let reason = format!("{:?} cannot be shown: [batch, channels, height, width] is wanted", maps.shape());
        return Err(Error::shape("feature maps", reason));
    };
    // Without an image there is nothing to show either.
    let shown = if maps.is_empty() { 0 } else { channels.min(most) };
    let places = height * width;
    grid("feature maps", shown, [height, width], |number| {
        let map = &maps.data()[places * number..][..places];
        let low = map.iter().copied().fold(f32::INFINITY, f32::min);
        let high = map.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        move |place| viridis((map[place] - low) / (high - low).max(f32::MIN_POSITIVE))
    })
}

#[cfg(test)]
mod tests {
    use super::super::grid::GAP;
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
