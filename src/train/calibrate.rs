//! Probabilities that mean what they say: vector scaling (Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural
//! networks", 2017) with one temperature for all classes.

use super::Answers;

/// Between which temperatures the best one is looked for.
const TEMPERATURES: [f64; 2] = [0.1, 10.0];

/// How far a class's bias goes at most.
const LARGEST_BIAS: f64 = 5.0;

/// The standard deviation that biases are expected to have: with few examples of a class its bias stays near 0.
const EXPECTED_BIAS: f64 = 0.5;

/// Steps of each search, each of which leaves 0.62 of the range.
const STEPS: usize = 24;

/// How often each number is looked for anew, the others being as they are by then.
const SWEEPS: usize = 12;

/// What makes a network's probabilities true: logits are divided by the temperature, then the biases are added.
///
/// How frequent classes are is part of it: by the biases, the probabilities are those of pictures in which each class is as
/// frequent as its prior says.
///
/// ```
/// use vultus::train::{Answers, Calibration};
///
/// // It says 99 %, and is right in three of four.
/// let answers: Answers = (0..400).map(|index| (index, vec![0.99, 0.01])).collect();
/// let found = Calibration::of(&answers, |index| Some(usize::from(index % 4 == 3)), 0.0).unwrap();
/// let logit = 99f32.ln() / found.temperature + found.biases[0] - found.biases[1];
/// assert!((logit - 3f32.ln()).abs() < 0.02);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// Above 1 the network was too sure, below 1 not sure enough.
    pub temperature: f32,
    /// A number for each class: above 0 the network says it too seldom.
    pub biases: Vec<f32>,
    /// How frequent each class is expected to be; all together 1.
    pub priors: Vec<f32>,
}

impl Calibration {
    /// The calibration by which the labels of examples get the least mean negative logarithm of their probability, where
    /// classes are as frequent as among the examples or, to this share (0 to 1), all alike. `None` without answers to
    /// examples with a label.
    pub fn of(answers: &Answers, label: impl Fn(usize) -> Option<usize>, alike: f32) -> Option<Self> {
        let judged: Vec<(Vec<f64>, usize)> = answers
            .iter()
            .filter_map(|(index, row)| {
                let logits = row.iter().map(|&probability| f64::from(probability.max(f32::MIN_POSITIVE)).ln());
                Some((logits.collect(), label(*index)?))
            })
            .collect();
        let classes = judged.first()?.0.len();
        let mut sizes = vec![0.0; classes];
        judged.iter().for_each(|(_, label)| sizes[*label] += 1.0);
        let priors = priors(&sizes, f64::from(alike));
        let counts = judged.len() as f64;
        let weights: Vec<f64> = sizes.iter().zip(&priors).map(|(size, prior)| prior * counts / size.max(1.0)).collect();
        let mut found = Found { logarithm: 0.0, biases: vec![0.0; classes] };
        for _ in 0..SWEEPS {
            let [low, high] = TEMPERATURES.map(f64::ln);
            found.logarithm = least([low, high], |logarithm| found.with(logarithm).loss(&judged, &weights));
            for class in 0..classes {
                let loss = |bias| found.with_bias(class, bias).loss(&judged, &weights);
                let bias = least([-LARGEST_BIAS, LARGEST_BIAS], loss);
                found.biases[class] = bias;
            }
        }
        let [biases, priors] = [found.biases, priors].map(|all| all.into_iter().map(|value| value as f32).collect());
        Some(Calibration { temperature: found.logarithm.exp() as f32, biases, priors })
    }
}

/// How frequent classes are by these numbers of examples or, to this share, all alike. A class without any could still have
/// had half a one (Krichevsky, Trofimov, "The performance of universal encoding", 1981).
fn priors(sizes: &[f64], alike: f64) -> Vec<f64> {
    let classes = sizes.len() as f64;
    let all = sizes.iter().sum::<f64>() + classes / 2.0;
    sizes.iter().map(|size| (1.0 - alike) * (size + 0.5) / all + alike / classes).collect()
}

/// A calibration under way.
#[derive(Clone)]
struct Found {
    logarithm: f64,
    biases: Vec<f64>,
}

impl Found {
    fn with(&self, logarithm: f64) -> Self {
        Found { logarithm, ..self.clone() }
    }

    fn with_bias(&self, class: usize, bias: f64) -> Self {
        let mut other = self.clone();
        other.biases[class] = bias;
        other
    }

