//! Values one after the other along a dimension.
//!
//! ```
//! use vultus::ops::{Concat, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(Concat { dim: 1 });
//! let mut concat = Device::Cpu.compile_op(&op, &[&[2, 1], &[2, 2]], &Options::default())?;
//! let outputs = concat.run_all(&[Tensor::filled([2, 1], 9.0), Tensor::from_fn([2, 2], |i| i as f32)])?;
//! assert_eq!(outputs[0].data(), [9.0, 0.0, 1.0, 9.0, 2.0, 3.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::walk::check_rank;
use super::{Case, Fill, Shape, Slice};
use crate::error::{Error, Result};
use crate::random::Random;

/// The most inputs.
const MOST: usize = 8;

/// The parameters of a concatenation of 2 to 8 values: `a, b, … → y`.
///
/// ```
/// use vultus::ops::{Concat, Op};
///
/// let channels = Op::from(Concat { dim: 1 });
/// assert_eq!(channels.output_shapes(&[&[2, 3, 5, 5], &[2, 4, 5, 5]])?, [[2, 7, 5, 5]]);
/// assert!(channels.output_shapes(&[&[2, 3, 5, 5], &[2, 4, 6, 5]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Concat {
    /// The dimension in which the values may differ.
    pub dim: usize,
}

impl Operation for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let dim = self.dim;
        if !(2..=MOST).contains(&inputs.len()) {
            return Err(Error::shape("concat", format!("takes 2 to {MOST} inputs, not {}", inputs.len())));
        }
        let first = inputs[0];
        check_rank("concat", first)?;
        let fits = |shape: &[usize]| {
            shape.len() == first.len() && shape.iter().zip(first).enumerate().all(|(d, (a, b))| d == dim || a == b)
        };
        if dim >= first.len() || !inputs.iter().all(|shape| fits(shape)) {
            let reason = format!("{inputs:?} must be alike in all dimensions but {dim}, which they must have");
            return Err(Error::shape("concat", reason));
        }
        let mut shape = first.to_vec();
        shape[dim] = inputs.iter().map(|shape| shape[dim]).sum();
        Ok(vec![shape])
    }

    fn flops(&self, _inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        0
    }

    fn mixes_samples(&self, _inputs: &[&[usize]]) -> bool {
        self.dim == 0
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let mut start = 0;
        let part = |(input, shape): (usize, &&[usize])| {
            let range = start..start + shape[self.dim];
            start = range.end;
            Backward::step(Slice::along(self.dim, range), [Operand::Gradient], [input])
        };
        Some(inputs.iter().enumerate().map(part).collect())
    }
}

/// Shapes that every kernel must get right: along each dimension, from two inputs to eight.
///
/// ```
/// use vultus::ops::concat;
///
/// assert!(concat::cases().iter().any(|case| case.shapes().len() == 8));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [
        (vec![2, 0, 4, 5], 1, vec![3, 1, 6]),
        (vec![2, 3, 0, 5], 2, vec![4, 1, 2]),
        (vec![1, 0], 1, vec![7, 2, 9]),
        (vec![0, 3], 0, vec![2, 1, 4]),
        (vec![2, 3, 0], 2, vec![1, 1, 1, 1, 1, 1, 1, 1]),
        (vec![3, 0, 17], 1, vec![20, 43]),
    ]
    .into_iter()
    .map(|(shape, dim, sizes)| case(&shape, dim, &sizes))
    .collect()
}

/// A case with random shapes.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::concat::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape: Shape = (0..1 + random.below(4)).map(|_| 1 + random.below(9)).collect();
    let sizes: Vec<usize> = (0..2 + random.below(MOST - 1)).map(|_| 1 + random.below(9)).collect();
    case(&shape, random.below(shape.len()), &sizes)
}

/// Inputs of this shape but for one dimension.
fn case(shape: &[usize], dim: usize, sizes: &[usize]) -> Case {
    let input = |&size: &usize| {
        let mut shape = shape.to_vec();
        shape[dim] = size;
        (shape, Fill::Normal(1.0))
    };
    Case::new(Concat { dim }, sizes.iter().map(input).collect())
}
