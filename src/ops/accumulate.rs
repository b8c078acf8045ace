//! The mean of gradients over the micro-batches of one step: `mean ← (1−share)·mean + share·gradient`.
//!
//! The share of a micro-batch is what its samples weigh among all of the step so far: 1 in the first, which overwrites
//! the mean of the step before. After the last one the mean is that over all samples of the step.

use super::{Case, Fill, Op, Shape, same, take};
use crate::error::Result;
use crate::random::Random;

pub(super) fn update(inputs: &[&[usize]]) -> Result<Vec<Shape>> {
    let [mean, gradient] = take("accumulate", inputs)?;
    same("accumulate", "gradient", gradient, mean)?;
    Ok(vec![mean.to_vec()])
}

/// Shapes that every kernel must get right.
pub fn cases() -> Vec<Case> {
    [vec![1], vec![1000], vec![64, 3, 3, 3]].into_iter().map(case).collect()
}

/// A case with a random shape.
pub fn random_case(random: &mut Random) -> Case {
    case((0..1 + random.below(3)).map(|_| 1 + random.below(20)).collect())
}

fn case(shape: Shape) -> Case {
    Case::new(Op::Accumulate, vec![(shape, Fill::Normal(1.0)); 2])
}
