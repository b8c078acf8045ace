//! What is in a file of weights, of any format that can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use rayon::prelude::*;

use super::entry::{Dtype, Entry, check_finite};
use super::graph_layer::GraphLayer;
#[cfg(feature = "onnx")]
use super::onnx;
use super::safetensors::{self, channels};
use super::source::Source;
use super::weight_file::WeightFile;
#[cfg(feature = "import")]
use super::{pytorch, zip};
use crate::error::{Error, Result};
use crate::tensor::Tensor;

/// How much more memory the tensors of a file may need than the file is large. Numbers of half the size or packed need a
/// few times as much; a file that asks for more was made to exhaust memory.
const LARGEST_EXPANSION: u64 = 16;

/// What every file may ask for, however small it is.
const ALWAYS_ALLOWED: u64 = 1 << 20;

/// As many bytes tell a format.
const LONGEST_MAGIC: u64 = 32;

/// The start of a zip file.
const ZIP_MAGIC: &[u8] = b"PK\x03\x04";

/// The number that files of PyTorch before 1.6 begin with, as it is pickled, after the protocol.
const PYTORCH_MAGIC: &[u8] = b"\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.";

/// A format of files of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Format {
    /// <https://github.com/huggingface/safetensors>.
    Safetensors,
    /// What `torch.save` writes.
    Pytorch,
    /// What `numpy.savez` writes.
    Npz,
    /// <https://onnx.ai>, with all of a model's data in one file.
    Onnx,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Safetensors => "safetensors",
            Format::Pytorch => "PyTorch",
            Format::Npz => "NumPy npz",
            Format::Onnx => "ONNX",
        })
    }
}

/// How many bytes a file may expand to.
pub(super) fn largest(source: &Source) -> u64 {
    source.length().saturating_mul(LARGEST_EXPANSION).saturating_add(ALWAYS_ALLOWED)
}

/// An error about a format whose reader was left out.
#[cfg(not(all(feature = "import", feature = "onnx")))]
fn left_out(source: &Source, format: &str, feature: &str) -> Error {
    source.refuse(format!("a file of {format}, which this program cannot read: it was built without `{feature}`"))
}

/// What is in a file of weights: the names, types and shapes of its tensors, whose numbers are read when they are asked
/// for.
pub struct Catalog<'a> {
    source: Source<'a>,
    format: Format,
    entries: Vec<Entry>,
    metadata: BTreeMap<String, String>,
    /// Of a format that has a graph: its layers, or why they cannot be told.
    layers: Option<std::result::Result<Vec<GraphLayer>, String>>,
}

impl<'a> Catalog<'a> {
    /// Looks into a file, whose format is told by its contents.
    ///
    /// # Errors
    /// [`Error::Weights`] if this is none of the formats, or not all of a file; [`Error::Io`] if it cannot be read.
    pub fn open(path: &'a Path) -> Result<Self> {
        Catalog::of(Source::open(path)?)
    }

    /// Looks into the bytes of a file; `path` is only for messages.
    ///
    /// # Errors
    /// As [`Catalog::open`].
    pub fn from_bytes(path: &'a Path, bytes: &'a [u8]) -> Result<Self> {
        Catalog::of(Source::from_bytes(path, bytes))
    }

    fn of(source: Source<'a>) -> Result<Self> {
        let start = source.read(0, source.length().min(LONGEST_MAGIC))?;
        if start.starts_with(ZIP_MAGIC) {
            #[cfg(feature = "import")]
            return zip::catalog(source);
            #[cfg(not(feature = "import"))]
            return Err(left_out(&source, "PyTorch or NumPy", "import"));
        }
        if start.windows(PYTORCH_MAGIC.len()).any(|bytes| bytes == PYTORCH_MAGIC) {
            #[cfg(feature = "import")]
            return pytorch::legacy(source);
            #[cfg(not(feature = "import"))]
            return Err(left_out(&source, "PyTorch", "import"));
        }
        if is_onnx(&source)? {
            #[cfg(feature = "onnx")]
            return onnx::catalog(source);
            #[cfg(not(feature = "onnx"))]
            return Err(left_out(&source, "ONNX", "onnx"));
        }
        safetensors::catalog(source)
    }

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
        let mut names = BTreeSet::new();
        let mut bytes = 0u64;
        for entry in &entries {
            if !names.insert(entry.name.as_str()) {
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
        Ok(Catalog { source, format, entries, metadata, layers: None })
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

    /// The tensors, in the order of the file where it has one.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// What the file says about itself.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// The layers with weights of a file that has a graph, in the order in which they run; `None` for other files.
    ///
    /// # Errors
    /// [`Error::Weights`] if the graph has a layer whose weights cannot be told or that no layer here is like.
    #[cfg_attr(not(test), expect(dead_code, reason = "the import of networks by the order of their layers reads it"))]
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
        self.read_with_sum(self.source.sha256()?)
    }

    /// [`Catalog::read`] for who has the file's SHA-256 already.
    pub(super) fn read_with_sum(&self, sha256: String) -> Result<WeightFile> {
        let by_name: BTreeMap<&str, &Entry> = self.entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
        let scales: BTreeSet<String> = (self.entries.iter().filter(|entry| entry.dtype == Dtype::I8))
            .map(|entry| channels::scale_name(&entry.name))
            .collect();
        // All results first, and then the first error in order of names: the same message at every run.
        let tensors: Vec<Result<(String, Tensor)>> = (by_name.par_iter().filter(|(name, _)| !scales.contains(**name)))
            .map(|(name, entry)| {
                let tensor = match entry.dtype {
                    Dtype::I8 => self.read_scaled(entry, by_name.get(channels::scale_name(name).as_str()).copied()),
                    _ => entry.read(&self.source),
                };
                Ok(((*name).to_owned(), tensor?))
            })
            .collect();
        Ok(WeightFile {
            path: self.source.path().to_path_buf(),
            parameters: tensors.into_iter().collect::<Result<_>>()?,
            metadata: self.metadata.clone(),
            sha256,
        })
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

/// Whether a file looks like ONNX, which has no signature: by its extension, or by its first fields, which are the
/// version of the format and then one of the model's others. A safetensors file starts with the length of its header.
fn is_onnx(source: &Source) -> Result<bool> {
    if source.path().extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx")) {
        return Ok(true);
    }
    let start = source.read(0, source.length().min(9))?;
    let is_header = start.len() == 9 && start[4..] == *b"\0\0\0\0{";
    let is_version =
        matches!(start.as_slice(), [0x08, 1..=0x7f, 0x12 | 0x1a | 0x22 | 0x28 | 0x32 | 0x3a | 0x42 | 0x72, ..]);
    Ok(is_version && !is_header)
}

#[cfg(all(test, not(feature = "import"), not(feature = "onnx")))]
mod tests {
    use super::*;

    #[test]
    fn a_format_that_was_left_out_is_named_with_its_feature() {
        for (bytes, format, feature) in [
            (ZIP_MAGIC, "PyTorch or NumPy", "import"),
            (&[b"\x80\x02", PYTORCH_MAGIC].concat(), "PyTorch", "import"),
            (b"\x08\x08\x12\x06vultus", "ONNX", "onnx"),
        ] {
            let error = Catalog::from_bytes(Path::new("w"), bytes).map(|_| ()).unwrap_err().to_string();
            let wanted =
                format!("a file of {format}, which this program cannot read: it was built without `{feature}`");
            assert!(error.ends_with(&wanted), "{error}");
        }
    }
}
