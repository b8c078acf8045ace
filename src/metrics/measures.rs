//! The measures of a class, and what they are computed from.

use serde::{Deserialize, Serialize};

/// What is measured of one class against all others, or an average of that.
///
/// With the numbers of true and false positives and negatives TP, FP, TN, FN. A measure whose denominator is 0 is
/// undefined: `None`.
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions};
///
/// let mut predictions = Predictions::new(["happy", "sad", "fear"].map(str::to_owned).into());
/// predictions.labels = vec![0, 1];
/// predictions.probabilities = vec![vec![0.8, 0.1, 0.1], vec![0.6, 0.3, 0.1]];
/// let per_class = Evaluation::new(&predictions, 1, 0)?.per_class;
/// let happy = per_class["happy"].measures;
/// assert_eq!((happy.recall, happy.specificity, happy.f1), (Some(1.0), Some(0.0), Some(2.0 / 3.0)));
/// // There is no picture of fear, and none was taken for it.
/// assert_eq!(per_class["fear"].measures.recall, None);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measures<T = Option<f64>> {
    /// Sensitivity: TP / (TP + FN).
    pub recall: T,
    /// TN / (TN + FP).
    pub specificity: T,
    /// TP / (TP + FP).
    pub precision: T,
    /// The harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN). 0 for a class that has samples and is never
    /// predicted right.
    pub f1: T,
    /// Intersection over union of the samples of the class and those predicted as it: TP / (TP + FP + FN).
    pub jaccard: T,
    /// Twice the intersection over the sum of the sizes: 2 TP / ((TP + FN) + (TP + FP)), the same number as F1.
    pub dice: T,
}

impl<T> Measures<T> {
    /// What is given for every measure, in the order of the fields.
    pub(super) fn from_array([recall, specificity, precision, f1, jaccard, dice]: [T; 6]) -> Self {
        Measures { recall, specificity, precision, f1, jaccard, dice }
    }

    /// The measures in the order of the fields.
    pub(super) fn into_array(self) -> [T; 6] {
        [self.recall, self.specificity, self.precision, self.f1, self.jaccard, self.dice]
    }
}

/// True and false positives and negatives of a class.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Counts {
    pub true_positives: u64,
    pub false_positives: u64,
    pub false_negatives: u64,
    pub true_negatives: u64,
}

impl Counts {
    pub fn plus(self, other: Counts) -> Counts {
        Counts {
            true_positives: self.true_positives + other.true_positives,
            false_positives: self.false_positives + other.false_positives,
            false_negatives: self.false_negatives + other.false_negatives,
            true_negatives: self.true_negatives + other.true_negatives,
        }
    }

    pub fn measures(&self) -> Measures {
        let Counts { true_positives: tp, false_positives: fp, false_negatives: missed, true_negatives: tn } = *self;
        Measures {
            recall: ratio(tp, tp + missed),
            specificity: ratio(tn, tn + fp),
            precision: ratio(tp, tp + fp),
            f1: ratio(2 * tp, 2 * tp + fp + missed),
            jaccard: ratio(tp, tp + fp + missed),
            dice: ratio(2 * tp, (tp + missed) + (tp + fp)),
        }
    }
}

/// A part of a whole; undefined if the whole is nothing.
pub(super) fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
