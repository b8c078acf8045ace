//! How frequent classes are expected to be.

use clap::ValueEnum;
use serde::Serialize;
use vultus::Error;
use vultus::face::ModelCard;
use vultus::metrics::Predictions;

use crate::cli::failure::Failure;

/// A choice among classes that are less of what the model expects than this is about other pictures than those that it
/// learned from.
const NEARLY_ALL: f32 = 0.9;

/// How frequent classes are expected to be.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum Expectation {
    /// As frequent as the model learned
    Learned,
    /// Each as frequent as the others
    Equal,
}

/// What expecting classes to be so frequent makes of the answers.
#[derive(Serialize)]
pub struct Priors {
    /// `learned` or `equal`: by which all other figures are.
    pub taken: &'static str,
    /// The share of right answers by what the model learned.
    pub accuracy_learned: f64,
    /// The share of right answers where all classes are expected alike.
    pub accuracy_equal: f64,
}

/// The predictions by what is expected, and what that makes of them; as they are for a model that does not say what it
/// expects.
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
    let [accuracy_learned, accuracy_equal] = [&predictions, &equal].map(accuracy);
    let (predictions, taken) = match expectation {
        Expectation::Learned => (predictions, "learned"),
        Expectation::Equal => (equal, "equal"),
    };
    Ok((predictions, Some(Priors { taken, accuracy_learned, accuracy_equal })))
}

fn equally(predictions: &Predictions, learned: &[f32]) -> Result<Predictions, Error> {
    let all: f32 = learned.iter().sum();
    let learned: Vec<f32> = learned.iter().map(|prior| prior / all).collect();
    predictions.with_priors(&learned, &vec![1.0 / learned.len() as f32; learned.len()])
}

fn accuracy(predictions: &Predictions) -> f64 {
    let right = predictions.predicted().iter().zip(&predictions.labels).filter(|(found, label)| found == label).count();
    right as f64 / predictions.labels.len() as f64
}
