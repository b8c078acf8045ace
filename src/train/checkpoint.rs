//! The state of a training after an epoch, in a file that a later process can go on from.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Epoch;
use crate::error::{Error, Result};
use crate::tensor::Parameters;
use crate::weights::safetensors::{self, Precision};

/// The key of the file's metadata.
const KEY: &str = "checkpoint";

/// Everything that the rest of a training depends on besides its settings, network and pictures.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Checkpoint {
    pub progress: Progress,
    /// The parameters that are trained.
    pub parameters: Parameters,
    /// The optimiser's memory.
    pub optimizer: Parameters,
    /// The parameters after the best epoch.
    pub best: Parameters,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Progress {
    /// What the training is: its settings, network, pictures and device.
    pub identity: String,
    /// Steps of the optimiser that were taken.
    pub steps: u32,
    /// The epochs that are done.
    pub epochs: Vec<Epoch>,
    /// Pictures that could not be read, by number.
    pub unreadable: BTreeMap<usize, String>,
}

/// The three sets of tensors, by what their names begin with in the file.
const SETS: [&str; 3] = ["parameter/", "optimizer/", "best/"];

impl Checkpoint {
    /// # Errors
    /// [`Error::Io`] if the file cannot be written; an older one is then still there.
    pub fn write(self, file: &Path) -> Result<()> {
        let progress = serde_json::to_string(&self.progress).map_err(|error| wrong(file, error.to_string()))?;
        let mut tensors = Parameters::new();
        for (prefix, set) in SETS.into_iter().zip([self.parameters, self.optimizer, self.best]) {
            tensors.extend(set.into_iter().map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
        }
        safetensors::write(file, &tensors, &BTreeMap::from([(KEY.to_owned(), progress)]), Precision::F32)
    }

    /// # Errors
    /// [`Error::Io`] or [`Error::Weights`] if this is not a checkpoint of the training of this identity.
    pub fn read(file: &Path, identity: &str) -> Result<Self> {
        let contents = safetensors::read(file)?;
        let Some(text) = contents.metadata.get(KEY) else {
            return Err(wrong(file, "this is no checkpoint of a training"));
        };
        let progress: Progress =
            serde_json::from_str(text).map_err(|error| wrong(file, format!("its state cannot be read: {error}")))?;
        if progress.identity != identity {
            let reason = "it belongs to a training with other settings, pictures, start or device";
            return Err(wrong(file, format!("{reason}; go on with those, or remove it to start anew")));
        }
        let mut sets: [Parameters; 3] = Default::default();
        for (name, tensor) in contents.parameters {
            let found = SETS.iter().zip(&mut sets).find_map(|(prefix, set)| Some((name.strip_prefix(prefix)?, set)));
            let Some((name, set)) = found else {
                return Err(wrong(file, format!("the tensor {name} belongs to no checkpoint")));
            };
            set.insert(name.to_owned(), tensor);
        }
        let [parameters, optimizer, best] = sets;
        Ok(Checkpoint { progress, parameters, optimizer, best })
    }
}

fn wrong(file: &Path, reason: impl Into<String>) -> Error {
    Error::weights(file, None, reason)
}
