//! Dropout (Srivastava et al. 2014): a value is dropped with probability p, the others are scaled by 1/(1−p).
//!
//! The mask is a function of seed, step, layer and place (Philox4x32-10), so that every device drops the same values
//! and the backward pass needs no stored mask.
//!
//! ```
//! use vultus::ops::{Dropout, Op, RunState};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::Dropout(Dropout { probability: 0.5, layer: 0 });
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 100]], &Options::default())?;
//! let ones = [Tensor::filled([1, 100], 1.0)];
//! let first = plan.run_in(&ones, &RunState { seed: 1, ..RunState::default() })?;
//! assert!(first[0].data().iter().all(|&value| value == 0.0 || value == 2.0));
//! assert_ne!(plan.run_in(&ones, &RunState { seed: 2, ..RunState::default() })?, first);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, RunState, Shape, elements, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of dropout.
///
/// ```
/// use vultus::ops::{Dropout, Op};
///
/// assert_eq!(Op::Dropout(Dropout { probability: 0.5, layer: 0 }).output_shapes(&[&[1, 4]])?, [[1, 4]]);
/// // Nothing would be left.
/// assert!(Op::Dropout(Dropout { probability: 1.0, layer: 0 }).output_shapes(&[&[1, 4]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The probability that a value is dropped: 0 (inclusive) to 1 (exclusive).
    pub probability: f32,
    /// Which dropout layer of the network this is: each has its own mask.
    pub layer: u32,
}

impl Dropout {
    /// Random words below this are dropped.
    pub(crate) fn threshold(&self) -> u32 {
        (f64::from(self.probability) * 2f64.powi(32)) as u32
    }

    /// What the values that stay are multiplied with.
    pub(crate) fn scale(&self) -> f32 {
        1.0 / (1.0 - self.probability)
    }

    /// What the numbers of a micro-batch's quads of values (of which there are so many) begin with.
    pub(crate) fn first_quad(quads: usize, state: &RunState) -> u32 {
        (quads as u32).wrapping_mul(state.micro_batch)
    }

    /// Philox counter and key for four neighbouring values.
    pub(crate) fn counter(&self, quad: u32, state: &RunState) -> ([u32; 4], [u32; 2]) {
        ([quad, state.step, self.layer, 0], [state.seed as u32, (state.seed >> 32) as u32])
    }
}

impl Operation for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("dropout", inputs)?;
        if !(0.0..1.0).contains(&self.probability) {
            let reason = format!("a probability of {} is not in 0 to 1 (exclusive)", self.probability);
            return Err(Error::invalid("dropout", reason));
        }
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        2 * elements(inputs[0])
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        Some(vec![Backward::step(*self, [Operand::Gradient], [0])])
    }
}

/// Shapes that every kernel must get right.
///
/// ```
/// use vultus::ops::{Dropout, Op, dropout};
///
/// let all_stay = |case: &vultus::ops::Case| matches!(case.op, Op::Dropout(Dropout { probability: 0.0, .. }));
/// assert!(dropout::cases().iter().any(all_stay));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [(vec![1], 0.5), (vec![3, 513], 0.5), (vec![64, 256], 0.2), (vec![2, 5, 3, 3], 0.0), (vec![1, 1026], 0.9)]
        .into_iter()
        .map(|(shape, probability)| case(shape, probability, 1))
        .collect()
}

/// A case with a random shape and probability.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::dropout::random_case;
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
    Case::new(Dropout { probability, layer }, vec![(shape, Fill::Normal(1.0))])
}
