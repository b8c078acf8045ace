//! Maximum over windows. On a tie the gradient goes to the first maximum in row order, as in PyTorch.
//!
//! ```
//! use vultus::ops::{MaxPool2d, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::MaxPool2d(MaxPool2d::new(2, 2));
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 1, 2, 4]], &Options::default())?;
//! let x = Tensor::new([1, 1, 2, 4], vec![1.0, 2.0, 0.0, -1.0, 4.0, 3.0, -2.0, -3.0])?;
//! assert_eq!(plan.run(&x)?[0].data(), [4.0, 0.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Shape, elements, image, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a max-pool: `x → y`.
///
/// ```
/// use vultus::ops::MaxPool2d;
///
/// let pool = MaxPool2d::new(2, 2);
/// assert_eq!(pool.output_size([7, 8])?, [3, 4]);
/// assert_eq!(MaxPool2d { ceil_mode: true, ..pool }.output_size([7, 8])?, [4, 4]);
/// assert_eq!(MaxPool2d { kernel: [1, 8], ..pool }.output_size([7, 8])?, [4, 1]);
/// assert!(MaxPool2d { padding: [2, 0], ..pool }.output_size([7, 8]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxPool2d {
    /// Height and width of the windows.
    pub kernel: [usize; 2],
    /// Steps between two windows, down and to the right.
    pub stride: [usize; 2],
    /// Rows above and below, and columns on either side, that no maximum comes from; at most half of the kernel.
    pub padding: [usize; 2],
    /// Whether a last window that only partly covers the input counts.
    pub ceil_mode: bool,
}

impl MaxPool2d {
    /// Square windows of this size and step, without padding, rounding down.
    pub fn new(kernel: usize, stride: usize) -> Self {
        MaxPool2d { kernel: [kernel; 2], stride: [stride; 2], padding: [0; 2], ceil_mode: false }
    }

    /// The height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// [`Error::Shape`] if not one window fits; [`Error::InvalidArgument`] if a parameter is out of range.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2]> {
        let ceil_mode = self.ceil_mode;
        let mut size = [0; 2];
        for axis in 0..2 {
            let (kernel, stride, padding) = (self.kernel[axis], self.stride[axis], self.padding[axis]);
            if kernel == 0 || stride == 0 || padding > kernel / 2 {
                let reason = format!(
                    "kernel {kernel} and stride {stride} must be at least 1, padding {padding} at most half of the kernel"
                );
                return Err(Error::invalid("max_pool2d", reason));
            }
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
}

impl Operation for MaxPool2d {
    fn name(&self) -> &'static str {
        "max_pool2d"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("max_pool2d", inputs)?;
        let [n, c, h, w] = image("max_pool2d", x)?;
        let [oh, ow] = self.output_size([h, w])?;
        Ok(vec![vec![n, c, oh, ow]])
    }

    fn flops(&self, _inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        elements(&outputs[0]) * (self.kernel[0] * self.kernel[1]) as u64
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let backward = MaxPool2dBackward { pool: *self, relu: false };
        Some(vec![Backward::step(backward, [Operand::Input(0), Operand::Gradient], [0])])
    }
}

/// The gradient of a max-pool's input: `x, dy → dx`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxPool2dBackward {
    /// The pool.
    pub pool: MaxPool2d,
    /// Whether x is what a ReLU gave and dx is the gradient of what that took: 0 where x is not above 0.
    pub relu: bool,
}

impl Operation for MaxPool2dBackward {
    fn name(&self) -> &'static str {
        "max_pool2d_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, dy] = take("max_pool2d_backward", inputs)?;
        same("max_pool2d_backward", "dy", dy, &self.pool.output_shapes(&[x])?[0])?;
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        elements(inputs[0])
    }
}

