//! Percentile bootstrap (Efron and Tibshirani, "An introduction to the bootstrap", 1993, chapter 13): what the figures
//! would be if other images, or other subjects, had been drawn from the same population.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::measures::Measures;
use super::predictions::Predictions;
use super::row::{in_top_two, log_loss};
use super::tally::Tally;
use crate::error::{Error, Result};
use crate::parallel::*;
use crate::random::Random;

/// The part of the resamples whose figures lie within an interval.
const LEVEL: f64 = 0.95;

/// The most resamples: a gigabyte of figures for twenty classes.
const MAX_RESAMPLES: usize = 1_000_000;

/// Lower and upper end.
///
/// ```
/// use vultus::metrics::Interval;
///
/// let accuracy: Interval = [0.61, 0.67];
/// assert!(accuracy[0] <= 0.63 && 0.63 <= accuracy[1]);
/// ```
pub type Interval = [f64; 2];

/// 95 % intervals of the figures of an [`super::Evaluation`].
///
/// A figure that is not defined in a resample (the recall of a class that was not drawn) does not count there.
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions};
///
/// let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
/// predictions.labels = (0..100).map(|sample| sample % 2).collect();
/// // Every fourth answer is wrong.
/// let row = |sample| if (sample % 2 == 0) != (sample % 4 == 1) { vec![0.8, 0.2] } else { vec![0.3, 0.7] };
/// predictions.probabilities = (0..100).map(row).collect();
/// let intervals = Evaluation::new(&predictions, 1, 500)?.intervals.expect("there are 100 images to resample");
/// let [low, high] = intervals.accuracy;
/// assert!(low < 0.75 && 0.75 < high && high - low < 0.25);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Intervals {
    /// How they were made.
    pub method: Bootstrap,
    /// Of the accuracy.
    pub accuracy: Interval,
    /// Of the balanced accuracy.
    pub balanced_accuracy: Interval,
    /// Of Cohen's kappa.
    pub kappa: Option<Interval>,
    /// Of the share of samples whose class is among the two most probable.
    pub top2: Interval,
    /// Of the mean log loss.
    pub log_loss: Interval,
    /// Of the macro averages.
    #[serde(rename = "macro")]
    pub macro_average: Measures<Option<Interval>>,
    /// Of the averages weighted by support.
    pub weighted: Measures<Option<Interval>>,
    /// Of the measures of each class.
    pub per_class: BTreeMap<String, Measures<Option<Interval>>>,
}

/// How intervals were made.
///
/// ```
/// use vultus::metrics::{Bootstrap, Unit};
///
/// let method = Bootstrap { level: 0.95, resamples: 2000, seed: 1, unit: Unit::Subject, units: 10 };
/// let unit = if method.unit == Unit::Subject { "subjects" } else { "images" };
/// let text = format!("{} % of {} resamples of {} {unit}", 100.0 * method.level, method.resamples, method.units);
/// assert_eq!(text, "95 % of 2000 resamples of 10 subjects");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// The part of the resamples that lies within an interval; as much is below as is above.
    pub level: f64,
    /// The number of resamples.
    pub resamples: usize,
    /// The seed that they were drawn with.
    pub seed: u64,
    /// What was drawn with replacement.
    pub unit: Unit,
    /// How many of them there are, and are drawn for each resample.
    pub units: usize,
}

/// What is drawn with replacement.
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions, Unit};
///
/// let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
/// predictions.labels = vec![0, 1, 0, 1];
/// predictions.probabilities = vec![vec![0.9, 0.1], vec![0.2, 0.8], vec![0.4, 0.6], vec![0.3, 0.7]];
/// // Where it is known who is in each image, people are drawn.
/// predictions.subjects = Some(vec!["Ada".into(), "Ada".into(), "Ben".into(), "Ben".into()]);
/// let method = Evaluation::new(&predictions, 1, 100)?.intervals.expect("there are two subjects").method;
/// assert_eq!((method.unit, method.units), (Unit::Subject, 2));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// Images, as if each showed somebody else.
    Image,
    /// Subjects with all of their images, which resemble each other.
    Subject,
}

/// What a sample adds to the figures.
#[derive(Clone, Copy)]
struct Outcome {
    label: usize,
    predicted: usize,
    in_top_two: bool,
    log_loss: f64,
}

/// The outcomes, those of a unit behind each other.
struct Units {
    outcomes: Vec<Outcome>,
    /// Where each unit begins, and the end of the last.
    starts: Vec<usize>,
}

/// The figures before those of classes: accuracy, balanced accuracy, kappa, top 2, log loss.
const TOTALS: usize = 5;

