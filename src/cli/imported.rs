//! ONNX models that commands take, and the option that says what their files leave open.

use std::path::{Path, PathBuf};

use vultus::Error;
use vultus::onnx::{self, Import, Imported};

/// What an ONNX model leaves open.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub struct ImportArguments {
    /// The size of a dimension that only has a name in the ONNX model, or of input[2], say, where it has none; may be given
    /// more than once
    #[arg(long = "dimension", value_name = "NAME=SIZE", value_parser = dimension)]
    dimensions: Vec<(String, usize)>,
}

fn dimension(text: &str) -> Result<(String, usize), &'static str> {
    let parts =
        text.rsplit_once('=').and_then(|(name, size)| Some((name, size.parse().ok().filter(|&size| size > 0)?)));
    let (name, size) = parts.ok_or("it is a name and a size from 1 on, such as height=640")?;
    Ok((name.to_owned(), size))
}

impl ImportArguments {
    /// Whether there is any.
    pub fn is_given(&self) -> bool {
        !self.dimensions.is_empty()
    }

    /// How a model is read.
    pub fn import(&self) -> Import {
        Import { dimensions: self.dimensions.iter().cloned().collect(), ..Import::default() }
    }

    /// Reads a model.
    pub fn read(&self, path: &Path) -> Result<ImportedModel, Error> {
        let model = onnx::read(path, &self.import())?;
        Ok(ImportedModel { path: path.to_path_buf(), outputs: model.network.output_shapes()?, model })
    }
}

/// Whether this is the name of an ONNX model.
pub fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"))
}

/// A model, and where it comes from.
pub struct ImportedModel {
    pub path: PathBuf,
    pub model: Imported,
    /// The shapes of its outputs, as the network has them.
    outputs: Vec<Vec<usize>>,
}

impl ImportedModel {
    /// The names and shapes of its inputs, as the network has them.
    pub fn inputs(&self) -> Vec<(&str, &[usize])> {
        self.model.network.inputs().collect()
    }

    /// What it takes and gives, as the file has it: `x [N, 4], and gives y [N, 2]`.
    pub fn signature(&self) -> String {
        let list = |names: Vec<(&str, &[usize])>| {
            let all: Vec<String> = names.iter().map(|(name, shape)| format!("{name} {}", self.shape(shape))).collect();
            all.join(", ")
        };
        let outputs = self.model.outputs.iter().map(String::as_str).zip(self.outputs.iter().map(Vec::as_slice));
        format!("{}, and gives {}", list(self.inputs()), list(outputs.collect()))
    }

    /// A shape as the file has it, with the batch.
    pub fn shape(&self, shape: &[usize]) -> String {
        let batch = self.model.has_batch.then(|| "N".to_owned());
        let sizes: Vec<String> = batch.into_iter().chain(shape.iter().map(usize::to_string)).collect();
        format!("[{}]", sizes.join(", "))
    }
}
