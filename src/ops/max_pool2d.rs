//! Maximum over windows. On a tie the gradient goes to the first maximum in row order, as in PyTorch.

use super::{Case, Fill, Op, Shape, image, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a max-pool with square windows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxPool2d {
    /// Height and width of the windows.
    pub kernel: usize,
    /// Step between two windows.
    pub stride: usize,
    /// Rows and columns on every side that no maximum comes from; at most half of the kernel.
    pub padding: usize,
    /// Whether a last window that only partly covers the input counts.
    pub ceil_mode: bool,
}

impl MaxPool2d {
    /// Windows of this size and step, without padding, rounding down.
    pub fn new(kernel: usize, stride: usize) -> Self {
        MaxPool2d { kernel, stride, padding: 0, ceil_mode: false }
    }

    /// The height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// [`Error::Shape`] if not one window fits or a parameter is out of range.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2]> {
        let MaxPool2d { kernel, stride, padding, ceil_mode } = *self;
        if kernel == 0 || stride == 0 || padding > kernel / 2 {
            let reason = format!(
                "kernel {kernel} and stride {stride} must be at least 1, padding {padding} at most half of the kernel"
            );
            return Err(Error::shape("max_pool2d", reason));
        }
        let mut size = [0; 2];
        for axis in 0..2 {
            let padded = input[axis] + 2 * padding;
            if padded < kernel && !ceil_mode {
                let reason = format!("windows of {kernel} do not fit an input of {} padded to {padded}", input[axis]);
                return Err(Error::shape("max_pool2d", reason));
            }
            let room = padded.saturating_sub(kernel);
            size[axis] = if ceil_mode { room.div_ceil(stride) } else { room / stride } + 1;
            // A window must begin inside of the input or of its left padding.
            if ceil_mode && (size[axis] - 1) * stride >= input[axis] + padding {
                size[axis] -= 1;
            }
        }
        Ok(size)
    }

    pub(super) fn forward(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("max_pool2d", inputs)?;
        let [n, c, h, w] = image("max_pool2d", x)?;
        let [oh, ow] = self.output_size([h, w])?;
        Ok(vec![vec![n, c, oh, ow]])
    }

    pub(super) fn backward(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, dy] = take("max_pool2d_backward", inputs)?;
        same("max_pool2d_backward", "dy", dy, &self.forward(&[x])?[0])?;
        Ok(vec![x.to_vec()])
    }
}

/// Shapes that every kernel must get right: VGG16's and MTCNN's windows, overlaps, remainders, padding, ties.
pub fn cases() -> Vec<Case> {
    let ceil = |kernel, stride| MaxPool2d { ceil_mode: true, ..MaxPool2d::new(kernel, stride) };
    [
        (MaxPool2d::new(2, 2), vec![1, 64, 16, 16]),
        (MaxPool2d::new(2, 2), vec![2, 7, 15, 9]),
        (ceil(2, 2), vec![2, 10, 11, 10]),
        (ceil(3, 2), vec![3, 28, 22, 22]),
        (ceil(3, 2), vec![1, 1, 1, 1]),
        (MaxPool2d::new(2, 2), vec![64, 1, 2, 2]),
        (MaxPool2d { padding: 1, ..MaxPool2d::new(3, 1) }, vec![1, 2, 5, 4]),
        (MaxPool2d { padding: 1, ..ceil(2, 3) }, vec![1, 2, 8, 7]),
        (MaxPool2d::new(2, 5), vec![1, 3, 13, 12]),
    ]
    .into_iter()
    .flat_map(|(pool, shape)| pair(pool, shape))
    .collect()
}

/// VGG16's five pools on a picture of this height and width.
pub fn vgg16_cases(batch: usize, input: usize) -> Vec<Case> {
    [(64, 1), (128, 2), (256, 4), (512, 8), (512, 16)]
        .into_iter()
        .flat_map(|(channels, shrink)| {
            pair(MaxPool2d::new(2, 2), vec![batch, channels, input / shrink, input / shrink])
        })
        .collect()
}

/// A case with random sizes and parameters, in either direction.
pub fn random_case(random: &mut Random) -> Case {
    let kernel = 1 + random.below(4);
    let pool = MaxPool2d {
        kernel,
        stride: 1 + random.below(4),
        padding: random.below(kernel / 2 + 1),
        ceil_mode: random.below(2) == 0,
    };
    let side = |random: &mut Random| kernel + random.below(16);
    let shape = vec![1 + random.below(4), 1 + random.below(9), side(random), side(random)];
    let direction = random.below(2);
    pair(pool, shape).swap_remove(direction)
}

fn pair(pool: MaxPool2d, shape: Shape) -> Vec<Case> {
    let Ok(dy) = pool.forward(&[&shape]) else { return Vec::new() };
    vec![
        Case::new(Op::MaxPool2d(pool), vec![(shape.clone(), Fill::Ties)]),
        Case::new(Op::MaxPool2dBackward(pool), vec![(shape, Fill::Ties), (dy[0].clone(), Fill::Normal(1.0))]),
    ]
}
