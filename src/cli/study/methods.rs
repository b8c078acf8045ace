//! How a method is tried on all splits.

use std::time::Instant;

use vultus::baseline::{self, Faces, Method, Selection, Settings};
use vultus::metrics::Predictions;

use super::networks::Networks;
use super::outcome::{Choice, Outcome};
use super::{Failure, Global, Trial};

/// Tries a method on every split.
pub fn run(
    choice: Choice,
    networks: &Networks,
    faces: &Faces,
    trials: &[Trial],
    global: &Global,
) -> Result<Outcome, Failure> {
    let begin = Instant::now();
    let mut outcome = Outcome {
        choice,
        name: choice.name(),
        predictions: Predictions::new(networks.data.classes.clone()),
        tested: Vec::new(),
        seconds: 0.0,
        milliseconds: None,
        parameters: None,
        epochs: Vec::new(),
        settings: Vec::new(),
        model: None,
    };
    for (number, trial) in trials.iter().enumerate() {
        if trials.len() > 1 {
            global.note(&format!("{}: fold {} of {}", outcome.name, number + 1, trials.len()));
        }
        match choice.older() {
            Some(method) => older(&mut outcome, method, networks, faces, trial)?,
            None => networks.try_on(&mut outcome, trial, number as u64)?,
        }
    }
    outcome.seconds = begin.elapsed().as_secs_f64();
    Ok(outcome)
}

fn older(
    outcome: &mut Outcome,
    method: Method,
    networks: &Networks,
    faces: &Faces,
    trial: &Trial,
) -> Result<(), Failure> {
    let settings = Settings { side: networks.side() as u32, seed: networks.seed(), ..Settings::default() };
    let [training, test] = [&trial.training, &trial.test].map(|indices| Selection { faces, indices });
    let answered = baseline::evaluate(method, training, test, &settings)?;
    if outcome.settings.is_empty() {
        let summary = &answered.summary;
        outcome.settings = vec![
            ("features of a face".to_owned(), summary.features.to_string()),
            ("C".to_owned(), summary.c.to_string()),
            ("γ".to_owned(), summary.gamma.map_or("-".to_owned(), |gamma| gamma.to_string())),
        ];
    }
    outcome.add(answered.predictions, answered.tested)
}
