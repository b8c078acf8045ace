//! The mean over dimensions, with its gradient.
//!
//! ```
//! use vultus::ops::{Op, ReduceMean};
//! use vultus::{Device, Options, Tensor};
//!
//! // Over height and width, as before a classifier.
//! let op = Op::from(ReduceMean { dims: vec![2, 3], keepdim: false });
//! let mut mean = Device::Cpu.compile_op(&op, &[&[1, 2, 2, 2]], &Options::default())?;
//! assert_eq!(mean.run(&Tensor::from_fn([1, 2, 2, 2], |i| i as f32))?[0].data(), [1.5, 5.5]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::walk::{Sizes, check_rank};
use super::{Case, Fill, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a mean: `x → y`.
///
/// ```
/// use vultus::ops::{Op, ReduceMean};
///
/// let mean = |dims: &[usize], keepdim| Op::from(ReduceMean { dims: dims.to_vec(), keepdim });
/// assert_eq!(mean(&[2, 3], true).output_shapes(&[&[2, 6, 7, 5]])?, [[2, 6, 1, 1]]);
/// assert_eq!(mean(&[1], false).output_shapes(&[&[2, 6, 7, 5]])?, [[2, 7, 5]]);
/// // What is left of a mean over everything has one dimension.
/// assert_eq!(mean(&[0, 1], false).output_shapes(&[&[3, 4]])?, [[1]]);
/// assert!(mean(&[4], true).output_shapes(&[&[2, 6, 7, 5]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceMean {
    /// The dimensions, each once; 0 is the batch.
    pub dims: Vec<usize>,
    /// Whether they stay, with the size 1.
    pub keepdim: bool,
}

impl ReduceMean {
    /// The shape of the result with all dimensions.
    pub(crate) fn kept(&self, x: &[usize]) -> Sizes {
        x.iter().enumerate().map(|(d, &size)| if self.dims.contains(&d) { 1 } else { size }).collect()
    }

    fn check(&self, x: &[usize]) -> Result<()> {
        let repeated = self.dims.iter().enumerate().any(|(i, dim)| self.dims[..i].contains(dim));
        let reason = || format!("the dimensions {:?} of {x:?} are none, come twice, or do not exist", self.dims);
        if self.dims.is_empty() || repeated {
            return Err(Error::invalid("reduce_mean", reason()));
        }
        if self.dims.iter().any(|&dim| dim >= x.len()) {
            return Err(Error::shape("reduce_mean", reason()));
        }
        check_rank("reduce_mean", x)
    }
}

impl Operation for ReduceMean {
    fn name(&self) -> &'static str {
        "reduce_mean"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("reduce_mean", inputs)?;
        self.check(x)?;
        if self.keepdim {
            return Ok(vec![self.kept(x).to_vec()]);
        }
        let left = x.iter().enumerate().filter(|(d, _)| !self.dims.contains(d));
        let mut shape: Shape = left.map(|(_, &size)| size).collect();
        if shape.is_empty() {
            shape.push(1);
        }
        Ok(vec![shape])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        elements(inputs[0])
    }

    fn mixes_samples(&self, _inputs: &[&[usize]]) -> bool {
        self.dims.contains(&0)
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let backward = ReduceMeanBackward { mean: self.clone(), shape: inputs[0].to_vec() };
        Some(vec![Backward::step(backward, [Operand::Gradient], [0])])
    }
}

/// The gradient of a mean's input: `dy → dx`.
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceMeanBackward {
    /// The mean.
    pub mean: ReduceMean,
    /// The shape of its input.
    pub shape: Shape,
}

impl Operation for ReduceMeanBackward {
    fn name(&self) -> &'static str {
        "reduce_mean_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [dy] = take("reduce_mean_backward", inputs)?;
        same("reduce_mean_backward", "dy", dy, &self.mean.output_shapes(&[&self.shape])?[0])?;
        Ok(vec![self.shape.clone()])
    }

    fn flops(&self, _inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        elements(&outputs[0])
    }
}

/// Shapes that every kernel must get right: over pixels, channels and everything, few and many values, more than 65,535
/// results.
///
/// ```
/// use vultus::ops::reduce_mean;
///
/// // Forward and backward in turn: what the one gives has the shape that the other takes.
/// for pair in reduce_mean::cases().chunks(2) {
///     assert_eq!(pair[0].op.output_shapes(&pair[0].shapes())?[0], pair[1].shapes()[0]);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [
        (vec![2, 64, 7, 7], vec![2, 3], false),
        (vec![1, 3, 56, 56], vec![2, 3], true),
        (vec![2, 9, 5], vec![1], false),
        (vec![4, 3, 5], vec![0, 2], true),
        (vec![3, 4, 5, 2], vec![0, 1, 2, 3], false),
        (vec![2, 3, 1], vec![2], false),
        (vec![2, 300, 300], vec![1], true),
        (vec![1], vec![0], true),
        (vec![2, 32_770, 5, 7], vec![2, 3], false),
    ]
    .into_iter()
    .flat_map(|(shape, dims, keepdim)| pair(ReduceMean { dims, keepdim }, shape))
    .collect()
}

/// A case with a random shape and dimensions, in either direction.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::reduce_mean::random_case;
///
/// let mut random = Random::new(1);
/// let names: Vec<&str> = (0..20).map(|_| random_case(&mut random).op.name()).collect();
/// assert!(names.contains(&"reduce_mean") && names.contains(&"reduce_mean_backward"));
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape: Shape = (0..1 + random.below(5)).map(|_| 1 + random.below(11)).collect();
    let mut dims: Vec<usize> = (0..shape.len()).filter(|_| random.below(2) == 0).collect();
    if dims.is_empty() {
        dims.push(random.below(shape.len()));
    }
    let mean = ReduceMean { dims, keepdim: random.below(2) == 0 };
    let direction = random.below(2);
    pair(mean, shape).swap_remove(direction)
}

fn pair(mean: ReduceMean, shape: Shape) -> Vec<Case> {
    let Ok(dy) = mean.output_shapes(&[&shape]) else { return Vec::new() };
    vec![
        Case::new(mean.clone(), vec![(shape.clone(), Fill::Normal(1.0))]),
        Case::new(ReduceMeanBackward { mean, shape }, vec![(dy[0].clone(), Fill::Normal(1.0))]),
    ]
}
