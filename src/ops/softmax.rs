//! Softmax over dimension 1: `y = exp(x − max) / Σ exp(x − max)`.
//!
//! ```
//! use vultus::ops::Op;
//! use vultus::{Device, Options, Tensor};
//!
//! let mut plan = Device::Cpu.compile_op(&Op::Softmax, &[&[1, 2]], &Options::default())?;
//! let y = plan.run(&Tensor::new([1, 2], vec![0.0, 3f32.ln()])?)?;
//! assert!((y[0].data()[0] - 0.25).abs() < 1e-6 && (y[0].data()[1] - 0.75).abs() < 1e-6);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Op, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// `x → y` over dimension 1
pub(crate) struct Softmax;

impl Operation for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("softmax", inputs)?;
        if x.len() < 2 {
            return Err(Error::shape("softmax", format!("takes batch and classes, not a tensor of shape {x:?}")));
        }
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        5 * elements(inputs[0])
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        Some(vec![Backward::step(Op::SoftmaxBackward, [Operand::Output(0), Operand::Gradient], [0])])
    }
}

/// `y, dy → dx`
pub(crate) struct SoftmaxBackward;

impl Operation for SoftmaxBackward {
    fn name(&self) -> &'static str {
        "softmax_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [y, dy] = take("softmax_backward", inputs)?;
        same("softmax_backward", "dy", dy, y)?;
        Softmax.output_shapes(&[y])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        5 * elements(inputs[0])
    }
}

/// Shapes that every kernel must get right: one class, ImageNet's thousand, logits of ±200, classes per pixel.
///
/// ```
/// use vultus::ops::{Op, softmax};
/// use vultus::{Device, Options};
///
/// for case in softmax::cases().iter().filter(|case| case.op == Op::Softmax && case.shapes()[0].len() == 2) {
///     let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options::default())?;
///     let rows = plan.run_all(&case.inputs(1))?;
///     let sums = rows[0].data().chunks(case.shapes()[0][1]).map(|row| row.iter().sum::<f32>());
///     assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{}", case.name());
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn cases() -> Vec<Case> {
    [
        (vec![1, 7], 1.0),
        (vec![33, 7], 3.0),
        (vec![4, 1000], 5.0),
        (vec![2, 7], 100.0),
        (vec![64, 1], 1.0),
        (vec![2, 2, 9, 7], 3.0),
        (vec![1, 70, 3, 2], 3.0),
    ]
    .into_iter()
    .flat_map(|(shape, scale)| pair(shape, scale))
    .collect()
}

/// A case with a random shape, in either direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::softmax::random_case;
///
/// let mut random = Random::new(1);
/// assert!((0..10).map(|_| random_case(&mut random)).all(|case| case.shapes()[0].len() >= 2));
/// ```
pub fn random_case(random: &mut Random) -> Case {
    let mut shape = vec![1 + random.below(70), 1 + random.below(120)];
    if random.below(2) == 0 {
        shape.extend([1 + random.below(5), 1 + random.below(5)]);
    }
    let (scale, direction) = (1.0 + random.below(100) as f32, random.below(2));
    pair(shape, scale).swap_remove(direction)
}

fn pair(shape: Shape, scale: f32) -> Vec<Case> {
    // Any values serve as y: the backward pass is a formula in y and dy.
    vec![
        Case::new(Op::Softmax, vec![(shape.clone(), Fill::Normal(scale))]),
        Case::new(Op::SoftmaxBackward, vec![(shape.clone(), Fill::Between(0.0, 1.0)), (shape, Fill::Normal(1.0))]),
    ]
}