/// Shapes that every kernel must get right: VGG16's and MTCNN's windows, overlaps, remainders, padding, ties, windows that are
/// not square, whole lines.
///
/// ```
/// use vultus::ops::max_pool2d;
/// use vultus::{Device, Options};
///
/// for case in max_pool2d::cases().iter().step_by(3) {
///     let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options::default())?;
///     let inputs = case.inputs(1);
///     let outputs = plan.run_all(&inputs)?;
///     assert!(outputs[0].data().iter().all(|maximum| inputs[0].data().contains(maximum)));
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let ceil = |kernel, stride| MaxPool2d { ceil_mode: true, ..MaxPool2d::new(kernel, stride) };
    [
        (MaxPool2d::new(2, 2), vec![1, 64, 16, 16]),
        (MaxPool2d::new(2, 2), vec![2, 7, 15, 9]),
        (ceil(2, 2), vec![2, 10, 11, 10]),
        (ceil(3, 2), vec![3, 28, 22, 22]),
        (ceil(3, 2), vec![1, 1, 1, 1]),
        (MaxPool2d::new(2, 2), vec![64, 1, 2, 2]),
        (MaxPool2d { padding: [1, 1], ..MaxPool2d::new(3, 1) }, vec![1, 2, 5, 4]),
        (MaxPool2d { padding: [1, 1], ..ceil(2, 3) }, vec![1, 2, 8, 7]),
        (MaxPool2d::new(2, 5), vec![1, 3, 13, 12]),
        (MaxPool2d { kernel: [1, 3], stride: [1, 2], padding: [0, 1], ceil_mode: false }, vec![2, 3, 5, 9]),
        (MaxPool2d { kernel: [3, 2], stride: [2, 3], padding: [1, 0], ceil_mode: true }, vec![1, 4, 8, 9]),
        (MaxPool2d { kernel: [40, 1], stride: [40, 1], ..MaxPool2d::new(1, 1) }, vec![2, 3, 40, 7]),
        (MaxPool2d { kernel: [1, 1500], stride: [1, 1500], ..MaxPool2d::new(1, 1) }, vec![1, 2, 3, 1500]),
    ]
    .into_iter()
    .flat_map(|(pool, shape)| directions(pool, shape))
    .collect()
}

/// VGG16's five pools on a picture of this height and width.
///
/// ```
/// use vultus::ops::max_pool2d::vgg16_cases;
///
/// let cases = vgg16_cases(1, 224);
/// // Five pools, forward, backward, and backward through a ReLU before; the last one leaves 7×7.
/// assert_eq!(cases[12].op.output_shapes(&cases[12].shapes())?, [[1, 512, 7, 7]]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn vgg16_cases(batch: usize, input: usize) -> Vec<Case> {
    [(64, 1), (128, 2), (256, 4), (512, 8), (512, 16)]
        .into_iter()
        .flat_map(|(channels, shrink)| {
            directions(MaxPool2d::new(2, 2), vec![batch, channels, input / shrink, input / shrink])
        })
        .collect()
}

/// A case with random sizes and parameters, in either direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::max_pool2d::random_case;
///
/// let (case, again) = (random_case(&mut Random::new(1)), random_case(&mut Random::new(1)));
/// assert_eq!((case.name(), case.op), (again.name(), again.op));
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let kernel = [1 + random.below(4), 1 + random.below(4)];
    let pool = MaxPool2d {
        kernel,
        stride: [1 + random.below(4), 1 + random.below(4)],
        padding: kernel.map(|size| random.below(size / 2 + 1)),
        ceil_mode: random.below(2) == 0,
    };
    let [height, width] = kernel.map(|size| size + random.below(16));
    let shape = vec![1 + random.below(4), 1 + random.below(9), height, width];
    let direction = random.below(3);
    directions(pool, shape).swap_remove(direction)
}

fn directions(pool: MaxPool2d, shape: Shape) -> Vec<Case> {
    let Ok(dy) = pool.output_shapes(&[&shape]) else { return Vec::new() };
    let backward = |relu| {
        let inputs = vec![(shape.clone(), Fill::Ties), (dy[0].clone(), Fill::Normal(1.0))];
        Case::new(MaxPool2dBackward { pool, relu }, inputs)
    };
    vec![Case::new(pool, vec![(shape.clone(), Fill::Ties)]), backward(false), backward(true)]
}
