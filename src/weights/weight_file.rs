//! What any file of weights gives, whatever its format.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::ops::Normalization;
use crate::tensor::Parameters;

/// The metadata key of what a network expects of its input.
pub(super) const PREPROCESSING: &str = "preprocessing";

/// The contents of a file of weights.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::path::Path;
/// use vultus::nn::Network;
/// use vultus::weights::safetensors::{Precision, from_bytes, to_bytes};
///
/// let network = Network::new("small", [4]).dense("fc1", "fc1", 8).dense("fc2", "fc2", 2);
/// let path = Path::new("small.safetensors");
/// let bytes = to_bytes(path, &network.initialize(1)?, &BTreeMap::new(), Precision::F32)?;
/// let file = from_bytes(path, &bytes)?;
/// file.check_shapes(&network.parameter_shapes()?)?;
/// assert!(file.preprocessing().is_err(), "nobody has said what the network expects");
/// assert!(file.with_prefix("fc2.")?.parameters.keys().eq(["fc2.bias", "fc2.weight"]));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct WeightFile {
    /// Where it was read from, for messages.
    pub path: PathBuf,
    /// Its tensors as f32, all of them finite.
    pub parameters: Parameters,
    /// What it says about itself.
    pub metadata: BTreeMap<String, String>,
    /// The SHA-256 of the whole file in lower-case hexadecimal.
    pub sha256: String,
}

/// What the metadata of a file say of its network's input, if they do.
pub(super) fn declared_preprocessing(
    path: &Path,
    metadata: &BTreeMap<String, String>,
) -> Result<Option<Normalization>> {
    let Some(text) = metadata.get(PREPROCESSING) else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|e| {
        let reason = format!("its metadata key {PREPROCESSING:?} cannot be read ({e}) from {text:?}");
        Error::weights(path, None, reason)
    })
}

impl WeightFile {
    /// Keeps only the tensors whose names start with `prefix`, under their full names. A file of torchvision's VGG16
    /// holds `features.*` and `classifier.*`: `with_prefix("features.")` leaves the convolutional base.
    ///
    /// # Errors
    /// [`Error::Weights`] if there is no such tensor.
    pub fn with_prefix(mut self, prefix: &str) -> Result<Self> {
        self.parameters.retain(|name, _| name.starts_with(prefix));
        if self.parameters.is_empty() {
            return Err(Error::weights(&self.path, None, format!("no tensor's name starts with {prefix:?}")));
        }
        Ok(self)
    }

    /// What a network with these weights expects of its input, by the metadata's key `preprocessing`.
    ///
    /// # Errors
    /// [`Error::Weights`] if the key is missing or cannot be read.
    pub fn preprocessing(&self) -> Result<Normalization> {
        declared_preprocessing(&self.path, &self.metadata)?.ok_or_else(|| {
            let reason = "its metadata do not say what the network expects of its input (key \"preprocessing\"): \
                          `vultus weights convert --preprocess` makes a file that does";
            Error::weights(&self.path, None, reason)
        })
    }

    /// Checks that the file holds exactly these tensors, each a name and a shape.
    ///
    /// # Errors
    /// [`Error::Weights`] that names the first tensor that is missing, or else has another shape, or else is not
    /// wanted, and says how many more there are.
    pub fn check_shapes(&self, expected: &[(String, Vec<usize>)]) -> Result<()> {
        let refuse = |name: &str, reason: String| Err(Error::weights(&self.path, Some(name), reason));
        let wanted: BTreeMap<&str, &[usize]> = expected.iter().map(|(n, s)| (n.as_str(), s.as_slice())).collect();
        let extra: Vec<&str> =
            self.parameters.keys().map(String::as_str).filter(|name| !wanted.contains_key(name)).collect();

        let missing: Vec<&str> = wanted.keys().copied().filter(|name| !self.parameters.contains_key(*name)).collect();
        if let Some((first, others)) = missing.split_first() {
            let hint = nearest(first, &extra).map(|n| format!("; the nearest name in the file is {n}"));
            return refuse(first, format!("missing{}{}", and_more(others.len()), hint.unwrap_or_default()));
        }

        let misshaped: Vec<(&str, &[usize], &[usize])> = (wanted.iter())
            .filter_map(|(&name, &shape)| self.parameters.get(name).map(|tensor| (name, tensor.shape(), shape)))
            .filter(|(_, found, wanted)| found != wanted)
            .collect();
        if let Some(((name, found, wanted), others)) = misshaped.split_first() {
            return refuse(name, format!("its shape is {found:?}, but {wanted:?} is needed{}", and_more(others.len())));
        }

        if let Some((first, others)) = extra.split_first() {
            return refuse(first, format!("the network has no parameter of this name{}", and_more(others.len())));
        }
        Ok(())
    }
}

/// How many more tensors have the same fault, as the end of a clause.
fn and_more(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => " (1 more tensor has this fault)".to_owned(),
        n => format!(" ({n} more tensors have this fault)"),
    }
}

/// The candidate that shares the longest start and end with `name`, if that is at least half of it. This finds both
/// a prefix that was added or dropped (`module.features.0.weight`) and a slip of spelling.
fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let shared = |other: &str| {
        let start = name.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
        let rest = name.len().min(other.len()) - start;
        let end = name.bytes().rev().zip(other.bytes().rev()).take(rest).take_while(|(a, b)| a == b).count();
        start + end
    };
    let best = candidates.iter().copied().max_by_key(|other| shared(other))?;
    (2 * shared(best) >= name.len()).then_some(best)
}
