//! Softmax and cross-entropy in one, with class weights and label smoothing, as PyTorch defines them (mean reduction).
//!
//! With `p = softmax(logits)`, smoothing ε, C classes and class weights w, the loss is the sum over the samples of
//! `−(1−ε)·w[t]·ln p[t] − ε/C·Σ w[c]·ln p[c]`, divided by the sum of `w[t]`.

use super::{Case, Fill, Op, Shape, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of the loss.
///
/// Targets are class numbers; a sample whose target is −1 is ignored, as if it were not there, so that a batch that
/// is not full can be filled up. If every sample is ignored or weighs nothing,
/// loss and gradient are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CrossEntropy {
    /// How much of a target goes evenly to all classes: 0 to 1.
    pub label_smoothing: f32,
}

impl CrossEntropy {
    pub(super) fn forward(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [logits, target, class_weight] = take("cross_entropy", inputs)?;
        let &[n, classes] = logits else {
            return Err(Error::shape(
                "cross_entropy",
                format!("logits have the shape {logits:?}, not [batch, classes]"),
            ));
        };
        same("cross_entropy", "target", target, &[n])?;
        same("cross_entropy", "class_weight", class_weight, &[classes])?;
        if !(0.0..=1.0).contains(&self.label_smoothing) {
            let reason = format!("label smoothing {} is not in 0 to 1", self.label_smoothing);
            return Err(Error::shape("cross_entropy", reason));
        }
        Ok(vec![vec![1], logits.to_vec()])
    }
}

/// Shapes that every kernel must get right: with and without smoothing, logits of ±200, more samples than a workgroup.
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
    .map(|(n, classes, scale, smoothing)| case(n, classes, scale, smoothing, Fill::Between(0.5, 1.5)))
    .chain([case(9, 5, 1.0, 0.1, Fill::Between(0.0, 0.0))])
    .collect()
}

/// A case with random sizes and parameters.
pub fn random_case(random: &mut Random) -> Case {
    let smoothing = if random.below(2) == 0 { 0.0 } else { random.uniform() };
    let (n, classes, scale) = (1 + random.below(300), 1 + random.below(40), 1.0 + random.below(60) as f32);
    case(n, classes, scale, smoothing, Fill::Between(0.5, 1.5))
}

fn case(n: usize, classes: usize, scale: f32, label_smoothing: f32, weights: Fill) -> Case {
    let inputs =
        vec![(vec![n, classes], Fill::Normal(scale)), (vec![n], Fill::Class(classes)), (vec![classes], weights)];
    Case::new(Op::CrossEntropy(CrossEntropy { label_smoothing }), inputs)
}
