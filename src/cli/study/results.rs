//! The figures of a study as files.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::Value;
use vultus::Error;
use vultus::baseline::Faces;
use vultus::data::Dataset;
use vultus::file;
use vultus::metrics::{Evaluation, PairedTest};
use vultus::train::Epoch;

use super::outcome::{Choice, Outcome};
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
    /// Against the best method, which has none.
    pub against_best: Option<&'a PairedTest>,
    pub evaluation: &'a Evaluation,
}

/// Removes the files that an older study has left in this folder, by what its results say.
pub fn remove_old(folder: &Path) -> Result<(), Failure> {
    let old = folder.join("results.json");
    let Ok(text) = fs::read_to_string(&old) else { return Ok(()) };
    let methods = serde_json::from_str::<Value>(&text).ok().and_then(|mut old| match old["methods"].take() {
        Value::Array(methods) => Some(methods),
        _ => None,
    });
    let Some(methods) = methods else { return Ok(()) };
    // Only names of methods: a file that was made by something else names nothing that is not the study's.
    let known = |name: &&str| Choice::from_str(name, false).is_ok();
    let names = methods.iter().filter_map(|method| method["name"].as_str()).filter(known);
    let files = names.flat_map(|name| [format!("{name}.csv"), format!("{name}-epochs.csv")]);
    for file in files.chain(["report.html", "split.json", "results.json"].map(str::to_owned)) {
        let path = folder.join(file);
        match fs::remove_file(&path) {
            Err(source) if source.kind() != ErrorKind::NotFound => return Err(Error::Io { path, source }.into()),
            _ => {}
        }
    }
    Ok(())
}

impl<'a> Results<'a> {
    #[expect(clippy::too_many_arguments, reason = "each is another part of the results")]
    pub fn new(
        arguments: &Arguments,
        data: &'a Dataset,
        protocol: Protocol,
        trials: &[Trial],
        device: String,
        faces: &Faces,
        outcomes: &'a [(Outcome, Evaluation)],
        paired: &'a [Option<PairedTest>],
    ) -> Self {
        let found = |((outcome, evaluation), test): (&'a (Outcome, Evaluation), &'a Option<PairedTest>)| Found {
            name: &outcome.name,
            seconds: outcome.seconds,
            milliseconds: outcome.milliseconds,
            parameters: outcome.parameters,
            settings: outcome.settings.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            epochs: &outcome.epochs,
            against_best: test.as_ref(),
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
            methods: outcomes.iter().zip(paired).map(found).collect(),
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
