//! Rectified linear unit: `y = max(x, 0)`; its gradient at 0 is 0.
//!
//! ```
//! use vultus::ops::{Op, RunState};
//! use vultus::{Device, Options, Tensor};
//!
//! let mut backward = Device::Cpu.compile_op(&Op::ReluBackward, &[&[3], &[3]], &Options::default())?;
//! let (y, dy) = (Tensor::new([3], vec![0.0, 0.5, 2.0])?, Tensor::filled([3], 7.0));
//! assert_eq!(backward.run_all(&[y, dy], &RunState::default())?[0].data(), [0.0, 7.0, 7.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::{Case, Fill, Op, Shape, same, take};
use crate::error::Result;
use crate::random::Random;

pub(super) fn forward(inputs: &[&[usize]]) -> Result<Vec<Shape>> {
    let [x] = take("relu", inputs)?;
    Ok(vec![x.to_vec()])
}

pub(super) fn backward(inputs: &[&[usize]]) -> Result<Vec<Shape>> {
    let [y, dy] = take("relu_backward", inputs)?;
    same("relu_backward", "dy", dy, y)?;
    Ok(vec![y.to_vec()])
}

/// Shapes that every kernel must get right: one value, edges of workgroups, more than 65,535 workgroups.
///
/// ```
/// use vultus::ops::relu;
///
/// let values = |case: &vultus::ops::Case| case.shapes()[0].iter().product::<usize>();
/// assert!(relu::cases().iter().any(|case| values(case) > 65_535 * 256));
/// ```
pub fn cases() -> Vec<Case> {
    [vec![1], vec![2, 64, 9, 7], vec![3, 513], vec![256], vec![65_536 * 256 + 3]].into_iter().flat_map(pair).collect()
}

/// A case with a random shape, in either direction.
///
/// ```
/// use vultus::ops::{RunState, relu};
/// use vultus::{Device, Options, Random};
///
/// let case = relu::random_case(&mut Random::new(1));
/// let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options { checked: true, ..Options::default() })?;
/// assert!(plan.run_all(&case.inputs(2), &RunState::default())?[0].data().iter().all(|value| value.is_finite()));
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn random_case(random: &mut Random) -> Case {
    let shape = (0..1 + random.below(4)).map(|_| 1 + random.below(20)).collect();
    let direction = random.below(2);
    pair(shape).swap_remove(direction)
}

fn pair(shape: Shape) -> Vec<Case> {
    vec![
        Case::new(Op::Relu, vec![(shape.clone(), Fill::Ties)]),
        Case::new(Op::ReluBackward, vec![(shape.clone(), Fill::Ties), (shape, Fill::Normal(1.0))]),
    ]
}
