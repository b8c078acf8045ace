//! The sum of two values of one shape: a residual connection, or the gradients of a value that several steps read.
//!
//! ```
//! use vultus::ops::Op;
//! use vultus::{Device, Options, Tensor};
//!
//! let mut add = Device::Cpu.compile_op(&Op::Add, &[&[2], &[2]], &Options::default())?;
//! let (a, b) = (Tensor::filled([2], 1.0), Tensor::new([2], vec![2.0, -3.0])?);
//! assert_eq!(add.run_all(&[a, b])?[0].data(), [3.0, -2.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operation};
use super::{Case, Fill, Op, Shape, elements, same, take};
use crate::error::Result;
use crate::random::Random;

/// `a, b → y`
pub(crate) struct Add;

impl Operation for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [a, b] = take("add", inputs)?;
        same("add", "b", b, a)?;
        Ok(vec![a.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        elements(inputs[0])
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        Some(vec![Backward::Same(0), Backward::Same(1)])
    }
}

/// Shapes that every kernel must get right: one value, edges of workgroups.
pub fn cases() -> Vec<Case> {
    [vec![1], vec![2, 64, 9, 7], vec![3, 513], vec![256]].into_iter().map(case).collect()
}

/// A case with a random shape.
pub fn random_case(random: &mut Random) -> Case {
    case((0..1 + random.below(4)).map(|_| 1 + random.below(20)).collect())
}

fn case(shape: Shape) -> Case {
    Case::new(Op::Add, vec![(shape, Fill::Normal(1.0)); 2])
}
