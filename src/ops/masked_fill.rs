//! A value with one number wherever a mask is above 0: attention that must not look ahead, and the choice between two values.
//!
//! ```
//! use vultus::ops::{MaskedFill, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::from(MaskedFill { value: -1.0 });
//! let mut fill = Device::Cpu.compile_op(&op, &[&[2, 2], &[2]], &Options::default())?;
//! let (x, mask) = (Tensor::filled([2, 2], 5.0), Tensor::new([2], vec![0.0, 1.0])?);
//! assert_eq!(fill.run_all(&[x, mask])?[0].data(), [5.0, -1.0, 5.0, -1.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::broadcast::broadcast;
use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Shape, elements, same, take};
use crate::error::Result;
use crate::random::Random;

/// The parameters of a masked fill: `x, mask → y`. The mask is repeated as broadcasting does, and has no gradient.
///
/// ```
/// use vultus::ops::{MaskedFill, Op};
///
/// let fill = Op::from(MaskedFill { value: 0.0 });
/// assert_eq!(fill.output_shapes(&[&[2, 3, 4], &[3, 1]])?, [[2, 3, 4]]);
/// assert!(fill.output_shapes(&[&[1, 4], &[3, 4]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaskedFill {
    /// What is there where the mask is above 0. It may be infinite.
    pub value: f32,
}

impl Operation for MaskedFill {
    fn name(&self) -> &'static str {
        "masked_fill"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, mask] = take("masked_fill", inputs)?;
        same("masked_fill", "the mask's union with x", &broadcast("masked_fill", x, mask)?, x)?;
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, _inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        elements(&outputs[0])
    }

    fn mixes_samples(&self, inputs: &[&[usize]]) -> bool {
        // Shapes are compared from their ends: the batches would not meet.
        inputs[0].len() != inputs[1].len()
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        Some(vec![Backward::step(MaskedFill { value: 0.0 }, [Operand::Gradient, Operand::Input(1)], [0])])
    }
}

/// Shapes that every kernel must get right: one value, edges of workgroups, masks that are repeated.
///
/// ```
/// use vultus::ops::masked_fill;
///
/// assert!(masked_fill::cases().iter().any(|case| case.shapes()[0] != case.shapes()[1]));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [
        (vec![1], vec![1]),
        (vec![256], vec![256]),
        (vec![2, 64, 9, 7], vec![2, 64, 9, 7]),
        (vec![2, 3, 17, 17], vec![17, 17]),
        (vec![2, 6, 5, 4], vec![2, 1, 1, 4]),
        (vec![3, 513], vec![3, 1]),
    ]
    .into_iter()
    .map(|(x, mask)| case(x, mask, -1.5))
    .collect()
}

/// A case with random shapes.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::masked_fill::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let x: Shape = (0..1 + random.below(5)).map(|_| 1 + random.below(9)).collect();
    let part = &x[random.below(x.len())..];
    let mask = part.iter().map(|&size| if random.below(3) == 0 { 1 } else { size }).collect();
    case(x, mask, random.normal())
}

fn case(x: Shape, mask: Shape, value: f32) -> Case {
    Case::new(MaskedFill { value }, vec![(x, Fill::Normal(1.0)), (mask, Fill::Ties)])
}
