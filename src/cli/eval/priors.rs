//! How frequent classes are expected to be.

use clap::ValueEnum;
use serde::Serialize;
use vultus::Error;
use vultus::face::ModelCard;
use vultus::metrics::{Evaluation, Predictions};

use crate::cli::failure::Failure;

/// A choice among classes that are less of what the model expects than this is about other pictures than those that it
/// learned from.
const NEARLY_ALL: f32 = 0.9;

/// How frequent classes are expected to be.
#[derive(Clone, Copy, PartialEq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Expectation {
    /// As frequent as the model learned
    Learned,
    /// Each as frequent as the others
    Equal,
}

/// What expecting classes to be so frequent makes of the answers.
#[derive(Serialize)]
pub struct Priors {
    /// By which all other figures are.
    pub taken: Expectation,
    /// The share of right answers by what the model learned.
    pub accuracy_learned: f64,
    /// The share of right answers where all classes are expected alike.
    pub accuracy_equal: f64,
}

/// The predictions adjusted to what is expected, and what that makes of them; unchanged for a model that does not say what
/// it expects.
pub fn expecting(
    predictions: Predictions,
    card: &ModelCard,
    wanted: Option<Expectation>,
    is_restricted: bool,
) -> Result<(Predictions, Option<Priors>), Failure> {
    let Some(priors) = &card.priors else {
        return match wanted {
            Some(Expectation::Equal) => Err(Failure::Usage(
                "--priors equal: the model does not say how frequent it expects classes to be".into(),
            )),
            _ => Ok((predictions, None)),
        };
    };
    let of = |class: &String| card.classes.iter().zip(priors).find(|(name, _)| *name == class).map(|(_, &prior)| prior);
    let learned: Vec<f32> = predictions.classes.iter().filter_map(of).collect();
    let expectation = wanted.unwrap_or(match is_restricted && learned.iter().sum::<f32>() < NEARLY_ALL {
        true => Expectation::Equal,
        false => Expectation::Learned,
    });
    let equal = equally(&predictions, &learned)?;
    let accuracy = |predictions| Evaluation::new(predictions, 0, 0).map(|evaluation| evaluation.accuracy);
    let (accuracy_learned, accuracy_equal) = (accuracy(&predictions)?, accuracy(&equal)?);
    let priors = Priors { taken: expectation, accuracy_learned, accuracy_equal };
    Ok((if expectation == Expectation::Equal { equal } else { predictions }, Some(priors)))
}

fn equally(predictions: &Predictions, learned: &[f32]) -> Result<Predictions, Error> {
    let all: f32 = learned.iter().sum();
    let learned: Vec<f32> = learned.iter().map(|prior| prior / all).collect();
    predictions.with_priors(&learned, &vec![1.0 / learned.len() as f32; learned.len()])
}
