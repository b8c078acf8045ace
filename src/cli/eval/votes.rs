//! Predictions beside what several people said of the same pictures.

use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;
use vultus::Error;
use vultus::data::Votes;
use vultus::metrics::{Evaluation, Interval, Predictions};

/// Which pictures have a majority.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Rule {
    /// Where more than half of all votes are for one class
    Half,
    /// FER+'s own: the same, once classes that a single person voted for are left out
    Ferplus,
}

impl Rule {
    fn majority(self, votes: &Votes) -> Option<usize> {
        match self {
            Rule::Half => votes.majority(),
            Rule::Ferplus => votes.without_outliers().majority(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Rule::Half => "more than half of all votes",
            Rule::Ferplus => "FER+",
        }
    }
}

/// How predictions agree with votes, beside the figures by the majority's labels.
#[derive(Serialize)]
pub struct Agreement {
    /// The table of votes, as it was named.
    pub table: String,
    /// The rule of the majority.
    pub rule: &'static str,
    /// Pictures that people have voted on.
    pub voted: usize,
    /// Those of them that have a majority: what all other figures are about.
    pub judged: usize,
    /// The mean over all pictures with votes for a class of −Σ q ln p, for the share q of each class in the votes and its
    /// probability p.
    pub log_loss: f64,
    /// The least that it can be: the mean entropy of the votes.
    pub entropy: f64,
    /// By the data set's own labels, over all pictures.
    pub own_labels: OwnLabels,
}

/// How good predictions are by the data set's own labels.
#[derive(Serialize)]
pub struct OwnLabels {
    pub n: usize,
    pub accuracy: f64,
    pub interval: Option<Interval>,
}

/// Predictions for the pictures that have a majority, with it as their label.
pub struct Judged {
    pub predictions: Predictions,
    /// Their numbers among all.
    pub indices: Vec<usize>,
    pub agreement: Agreement,
}

/// Takes the majority for the label. `votes` are those on each predicted picture.
pub fn by_majority(
    predictions: Predictions,
    votes: &[Option<Votes>],
    (table, rule): (&Path, Rule),
    (seed, resamples): (u64, usize),
) -> Result<Judged, Error> {
    let own = Evaluation::new(&predictions, seed, resamples)?;
    let (mut log_loss, mut entropy, mut counted) = (0.0, 0.0, 0);
    for (row, votes) in predictions.probabilities.iter().zip(votes) {
        let Some(shares) = votes.as_ref().and_then(Votes::distribution) else { continue };
        log_loss += cross_entropy(&shares, row);
        entropy += cross_entropy(&shares, &shares);
        counted += 1;
    }
    let mean = |sum: f64| sum / f64::from(counted.max(1));
    let majority = |index: usize| votes[index].as_ref().and_then(|votes| rule.majority(votes));
    let judged: Vec<(usize, usize)> = (0..votes.len()).filter_map(|index| Some((index, majority(index)?))).collect();
    let agreement = Agreement {
        table: table.display().to_string(),
        rule: rule.name(),
        voted: votes.iter().flatten().count(),
        judged: judged.len(),
        log_loss: mean(log_loss),
        entropy: mean(entropy),
        own_labels: OwnLabels { n: own.n, accuracy: own.accuracy, interval: own.intervals.map(|i| i.accuracy) },
    };
    Ok(Judged {
        indices: judged.iter().map(|&(index, _)| index).collect(),
        predictions: Predictions {
            labels: judged.iter().map(|&(_, label)| label).collect(),
            probabilities: judged.iter().map(|&(index, _)| predictions.probabilities[index].clone()).collect(),
            subjects: predictions.subjects.map(|all| judged.iter().map(|&(index, _)| all[index].clone()).collect()),
            classes: predictions.classes,
        },
        agreement,
    })
}

/// −Σ q ln p, where a p of 0 counts as f32's smallest.
fn cross_entropy(shares: &[f32], probabilities: &[f32]) -> f64 {
    let term =
        |(&q, &p): (&f32, &f32)| if q > 0.0 { -f64::from(q) * f64::from(p.max(f32::MIN_POSITIVE)).ln() } else { 0.0 };
    shares.iter().zip(probabilities).map(term).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn majorities_are_the_labels_and_the_rest_is_left_out() {
        let votes = |classes: [f32; 3], others| Some(Votes::new(classes.to_vec(), others).unwrap());
        let predictions = Predictions {
            classes: ["happy", "sad", "fear"].map(str::to_owned).to_vec(),
            labels: vec![1, 1, 2, 0],
            probabilities: vec![vec![0.5, 0.25, 0.25], vec![0.2, 0.7, 0.1], vec![0.1, 0.8, 0.1], vec![0.6, 0.2, 0.2]],
            subjects: None,
        };
        let all = [votes([10.0, 0.0, 0.0], 0.0), votes([1.0, 5.0, 4.0], 0.0), None, votes([2.0, 1.0, 1.0], 6.0)];
        let judge = |rule| by_majority(predictions.clone(), &all, (Path::new("votes.csv"), rule), (0, 0)).unwrap();
        let half = judge(Rule::Half);
        assert_eq!((half.indices, half.predictions.labels), (vec![0], vec![0]));
        let Agreement { voted, judged, log_loss, entropy, own_labels, .. } = half.agreement;
        assert_eq!((voted, judged, own_labels.n, own_labels.accuracy), (3, 1, 4, 0.5));
        let second = -(0.1 * 0.2f64.ln() + 0.5 * 0.7f64.ln() + 0.4 * 0.1f64.ln());
        // Rounding of the shares and probabilities to f32.
        assert!((log_loss - (-(0.5f64.ln()) + second) / 2.0).abs() < 1e-6, "{log_loss}");
        assert!(entropy > 0.0 && entropy < log_loss);
        // Without the single vote five of nine are more than half.
        assert_eq!(judge(Rule::Ferplus).indices, [0, 1]);
    }
}
