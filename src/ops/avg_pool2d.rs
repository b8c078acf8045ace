//! Mean over windows, with its gradient.
//!
//! ```
//! use vultus::ops::{AvgPool2d, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(AvgPool2d::new(2, 2));
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 1, 2, 4]], &Options::default())?;
//! assert_eq!(plan.run(&Tensor::from_fn([1, 1, 2, 4], |i| i as f32))?[0].data(), [2.5, 4.5]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Shape, elements, image, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of an average-pool, each for height and width.
///
/// ```
/// use vultus::ops::AvgPool2d;
///
/// let pool = AvgPool2d { padding: [1, 1], ..AvgPool2d::new(3, 2) };
/// assert_eq!(pool.output_size([7, 8])?, [4, 4]);
/// assert_eq!(AvgPool2d { ceil_mode: true, ..pool }.output_size([7, 8])?, [4, 5]);
/// assert!(AvgPool2d { padding: [2, 2], ..pool }.output_size([7, 8]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvgPool2d {
    /// Height and width of a window.
    pub kernel: [usize; 2],
    /// Rows and columns between two windows.
    pub stride: [usize; 2],
    /// Rows and columns of zeros on every side; at most half of the kernel.
    pub padding: [usize; 2],
    /// Whether a last window that only partly covers the input counts.
    pub ceil_mode: bool,
    /// Whether the padding counts as zeros. Else a mean is over the window's part of the input.
    pub count_include_pad: bool,
}

impl AvgPool2d {
    /// Square windows of this size and stride, without padding, rounding down.
    pub fn new(kernel: usize, stride: usize) -> Self {
        AvgPool2d {
            kernel: [kernel; 2],
            stride: [stride; 2],
            padding: [0; 2],
            ceil_mode: false,
            count_include_pad: true,
        }
    }

    /// The height and width of the output for an input of this height and width.
    ///
    /// # Errors
    /// [`Error::Shape`] if not one window fits; [`Error::InvalidArgument`] if a parameter is out of range.
    pub fn output_size(&self, input: [usize; 2]) -> Result<[usize; 2]> {
        let mut size = [0; 2];
        for axis in 0..2 {
            let (kernel, stride, padding) = (self.kernel[axis], self.stride[axis], self.padding[axis]);
            if kernel == 0 || stride == 0 || padding > kernel / 2 {
                let reason = format!(
                    "kernel {kernel} and stride {stride} must be at least 1, padding {padding} at most half of the kernel"
                );
                return Err(Error::invalid("avg_pool2d", reason));
            }
            let padded = input[axis] + 2 * padding;
            if padded < kernel && !self.ceil_mode {
                let reason = format!("windows of {kernel} do not fit an input of {} padded to {padded}", input[axis]);
                return Err(Error::shape("avg_pool2d", reason));
            }
            let room = padded.saturating_sub(kernel);
            size[axis] = if self.ceil_mode { room.div_ceil(stride) } else { room / stride } + 1;
            // A window must begin inside of the input or of its left padding.
            if self.ceil_mode && (size[axis] - 1) * stride >= input[axis] + padding {
                size[axis] -= 1;
            }
        }
        Ok(size)
    }
}

impl Operation for AvgPool2d {
    fn name(&self) -> &'static str {
        "avg_pool2d"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("avg_pool2d", inputs)?;
        let [n, c, h, w] = image("avg_pool2d", x)?;
        let [oh, ow] = self.output_size([h, w])?;
        Ok(vec![vec![n, c, oh, ow]])
    }

    fn flops(&self, _inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        elements(&outputs[0]) * (self.kernel[0] * self.kernel[1]) as u64
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let backward = AvgPool2dBackward { pool: *self, size: [inputs[0][2], inputs[0][3]] };
        Some(vec![Backward::step(backward, [Operand::Gradient], [0])])
    }
}

/// The gradient of an average-pool's input: `dy → dx`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AvgPool2dBackward {
    /// The pool.
    pub pool: AvgPool2d,
    /// Height and width of its input.
    pub size: [usize; 2],
}

impl Operation for AvgPool2dBackward {
    fn name(&self) -> &'static str {
        "avg_pool2d_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [dy] = take("avg_pool2d_backward", inputs)?;
        let [n, c, ..] = image("avg_pool2d_backward", dy)?;
        let [oh, ow] = self.pool.output_size(self.size)?;
        same("avg_pool2d_backward", "dy", dy, &[n, c, oh, ow])?;
        Ok(vec![vec![n, c, self.size[0], self.size[1]]])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        elements(inputs[0]) * (self.pool.kernel[0] * self.pool.kernel[1]) as u64
    }
}

/// Shapes that every kernel must get right: windows that overlap, leave gaps or reach into the padding, remainders.
///
/// ```
/// use vultus::ops::avg_pool2d;
///
/// // Forward and backward in turn: what the one gives has the shape that the other takes.
/// for pair in avg_pool2d::cases().chunks(2) {
///     assert_eq!(pair[0].op.output_shapes(&pair[0].shapes())?[0], pair[1].shapes()[0]);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let flags = [(false, true), (false, false), (true, true), (true, false)];
    let windows = [
        ([3, 3], [2, 2], [1, 1], vec![2, 3, 7, 5]),
        ([2, 2], [2, 2], [0, 0], vec![1, 20, 16, 16]),
        ([2, 3], [1, 2], [1, 0], vec![1, 3, 5, 6]),
        ([3, 4], [1, 1], [0, 0], vec![1, 4, 3, 4]),
        ([2, 2], [3, 5], [1, 1], vec![2, 1, 8, 13]),
        ([1, 1], [1, 1], [0, 0], vec![1, 1, 1, 1]),
    ];
    let pools = windows.into_iter().flat_map(|(kernel, stride, padding, shape)| {
        flags.map(|(ceil_mode, count_include_pad)| {
            pair(AvgPool2d { kernel, stride, padding, ceil_mode, count_include_pad }, shape.clone())
        })
    });
    pools.flatten().collect()
}

/// A case with random sizes and parameters, in either direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::avg_pool2d::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let kernel = [1 + random.below(4), 1 + random.below(4)];
    let pool = AvgPool2d {
        kernel,
        stride: [1 + random.below(4), 1 + random.below(4)],
        padding: kernel.map(|size| random.below(size / 2 + 1)),
        ceil_mode: random.below(2) == 0,
        count_include_pad: random.below(2) == 0,
    };
    let [height, width] = kernel.map(|size| size + random.below(16));
    let shape = vec![1 + random.below(4), 1 + random.below(9), height, width];
    let direction = random.below(2);
    pair(pool, shape).swap_remove(direction)
}

fn pair(pool: AvgPool2d, shape: Shape) -> Vec<Case> {
    let Ok(dy) = pool.output_shapes(&[&shape]) else { return Vec::new() };
    let backward = AvgPool2dBackward { pool, size: [shape[2], shape[3]] };
    vec![
        Case::new(pool, vec![(shape, Fill::Normal(1.0))]),
        Case::new(backward, vec![(dy[0].clone(), Fill::Normal(1.0))]),
    ]
}
