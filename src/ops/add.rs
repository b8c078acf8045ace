//! The sum of two values, broadcast as NumPy does: a residual connection, or the gradients of a value that several steps
//! read.
//!
//! ```
//! use vultus::ops::Op;
//! use vultus::{Device, Options, Tensor};
//!
//! let mut add = Device::Cpu.compile_op(&Op::Add, &[&[2, 2], &[2]], &Options::default())?;
//! let (a, b) = (Tensor::filled([2, 2], 1.0), Tensor::new([2], vec![2.0, -3.0])?);
//! assert_eq!(add.run_all(&[a, b])?[0].data(), [3.0, -2.0, 3.0, -2.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::broadcast::{self, broadcast};
use super::operation::{Backward, Operand, Operation};
use super::{Case, Op, ReduceSum, Shape, elements, take};
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
        Ok(vec![broadcast("add", a, b)?])
    }

    fn flops(&self, _inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        elements(&outputs[0])
    }

    fn mixes_samples(&self, inputs: &[&[usize]]) -> bool {
        // Shapes are compared from their ends: the batches would not meet.
        inputs[0].len() != inputs[1].len()
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let result = broadcast("add", inputs[0], inputs[1]).ok()?;
        let gradient = |input: usize| match inputs[input] {
            shape if shape == result => Backward::Same(input),
            shape => Backward::step(ReduceSum { shape: shape.to_vec() }, [Operand::Gradient], [input]),
        };
        Some(vec![gradient(0), gradient(1)])
    }
}

/// Shapes that every kernel must get right: one value, edges of workgroups, repeated dimensions on either side.
///
/// ```
/// use vultus::ops::add;
///
/// let repeats = |case: &vultus::ops::Case| case.shapes()[0] != case.shapes()[1];
/// assert!(add::cases().iter().any(repeats) && !add::cases().iter().all(repeats));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    broadcast::cases(&Op::Add)
}

/// A case with random shapes.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::add::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    broadcast::random_case(&Op::Add, random)
}
