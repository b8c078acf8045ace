//! Mean over windows chosen to give an output of a fixed size: window i goes from ⌊i·in/out⌋ to ⌈(i+1)·in/out⌉.
//!
//! ```
//! use vultus::ops::{AdaptiveAvgPool2d, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! // Windows of two of the three values.
//! let pool = Op::AdaptiveAvgPool2d(AdaptiveAvgPool2d { output: [1, 2] });
//! let mut plan = Device::Cpu.compile_op(&pool, &[&[1, 1, 1, 3]], &Options::default())?;
//! assert_eq!(plan.run(&Tensor::new([1, 1, 1, 3], vec![1.0, 3.0, 5.0])?)?[0].data(), [2.0, 4.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use std::ops::Range;

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Shape, elements, image, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of an adaptive average-pool.
///
/// ```
/// use vultus::ops::{AdaptiveAvgPool2d, Op};
///
/// // The output has its size whatever comes in, also where that is smaller.
/// let pool = Op::AdaptiveAvgPool2d(AdaptiveAvgPool2d { output: [7, 7] });
/// assert_eq!(pool.output_shapes(&[&[1, 512, 10, 12]])?, [[1, 512, 7, 7]]);
/// assert_eq!(pool.output_shapes(&[&[1, 512, 3, 3]])?, [[1, 512, 7, 7]]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveAvgPool2d {
    /// Height and width of the output.
    pub output: [usize; 2],
}

impl Operation for AdaptiveAvgPool2d {
    fn name(&self) -> &'static str {
        "adaptive_avg_pool2d"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("adaptive_avg_pool2d", inputs)?;
        let [n, c, ..] = image("adaptive_avg_pool2d", x)?;
        if self.output.contains(&0) {
            return Err(Error::invalid("adaptive_avg_pool2d", format!("an output of {:?} holds nothing", self.output)));
        }
        Ok(vec![vec![n, c, self.output[0], self.output[1]]])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        2 * elements(inputs[0])
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let (pool, size) = (*self, [inputs[0][2], inputs[0][3]]);
        Some(vec![Backward::step(AdaptiveAvgPool2dBackward { pool, size }, [Operand::Gradient], [0])])
    }
}

/// The gradient of an adaptive average-pool's input: `dy → dx`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveAvgPool2dBackward {
    /// The pool.
    pub pool: AdaptiveAvgPool2d,
    /// Height and width of its input.
    pub size: [usize; 2],
}

impl Operation for AdaptiveAvgPool2dBackward {
    fn name(&self) -> &'static str {
        "adaptive_avg_pool2d_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [dy] = take("adaptive_avg_pool2d_backward", inputs)?;
        let [n, c, ..] = image("adaptive_avg_pool2d_backward", dy)?;
        same("adaptive_avg_pool2d_backward", "dy", dy, &[n, c, self.pool.output[0], self.pool.output[1]])?;
        Ok(vec![vec![n, c, self.size[0], self.size[1]]])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        2 * elements(inputs[0])
    }
}

/// Along one axis, the inputs that output `index` of `output` is the mean of.
pub(crate) fn window(index: usize, input: usize, output: usize) -> Range<usize> {
    // Without divisions where the size stays the same.
    if input == output { index..index + 1 } else { index * input / output..((index + 1) * input).div_ceil(output) }
}

/// Shapes that every kernel must get right: the same size, smaller, larger, remainders, one.
///
/// ```
/// use vultus::ops::adaptive_avg_pool2d;
///
/// // Forward and backward in turn: what the one gives has the shape that the other takes.
/// for pair in adaptive_avg_pool2d::cases().chunks(2) {
///     assert_eq!(pair[0].op.output_shapes(&pair[0].shapes())?[0], pair[1].shapes()[0]);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [
        ([1, 64, 7, 7], [7, 7]),
        ([2, 8, 3, 3], [7, 7]),
        ([2, 8, 14, 10], [7, 7]),
        ([64, 3, 6, 6], [1, 1]),
        ([1, 1, 1, 1], [3, 2]),
    ]
    .into_iter()
    .flat_map(|(shape, output)| pair(AdaptiveAvgPool2d { output }, shape))
    .collect()
}

/// A case with random sizes, in either direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::adaptive_avg_pool2d::random_case;
///
/// let mut random = Random::new(1);
/// let names: Vec<&str> = (0..20).map(|_| random_case(&mut random).op.name()).collect();
/// assert!(names.contains(&"adaptive_avg_pool2d") && names.contains(&"adaptive_avg_pool2d_backward"));
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let output = [1 + random.below(9), 1 + random.below(9)];
    let shape = [1 + random.below(4), 1 + random.below(9), 1 + random.below(20), 1 + random.below(20)];
    let direction = random.below(2);
    pair(AdaptiveAvgPool2d { output }, shape).swap_remove(direction)
}

fn pair(pool: AdaptiveAvgPool2d, x: [usize; 4]) -> Vec<Case> {
    let dy = vec![x[0], x[1], pool.output[0], pool.output[1]];
    vec![
        Case::new(pool, vec![(x.to_vec(), Fill::Normal(1.0))]),
        Case::new(AdaptiveAvgPool2dBackward { pool, size: [x[2], x[3]] }, vec![(dy, Fill::Normal(1.0))]),
    ]
}