/// Intervals of all figures; none without resamples or with a single unit, which is all that could be drawn.
pub(super) fn intervals(
    predictions: &Predictions,
    predicted: &[usize],
    seed: u64,
    resamples: usize,
) -> Result<Option<Intervals>> {
    if resamples > MAX_RESAMPLES {
        let reason = format!("{resamples} resamples are asked for, at most {MAX_RESAMPLES} are made");
        return Err(Error::Predictions { reason });
    }
    let units = Units::new(predictions, predicted);
    if resamples == 0 || units.count() < 2 {
        return Ok(None);
    }
    let classes = predictions.classes.len();
    let mut seeds = Random::new(seed);
    let seeds: Vec<u64> = (0..resamples).map(|_| u64::from(seeds.bits()) << 32 | u64::from(seeds.bits())).collect();
    let figures: Vec<Vec<f64>> = seeds.into_par_iter().map(|seed| units.resample(classes, seed)).collect();
    let unit = if predictions.subjects.is_some() { Unit::Subject } else { Unit::Image };
    let method = Bootstrap { level: LEVEL, resamples, seed, unit, units: units.count() };
    let columns: Vec<Option<Interval>> =
        (0..TOTALS + 6 * (2 + classes)).into_par_iter().map(|column| interval(&figures, column)).collect();
    Ok(named(method, &predictions.classes, &columns))
}

/// The intervals by their names, from those of the figures in the order of [`Units::resample`].
fn named(method: Bootstrap, classes: &[String], columns: &[Option<Interval>]) -> Option<Intervals> {
    let group = |number: usize| Measures::from_array(std::array::from_fn(|i| columns[TOTALS + 6 * number + i]));
    Some(Intervals {
        method,
        accuracy: columns[0]?,
        balanced_accuracy: columns[1]?,
        kappa: columns[2],
        top2: columns[3]?,
        log_loss: columns[4]?,
        macro_average: group(0),
        weighted: group(1),
        per_class: classes.iter().enumerate().map(|(class, name)| (name.clone(), group(2 + class))).collect(),
    })
}

impl Units {
    fn new(predictions: &Predictions, predicted: &[usize]) -> Self {
        let outcome = |sample: usize| {
            let (row, label) = (&predictions.probabilities[sample], predictions.labels[sample]);
            let (in_top_two, log_loss) = (in_top_two(row, label), log_loss(row, label));
            Outcome { label, predicted: predicted[sample], in_top_two, log_loss }
        };
        let n = predictions.labels.len();
        let Some(subjects) = &predictions.subjects else {
            return Units { outcomes: (0..n).map(outcome).collect(), starts: (0..=n).collect() };
        };
        let mut by_subject: BTreeMap<&Arc<str>, Vec<Outcome>> = BTreeMap::new();
        for (sample, subject) in subjects.iter().enumerate() {
            by_subject.entry(subject).or_default().push(outcome(sample));
        }
        let mut units = Units { outcomes: Vec::with_capacity(n), starts: vec![0] };
        for outcomes in by_subject.into_values() {
            units.outcomes.extend(outcomes);
            units.starts.push(units.outcomes.len());
        }
        units
    }

    fn count(&self) -> usize {
        self.starts.len() - 1
    }

    /// The figures of as many units as there are, drawn with replacement: totals, macro averages, weighted averages,
    /// and the measures of each class; NaN where one is not defined.
    fn resample(&self, classes: usize, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        let mut tally = Tally::new(classes);
        let (mut n, mut in_top_two, mut log_loss) = (0usize, 0usize, 0.0);
        for _ in 0..self.count() {
            let unit = random.below(self.count());
            for outcome in &self.outcomes[self.starts[unit]..self.starts[unit + 1]] {
                tally.add(outcome.label, outcome.predicted);
                n += 1;
                in_top_two += usize::from(outcome.in_top_two);
                log_loss += outcome.log_loss;
            }
        }
        let per_class = tally.per_class();
        let macro_average = tally.macro_average(&per_class);
        let mean = |sum: f64| Some(sum / n as f64);
        let totals = [tally.accuracy(), macro_average.recall, tally.kappa(), mean(in_top_two as f64), mean(log_loss)];
        let groups = [macro_average, tally.weighted(&per_class)].into_iter().chain(per_class);
        totals.into_iter().chain(groups.flat_map(Measures::into_array)).map(|v| v.unwrap_or(f64::NAN)).collect()
    }
}

/// The interval of a figure over the resamples in which it is defined; none if there are none.
fn interval(figures: &[Vec<f64>], column: usize) -> Option<Interval> {
    let mut values: Vec<f64> = figures.iter().map(|row| row[column]).filter(|value| !value.is_nan()).collect();
    values.sort_unstable_by(f64::total_cmp);
    let tail = (1.0 - LEVEL) / 2.0;
    Some([quantile(&values, tail)?, quantile(&values, 1.0 - tail)?])
}

/// A quantile of sorted values, between two of them in proportion.
fn quantile(sorted: &[f64], q: f64) -> Option<f64> {
    let position = q * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[position.floor() as usize], sorted[position.ceil() as usize]);
    Some(below + (above - below) * position.fract())
}
