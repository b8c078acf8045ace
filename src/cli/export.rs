//! `vultus export`: a model for other programs to run.

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use vultus::face::{Architecture, ModelCard};
use vultus::onnx::{self, Export};
use vultus::prepare::Preparation;
use vultus::weights::safetensors;
use vultus::{Error, Parameters};

use super::existing::{refuse_existing, refuse_input};
use super::failure::Failure;
use super::global::Global;
use super::recognizer::ModelArguments;

/// Write a model with all of its layers into one file that other programs run
///
/// ONNX is for other engines, such as onnxruntime; what the model says about itself goes with it. Safetensors has all
/// parameters under their names, the base's too, and is read by `vultus predict --model` as well.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus export --out model.onnx                                 the default model; takes normalised values
  vultus export --out model.onnx --preprocessing                 takes pictures of faces as bytes
  vultus export --model light --out light.onnx
  vultus export --model trained.safetensors --out trained.onnx --precision f16
  vultus export --model trained.safetensors --out whole.safetensors

docs/export.md says what the model takes and gives, and how to run it.")]
pub struct Arguments {
    /// The file to write; its extension says the format: onnx or safetensors
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Overwrite an existing file
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    model: ModelArguments,
    /// The format, whatever the file's extension is
    #[arg(long)]
    format: Option<Format>,
    /// Let the ONNX model take pictures of the network's height and width as bytes, [N, H, W, 3] in RGB, and normalise
    /// them itself
    #[arg(long)]
    preprocessing: bool,
    /// How the parameters are stored: f16 halves the file, and changes the probabilities a little
    #[arg(long, default_value = "f32")]
    precision: Precision,
}

#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum Format {
    Onnx,
    Safetensors,
}

#[derive(Clone, Copy, ValueEnum)]
enum Precision {
    F32,
    F16,
}

/// Exports the model.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let format = arguments.format()?;
    if arguments.preprocessing && format != Format::Onnx {
        return Err(Failure::Usage("--preprocessing is for ONNX: a safetensors file has no nodes to do it".to_owned()));
    }
    refuse_input(&arguments.out, arguments.model.name())?;
    refuse_existing(&arguments.out, arguments.force, "--force overwrites it")?;
    arguments.model.check()?;
    let (card, parameters) = arguments.model.load(global)?;
    if format == Format::Safetensors && matches!(card.architecture, Architecture::Imported(_)) {
        let reason = "a network that was read from ONNX can only be written as ONNX: take another --format";
        return Err(Failure::Usage(reason.to_owned()));
    }
    let path = arguments.out.display();
    match format {
        Format::Onnx => {
            arguments.write_onnx(&card, &parameters)?;
            let (side, classes) = (card.input, card.classes.len());
            let input = if arguments.preprocessing {
                format!("image uint8 [N, {side}, {side}, 3]")
            } else {
                format!("input float32 [N, 3, {side}, {side}]")
            };
            writeln!(out, "{path}: {input} to probabilities float32 [N, {classes}]")?;
            say_what_is_outside(&card, arguments.preprocessing, global);
        }
        Format::Safetensors => {
            let precision = match arguments.precision {
                Precision::F32 => safetensors::Precision::F32,
                Precision::F16 => safetensors::Precision::F16,
            };
            safetensors::write(&arguments.out, &parameters, &card.to_metadata()?, precision)?;
            writeln!(out, "{path}: {} tensors, all layers", parameters.len())?;
        }
    }
    Ok(())
}

/// What `vultus` does to a face before the exported model sees it.
fn say_what_is_outside(card: &ModelCard, preprocessing: bool, global: &Global) {
    let mut steps = vec!["cut out"];
    steps.extend(card.alignment.map(|_| "aligned by its eyes"));
    if card.preparation != Preparation::NONE {
        steps.push("prepared");
    }
    if !preprocessing {
        steps.push("scaled");
    }
    let last = if preprocessing { "scaled" } else { "normalised" };
    let steps = steps.join(", ");
    global.note(&format!("a face must be {steps} and {last} before the model sees it: docs/export.md"));
}

impl Arguments {
    fn format(&self) -> Result<Format, Failure> {
        let extension = self.out.extension().and_then(|extension| extension.to_str());
        let by_extension = extension.and_then(|extension| Format::from_str(extension, true).ok());
        self.format.or(by_extension).ok_or_else(|| {
            let name = self.out.display();
            Failure::Usage(format!("{name}: its extension is not onnx or safetensors; name the format with --format"))
        })
    }

    fn write_onnx(&self, card: &ModelCard, parameters: &Parameters) -> Result<(), Error> {
        let export = Export {
            preprocessing: self.preprocessing.then_some(card.preprocessing),
            precision: match self.precision {
                Precision::F32 => onnx::Precision::F32,
                Precision::F16 => onnx::Precision::F16,
            },
            metadata: card.to_metadata()?,
            description: format!("Facial expression recognition: {}", card.classes.join(", ")),
        };
        onnx::write(&self.out, &card.network()?, parameters, &export)
    }
}
