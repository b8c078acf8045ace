//! Whether probabilities mean what they say.

use serde::{Deserialize, Serialize};

use super::predictions::Predictions;
use super::row::most_probable;

/// The number of bins of the reliability curve and of the expected calibration error (Guo, Pleiss, Sun, Weinberger,
/// "On calibration of modern neural networks", 2017).
pub const BINS: usize = 15;

/// The predictions whose highest probability is within a range.
///
/// ```
/// use vultus::metrics::{BINS, Evaluation, Predictions};
///
/// let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
/// predictions.labels = vec![0, 1];
/// predictions.probabilities = vec![vec![0.95, 0.05], vec![0.96, 0.04]];
/// let bins = Evaluation::new(&predictions, 1, 0)?.reliability;
/// // It was sure twice and right once.
/// assert_eq!((bins.len(), bins[14].count, bins[14].accuracy), (BINS, 2, Some(0.5)));
/// assert!(bins[14].confidence > Some(0.9) && bins[0].confidence.is_none());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Above this probability …
    pub low: f64,
    /// … and up to this one.
    pub high: f64,
    /// The number of predictions.
    pub count: u64,
    /// The mean of their highest probabilities; `None` if there are none.
    pub confidence: Option<f64>,
    /// The share of them that is right; `None` if there are none.
    pub accuracy: Option<f64>,
}

/// The reliability curve: [`BINS`] bins of equal width.
pub(super) fn reliability(predictions: &Predictions) -> Vec<ReliabilityBin> {
    let (mut counts, mut confidences, mut correct) = ([0u64; BINS], [0.0; BINS], [0u64; BINS]);
    for (row, &label) in predictions.probabilities.iter().zip(&predictions.labels) {
        let predicted = most_probable(row);
        let confidence = f64::from(row[predicted]);
        let bin = ((confidence * BINS as f64).ceil() as usize).clamp(1, BINS) - 1;
        counts[bin] += 1;
        confidences[bin] += confidence;
        correct[bin] += u64::from(predicted == label);
    }
    let bin = |i: usize| {
        let mean = |sum: f64| (counts[i] > 0).then(|| sum / counts[i] as f64);
        ReliabilityBin {
            low: i as f64 / BINS as f64,
            high: (i + 1) as f64 / BINS as f64,
            count: counts[i],
            confidence: mean(confidences[i]),
            accuracy: mean(correct[i] as f64),
        }
    };
    (0..BINS).map(bin).collect()
}

/// The expected calibration error: how far confidence and accuracy of the bins are apart, weighted by their counts.
pub(super) fn expected_calibration_error(bins: &[ReliabilityBin]) -> f64 {
    let n: u64 = bins.iter().map(|bin| bin.count).sum();
    let gap = |bin: &ReliabilityBin| Some(bin.count as f64 * (bin.accuracy? - bin.confidence?).abs());
    bins.iter().filter_map(gap).sum::<f64>() / n as f64
}
