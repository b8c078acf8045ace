//! Dimensions in another order.
//!
//! ```
//! use vultus::ops::{Op, Transpose};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(Transpose { permutation: vec![1, 0] });
//! let mut transpose = Device::Cpu.compile_op(&op, &[&[2, 3]], &Options::default())?;
//! let y = transpose.run(&Tensor::from_fn([2, 3], |i| i as f32))?;
//! assert_eq!((y[0].shape(), y[0].data()), (&[3, 2][..], &[0.0, 3.0, 1.0, 4.0, 2.0, 5.0][..]));
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::walk::{Sizes, Walk, check_rank, strides};
use super::{Case, Fill, Shape, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a permutation: `x → y`.
///
/// ```
/// use vultus::ops::{Op, Transpose};
///
/// // Channels last.
/// let op = Op::from(Transpose { permutation: vec![0, 2, 3, 1] });
/// assert_eq!(op.output_shapes(&[&[2, 64, 7, 5]])?, [[2, 7, 5, 64]]);
/// assert!(Op::from(Transpose { permutation: vec![0, 0] }).output_shapes(&[&[2, 3]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Transpose {
    /// For each dimension of the result, which dimension of the input it is.
    pub permutation: Vec<usize>,
}

impl Transpose {
    /// The walk over the result, with the strides of x in it.
    pub(crate) fn walk(&self, x: &[usize], y: &[usize]) -> Walk {
        let strides_x = strides(x);
        let permuted: Sizes = self.permutation.iter().map(|&d| strides_x[d]).collect();
        let strides_y = strides(y);
        Walk::new(y, [&permuted, &strides_y, &strides_y])
    }
}

impl Operation for Transpose {
    fn name(&self) -> &'static str {
        "transpose"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("transpose", inputs)?;
        check_rank("transpose", x)?;
        let reason = || format!("{:?} does not name each dimension of {x:?} once", self.permutation);
        if self.permutation.len() != x.len() {
            return Err(Error::shape("transpose", reason()));
        }
        if !(0..x.len()).all(|d| self.permutation.contains(&d)) {
            return Err(Error::invalid("transpose", reason()));
        }
        Ok(vec![self.permutation.iter().map(|&d| x[d]).collect()])
    }

    fn flops(&self, _inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        0
    }

    fn mixes_samples(&self, _inputs: &[&[usize]]) -> bool {
        self.permutation.first() != Some(&0)
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let mut permutation = vec![0; self.permutation.len()];
        self.permutation.iter().enumerate().for_each(|(to, &from)| permutation[from] = to);
        Some(vec![Backward::step(Transpose { permutation }, [Operand::Gradient], [0])])
    }
}

/// Shapes that every kernel must get right: matrices at the edges of tiles, batches of them, orders in which no two
/// dimensions stay together, none that changes anything.
///
/// ```
/// use vultus::ops::transpose;
///
/// assert!(transpose::cases().iter().all(|case| case.op.output_shapes(&case.shapes()).is_ok()));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [
        (vec![2, 3, 4, 5], vec![0, 2, 3, 1]),
        (vec![2, 3, 4, 5], vec![3, 2, 1, 0]),
        (vec![2, 3, 4, 5], vec![0, 2, 1, 3]),
        (vec![2, 70, 9, 7], vec![0, 2, 3, 1]),
        (vec![2, 9, 7, 70], vec![0, 3, 1, 2]),
        (vec![33, 65], vec![1, 0]),
        (vec![32, 64], vec![1, 0]),
        (vec![1, 300], vec![1, 0]),
        (vec![2, 5, 3], vec![0, 1, 2]),
        (vec![1, 2, 3, 2, 2, 3], vec![0, 1, 3, 5, 2, 4]),
        (vec![1], vec![0]),
    ]
    .into_iter()
    .map(|(shape, permutation)| case(shape, permutation))
    .collect()
}

/// A case with a random shape and permutation.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::transpose::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let rank = 1 + random.below(5);
    let most = [0, 300, 80, 20, 9, 6][rank];
    let shape: Shape = (0..rank).map(|_| 1 + random.below(most)).collect();
    let mut permutation: Vec<usize> = (0..rank).collect();
    random.shuffle(&mut permutation);
    case(shape, permutation)
}

fn case(shape: Shape, permutation: Vec<usize>) -> Case {
    Case::new(Transpose { permutation }, vec![(shape, Fill::Normal(1.0))])
}
