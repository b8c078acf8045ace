//! What explanations of a network's answer give, whatever finds it, and the picture that they take.

use ::image::RgbImage;

use crate::error::{Error, Result};
use crate::image::resample::{Pixels, resample};
use crate::ops::{Crop, Filter, Normalization};
use crate::tensor::Tensor;

/// How much each place spoke for a class, 0 to 1 in row order, and height and width of that. The places lie evenly over the
/// face, and the highest value is 1; all are 0 where nothing spoke for the class.
///
/// ```
/// use vultus::face::HeatMap;
///
/// let (heat, [_, width]): HeatMap = (vec![0.0, 0.2, 1.0, 0.4], [2, 2]);
/// let strongest = (0..heat.len()).max_by(|&a, &b| heat[a].total_cmp(&heat[b])).unwrap();
/// assert_eq!([strongest / width, strongest % width], [1, 0]);
/// ```
pub type HeatMap = (Vec<f32>, [usize; 2]);

/// What speaks against the class is left out, the rest divided by the highest value.
pub(super) fn to_unit(mut heat: Vec<f32>) -> Vec<f32> {
    let highest = heat.iter().copied().fold(0.0, f32::max);
    // Without anything above 0 all is 0. The maximum with 0 also takes NaN to 0.
    heat.iter_mut().for_each(|value| *value = if highest > 0.0 { value.max(0.0) / highest } else { 0.0 });
    heat
}

/// The input of a network, `[1, channels, height, width]`, for a face that fills its picture.
pub(super) fn input_of(face: &RgbImage, shape: &[usize], normalization: &Normalization) -> Result<Tensor> {
    let &[_, 3, height, width] = shape else {
        let reason = format!("the network takes {shape:?}, not pictures of three channels");
        return Err(Error::shape("explanation", reason));
    };
    let crop = Crop::whole(face.width(), face.height());
    crop.check(face.width(), face.height())?;
    let pixels = Pixels { data: face.as_raw(), width: face.width(), linear: false };
    let mut input = Tensor::zeros([1, 3, height, width]);
    resample(&pixels, &[crop], [height, width], Filter::for_crop(&crop, width), normalization, input.data_mut());
    Ok(input)
}
