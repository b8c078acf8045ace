//! Stochastic depth (Huang et al. 2016): a whole sample is dropped with probability p, the others are scaled by 1/(1−p).
//! Before the sum of a residual connection it leaves a block out for some samples of a batch.
//!
//! What is dropped is a function of seed, step, layer and the sample's number (Philox4x32-10), so that every device drops
//! the same samples and the backward pass needs no memory of them.
//!
//! ```
//! use vultus::ops::{Op, RunState, StochasticDepth};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(StochasticDepth { probability: 0.5, layer: 0 });
//! let mut plan = Device::Cpu.compile_op(&op, &[&[16, 3]], &Options::default())?;
//! let ones = [Tensor::filled([16, 3], 1.0)];
//! let first = plan.run_in(&ones, &RunState { seed: 1, ..RunState::default() })?;
//! assert!(first[0].data().chunks(3).all(|sample| sample == [0.0; 3] || sample == [2.0; 3]));
//! assert_ne!(plan.run_in(&ones, &RunState { seed: 2, ..RunState::default() })?, first);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Dropout, Fill, RunState, Shape, elements, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of stochastic depth.
///
/// ```
/// use vultus::ops::{Op, StochasticDepth};
///
/// let op = |probability| Op::from(StochasticDepth { probability, layer: 0 });
/// assert_eq!(op(0.2).output_shapes(&[&[8, 16, 7, 7]])?, [[8, 16, 7, 7]]);
/// // Nothing would be left.
/// assert!(op(1.0).output_shapes(&[&[8, 16, 7, 7]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StochasticDepth {
    /// The probability that a sample is dropped: 0 (inclusive) to 1 (exclusive).
    pub probability: f32,
    /// Which layer of the network this is: each drops samples of its own.
    pub layer: u32,
}

impl StochasticDepth {
    /// Dropout of the same probability, which has the threshold for random words and the scale of what stays.
    pub(crate) fn as_dropout(&self) -> Dropout {
        Dropout { probability: self.probability, layer: self.layer }
    }

    /// Philox counter and key for a sample. The last word keeps it apart from dropout's.
    pub(crate) fn counter(&self, sample: u32, state: &RunState) -> ([u32; 4], [u32; 2]) {
        ([sample, state.step, self.layer, 1], [state.seed as u32, (state.seed >> 32) as u32])
    }
}

impl Operation for StochasticDepth {
    fn name(&self) -> &'static str {
        "stochastic_depth"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("stochastic_depth", inputs)?;
        if !(0.0..1.0).contains(&self.probability) {
            let reason = format!("a probability of {} is not in 0 to 1 (exclusive)", self.probability);
            return Err(Error::invalid("stochastic_depth", reason));
        }
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        elements(inputs[0])
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        Some(vec![Backward::step(*self, [Operand::Gradient], [0])])
    }
}

/// Shapes that every kernel must get right: one sample, many small ones, samples at the edges of workgroups.
///
/// ```
/// use vultus::ops::{Op, StochasticDepth, stochastic_depth};
///
/// let all_stay = |case: &vultus::ops::Case| matches!(case.op, Op::StochasticDepth(StochasticDepth { probability: 0.0, .. }));
/// assert!(stochastic_depth::cases().iter().any(all_stay));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [
        (vec![1, 7], 0.5),
        (vec![300], 0.5),
        (vec![64, 2, 9, 7], 0.2),
        (vec![9, 1024], 0.5),
        (vec![9, 1025], 0.5),
        (vec![5, 3, 3], 0.0),
        (vec![40, 2000], 0.9),
    ]
    .into_iter()
    .map(|(shape, probability)| case(shape, probability, 1))
    .collect()
}

/// A case with a random shape and probability.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::stochastic_depth::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert_eq!(case.op.output_shapes(&case.shapes())?, case.shapes());
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape = (0..1 + random.below(3)).map(|_| 1 + random.below(30)).collect();
    case(shape, random.uniform(), random.below(9) as u32)
}

fn case(shape: Shape, probability: f32, layer: u32) -> Case {
    Case::new(StochasticDepth { probability, layer }, vec![(shape, Fill::Normal(1.0))])
}
