//! Predictions and the truth beside them.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::sync::Arc;

use super::row::most_probable;
use crate::csv::quoted;
use crate::error::{Error, Result};

/// How far the sum of a sample's probabilities may be from 1: a softmax computed in f16 stays within.
const SUM_TOLERANCE: f64 = 1e-2;

/// What was predicted for samples whose classes are known.
///
/// ```
/// use vultus::metrics::Predictions;
///
/// let mut predictions = Predictions::new(["happy", "sad", "fear"].map(str::to_owned).into());
/// predictions.labels = vec![0, 1];
/// predictions.probabilities = vec![vec![0.3, 0.2, 0.5], vec![0.1, 0.8, 0.1]];
/// assert_eq!(predictions.predicted(), [2, 1]);
/// // If it had to be one of these two, both answers would be right.
/// let forced = predictions.restrict(&["happy", "sad"])?;
/// assert_eq!(forced.predicted(), forced.labels);
/// let mut list = Vec::new();
/// predictions.write_csv(&["a.png", "b.png"], &mut list)?;
/// assert!(list.starts_with(b"name,true,predicted,happy,sad,fear\na.png,happy,fear,0.3,0.2,0.5\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Predictions {
    /// The names of the classes, at least two, all different.
    pub classes: Vec<String>,
    /// The number of each sample's true class.
    pub labels: Vec<usize>,
    /// For each sample the probability of every class, 0 to 1, with a sum of 1.
    pub probabilities: Vec<Vec<f32>>,
    /// Who each sample shows, where that is known.
    pub subjects: Option<Vec<Arc<str>>>,
}

impl Predictions {
    /// No predictions yet, of unknown subjects.
    pub fn new(classes: Vec<String>) -> Self {
        Predictions { classes, labels: Vec::new(), probabilities: Vec::new(), subjects: None }
    }

    /// The number of the class that is predicted for each sample: the most probable one, the first of equals.
    pub fn predicted(&self) -> Vec<usize> {
        self.probabilities.iter().map(|row| most_probable(row)).collect()
    }

    /// Whether this can be evaluated.
    ///
    /// # Errors
    /// [`Error::Predictions`] if there are none, there are fewer than two classes or two of one name, the lists differ
    /// in length, a label is no class, or a sample's probabilities are not finite, not within 0 and 1, or their sum is
    /// not 1 within 0.01.
    pub fn check(&self) -> Result<()> {
        self.check_classes()?;
        let n = self.labels.len();
        if n == 0 {
            return refuse("there are none to evaluate");
        }
        if self.probabilities.len() != n {
            return refuse(format!("{n} labels, but probabilities of {} samples", self.probabilities.len()));
        }
        if let Some(subjects) = self.subjects.as_ref().filter(|subjects| subjects.len() != n) {
            return refuse(format!("{n} labels, but subjects of {} samples", subjects.len()));
        }
        for (sample, (row, &label)) in self.probabilities.iter().zip(&self.labels).enumerate() {
            check_sample(row, label, self.classes.len())
                .or_else(|reason| refuse(format!("sample {sample} (from 0) {reason}")))?;
        }
        Ok(())
    }

    fn check_classes(&self) -> Result<()> {
        if self.classes.len() < 2 {
            return refuse(format!("{} classes, at least 2 are needed", self.classes.len()));
        }
        let mut seen = BTreeSet::new();
        match self.classes.iter().find(|class| !seen.insert(class.as_str())) {
            Some(class) => refuse(format!("two classes have the name {class:?}")),
            None => Ok(()),
        }
    }

