//! What an evaluation gives: figures, and on what they were measured.

use std::collections::BTreeMap;

use serde::Serialize;
use vultus::face::TestTimeAugmentation;
use vultus::metrics::{Evaluation, Predictions};

use super::priors::Priors;
use super::votes::Agreement;

/// The results of `vultus eval`, as they are written in JSON.
#[derive(Serialize)]
pub struct Results {
    /// All figures; their keys stand beside the others.
    #[serde(flatten)]
    pub evaluation: Evaluation,
    /// The data set's path, as it was named.
    pub data: String,
    /// The part of it: `train`, `validation`, `test` or `all`.
    pub part: &'static str,
    /// The model or its file, as it was named; none for the default one.
    pub model: Option<String>,
    /// Whether images were taken for faces as they are.
    pub faces: bool,
    /// What found the faces: `yunet` or `mtcnn`; none where images were taken for faces.
    pub detector: Option<&'static str>,
    /// `none`, or `flip` if each face was looked at mirrored too.
    pub tta: &'static str,
    /// What the model leaves open; none where it always names a class. All other figures are of the most probable class.
    pub uncertain: Option<Uncertain>,
    /// Whether the choice was among those classes only that the model and the data set both have.
    pub restricted: bool,
    /// How frequent classes were expected to be; none for a model that does not say what it learned.
    pub priors: Option<Priors>,
    /// How people voted, where a table of votes was given.
    pub votes: Option<Agreement>,
    /// Numbers of images of the data set's classes that the model does not have.
    pub left_out: BTreeMap<String, usize>,
    /// The names of the images in which no face was found.
    pub without_face: Vec<String>,
    /// The names of the images that could not be read.
    pub unreadable: Vec<String>,
}

/// What comes of the bound below which a model names no class.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Uncertain {
    /// The bound.
    pub below: f32,
    /// How many answers are uncertain.
    pub n: usize,
    /// Their part of all answers.
    pub share: f64,
    /// The share of correct ones among the other answers; `None` if there are no others.
    pub accuracy_of_others: Option<f64>,
}

impl Uncertain {
    /// Counts the samples for which there was no answer, and the right ones among the others.
    pub fn count(below: f32, answered: &[bool], predictions: &Predictions) -> Self {
        let right = predictions.predicted().into_iter().zip(&predictions.labels).map(|(found, &label)| found == label);
        let others = answered.iter().filter(|&&answered| answered).count();
        let right = right.zip(answered).filter(|&(right, &answered)| right && answered).count();
        let n = answered.len() - others;
        let part = |count: usize, of: usize| count as f64 / of as f64;
        let accuracy_of_others = (others > 0).then(|| part(right, others));
        Uncertain { below, n, share: part(n, answered.len().max(1)), accuracy_of_others }
    }
}

/// The name of a way to look at faces.
pub fn tta_name(tta: TestTimeAugmentation) -> &'static str {
    match tta {
        TestTimeAugmentation::None => "none",
        TestTimeAugmentation::Flip => "flip",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn right_answers_are_counted_among_those_that_were_given() {
        let predictions = Predictions {
            labels: vec![0, 0, 1, 1],
            probabilities: [[0.9, 0.1], [0.4, 0.6], [0.45, 0.55], [0.7, 0.3]].map(Vec::from).into(),
            ..Predictions::new(["calm", "wild"].map(str::to_owned).into())
        };
        let found = Uncertain::count(0.65, &[true, false, false, true], &predictions);
        assert_eq!(found, Uncertain { below: 0.65, n: 2, share: 0.5, accuracy_of_others: Some(0.5) });
        let found = Uncertain::count(0.95, &[false; 4], &predictions);
        assert_eq!(found, Uncertain { below: 0.95, n: 4, share: 1.0, accuracy_of_others: None });
    }
}
