//! `vultus run`: what does an ONNX model compute?

use std::io::Write;
use std::path::{Path, PathBuf};

use vultus::weights::arrays;
use vultus::{Options, Tensor};

use super::failure::Failure;
use super::global::Global;
use super::imported::{ImportArguments, ImportedModel};
use super::inputs::Inputs;

/// Run an ONNX model on arrays
///
/// Inputs are .npy, .npz or .safetensors files of real or whole numbers; the model's outputs are written under their names.
/// The first dimension is the batch where the model has one, and may have any size, also where the file says 1. Without
/// --input it is said what the model takes and gives.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus run model.onnx --input x.npy --out y.npz
  vultus run model.onnx --input image=photo.npy --input mask=mask.npy --out outputs.npz
  vultus run model.onnx --input inputs.npz --out y.npy --device cpu
  vultus run detector.onnx --dimension height=640 --dimension width=640 --input x.npy --out y.npz

docs/onnx.md says which models can be run.")]
pub struct Arguments {
    /// The model
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// The array for an input: NAME=FILE, or a file whose arrays are called as the inputs; of a model with one input, a file
    /// with one array
    #[arg(long, value_name = "[NAME=]FILE")]
    input: Vec<String>,
    /// The file to write: .npz for all outputs, or .npy where there is only one
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    import: ImportArguments,
}

/// Where outputs are written, and how.
#[derive(Clone, Copy)]
enum Target<'a> {
    Npz(&'a Path),
    Npy(&'a Path),
}

/// Runs the model.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let model = arguments.import.read(&arguments.model)?;
    let (path, signature) = (model.path.display(), model.signature());
    if arguments.input.is_empty() {
        return Err(Failure::Usage(format!("{path} takes {signature}: give it arrays with --input FILE")));
    }
    let target = arguments.target(&model)?;
    let Inputs { batch, tensors } = Inputs::read(&model, "--input", &arguments.input)?;
    let device = global.device()?;
    let mut plan = device.load(&model.model.network, &model.model.parameters)?.compile(batch, &Options::default())?;
    let names = model.model.outputs.iter().cloned();
    let outputs: Vec<(String, Tensor)> = names.zip(plan.run_all(&tensors)?).collect();
    let outputs = outputs.into_iter().map(|(name, tensor)| finished(&model, name, tensor));
    let outputs = outputs.collect::<Result<Vec<_>, Failure>>()?;
    target.write(&outputs)?;
    for (name, tensor) in &outputs {
        writeln!(out, "{}: {name} float32 {:?}", target.path().display(), tensor.shape())?;
    }
    Ok(())
}

impl Arguments {
    fn target(&self, model: &ImportedModel) -> Result<Target<'_>, Failure> {
        let Some(path) = &self.out else {
            return Err(Failure::Usage("where are the outputs to be written? Give --out FILE.npz".to_owned()));
        };
        let is = |wanted: &str| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(wanted));
        let (name, outputs) = (path.display(), &model.model.outputs);
        match outputs.len() {
            _ if is("npz") => Ok(Target::Npz(path)),
            1 if is("npy") => Ok(Target::Npy(path)),
            _ if is("npy") => {
                let outputs = outputs.join(", ");
                Err(Failure::Usage(format!(
                    "{name}: an .npy holds one array, but the outputs are {outputs}: take .npz"
                )))
            }
            _ => Err(Failure::Usage(format!("{name}: its extension is not npz or npy"))),
        }
    }
}

impl Target<'_> {
    fn path(&self) -> &Path {
        match self {
            Target::Npz(path) | Target::Npy(path) => path,
        }
    }

    fn write(&self, outputs: &[(String, Tensor)]) -> Result<(), Failure> {
        match (self, outputs) {
            (Target::Npy(path), [(_, tensor)]) => Ok(arrays::write_npy(path, tensor)?),
            _ => Ok(arrays::write_npz(self.path(), outputs)?),
        }
    }
}

/// An output in the shape that it has in the file, if all of its numbers are finite.
fn finished(model: &ImportedModel, name: String, tensor: Tensor) -> Result<(String, Tensor), Failure> {
    if let Some(value) = tensor.data().iter().find(|value| !value.is_finite()) {
        let count = tensor.data().iter().filter(|value| !value.is_finite()).count();
        let of = tensor.len();
        let reason = format!("the output {name:?} has {count} numbers of {of} that are not finite, such as {value}");
        let advice = "are the inputs in the range that the model was made for?";
        return Err(Failure::Failed(format!("{}: {reason}: {advice}", model.path.display())));
    }
    let shape = tensor.shape()[usize::from(!model.model.has_batch)..].to_vec();
    Ok((name, tensor.reshape(shape)?))
}
