//! The product of two values, broadcast as NumPy does: a gate for each channel, a scale for each feature.
//!
//! ```
//! use vultus::ops::Op;
//! use vultus::{Device, Options, Tensor};
//!
//! let mut mul = Device::Cpu.compile_op(&Op::Mul, &[&[1, 2, 1, 2], &[1, 2, 1, 1]], &Options::default())?;
//! let x = Tensor::new([1, 2, 1, 2], vec![1.0, 2.0, 3.0, 4.0])?;
//! let gate = Tensor::new([1, 2, 1, 1], vec![10.0, 0.5])?;
//! assert_eq!(mul.run_all(&[x, gate])?[0].data(), [10.0, 20.0, 1.5, 2.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::broadcast::{self, broadcast};
use super::operation::{Backward, Operand, Operation};
use super::{Case, MulReduce, Op, Shape, elements, take};
use crate::error::Result;
use crate::random::Random;

/// `a, b → y`
pub(crate) struct Mul;

impl Operation for Mul {
    fn name(&self) -> &'static str {
        "mul"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [a, b] = take("mul", inputs)?;
        Ok(vec![broadcast("mul", a, b)?])
    }

    fn flops(&self, _inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        elements(&outputs[0])
    }

    fn mixes_samples(&self, inputs: &[&[usize]]) -> bool {
        // Shapes are compared from their ends: the batches would not meet.
        inputs[0].len() != inputs[1].len()
    }

    fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let result = broadcast("mul", inputs[0], inputs[1]).ok()?;
        // The product of the gradient and the other factor, summed over the dimensions along which this one is repeated.
        let gradient = |input: usize| {
            let op = match inputs[input] {
                shape if shape == result => Op::Mul,
                shape => Op::MulReduce(MulReduce { shape: shape.to_vec() }),
            };
            Backward::step(op, [Operand::Gradient, Operand::Input(1 - input)], [input])
        };
        Some(vec![gradient(0), gradient(1)])
    }
}

/// Shapes that every kernel must get right: one value, edges of workgroups, repeated dimensions on either side.
///
/// ```
/// use vultus::ops::mul;
///
/// let is_gate = |case: &vultus::ops::Case| case.shapes() == [&[2, 6, 5, 4][..], &[2, 6, 1, 1]];
/// assert!(mul::cases().iter().any(is_gate));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    broadcast::cases(&Op::Mul)
}

/// A case with random shapes.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::mul::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    broadcast::random_case(&Op::Mul, random)
}