    /// Appends the predictions for other samples, such as those of another fold.
    ///
    /// ```
    /// use vultus::metrics::Predictions;
    ///
    /// let fold = |label, row: [f32; 2]| Predictions {
    ///     labels: vec![label],
    ///     probabilities: vec![row.to_vec()],
    ///     ..Predictions::new(["happy", "sad"].map(str::to_owned).into())
    /// };
    /// let mut all = fold(0, [0.9, 0.1]);
    /// all.extend(fold(1, [0.6, 0.4]))?;
    /// assert_eq!((all.labels, all.probabilities.len()), (vec![0, 1], 2));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Predictions`] if their classes are not the same in the same order, or subjects are known of one part
    /// only.
    pub fn extend(&mut self, other: Predictions) -> Result<()> {
        if self.classes != other.classes {
            let (ours, theirs) = (self.classes.join(", "), other.classes.join(", "));
            return refuse(format!("cannot be merged: their classes are {ours} and {theirs}"));
        }
        match (&mut self.subjects, other.subjects) {
            (Some(subjects), Some(more)) => subjects.extend(more),
            (None, None) => {}
            (ours, theirs) if self.labels.is_empty() => *ours = theirs,
            (_, _) if other.labels.is_empty() => {}
            _ => return refuse("cannot be merged: subjects are known of one part only"),
        }
        self.labels.extend(other.labels);
        self.probabilities.extend(other.probabilities);
        Ok(())
    }

    /// The forced choice among some of the classes, in the order in which they are given: samples of other classes are
    /// left out, and the probabilities of the others are divided by their sum. Where all of them are 0, all become
    /// equal.
    ///
    /// # Errors
    /// As [`Predictions::check`]; [`Error::Predictions`] if fewer than two classes are given, one is given twice or is
    /// not known, or no sample remains.
    pub fn restrict(&self, classes: &[impl AsRef<str>]) -> Result<Predictions> {
        self.check()?;
        let number = |name: &str| {
            let known = || format!("have no class {name:?} but {}", self.classes.join(", "));
            self.classes.iter().position(|class| class == name).map_or_else(|| refuse(known()), Ok)
        };
        let kept: Vec<usize> = classes.iter().map(|class| number(class.as_ref())).collect::<Result<_>>()?;
        let names = kept.iter().map(|&class| self.classes[class].clone()).collect();
        let mut restricted = Predictions { subjects: self.subjects.as_ref().map(|_| Vec::new()), ..Self::new(names) };
        let equal = 1.0 / kept.len() as f32;
        for (sample, (row, label)) in self.probabilities.iter().zip(&self.labels).enumerate() {
            let Some(label) = kept.iter().position(|class| class == label) else { continue };
            restricted.labels.push(label);
            let values = kept.iter().map(|&class| f64::from(row[class])).collect();
            restricted.probabilities.push(shares(values, |_| equal));
            if let (Some(to), Some(from)) = (&mut restricted.subjects, &self.subjects) {
                to.push(from[sample].clone());
            }
        }
        restricted.check()?;
        Ok(restricted)
    }

    /// What would be predicted where classes are as frequent as the second numbers say, by a model that expects them to be as
    /// frequent as the first: each probability is multiplied by the ratio of the two, and those of a sample are divided by
    /// their sum (Saerens, Latinne, Decaestecker, "Adjusting the outputs of a classifier to new a priori probabilities",
    /// Neural Computation 14, 2002, equation 2.4).
    ///
    /// ```
    /// use vultus::metrics::Predictions;
    ///
    /// let mut predictions = Predictions::new(["neutral", "disgust"].map(str::to_owned).into());
    /// (predictions.labels, predictions.probabilities) = (vec![1], vec![vec![0.75, 0.25]]);
    /// // Of everyday pictures one in ten shows disgust, of these every other.
    /// let posed = predictions.with_priors(&[0.9, 0.1], &[0.5, 0.5])?;
    /// assert_eq!((predictions.predicted(), posed.predicted()), (vec![0], vec![1]));
    /// assert!((posed.probabilities[0][1] - 0.75).abs() < 1e-6);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Predictions::check`]; [`Error::Predictions`] if there is not a number for each class that is above 0 (0 or above
    /// for the second), or their sum is not 1 within 0.01.
    pub fn with_priors(&self, learned: &[f32], priors: &[f32]) -> Result<Predictions> {
        self.check()?;
        for (frequencies, least) in [(learned, f32::MIN_POSITIVE), (priors, 0.0)] {
            check_priors(frequencies, self.classes.len(), least)
                .or_else(|reason| refuse(format!("get priors of which {reason}")))?;
        }
        let ratios: Vec<f64> = learned.iter().zip(priors).map(|(&old, &new)| f64::from(new) / f64::from(old)).collect();
        let expecting = |row: &Vec<f32>| {
            let scaled = row.iter().zip(&ratios).map(|(&value, ratio)| f64::from(value) * ratio);
            shares(scaled.collect(), |class| priors[class])
        };
        Ok(Predictions { probabilities: self.probabilities.iter().map(expecting).collect(), ..self.clone() })
    }

