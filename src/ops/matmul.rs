//! Products of matrices, one for each of a batch: `y = alpha · a · b` of the last two dimensions, where either may be transposed.
//!
//! ```
//! use vultus::ops::{MatMul, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! // Of each query with each key.
//! let op = Op::from(MatMul { transpose_b: true, ..MatMul::default() });
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 1, 2], &[1, 2, 2]], &Options::default())?;
//! let (queries, keys) = (Tensor::new([1, 1, 2], vec![1.0, 2.0])?, Tensor::new([1, 2, 2], vec![1.0, 0.0, 1.0, 1.0])?);
//! assert_eq!(plan.run_all(&[queries, keys])?[0].data(), [1.0, 3.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Shape, elements, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of a product of matrices.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MatMul {
    /// Whether the last two dimensions of a are exchanged.
    pub transpose_a: bool,
    /// Whether those of b are.
    pub transpose_b: bool,
    /// What the product is multiplied with.
    pub alpha: f32,
}

impl Default for MatMul {
    /// The product as it is.
    fn default() -> Self {
        MatMul { transpose_a: false, transpose_b: false, alpha: 1.0 }
    }
}

/// The sizes of a product.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// The dimensions before the last two.
    pub batch: Shape,
    pub rows: usize,
    pub columns: usize,
    /// What is summed over.
    pub inner: usize,
    /// Whether all of the batch share a, or b.
    pub shares: [bool; 2],
}

impl MatMul {
    /// The sizes of the product of tensors of these shapes. The dimensions before the last two are the same, or one of the
    /// two has none or only ones.
    pub(crate) fn sizes(&self, a: &[usize], b: &[usize]) -> Result<Sizes> {
        let refused = || Error::shape("matmul", format!("{a:?} and {b:?} do not go together in {self:?}"));
        let ([of_a @ .., a0, a1], [of_b @ .., b0, b1]) = (a, b) else { return Err(refused()) };
        let (rows, inner) = if self.transpose_a { (*a1, *a0) } else { (*a0, *a1) };
        let (other, columns) = if self.transpose_b { (*b1, *b0) } else { (*b0, *b1) };
        let (one_a, one_b) = (of_a.iter().all(|&size| size == 1), of_b.iter().all(|&size| size == 1));
        if inner != other || !(of_a == of_b || one_a || one_b) {
            return Err(refused());
        }
        let batch = if one_a && (!one_b || of_b.len() >= of_a.len()) { of_b } else { of_a };
        let several = batch.iter().any(|&size| size > 1);
        let shares = [several && one_a, several && one_b];
        Ok(Sizes { batch: batch.to_vec(), rows, columns, inner, shares })
    }
}

impl Operation for MatMul {
    fn name(&self) -> &'static str {
        "matmul"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [a, b] = take("matmul", inputs)?;
        let sizes = self.sizes(a, b)?;
        Ok(vec![[sizes.batch, vec![sizes.rows, sizes.columns]].concat()])
    }

    fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        let inner = self.sizes(inputs[0], inputs[1]).map_or(0, |sizes| sizes.inner);
        2 * elements(&outputs[0]) * inner as u64
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        // The gradient of what a batch shares would be a sum over it.
        if self.sizes(inputs[0], inputs[1]).is_ok_and(|sizes| sizes.shares != [false; 2]) {
            return None;
        }
        let (a, b, dy) = (Operand::Input(0), Operand::Input(1), Operand::Gradient);
        let product = |transpose_a, transpose_b| MatMul { transpose_a, transpose_b, alpha: self.alpha };
        // With A and B as they are multiplied: dA = dy · Bᵀ and dB = Aᵀ · dy.
        let da = match self.transpose_a {
            false => Backward::step(product(false, !self.transpose_b), [dy, b], [0]),
            true => Backward::step(product(self.transpose_b, true), [b, dy], [0]),
        };
        let db = match self.transpose_b {
            false => Backward::step(product(!self.transpose_a, false), [a, dy], [1]),
            true => Backward::step(product(true, self.transpose_a), [dy, a], [1]),
        };
        Some(vec![da, db])
    }
}

/// Shapes that every kernel must get right: each transposition, edges of tiles, one matrix for a whole batch.
///
/// ```
/// use vultus::ops::matmul;
///
/// assert!(matmul::cases().iter().any(|case| case.shapes()[0].len() != case.shapes()[1].len()));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let mut cases: Vec<Case> =
        [([1, 1, 1], vec![1]), ([64, 64, 16], vec![2]), ([65, 67, 33], vec![2, 3]), ([7, 5, 130], vec![4])]
            .into_iter()
            .flat_map(|(sizes, batch)| (0..4).map(move |form| case(form, sizes, &batch, &batch)))
            .collect();
    cases.push(case(0, [9, 70, 20], &[], &[3]));
    cases.push(case(2, [9, 70, 20], &[3, 2], &[1, 1]));
    cases
}

/// A case with random sizes.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::matmul::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert_eq!(case.op.output_shapes(&case.shapes())?.len(), 1);
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let sizes = [(); 3].map(|()| 1 + random.below(90));
    let batch: Shape = (0..1 + random.below(2)).map(|_| 1 + random.below(4)).collect();
    let (form, shared) = (random.below(4), random.below(4));
    let of = |number| if shared == number { &[][..] } else { &batch };
    case(form, sizes, of(0), of(1))
}

fn case(form: usize, [rows, columns, inner]: [usize; 3], of_a: &[usize], of_b: &[usize]) -> Case {
    let op = MatMul { transpose_a: form % 2 == 1, transpose_b: form / 2 == 1, alpha: 0.75 };
    let a = if op.transpose_a { [inner, rows] } else { [rows, inner] };
    let b = if op.transpose_b { [columns, inner] } else { [inner, columns] };
    let input = |batch: &[usize], matrix: [usize; 2]| ([batch, &matrix].concat(), Fill::Normal(1.0));
    Case::new(op, vec![input(of_a, a), input(of_b, b)])
}
