//! Dropout (Srivastava et al. 2014): a value is dropped with probability p, the others are scaled by 1/(1−p).
//!
//! The mask is a function of seed, step, layer and place (Philox4x32-10), so that every device drops the same values
//! and the backward pass needs no stored mask.

use super::{Case, Fill, Op, RunState, Shape, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of dropout.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dropout {
    /// The probability that a value is dropped: 0 (inclusive) to 1 (exclusive).
    pub probability: f32,
    /// Which dropout layer of the network this is: each has its own mask.
    pub layer: u32,
}

impl Dropout {
    pub(super) fn forward(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("dropout", inputs)?;
        if !(0.0..1.0).contains(&self.probability) {
            let reason = format!("a probability of {} is not in 0 to 1 (exclusive)", self.probability);
            return Err(Error::shape("dropout", reason));
        }
        Ok(vec![x.to_vec()])
    }

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

/// Shapes that every kernel must get right.
pub fn cases() -> Vec<Case> {
    [(vec![1], 0.5), (vec![3, 513], 0.5), (vec![64, 256], 0.2), (vec![2, 5, 3, 3], 0.0), (vec![1, 1026], 0.9)]
        .into_iter()
        .map(|(shape, probability)| case(shape, probability, 1))
        .collect()
}

/// A case with a random shape and probability.
pub fn random_case(random: &mut Random) -> Case {
    let shape = (0..1 + random.below(3)).map(|_| 1 + random.below(30)).collect();
    case(shape, random.uniform(), random.below(9) as u32)
}

fn case(shape: Shape, probability: f32, layer: u32) -> Case {
    Case::new(Op::Dropout(Dropout { probability, layer }), vec![(shape, Fill::Normal(1.0))])
}
