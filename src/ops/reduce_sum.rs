//! The sum over the dimensions that a smaller shape lacks or has with the size 1: the gradient of a value that was
//! broadcast.
//!
//! ```
//! use vultus::ops::{Op, ReduceSum};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(ReduceSum { shape: vec![2] });
//! let mut sum = Device::Cpu.compile_op(&op, &[&[3, 2]], &Options::default())?;
//! assert_eq!(sum.run(&Tensor::from_fn([3, 2], |i| i as f32))?[0].data(), [6.0, 9.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::broadcast::check_within;
use super::operation::Operation;
use super::{Case, Fill, Shape, elements, take};
use crate::error::Result;
use crate::random::Random;

/// The parameters of a sum: `x → y`.
///
/// ```
/// use vultus::ops::{Op, ReduceSum};
///
/// let sum = |shape: &[usize], x: &[usize]| Op::from(ReduceSum { shape: shape.to_vec() }).output_shapes(&[x]);
/// assert_eq!(sum(&[6, 1, 1], &[2, 6, 5, 4])?, [[6, 1, 1]]);
/// assert!(sum(&[5], &[2, 6]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ReduceSum {
    /// The shape of the result.
    pub shape: Shape,
}

impl Operation for ReduceSum {
    fn name(&self) -> &'static str {
        "reduce_sum"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("reduce_sum", inputs)?;
        check_within("reduce_sum", &self.shape, x)?;
        Ok(vec![self.shape.clone()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        elements(inputs[0])
    }
}

/// Whole shapes and what is left of them: few and many terms, next to each other and far apart, one term, one result, more
/// than 65,535 results of many terms.
pub(super) fn shapes() -> Vec<(Shape, Shape)> {
    vec![
        (vec![2, 6, 9, 7], vec![2, 6, 1, 1]),
        (vec![2, 6, 5, 4], vec![6, 1, 1]),
        (vec![5, 70], vec![70]),
        (vec![2, 3, 33], vec![2, 3, 33]),
        (vec![1000, 3], vec![1, 3]),
        (vec![40, 2000], vec![2000]),
        (vec![2, 3, 300], vec![1]),
        (vec![1], vec![1]),
        (vec![2, 5, 3, 4, 2, 7], vec![2, 1, 3, 1, 2, 1]),
        (vec![2, 32_770, 5, 7], vec![2, 32_770, 1, 1]),
    ]
}

/// A random shape and what is left of it.
pub(super) fn random_shapes(random: &mut Random) -> (Shape, Shape) {
    let whole: Shape = (0..1 + random.below(5)).map(|_| 1 + random.below(11)).collect();
    let kept: Shape = whole[random.below(whole.len())..].to_vec();
    let kept = kept.into_iter().map(|size| if random.below(2) == 0 { 1 } else { size }).collect();
    (whole, kept)
}

/// Shapes that every kernel must get right: few and many terms, next to each other and far apart.
///
/// ```
/// use vultus::ops::reduce_sum;
///
/// let results = |case: &vultus::ops::Case| case.op.output_shapes(&case.shapes()).unwrap()[0].iter().product::<usize>();
/// assert!(reduce_sum::cases().iter().any(|case| results(case) > 65_535));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    shapes().into_iter().map(case).collect()
}

/// A case with random shapes.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::reduce_sum::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    case(random_shapes(random))
}

fn case((whole, shape): (Shape, Shape)) -> Case {
    Case::new(ReduceSum { shape }, vec![(whole, Fill::Normal(1.0))])
}
