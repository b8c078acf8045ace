//! Softmax and cross-entropy in one, with class weights and label smoothing, as PyTorch defines them (mean reduction).
//!
//! With `p = softmax(logits)`, smoothing ε, C classes and class weights w:
//!
//! - Class numbers t (targets of shape `[N]`): the loss is the sum over the samples of
//!   `−(1−ε)·w[t]·ln p[t] − ε/C·Σ w[c]·ln p[c]`, divided by the sum of `w[t]`. The gradient of a sample's logits is
//!   `(1−ε)·w[t]·(p − onehot(t)) + ε/C·(p·Σ w[c] − w)`, divided by the same.
//! - Soft targets, a probability y for each class (`[N, C]`): with `y' = (1−ε)·y + ε/C`, the loss is the sum over the
//!   samples of `−Σ w[c]·y'[c]·ln p[c]`, divided by their number. The gradient is `p·Σ w[c]·y'[c] − w·y'`, divided by the
//!   same.
//!
//! So the two differ for a one-hot y where classes have different weights: the first divides by these, the second does
//! not.
//!
//! ```
//! use vultus::ops::{CrossEntropy, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let op = Op::CrossEntropy(CrossEntropy::default());
//! let mut plan = Device::Cpu.compile_op(&op, &[&[1, 2], &[1], &[2]], &Options::default())?;
//! let (logits, target, class_weight) = (Tensor::zeros([1, 2]), Tensor::filled([1], 1.0), Tensor::filled([2], 1.0));
//! let outputs = plan.run_all(&[logits, target, class_weight])?;
//! assert!((outputs[0].data()[0] - 2f32.ln()).abs() < 1e-6);
//! assert_eq!(outputs[1].data(), [0.5, -0.5]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::Operation;
use super::{Case, Fill, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of the loss.
///
/// A sample whose target (or the first of whose soft targets) is −1 is ignored, as if it were not there, so that a batch
/// that is not full can be filled up. If every sample is ignored or weighs nothing, loss and gradient are 0.
///
/// ```
/// use vultus::nn::{Network, Training};
/// use vultus::ops::CrossEntropy;
/// use vultus::{Device, Options, StepOptions, Targets, Tensor};
///
/// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let mut loss = |label_smoothing| {
///     let training = Training { loss: CrossEntropy { label_smoothing }.into(), ..Training::default() };
///     let mut plan = model.compile_training(1, &training, &Options::default())?;
///     plan.train(&Tensor::filled([1, 2], 5.0), Targets::Classes(&[Some(0)]), &StepOptions::default())
/// };
/// // At 1 the target says nothing, and no answer is better than that both classes are equally likely.
/// assert!(loss(0.0)? != loss(0.1)? && loss(1.0)? >= 2f32.ln());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// How much of a target goes evenly to all classes: 0 to 1.
    pub label_smoothing: f32,
}

impl Operation for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        8 * elements(inputs[0])
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [logits, target, class_weight] = take("cross_entropy", inputs)?;
        let &[n, classes] = logits else {
            return Err(Error::shape(
                "cross_entropy",
                format!("logits have the shape {logits:?}, not [batch, classes]"),
            ));
        };
        if target.len() == 2 {
            same("cross_entropy", "target", target, logits)?;
        } else {
            same("cross_entropy", "target", target, &[n])?;
        }
        same("cross_entropy", "class_weight", class_weight, &[classes])?;
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            let reason = format!("label smoothing {} is not in 0 to 1", self.label_smoothing);
            return Err(Error::invalid("cross_entropy", reason));
        }
        Ok(vec![vec![1], logits.to_vec()])
    }
}

/// Shapes that every kernel must get right: with and without smoothing, logits of ±200, more samples than a workgroup.
///
/// ```
/// use vultus::ops::cross_entropy;
/// use vultus::{Device, Options};
///
/// for case in cross_entropy::cases() {
///     let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options::default())?;
///     assert!(plan.run_all(&case.inputs(1))?[0].data()[0] >= 0.0, "{}", case.name());
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [
        (1, 7, 1.0, 0.0),
        (32, 7, 3.0, 0.0),
        (16, 7, 2.0, 0.1),
        (4, 7, 100.0, 0.0),
        (300, 3, 5.0, 0.2),
        (64, 1000, 2.0, 0.1),
        (5, 1, 1.0, 0.0),
    ]
    .into_iter()
    .flat_map(|(n, classes, scale, smoothing)| {
        targets(n, classes).map(|target| case(n, classes, scale, smoothing, target, Fill::Between(0.5, 1.5)))
    })
    .chain(targets(9, 5).map(|target| case(9, 5, 1.0, 0.1, target, Fill::Between(0.0, 0.0))))
    .collect()
}

/// A case with random sizes and parameters.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::cross_entropy::random_case;
///
/// let case = random_case(&mut Random::new(1));
/// let [logits, target, class_weight] = case.shapes()[..] else { unreachable!() };
/// // Soft targets have the shape of the logits, class numbers that of the batch.
/// assert!(target == logits || target == &logits[..1]);
/// assert_eq!(class_weight, &logits[1..]);
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let smoothing = if random.below(2) == 0 { 0.0 } else { random.uniform() };
    let (n, classes, scale) = (1 + random.below(300), 1 + random.below(40), 1.0 + random.below(60) as f32);
    let [hard, soft] = targets(n, classes);
    case(n, classes, scale, smoothing, if random.below(2) == 0 { hard } else { soft }, Fill::Between(0.5, 1.5))
}

/// Class numbers, and probabilities of classes.
fn targets(n: usize, classes: usize) -> [(Shape, Fill); 2] {
    [(vec![n], Fill::Class(classes)), (vec![n, classes], Fill::Probabilities(classes))]
}

fn case(n: usize, classes: usize, scale: f32, label_smoothing: f32, target: (Shape, Fill), weights: Fill) -> Case {
    let inputs = vec![(vec![n, classes], Fill::Normal(scale)), target, (vec![classes], weights)];
    Case::new(CrossEntropy { label_smoothing }, inputs)
}
