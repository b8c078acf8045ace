//! Probabilities that mean what they say: temperature scaling (Guo, Pleiss, Sun, Weinberger, "On calibration of modern
//! neural networks", 2017).

use super::Answers;

/// Between which temperatures the best one is looked for.
const RANGE: [f64; 2] = [0.1, 10.0];

/// Steps of the search, each of which leaves 0.62 of the range: to a thousandth of the temperature.
const STEPS: usize = 20;

/// The temperature that logits must be divided by so that the probabilities of the true classes are as high as they can
/// be (the least mean negative logarithm); `None` without answers to examples with a label.
///
/// Above 1 the network was too sure, below 1 not sure enough. Which class is the most probable does not change.
///
/// ```
/// use vultus::train::{Answers, temperature};
///
/// // It says 99 %, and is right in three of four.
/// let answers: Answers = (0..4).map(|index| (index, vec![0.99, 0.01])).collect();
/// let found = temperature(&answers, |index| Some(usize::from(index == 3))).unwrap();
/// // ln(99) / t = ln(3).
/// assert!((found - 99f32.ln() / 3f32.ln()).abs() < 0.01);
/// ```
pub fn temperature(answers: &Answers, label: impl Fn(usize) -> Option<usize>) -> Option<f32> {
    let judged: Vec<(Vec<f64>, usize)> = answers
        .iter()
        .filter_map(|(index, row)| {
            let logits = row.iter().map(|&probability| f64::from(probability.max(f32::MIN_POSITIVE)).ln());
            Some((logits.collect(), label(*index)?))
        })
        .collect();
    if judged.is_empty() {
        return None;
    }
    let loss = |logarithm: f64| -> f64 { judged.iter().map(|(row, label)| loss(row, *label, logarithm.exp())).sum() };
    // Golden-section search: over the logarithm of the temperature the loss has one minimum.
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    let [mut low, mut high] = RANGE.map(f64::ln);
    for _ in 0..STEPS {
        let width = ratio * (high - low);
        let (left, right) = (high - width, low + width);
        if loss(left) < loss(right) { high = right } else { low = left }
    }
    Some(((low + high) / 2.0).exp() as f32)
}

/// The negative logarithm of a class's probability at a temperature.
fn loss(logits: &[f64], label: usize, temperature: f64) -> f64 {
    let highest = logits.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = logits.iter().map(|logit| ((logit - highest) / temperature).exp()).sum();
    sum.ln() - (logits[label] - highest) / temperature
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten answers of this confidence, this many of which are right.
    fn answers(confidence: f32) -> Answers {
        (0..10).map(|index| (index, vec![confidence, 1.0 - confidence])).collect()
    }

    #[test]
    fn who_is_too_sure_is_made_less_so_and_the_other_way_round() {
        let of =
            |confidence, right: usize| temperature(&answers(confidence), |i| Some(usize::from(i >= right))).unwrap();
        // Two classes: the logits' difference must become ln(right / wrong).
        for (confidence, right, wanted) in [(0.99f32, 6, 99f32.ln() / 1.5f32.ln()), (0.6, 9, 1.5f32.ln() / 9f32.ln())] {
            assert!(
                (of(confidence, right) / wanted.clamp(0.1, 10.0) - 1.0).abs() < 2e-3,
                "{confidence}: {}",
                of(confidence, right)
            );
        }
        assert!((of(0.7, 7) - 1.0).abs() < 2e-3);
    }

    #[test]
    fn what_has_no_label_does_not_count() {
        let some = |index: usize| (index < 4).then_some(usize::from(index == 3));
        let four = temperature(&answers(0.9)[..4].to_vec(), some);
        assert_eq!(temperature(&answers(0.9), some), four);
        assert_eq!(temperature(&answers(0.9), |_| None), None);
        assert_eq!(temperature(&Answers::new(), |_| Some(0)), None);
    }

    #[test]
    fn probabilities_of_0_are_no_trouble() {
        let found = temperature(&vec![(0, vec![1.0, 0.0]), (1, vec![1.0, 0.0])], Some).unwrap();
        assert!(found.is_finite() && found > 1.0);
    }
}
