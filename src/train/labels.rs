//! What a training takes as the truth about each picture: its label, or what people voted.

use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Sample};
use crate::error::{Error, Result};
use crate::metrics::most_probable;

/// What is taken as the truth where people have voted on pictures.
///
/// ```
/// use vultus::train::Truth;
///
/// assert_eq!(Truth::default(), Truth::Own);
/// assert_ne!(Truth::Votes { own: 0.3 }, Truth::Votes { own: 0.0 });
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Truth {
    /// The data set's own label.
    #[default]
    Own,
    /// The class that more than half of the votes are for, once single votes are left out. Pictures without one are not
    /// trained on.
    Majority,
    /// The share of each class in the votes, once single votes are left out. Pictures in which most voters see no class
    /// are not trained on.
    Votes {
        /// How much of it the data set's own label takes, 0 to 1, where at least one person voted for it. It keeps up
        /// classes that majorities drown.
        own: f32,
    },
}

/// What is to be learned of each picture of a data set.
///
/// ```
/// use vultus::data::Dataset;
/// use vultus::train::{Labels, Truth};
///
/// # let folder = tempfile::tempdir()?;
/// # let [list, votes] = ["faces.csv", "votes.csv"].map(|name| folder.path().join(name));
/// # std::fs::write(&list, "path,label\na.png,happy\nb.png,sad\nc.png,sad\n")?;
/// # std::fs::write(&votes, "file,happy,sad,unknown\na.png,8,2,0\nb.png,5,5,0\nc.png,1,2,7\n")?;
/// let faces = Dataset::open(&list)?.with_votes(&votes)?;
/// let labels = Labels::of(&faces, Truth::Votes { own: 0.5 })?;
/// assert_eq!(labels.probabilities(0), Some(&[0.9, 0.1][..]));
/// // The second has no majority to judge by, of the third most people say that it shows no class.
/// let judged: Vec<usize> = (0..3).filter(|&index| labels.majority(index).is_some()).collect();
/// let learned: Vec<usize> = (0..3).filter(|&index| labels.is_known(index)).collect();
/// assert_eq!((judged, learned), (vec![0], vec![0, 1]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Labels {
    width: usize,
    /// The most probable class of each picture.
    classes: Vec<usize>,
    /// A row for each picture; empty where classes say all.
    probabilities: Vec<f32>,
    majorities: Vec<Option<usize>>,
    known: Vec<bool>,
}

impl Labels {
    /// The data set's own labels.
    pub fn own(data: &Dataset) -> Self {
        let classes = data.labels();
        let majorities = classes.iter().copied().map(Some).collect();
        let known = vec![true; classes.len()];
        Labels { width: data.classes.len(), classes, probabilities: Vec::new(), majorities, known }
    }

    /// The labels of this kind. Pictures without votes keep their own.
    ///
    /// # Errors
    /// [`Error::Data`] if votes are asked for and no picture has any; [`Error::InvalidArgument`] if a share is none.
    pub fn of(data: &Dataset, truth: Truth) -> Result<Self> {
        let mut labels = Self::own(data);
        if truth == Truth::Own {
            return Ok(labels);
        }
        if data.samples.iter().all(|sample| sample.votes.is_none()) {
            return Err(Error::data(&data.path, "nobody has voted on its pictures"));
        }
        if let Truth::Votes { own } = truth
            && !(0.0..=1.0).contains(&own)
        {
            return Err(Error::invalid("labels", format!("{own} is no share of a label: it is within 0 and 1")));
        }
        for (index, sample) in data.samples.iter().enumerate() {
            let distribution = distribution(sample, data.classes.len(), truth);
            labels.known[index] = distribution.is_some();
            if let Some(votes) = &sample.votes {
                labels.majorities[index] = votes.majority();
            }
            let row = distribution.unwrap_or_else(|| one_hot(sample.label, data.classes.len()));
            labels.classes[index] = most_probable(&row);
            if matches!(truth, Truth::Votes { .. }) {
                labels.probabilities.extend(row);
            }
        }
        Ok(labels)
    }

    /// The most probable class of each picture.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// The probability of each class for a picture; `None` where its class says all.
    pub fn probabilities(&self, index: usize) -> Option<&[f32]> {
        self.probabilities.get(index * self.width..(index + 1) * self.width)
    }

    /// All probabilities, a row for each picture.
    pub(super) fn rows(&self) -> Option<&[f32]> {
        Some(self.probabilities.as_slice()).filter(|rows| !rows.is_empty())
    }

    /// The class by which answers are judged: the one that more than half of all voters saw, or the picture's own label
    /// where nobody voted.
    pub fn majority(&self, index: usize) -> Option<usize> {
        self.majorities[index]
    }

    /// Whether there is something to learn of a picture.
    pub fn is_known(&self, index: usize) -> bool {
        self.known[index]
    }
}

/// The probability of each class for a sample, if it is known.
fn distribution(sample: &Sample, classes: usize, truth: Truth) -> Option<Vec<f32>> {
    let Some(votes) = &sample.votes else { return Some(one_hot(sample.label, classes)) };
    let kept = votes.without_outliers();
    match truth {
        Truth::Own => Some(one_hot(sample.label, classes)),
        Truth::Majority => kept.majority().map(|class| one_hot(class, classes)),
        Truth::Votes { own } => {
            let mut row = kept.distribution()?;
            if votes.for_classes()[sample.label] > 0.0 {
                row.iter_mut().for_each(|share| *share *= 1.0 - own);
                row[sample.label] += own;
            }
            Some(row)
        }
    }
}

fn one_hot(label: usize, classes: usize) -> Vec<f32> {
    (0..classes).map(|class| if class == label { 1.0 } else { 0.0 }).collect()
}
