//! The figures of a study as files.

use std::io::Write as _;
use std::path::Path;

use serde::Serialize;
use vultus::baseline::Faces;
use vultus::data::Dataset;
use vultus::file;
use vultus::metrics::Evaluation;
use vultus::train::Epoch;

use super::outcome::Outcome;
use super::{Arguments, Failure, Protocol, Trial};
use crate::cli::train::progress;

/// `results.json`.
#[derive(Serialize)]
pub struct Results<'a> {
    pub data: String,
    pub classes: &'a [String],
    /// Pictures of each class.
    pub counts: Vec<usize>,
    pub pictures: usize,
    pub subjects: Option<usize>,
    pub unreadable: Vec<String>,
    pub protocol: &'static str,
    /// Pictures trained on and tested, of each split.
    pub splits: Vec<[usize; 2]>,
    pub seed: u64,
    pub device: String,
    pub version: &'static str,
    pub methods: Vec<Found<'a>>,
}

/// A method and what it reached.
#[derive(Serialize)]
pub struct Found<'a> {
    pub name: &'a str,
    pub seconds: f64,
    pub milliseconds: Option<f64>,
    pub parameters: Option<u64>,
    pub settings: Vec<(&'a str, &'a str)>,
    pub epochs: &'a [Epoch],
    pub evaluation: &'a Evaluation,
}

impl<'a> Results<'a> {
    pub fn new(
        arguments: &Arguments,
        data: &'a Dataset,
        protocol: Protocol,
        trials: &[Trial],
        device: String,
        faces: &Faces,
        outcomes: &'a [(Outcome, Evaluation)],
    ) -> Self {
        let found = |(outcome, evaluation): &'a (Outcome, Evaluation)| Found {
            name: &outcome.name,
            seconds: outcome.seconds,
            milliseconds: outcome.milliseconds,
            parameters: outcome.parameters,
            settings: outcome.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            epochs: &outcome.epochs,
            evaluation,
        };
        Results {
            data: arguments.data.display().to_string(),
            classes: &data.classes,
            counts: data.counts(),
            pictures: data.samples.len(),
            subjects: data.subjects(),
            unreadable: faces.unreadable.values().map(ToString::to_string).collect(),
            protocol: protocol.name(),
            splits: trials.iter().map(|trial| [trial.training.len(), trial.test.len()]).collect(),
            seed: arguments.seed,
            device,
            version: env!("CARGO_PKG_VERSION"),
            methods: outcomes.iter().map(found).collect(),
        }
    }

    /// Writes everything but the page.
    pub fn write(&self, folder: &Path, data: &Dataset, outcomes: &[(Outcome, Evaluation)]) -> Result<(), Failure> {
        file::write(&folder.join("results.json"), |out| {
            serde_json::to_writer_pretty(&mut *out, self)?;
            writeln!(out)
        })?;
        let names = data.names();
        for (outcome, _) in outcomes {
            let tested: Vec<&str> = outcome.tested.iter().map(|&index| names[index].as_str()).collect();
            file::write(&folder.join(format!("{}.csv", outcome.name)), |out| {
                outcome.predictions.write_csv(&tested, out)
            })?;
            if !outcome.epochs.is_empty() {
                let log = progress::log(&outcome.epochs);
                file::write(&folder.join(format!("{}-epochs.csv", outcome.name)), |out| out.write_all(log.as_bytes()))?;
            }
        }
        Ok(())
    }
}
