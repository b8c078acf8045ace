//! What a network answers, and how good that is.

use serde::{Deserialize, Serialize};

use super::Examples;
use super::stream::{Pass, Stream};
use crate::engine::{Device, Model, Options, Plan};
use crate::error::Result;
use crate::metrics::{Tally, most_probable};
use crate::nn::Network;
use crate::tensor::Parameters;

/// Probabilities for each class, by the number of the example.
///
/// ```
/// use vultus::train::Answers;
///
/// // The second example could not be read.
/// let answers: Answers = vec![(0, vec![0.8, 0.2]), (2, vec![0.4, 0.6])];
/// let labels = [0, 0, 0];
/// let right = answers.iter().filter(|(index, row)| row.iter().all(|&other| other <= row[labels[*index]]));
/// assert_eq!(right.count(), 1);
/// ```
pub type Answers = Vec<(usize, Vec<f32>)>;

/// How well examples were told apart.
///
/// ```
/// use vultus::train::Judgement;
///
/// // 90 of 100 pictures are of one class, and everything is taken for it.
/// let lazy = Judgement { loss: 0.4, accuracy: 0.9, macro_recall: 0.5 };
/// assert!(lazy.macro_recall < lazy.accuracy);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The mean negative logarithm of the true class's probability.
    pub loss: f64,
    /// The share of right answers, 0 to 1.
    pub accuracy: f64,
    /// The mean over the classes that are there of the share of their examples that were found.
    pub macro_recall: f64,
}

impl Judgement {
    pub(super) fn of(answers: &Answers, labels: &[usize]) -> Self {
        let classes = answers.first().map_or(0, |(_, scores)| scores.len());
        let (mut tally, mut loss) = (Tally::new(classes), 0.0);
        for (index, scores) in answers {
            let label = labels[*index];
            tally.add(label, most_probable(scores));
            loss -= f64::from(scores[label].max(f32::MIN_POSITIVE)).ln();
        }
        let recall = tally.macro_average(&tally.per_class()).recall;
        Judgement {
            loss: loss / answers.len() as f64,
            accuracy: tally.accuracy().unwrap_or_default(),
            macro_recall: recall.unwrap_or_default(),
        }
    }
}

/// A network that answers, beside the one that is trained: its parameters are set when it is to be judged.
pub(super) struct Judge {
    model: Model,
    plan: Plan,
    batch: usize,
}

impl Judge {
    pub fn new(device: &Device, network: &Network, parameters: &Parameters, batch: usize) -> Result<Self> {
        let model = device.load(network, parameters)?;
        let plan = model.compile(batch, &Options::default())?;
        Ok(Judge { model, plan, batch })
    }

    /// Takes these parameters over; the others stay as they are.
    pub fn set_parameters(&self, parameters: &Parameters) -> Result<()> {
        let mut all = self.model.parameters()?;
        all.extend(parameters.clone());
        self.model.set_parameters(&all)
    }

    /// The probabilities for these examples, as far as they can be read.
    pub fn answers(&mut self, stream: &mut Stream, examples: &dyn Examples, order: &[usize]) -> Result<Answers> {
        let pass = Pass { examples, order, size: self.batch, seed: None };
        let mut answers = Vec::with_capacity(order.len());
        stream.run(pass, |batch| {
            let scores = self.plan.run(&batch.input)?.swap_remove(0);
            let classes = scores.len() / self.batch;
            let rows = batch.examples.iter().zip(scores.data().chunks_exact(classes));
            answers.extend(rows.filter_map(|(example, row)| Some(((*example)?, row.to_vec()))));
            Ok(())
        })?;
        Ok(answers)
    }
}
