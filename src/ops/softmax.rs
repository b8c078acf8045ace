//! Softmax over one dimension: `y = exp(x − max) / Σ exp(x − max)`.
//!
//! ```
//! use vultus::ops::Softmax;
//! use vultus::{Device, Options, Tensor};
//!
//! let mut plan = Device::Cpu.compile_op(&Softmax::default().into(), &[&[1, 2]], &Options::default())?;
//! let y = plan.run(&Tensor::new([1, 2], vec![0.0, 3f32.ln()])?)?;
//! assert!((y[0].data()[0] - 0.25).abs() < 1e-6 && (y[0].data()[1] - 0.75).abs() < 1e-6);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a softmax: `x → y`.
///
/// ```
/// use vultus::ops::{Op, Softmax};
///
/// // Over the classes of each sample, unless another dimension is named.
/// assert_eq!(Softmax::default(), Softmax { dim: 1 });
/// assert_eq!(Op::from(Softmax { dim: 3 }).output_shapes(&[&[2, 8, 49, 49]])?, [[2, 8, 49, 49]]);
/// assert!(Op::from(Softmax::default()).output_shapes(&[&[7]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Softmax {
    /// The dimension over which the results sum to 1.
    pub dim: usize,
}

impl Default for Softmax {
    fn default() -> Self {
        Softmax { dim: 1 }
    }
}

impl Softmax {
    /// How many classes there are, and how far apart those of one sum lie.
    pub(crate) fn classes(&self, shape: &[usize]) -> (usize, usize) {
        (shape[self.dim], shape[self.dim + 1..].iter().product())
    }
}

impl Operation for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("softmax", inputs)?;
        if self.dim >= x.len() {
            return Err(Error::shape("softmax", format!("a tensor of shape {x:?} has no dimension {}", self.dim)));
        }
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        5 * elements(inputs[0])
    }

    fn mixes_samples(&self, _inputs: &[&[usize]]) -> bool {
        self.dim == 0
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        Some(vec![Backward::step(SoftmaxBackward(*self), [Operand::Output(0), Operand::Gradient], [0])])
    }
}

/// The gradient of a softmax's input: `y, dy → dx`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SoftmaxBackward(pub Softmax);

impl Operation for SoftmaxBackward {
    fn name(&self) -> &'static str {
        "softmax_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [y, dy] = take("softmax_backward", inputs)?;
        same("softmax_backward", "dy", dy, y)?;
        self.0.output_shapes(&[y])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        5 * elements(inputs[0])
    }
}

/// Shapes that every kernel must get right: one class, ImageNet's thousand, logits of ±200, classes per pixel,
/// each dimension of a tensor.
///
/// ```
/// use vultus::ops::{Softmax, softmax};
/// use vultus::{Device, Options};
///
/// for case in softmax::cases().iter().filter(|case| case.op == Softmax::default().into() && case.shapes()[0].len() == 2) {
///     let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options::default())?;
///     let rows = plan.run_all(&case.inputs(1))?;
///     let sums = rows[0].data().chunks(case.shapes()[0][1]).map(|row| row.iter().sum::<f32>());
///     assert!(sums.into_iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{}", case.name());
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
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
    .map(|(shape, scale)| (Softmax::default(), shape, scale))
    .chain([0, 1, 2, 3].map(|dim| (Softmax { dim }, vec![3, 4, 5, 70], 3.0)))
    .flat_map(|(softmax, shape, scale)| pair(softmax, shape, scale))
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
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let mut shape = vec![1 + random.below(70), 1 + random.below(120)];
    if random.below(2) == 0 {
        shape.extend([1 + random.below(5), 1 + random.below(5)]);
    }
    let softmax = Softmax { dim: [1, random.below(shape.len())][random.below(2)] };
    let (scale, direction) = (1.0 + random.below(100) as f32, random.below(2));
    pair(softmax, shape, scale).swap_remove(direction)
}

fn pair(softmax: Softmax, shape: Shape, scale: f32) -> Vec<Case> {
    // Any values serve as y: the backward pass is a formula in y and dy.
    vec![
        Case::new(softmax, vec![(shape.clone(), Fill::Normal(scale))]),
        Case::new(SoftmaxBackward(softmax), vec![(shape.clone(), Fill::Between(0.0, 1.0)), (shape, Fill::Normal(1.0))]),
    ]
}
