//! The options that say which model recognises faces, and the recogniser that they ask for.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use vultus::face::{Recognizer, TestTimeAugmentation, needs_base};
use vultus::weights::{DefaultFile, WeightFile, safetensors};
use vultus::{Device, Error, Options, Precision};

use super::global::Global;

/// Which model recognises faces, and how.
#[derive(Clone, clap::Args)]
pub struct RecognizerArguments {
    /// The trained model to use instead of the default one
    #[arg(long, value_name = "FILE", alias = "head")]
    pub model: Option<PathBuf>,
    /// How often to look at each face: flip looks at its mirror image too and averages the probabilities, which takes
    /// twice as long [default: what the model recommends]
    #[arg(long, value_name = "none|flip", value_parser = PossibleValuesParser::new(["none", "flip"]).map(tta))]
    pub tta: Option<TestTimeAugmentation>,
    /// How a GPU stores the network's weights that it computes from: f16-weights halves what it reads, and changes the
    /// probabilities a little
    #[arg(long, default_value = "f32", value_parser = PossibleValuesParser::new(["f32", "f16-weights"]).map(precision))]
    pub precision: Precision,
}

impl RecognizerArguments {
    /// The recogniser on a device, for batches of this many faces, and how often it shall look at each.
    pub fn load(
        &self,
        device: &Device,
        batch: usize,
        global: &Global,
    ) -> Result<(Recognizer, TestTimeAugmentation), Error> {
        let (base, model) = self.files(global)?;
        let options = Options { precision: self.precision, ..Options::default() };
        let recognizer = Recognizer::with_options(device, base, model, batch, &options)?;
        let tta = self.tta.unwrap_or(recognizer.card().tta);
        Ok((recognizer, tta))
    }

    /// VGG16's base, where the model needs it, and the model.
    pub fn files(&self, global: &Global) -> Result<(Option<WeightFile>, WeightFile), Error> {
        files(self.model.as_deref(), global)
    }
}

/// VGG16's base, where the model of this file needs it, and the model; the default one without a file.
pub fn files(model: Option<&Path>, global: &Global) -> Result<(Option<WeightFile>, WeightFile), Error> {
    let model = match model {
        Some(path) => safetensors::read(path)?,
        None => global.store()?.load(DefaultFile::ExpressionModel)?,
    };
    let base = if needs_base(&model)? { Some(global.vgg16_base()?) } else { None };
    Ok((base, model))
}

fn precision(name: String) -> Precision {
    if name == "f16-weights" { Precision::F16Weights } else { Precision::F32 }
}

fn tta(name: String) -> TestTimeAugmentation {
    if name == "flip" { TestTimeAugmentation::Flip } else { TestTimeAugmentation::None }
}
