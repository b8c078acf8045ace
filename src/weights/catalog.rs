//! What is in a file of weights, of any format that can be read.

use std::collections::{BTreeMap, BTreeSet};

use super::entry::{Dtype, Entry, check_finite};
use super::format::Format;
use super::graph_layer::GraphLayer;
use super::safetensors::channels;
use super::source::Source;
use super::weight_file::WeightFile;
use crate::error::{Error, Result};
use crate::parallel::*;
use crate::tensor::Tensor;

/// How much more memory the tensors of a file may need than the file is large. Numbers of half the size or packed need a
/// few times as much; a file that asks for more was made to exhaust memory.
const LARGEST_EXPANSION: u64 = 16;

/// What every file may ask for, however small it is.
const ALWAYS_ALLOWED: u64 = 1 << 20;

/// How many bytes a file may expand to.
pub(super) fn largest(source: &Source) -> u64 {
    source.length().saturating_mul(LARGEST_EXPANSION).saturating_add(ALWAYS_ALLOWED)
}

/// What is in a file of weights: the names, types and shapes of its tensors, whose numbers are read when they are asked
/// for.
///
/// ```
/// use std::collections::BTreeMap;
/// use std::path::Path;
/// use vultus::weights::{Catalog, Format, safetensors};
/// use vultus::{Parameters, Tensor};
///
/// let (path, parameters) = (Path::new("fc"), Parameters::from([("fc.weight".to_owned(), Tensor::zeros([2, 3]))]));
/// let bytes = safetensors::to_bytes(path, &parameters, &BTreeMap::new(), safetensors::Precision::F16)?;
/// let catalog = Catalog::from_bytes(path, &bytes)?;
/// assert_eq!((catalog.format(), catalog.entries().len()), (Format::Safetensors, 1));
/// assert_eq!(catalog.tensor(&catalog.entries()[0])?, Tensor::zeros([2, 3]));
/// assert_eq!(catalog.read()?.parameters, parameters);
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Catalog<'a> {
    source: Source<'a>,
    format: Format,
    entries: Vec<Entry>,
    /// Where in that list each name is.
    places: BTreeMap<String, usize>,
    metadata: BTreeMap<String, String>,
    /// Of a format that has a graph: its layers, or why they cannot be told.
    layers: Option<std::result::Result<Vec<GraphLayer>, String>>,
}

impl<'a> Catalog<'a> {
    /// What a format's reader has found.
    ///
    /// # Errors
    /// [`Error::Weights`] if two tensors have the same name, or if all of them together are far larger than the file.
    pub(super) fn new(
        source: Source<'a>,
        format: Format,
        entries: Vec<Entry>,
        metadata: BTreeMap<String, String>,
    ) -> Result<Self> {
        let (mut places, mut bytes) = (BTreeMap::new(), 0u64);
        for (place, entry) in entries.iter().enumerate() {
            if places.insert(entry.name.clone(), place).is_some() {
                return Err(source.refuse_tensor(&entry.name, "there are two tensors of this name"));
            }
            let size = entry.len().and_then(|length| length.checked_mul(4));
            bytes = bytes.saturating_add(size.map_or(u64::MAX, |size| size as u64));
            if bytes > largest(&source) {
                let (shape, length) = (&entry.shape, source.length());
                let reason =
                    format!("with its shape {shape:?} the tensors are far too large for a file of {length} bytes");
                return Err(source.refuse_tensor(&entry.name, reason));
            }
        }
        Ok(Catalog { source, format, entries, places, metadata, layers: None })
    }

    /// The same with the layers of the file's graph.
    #[cfg(feature = "onnx")]
    pub(super) fn with_layers(self, layers: std::result::Result<Vec<GraphLayer>, String>) -> Self {
        Catalog { layers: Some(layers), ..self }
    }

    /// The format.
    pub fn format(&self) -> Format {
        self.format
    }