    /// Writes comma-separated values (RFC 4180): a header, then for each sample its name, its true class, the predicted
    /// one, and the probability of every class, rounded to f32's shortest decimal form.
    ///
    /// # Errors
    /// [`io::ErrorKind::InvalidInput`] if there are not as many names as samples; what the writer says.
    pub fn write_csv(&self, names: &[impl AsRef<str>], out: &mut impl Write) -> io::Result<()> {
        if [names.len(), self.probabilities.len()] != [self.labels.len(); 2] {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "names, labels and probabilities differ in number",
            ));
        }
        let classes: String = self.classes.iter().map(|class| format!(",{}", quoted(class))).collect();
        writeln!(out, "name,true,predicted{classes}")?;
        for ((name, row), &label) in names.iter().zip(&self.probabilities).zip(&self.labels) {
            let class = |number: usize| quoted(self.classes.get(number).map_or("", String::as_str));
            write!(out, "{},{},{}", quoted(name.as_ref()), class(label), class(most_probable(row)))?;
            row.iter().try_for_each(|probability| write!(out, ",{probability}"))?;
            writeln!(out)?;
        }
        Ok(())
    }
}

/// What is wrong with numbers of how frequent so many classes are.
pub(crate) fn check_priors(priors: &[f32], classes: usize, least: f32) -> std::result::Result<(), String> {
    if priors.len() != classes {
        return Err(format!("there are {}, for {classes} classes", priors.len()));
    }
    if let Some(value) = priors.iter().find(|value| !(least..=1.0).contains(*value)) {
        return Err(format!("one is {value}, which is no share of the pictures"));
    }
    let sum: f64 = priors.iter().copied().map(f64::from).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(format!("the sum is {sum}, not 1"));
    }
    Ok(())
}

/// What is wrong with a sample.
fn check_sample(row: &[f32], label: usize, classes: usize) -> std::result::Result<(), String> {
    if label >= classes {
        return Err(format!("has the label {label}, but there are {classes} classes (from 0)"));
    }
    if row.len() != classes {
        return Err(format!("has {} probabilities for {classes} classes", row.len()));
    }
    if let Some(value) = row.iter().find(|value| !(0.0..=1.0).contains(*value)) {
        return Err(format!("has the probability {value}, which is not within 0 and 1"));
    }
    let sum: f64 = row.iter().copied().map(f64::from).sum();
    if (sum - 1.0).abs() > SUM_TOLERANCE {
        return Err(format!("has probabilities whose sum is {sum}, not 1"));
    }
    Ok(())
}

/// Values divided by their sum; where all are 0, what `otherwise` gives for each place.
fn shares(values: Vec<f64>, otherwise: impl Fn(usize) -> f32) -> Vec<f32> {
    let sum: f64 = values.iter().sum();
    let share = |(place, value)| if sum > 0.0 { (value / sum) as f32 } else { otherwise(place) };
    values.into_iter().enumerate().map(share).collect()
}

fn refuse<T>(reason: impl Into<String>) -> Result<T> {
    Err(Error::Predictions { reason: reason.into() })
}