    /// The mean over the examples, with what biases are expected to be. It has one minimum along each number.
    fn loss(&self, judged: &[(Vec<f64>, usize)], weights: &[f64]) -> f64 {
        let temperature = self.logarithm.exp();
        let (mut sum, mut weight) = (0.0, 0.0);
        let mut logits = vec![0.0; self.biases.len()];
        for (row, label) in judged {
            for ((logit, known), bias) in logits.iter_mut().zip(row).zip(&self.biases) {
                *logit = known / temperature + bias;
            }
            let counts = weights[*label];
            sum += counts * negative_logarithm(&logits, *label);
            weight += counts;
        }
        let squares: f64 = self.biases.iter().map(|bias| bias * bias).sum();
        (sum + squares / (2.0 * EXPECTED_BIAS * EXPECTED_BIAS)) / weight
    }
}

/// Where a function with one minimum within a range has it, by golden-section search.
fn least([mut low, mut high]: [f64; 2], function: impl Fn(f64) -> f64) -> f64 {
    let ratio = (5f64.sqrt() - 1.0) / 2.0;
    for _ in 0..STEPS {
        let width = ratio * (high - low);
        let (left, right) = (high - width, low + width);
        if function(left) < function(right) { high = right } else { low = left }
    }
    (low + high) / 2.0
}

/// The negative logarithm of a class's probability.
fn negative_logarithm(logits: &[f64], label: usize) -> f64 {
    let highest = logits.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = logits.iter().map(|logit| (logit - highest).exp()).sum();
    sum.ln() - (logits[label] - highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This many answers of this confidence.
    fn answers(confidence: f32, count: usize) -> Answers {
        (0..count).map(|index| (index, vec![confidence, 1.0 - confidence])).collect()
    }

    /// The probability of the first class after a calibration.
    fn first(found: &Calibration, confidence: f32) -> f32 {
        let logit = (confidence / (1.0 - confidence)).ln() / found.temperature + found.biases[0] - found.biases[1];
        1.0 / (1.0 + (-logit).exp())
    }

    #[test]
    fn probabilities_become_as_high_as_answers_are_right() {
        for (confidence, right) in [(0.99, 600), (0.6, 900), (0.7, 700)] {
            let found = Calibration::of(&answers(confidence, 1000), |i| Some(usize::from(i >= right)), 0.0).unwrap();
            let probability = first(&found, confidence);
            // What biases are expected to be counts for a few of a thousand examples.
            assert!((probability - right as f32 / 1000.0).abs() < 0.01, "{confidence}: {probability}, {found:?}");
        }
    }

    #[test]
    fn a_class_that_is_said_too_often_gets_a_bias_and_few_examples_hardly_one() {
        // Half are answered for each class with 80 %, but three of four are of the first.
        let of = |count: usize| {
            let rows = |index: usize| if index.is_multiple_of(2) { vec![0.8, 0.2] } else { vec![0.2, 0.8] };
            let all: Answers = (0..count).map(|index| (index, rows(index))).collect();
            Calibration::of(&all, |index| Some(usize::from(index % 4 == 1)), 0.0).unwrap()
        };
        let (many, few) = (of(4000), of(4));
        let shift = |found: &Calibration| found.biases[0] - found.biases[1];
        assert!(shift(&many) > 0.5 && shift(&many) > 2.0 * shift(&few), "{many:?}, {few:?}");
    }

    #[test]
    fn what_says_nothing_gets_the_probabilities_that_are_expected() {
        for alike in [0.0, 0.5, 1.0] {
            let found = Calibration::of(&answers(0.5, 1000), |i| Some(usize::from(i >= 800)), alike).unwrap();
            let expected = 0.8 * (1.0 - alike) + 0.5 * alike;
            assert!(
                (found.priors[0] - expected).abs() < 0.001 && (first(&found, 0.5) - expected).abs() < 0.01,
                "{found:?}"
            );
        }
    }

    #[test]
    fn a_class_without_examples_is_still_expected() {
        let found = priors(&[7.0, 0.0, 1.0], 0.0);
        assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12 && found[1] > 0.0, "{found:?}");
        assert!(priors(&[7.0, 0.0, 1.0], 1.0).iter().all(|prior| (prior - 1.0 / 3.0).abs() < 1e-12));
    }

    #[test]
    fn what_has_no_label_does_not_count() {
        let some = |index: usize| (index < 4).then_some(usize::from(index == 3));
        let four = Calibration::of(&answers(0.9, 4), some, 0.0);
        assert_eq!(Calibration::of(&answers(0.9, 10), some, 0.0), four);
        assert_eq!(Calibration::of(&answers(0.9, 10), |_| None, 0.0), None);
        assert_eq!(Calibration::of(&Answers::new(), |_| Some(0), 0.0), None);
    }

    #[test]
    fn probabilities_of_0_are_no_trouble() {
        let found = Calibration::of(&vec![(0, vec![1.0, 0.0]), (1, vec![1.0, 0.0])], Some, 0.0).unwrap();
        assert!(found.temperature.is_finite() && found.temperature > 1.0);
    }
}