    /// The tensors, in the order of the file, or of their names where it has none (`features.2` before `features.10`).
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The tensor of this name.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.places.get(name).map(|&place| &self.entries[place])
    }

    /// The size of the file.
    pub fn bytes(&self) -> u64 {
        self.source.length()
    }

    /// The SHA-256 of the whole file in lower-case hexadecimal.
    ///
    /// # Errors
    /// [`Error::Io`] if the file cannot be read.
    pub fn sha256(&self) -> Result<&str> {
        self.source.sha256()
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The layers with weights of a file that has a graph, in the order in which they run; `None` for other files.
    ///
    /// # Errors
    /// [`Error::Weights`] if the graph has a layer whose weights cannot be told or that no layer here is like.
    pub(crate) fn layers(&self) -> Result<Option<&[GraphLayer]>> {
        match &self.layers {
            None => Ok(None),
            Some(Ok(layers)) => Ok(Some(layers)),
            Some(Err(reason)) => Err(self.source.refuse(format!("its layers cannot be told from its graph: {reason}"))),
        }
    }

    /// Reads everything.
    ///
    /// # Errors
    /// [`Error::Weights`] if a tensor has a type that cannot be read, not all of its numbers are there, one of them is a
    /// NaN or an infinity, or if one in eight bits has no scales that fit to it. [`Error::Io`] if the file cannot be read.
    pub fn read(&self) -> Result<WeightFile> {
        let sha256 = self.sha256()?.to_owned();
        let scales: BTreeSet<String> = (self.entries.iter().filter(|entry| entry.dtype == Dtype::I8))
            .map(|entry| channels::scale_name(&entry.name))
            .collect();
        // All results first, and then the first error in order of names: the same message at every run.
        let tensors: Vec<Result<(String, Tensor)>> = (self.places.par_iter())
            .filter(|(name, _)| !scales.contains(*name))
            .map(|(name, &place)| Ok((name.clone(), self.tensor(&self.entries[place])?)))
            .collect();
        Ok(WeightFile {
            path: self.source.path().to_path_buf(),
            parameters: tensors.into_iter().collect::<Result<_>>()?,
            metadata: self.metadata.clone(),
            sha256,
        })
    }

    /// Reads one of [`Catalog::entries`].
    ///
    /// # Errors
    /// As [`Catalog::read`].
    pub fn tensor(&self, entry: &Entry) -> Result<Tensor> {
        if entry.dtype != Dtype::I8 {
            return entry.read(&self.source);
        }
        self.read_scaled(entry, self.entry(&channels::scale_name(&entry.name)))
    }

    /// The file itself.
    pub(crate) fn source(&self) -> &Source<'a> {
        &self.source
    }

    /// The numbers of a tensor in eight bits, multiplied by the scales of its output channels.
    fn read_scaled(&self, entry: &Entry, scale: Option<&Entry>) -> Result<Tensor> {
        let refuse = |reason: String| Err::<Tensor, Error>(self.source.refuse_tensor(&entry.name, reason));
        let scale_name = channels::scale_name(&entry.name);
        let Some(&channels) = entry.shape.first() else {
            return refuse("its type is I8, but it has no dimension to be scaled along".to_owned());
        };
        let Some(scale) = scale else {
            return refuse(format!("its type is I8, but its scales are missing: there is no tensor {scale_name}"));
        };
        if scale.dtype != Dtype::F32 || scale.shape != [channels] {
            let (dtype, shape) = (scale.dtype, &scale.shape);
            return refuse(format!(
                "{scale_name} is {dtype} of the shape {shape:?}, but F32 of the shape [{channels}] is needed"
            ));
        }
        let scales = scale.read(&self.source)?;
        if let Some(at) = scales.data().iter().position(|&scale| scale < 0.0) {
            return refuse(format!("{scale_name} has {} at index [{at}]: a scale is at least 0", scales.data()[at]));
        }
        let values = channels::dequantize(&entry.read_bytes(&self.source)?, scales.data());
        check_finite(&values, &entry.shape).or_else(|reason| refuse(reason).map(|_| ()))?;
        Tensor::new(entry.shape.clone(), values)
    }
}
