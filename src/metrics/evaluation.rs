//! All figures of a set of predictions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::bootstrap::{self, Intervals};
use super::calibration::{ReliabilityBin, expected_calibration_error, reliability};
use super::measures::Measures;
use super::predictions::Predictions;
use super::row::{in_top_two, log_loss};
use super::tally::Tally;
use crate::csv::quoted;
use crate::error::Result;

/// What predictions are worth. Its JSON has the names of the fields as keys, `macro` for [`Evaluation::macro_average`].
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions};
///
/// let mut predictions = Predictions::new(["happy", "neutral", "sad"].map(str::to_owned).into());
/// predictions.labels = vec![0, 1, 2];
/// predictions.probabilities = vec![vec![0.7, 0.2, 0.1], vec![0.1, 0.4, 0.5], vec![0.1, 0.3, 0.6]];
/// let evaluation = Evaluation::new(&predictions, 1, 0)?;
/// assert_eq!((evaluation.accuracy, evaluation.top2), (2.0 / 3.0, 1.0));
/// let mut table = Vec::new();
/// evaluation.write_confusion_csv(&mut table)?;
/// assert_eq!(table, b"true,happy,neutral,sad\nhappy,1,0,0\nneutral,0,0,1\nsad,0,0,1\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// The number of samples.
    pub n: usize,
    /// The share of samples that are predicted right.
    pub accuracy: f64,
    /// The mean recall of the classes that have samples.
    pub balanced_accuracy: f64,
    /// Cohen's kappa: −1 to 1, 0 for chance; `None` if all samples and predictions are of one class.
    pub kappa: Option<f64>,
    /// The share of samples whose class is among the two most probable.
    pub top2: f64,
    /// The mean negative natural logarithm of the true class's probability, clipped to 2⁻²³ … 1 − 2⁻²³.
    pub log_loss: f64,
    /// The expected calibration error, over the bins of [`Evaluation::reliability`].
    pub ece: f64,
    /// The mean of each measure over the classes that have samples and for which it is defined. That a class without
    /// samples was predicted counts against the others, whose samples these are.
    #[serde(rename = "macro")]
    pub macro_average: Measures,
    /// The measures of the counts of all classes together. Recall, precision and F1 are the accuracy.
    pub micro: Measures,
    /// As `macro_average`, weighted by the classes' numbers of samples.
    pub weighted: Measures,
    /// The measures of each class, by its name.
    pub per_class: BTreeMap<String, ClassMeasures>,
    /// Numbers of samples: a row for each true class, a column for each predicted one, in the order of `classes`.
    pub confusion: Vec<Vec<u64>>,
    /// How often predictions are right, by their highest probability.
    pub reliability: Vec<ReliabilityBin>,
    /// How far the figures would scatter among samples of this size; `None` if none were asked for, or there is only
    /// one image or subject to resample.
    pub intervals: Option<Intervals>,
}

/// The measures of a class.
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions};
///
/// let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
/// predictions.labels = vec![0, 0, 1];
/// predictions.probabilities = vec![vec![0.9, 0.1], vec![0.4, 0.6], vec![0.2, 0.8]];
/// let sad = Evaluation::new(&predictions, 1, 0)?.per_class["sad"];
/// assert_eq!((sad.support, sad.predicted), (1, 2));
/// assert_eq!((sad.measures.recall, sad.measures.precision), (Some(1.0), Some(0.5)));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassMeasures {
    /// The number of its samples.
    pub support: u64,
    /// How often it was predicted.
    pub predicted: u64,
    /// The measures, whose keys stand beside the counts in JSON.
    #[serde(flatten)]
    pub measures: Measures,
}

impl Evaluation {
    /// Computes all figures, and intervals from this many resamples (0 for none, 2000 are usual), drawn with the seed.
    /// Images are resampled, or subjects where they are known.
    ///
    /// # Errors
    /// [`crate::Error::Predictions`] as [`Predictions::check`], or if there are more than a million resamples.
    pub fn new(predictions: &Predictions, seed: u64, resamples: usize) -> Result<Self> {
        predictions.check()?;
        let classes = &predictions.classes;
        let n = predictions.labels.len();
        let predicted = predictions.predicted();
        let mut tally = Tally::new(classes.len());
        let mut confusion = vec![vec![0; classes.len()]; classes.len()];
        for (&label, &predicted) in predictions.labels.iter().zip(&predicted) {
            tally.add(label, predicted);
            confusion[label][predicted] += 1;
        }
        let per_class = tally.per_class();
        let macro_average = tally.macro_average(&per_class);
        let samples = || predictions.probabilities.iter().zip(&predictions.labels);
        let reliability = reliability(predictions);
        Ok(Evaluation {
            n,
            accuracy: tally.accuracy().unwrap_or_default(),
            // Some class has samples, so that one recall at least is defined.
            balanced_accuracy: macro_average.recall.unwrap_or_default(),
            kappa: tally.kappa(),
            top2: samples().filter(|(row, label)| in_top_two(row, **label)).count() as f64 / n as f64,
            log_loss: samples().map(|(row, &label)| log_loss(row, label)).sum::<f64>() / n as f64,
            ece: expected_calibration_error(&reliability),
            macro_average,
            micro: tally.micro(),
            weighted: tally.weighted(&per_class),
            per_class: (per_class.iter().enumerate().zip(classes))
                .map(|((class, &measures), name)| {
                    let (support, predicted) = (tally.support(class), tally.predicted(class));
                    (name.clone(), ClassMeasures { support, predicted, measures })
                })
                .collect(),
            confusion,
            reliability,
            intervals: bootstrap::intervals(predictions, &predicted, seed, resamples)?,
            classes: classes.clone(),
        })
    }

    /// The names of the classes that have samples, over which macro averages are made.
    pub fn classes_with_samples(&self) -> impl Iterator<Item = &str> {
        let has_samples = |class: &&String| self.per_class.get(*class).is_some_and(|of| of.support > 0);
        self.classes.iter().filter(has_samples).map(String::as_str)
    }

    /// Writes the confusion matrix as comma-separated values (RFC 4180): a header with the predicted classes, then for
    /// each true class its name and its row.
    ///
    /// # Errors
    /// What the writer says.
    pub fn write_confusion_csv(&self, out: &mut impl Write) -> io::Result<()> {
        let classes: Vec<Cow<str>> = self.classes.iter().map(|class| quoted(class)).collect();
        writeln!(out, "true,{}", classes.join(","))?;
        for (class, row) in classes.iter().zip(&self.confusion) {
            let counts: Vec<String> = row.iter().map(u64::to_string).collect();
            writeln!(out, "{class},{}", counts.join(","))?;
        }
        Ok(())
    }
}
