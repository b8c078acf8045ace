//! What the first layer's filters look like.

use super::grid::grid;
use crate::error::{Error, Result};
use crate::image::RgbImage;
use crate::ops::Order;
use crate::tensor::Tensor;

/// The filters of a convolution on pictures, as small pictures in a grid as square as can be, one dark pixel apart.
///
/// `weights` is `[filters, 3, height, width]`, channels in the order that the network takes. Each filter is scaled by
/// its own largest magnitude: middle gray is 0, 0 and 255 are the magnitude with either sign.
///
/// ```
/// use vultus::nn::light;
/// use vultus::ops::Order;
/// use vultus::report::filters_picture;
///
/// // The 32 filters of 3×3 pixels, before they have learned anything.
/// let parameters = light::network(48, 0.0, 7).initialize(1)?;
/// let picture = filters_picture(&parameters["features.0.weight"], Order::Rgb)?;
/// assert!(picture.width() * picture.height() >= 32 * 9);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if these are no filters of three channels; [`Error::InvalidArgument`] if there are none.
pub fn filters_picture(weights: &Tensor, order: Order) -> Result<RgbImage> {
    let &[filters, 3, height, width] = weights.shape() else {
        let reason =
            format!("weights of {:?} cannot be shown: [filters, 3, height, width] are wanted", weights.shape());
        return Err(Error::shape("filters", reason));
    };
    let places = height * width;
    grid("filters", filters, [height, width], |number| {
        let filter = &weights.data()[3 * places * number..][..3 * places];
        let largest = filter.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        move |place| {
            std::array::from_fn(|channel| {
                let channel = if order == Order::Bgr { 2 - channel } else { channel };
                shade(filter[channel * places + place], largest)
            })
        }
    })
}

fn shade(value: f32, largest: f32) -> u8 {
    let relative = if largest > 0.0 && largest.is_finite() && value.is_finite() { value / largest } else { 0.0 };
    (127.5 + 127.5 * relative).round() as u8
}

#[cfg(test)]
mod tests {
    use super::super::grid::GAP;
    use super::*;

    #[test]
    fn filters_lie_in_a_grid() {
        // Two filters of 1×2; the second is all zeros.
        let mut values = vec![1.0, -2.0, 0.5, 0.0, 0.0, 2.0];
        values.extend([0.0; 6]);
        let weights = Tensor::new([2, 3, 1, 2], values).expect("weights");
        let picture = filters_picture(&weights, Order::Rgb).expect("a picture");
        assert_eq!(picture.dimensions(), (7, 3));
        assert_eq!(picture.get_pixel(1, 1).0, [191, 159, 128]);
        assert_eq!(picture.get_pixel(2, 1).0, [0, 128, 255]);
        assert_eq!(picture.get_pixel(4, 1).0, [128; 3]);
        assert_eq!(*picture.get_pixel(3, 1), GAP);
        let swapped = filters_picture(&weights, Order::Bgr).expect("a picture");
        assert_eq!(swapped.get_pixel(2, 1).0, [255, 128, 0]);
    }

    #[test]
    fn the_first_layer_of_vgg16_makes_eight_by_eight() {
        let picture = filters_picture(&Tensor::filled([64, 3, 3, 3], f32::NAN), Order::Rgb).expect("a picture");
        assert_eq!(picture.dimensions(), (33, 33));
    }

    #[test]
    fn other_weights_are_refused() {
        for shape in [vec![64, 64, 3, 3], vec![10, 3], vec![0, 3, 3, 3], vec![4, 3, 0, 3]] {
            assert!(filters_picture(&Tensor::zeros(shape), Order::Rgb).is_err());
        }
    }
}
