//! The product of two values, summed over the dimensions that a smaller shape lacks or has with the size 1: the gradient of
//! a factor that was broadcast, without the products in memory.
//!
//! ```
//! use vultus::ops::{MulReduce, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(MulReduce { shape: vec![2, 1] });
//! let mut dot = Device::Cpu.compile_op(&op, &[&[2, 3], &[3]], &Options::default())?;
//! let (a, b) = (Tensor::from_fn([2, 3], |i| i as f32), Tensor::new([3], vec![1.0, 0.0, -1.0])?);
//! assert_eq!(dot.run_all(&[a, b])?[0].data(), [-2.0, -2.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::broadcast::{broadcast, check_within};
use super::operation::Operation;
use super::reduce_sum;
use super::{Case, Fill, Shape, elements, take};
use crate::error::Result;
use crate::random::Random;

/// The parameters of a sum of products: `a, b → y`.
///
/// ```
/// use vultus::ops::{MulReduce, Op};
///
/// // What a gate for each channel gets back: the gradient times what it was multiplied with, summed over the pixels.
/// let op = Op::from(MulReduce { shape: vec![2, 6, 1, 1] });
/// assert_eq!(op.output_shapes(&[&[2, 6, 5, 4], &[2, 6, 5, 4]])?, [[2, 6, 1, 1]]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MulReduce {
    /// The shape of the result.
    pub shape: Shape,
}

impl Operation for MulReduce {
    fn name(&self) -> &'static str {
        "mul_reduce"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [a, b] = take("mul_reduce", inputs)?;
        check_within("mul_reduce", &self.shape, &broadcast("mul_reduce", a, b)?)?;
        Ok(vec![self.shape.clone()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        2 * broadcast("mul_reduce", inputs[0], inputs[1]).map_or(0, |whole| elements(&whole))
    }
}

/// Shapes that every kernel must get right: few and many terms, next to each other and far apart, one factor repeated.
///
/// ```
/// use vultus::ops::mul_reduce;
///
/// let repeats = |case: &vultus::ops::Case| case.shapes()[0] != case.shapes()[1];
/// assert!(mul_reduce::cases().iter().any(repeats) && !mul_reduce::cases().iter().all(repeats));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let repeated = [
        (vec![2, 6, 9, 7], vec![9, 7], vec![2, 6, 1, 1]),
        (vec![6, 1, 1], vec![2, 6, 5, 4], vec![6, 1, 1]),
        (vec![2, 1, 40], vec![3, 1], vec![2, 1, 1]),
    ];
    let equal = reduce_sum::shapes().into_iter().map(|(whole, kept)| (whole.clone(), whole, kept));
    equal.chain(repeated).map(|(a, b, shape)| case(a, b, shape)).collect()
}

/// A case with random shapes.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::mul_reduce::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let (whole, shape) = reduce_sum::random_shapes(random);
    let other = match random.below(2) {
        0 => whole.clone(),
        _ => whole[random.below(whole.len())..].iter().map(|&n| if random.below(3) == 0 { 1 } else { n }).collect(),
    };
    if random.below(2) == 0 { case(whole, other, shape) } else { case(other, whole, shape) }
}

fn case(a: Shape, b: Shape, shape: Shape) -> Case {
    Case::new(MulReduce { shape }, vec![(a, Fill::Normal(1.0)), (b, Fill::Normal(1.0))])
}
