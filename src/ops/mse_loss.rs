//! The mean of squared differences, and its gradient: a loss for numbers, such as valence and arousal.
//!
//! ```
//! use vultus::ops::Op;
//! use vultus::{Device, Options, Tensor};
//!
//! let mut plan = Device::Cpu.compile_op(&Op::MseLoss, &[&[1, 2], &[1, 2]], &Options::default())?;
//! let outputs = plan.run_all(&[Tensor::new([1, 2], vec![1.0, 4.0])?, Tensor::new([1, 2], vec![0.0, 1.0])?])?;
//! assert_eq!((outputs[0].data(), outputs[1].data()), (&[5.0][..], &[1.0, 3.0][..]));
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::Operation;
use super::{Case, Fill, Op, Shape, elements, same, take};
use crate::error::Result;
use crate::random::Random;

/// `pred, target → loss, dpred`
pub(crate) struct MseLoss;

impl Operation for MseLoss {
    fn name(&self) -> &'static str {
        "mse_loss"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [pred, target] = take("mse_loss", inputs)?;
        same("mse_loss", "target", target, pred)?;
        Ok(vec![vec![1], pred.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        4 * elements(inputs[0])
    }
}

/// Shapes that every kernel must get right: one value, more values than a workgroup has invocations.
///
/// ```
/// use vultus::ops::mse_loss;
///
/// assert!(mse_loss::cases().iter().all(|case| case.shapes()[0] == case.shapes()[1]));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [vec![1, 1], vec![32, 7], vec![2, 3, 5, 4], vec![256], vec![3, 1000]].into_iter().map(case).collect()
}

/// A case with a random shape.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::mse_loss::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    case((0..1 + random.below(3)).map(|_| 1 + random.below(20)).collect())
}

fn case(shape: Shape) -> Case {
    Case::new(Op::MseLoss, vec![(shape.clone(), Fill::Normal(1.0)), (shape, Fill::Normal(1.0))])
}
