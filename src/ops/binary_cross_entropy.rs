//! Sigmoid and cross-entropy in one, for answers of which each is yes or no by itself, with its gradient.
//!
//! ```
//! use vultus::ops::Op;
//! use vultus::{Device, Options, Tensor};
//!
//! let mut plan = Device::Cpu.compile_op(&Op::BinaryCrossEntropy, &[&[1, 3], &[1, 3]], &Options::default())?;
//! // The third answer is ignored.
//! let (logits, target) = (Tensor::zeros([1, 3]), Tensor::new([1, 3], vec![1.0, 0.0, -1.0])?);
//! let outputs = plan.run_all(&[logits, target])?;
//! assert!((outputs[0].data()[0] - 2f32.ln()).abs() < 1e-6);
//! assert_eq!(outputs[1].data(), [-0.25, 0.25, 0.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::Operation;
use super::{Case, Fill, Op, Shape, elements, same, take};
use crate::error::Result;
use crate::random::Random;

/// `logits, target → loss, dlogits`
///
/// The loss is the mean over all targets from 0 to 1. One below 0 is ignored, as if it were not there; if all are, loss and
/// gradient are 0.
pub(crate) struct BinaryCrossEntropy;

impl Operation for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [logits, target] = take("binary_cross_entropy", inputs)?;
        same("binary_cross_entropy", "target", target, logits)?;
        Ok(vec![vec![1], logits.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        8 * elements(inputs[0])
    }
}

/// Shapes that every kernel must get right: one value, logits of ±200, more values than a workgroup has invocations, some
/// targets and all of them ignored.
///
/// ```
/// use vultus::ops::binary_cross_entropy;
/// use vultus::{Device, Options};
///
/// for case in binary_cross_entropy::cases() {
///     let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options::default())?;
///     assert!(plan.run_all(&case.inputs(1))?[0].data()[0] >= 0.0, "{}", case.name());
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let shares = Fill::Between(0.0, 1.0);
    [
        (vec![1, 1], 1.0, shares),
        (vec![32, 7], 3.0, shares),
        (vec![4, 12], 60.0, shares),
        (vec![300, 3], 200.0, Fill::Class(2)),
        (vec![2, 3, 5, 4], 1.0, Fill::Between(-0.5, 1.0)),
        (vec![9, 2], 1.0, Fill::Between(-2.0, -1.0)),
    ]
    .into_iter()
    .map(|(shape, scale, targets)| case(shape, scale, targets))
    .collect()
}

/// A case with a random shape.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::binary_cross_entropy::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// assert!(case.op.output_shapes(&case.shapes()).is_ok());
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape = (0..1 + random.below(3)).map(|_| 1 + random.below(20)).collect();
    let targets = [Fill::Between(0.0, 1.0), Fill::Class(2)][random.below(2)];
    case(shape, 1.0 + random.below(60) as f32, targets)
}

fn case(shape: Shape, scale: f32, targets: Fill) -> Case {
    Case::new(Op::BinaryCrossEntropy, vec![(shape.clone(), Fill::Normal(scale)), (shape, targets)])
}
