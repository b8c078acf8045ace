//! Mean over windows chosen to give an output of a fixed size: window i goes from ⌊i·in/out⌋ to ⌈(i+1)·in/out⌉.

use super::{Case, Fill, Op, Shape, image, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of an adaptive average-pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdaptiveAvgPool2d {
    /// Height and width of the output.
    pub output: [usize; 2],
}

impl AdaptiveAvgPool2d {
    pub(super) fn forward(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("adaptive_avg_pool2d", inputs)?;
        let [n, c, ..] = image("adaptive_avg_pool2d", x)?;
        if self.output.contains(&0) {
            return Err(Error::shape("adaptive_avg_pool2d", format!("an output of {:?} holds nothing", self.output)));
        }
        Ok(vec![vec![n, c, self.output[0], self.output[1]]])
    }

    pub(super) fn backward(&self, [h, w]: [usize; 2], inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [dy] = take("adaptive_avg_pool2d_backward", inputs)?;
        let [n, c, ..] = image("adaptive_avg_pool2d_backward", dy)?;
        same("adaptive_avg_pool2d_backward", "dy", dy, &[n, c, self.output[0], self.output[1]])?;
        Ok(vec![vec![n, c, h, w]])
    }
}

/// Shapes that every kernel must get right: the same size, smaller, larger, remainders, one.
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
pub fn random_case(random: &mut Random) -> Case {
    let output = [1 + random.below(9), 1 + random.below(9)];
    let shape = [1 + random.below(4), 1 + random.below(9), 1 + random.below(20), 1 + random.below(20)];
    let direction = random.below(2);
    pair(AdaptiveAvgPool2d { output }, shape).swap_remove(direction)
}

fn pair(pool: AdaptiveAvgPool2d, x: [usize; 4]) -> Vec<Case> {
    let dy = vec![x[0], x[1], pool.output[0], pool.output[1]];
    vec![
        Case::new(Op::AdaptiveAvgPool2d(pool), vec![(x.to_vec(), Fill::Normal(1.0))]),
        Case::new(Op::AdaptiveAvgPool2dBackward(pool, [x[2], x[3]]), vec![(dy, Fill::Normal(1.0))]),
    ]
}
