//! The mean of gradients over the micro-batches of one step: `mean ← (1−share)·mean + share·gradient`.
//!
//! The share of a micro-batch is what its samples weigh among all of the step so far: 1 in the first, which overwrites
//! the mean of the step before. After the last one the mean is that over all samples of the step.
//!
//! ```
//! use vultus::ops::{Op, RunState};
//! use vultus::{Device, Options, Tensor};
//!
//! let mut mean = Device::Cpu.compile_op(&Op::Accumulate, &[&[1], &[1]], &Options::default())?;
//! let (so_far, gradient) = (Tensor::filled([1], 2.0), Tensor::filled([1], 4.0));
//! let second = RunState { micro_batch: 1, micro_batches: 2, ..RunState::default() };
//! assert_eq!(mean.run_in(&[so_far, gradient], &second)?[0].data(), [3.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::Operation;
use super::{Case, Fill, Op, Shape, elements, same, take};
use crate::error::Result;
use crate::random::Random;

/// `mean, gradient → mean`, in place
pub(crate) struct Accumulate;

impl Operation for Accumulate {
    fn name(&self) -> &'static str {
        "accumulate"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [mean, gradient] = take("accumulate", inputs)?;
        same("accumulate", "gradient", gradient, mean)?;
        Ok(vec![mean.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        3 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[0, 1]
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0]
    }

    fn in_place(&self) -> &'static [usize] {
        &[0]
    }
}

/// Shapes that every kernel must get right.
///
/// ```
/// use vultus::ops::accumulate;
/// use vultus::{Device, Options};
///
/// for case in accumulate::cases() {
///     let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options::default())?;
///     let inputs = case.inputs(1);
///     // The first micro-batch overwrites the mean of the step before.
///     assert_eq!(plan.run_all(&inputs)?[0], inputs[1]);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [vec![1], vec![1000], vec![64, 3, 3, 3]].into_iter().map(case).collect()
}

/// A case with a random shape.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::{Op, accumulate};
///
/// let case = accumulate::random_case(&mut Random::new(1));
/// assert_eq!((&case.op, case.shapes().len()), (&Op::Accumulate, 2));
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    case((0..1 + random.below(3)).map(|_| 1 + random.below(20)).collect())
}

fn case(shape: Shape) -> Case {
    Case::new(Op::Accumulate, vec![(shape, Fill::Normal(1.0)); 2])
}
