//! The options that say which model recognises faces, and the recogniser that they ask for.

use std::path::{Path, PathBuf};

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use vultus::face::{ModelCard, Recognizer, TestTimeAugmentation, assemble, from_onnx, needs_base};
use vultus::{Device, Error, Options, Parameters, Precision};

use super::classifier::ClassifierArguments;
use super::failure::Failure;
use super::global::Global;
use super::imported::is_onnx;
use super::{models, precision};

/// Which model recognises faces.
#[derive(Clone, clap::Args)]
pub struct ModelArguments {
    /// The model to use: default, light or vgg16, which come with the program, a file of `vultus train` or `vultus
    /// export`, or another classifier of faces as ONNX. A file that is called light is ./light here [default: default]
    #[arg(long = "model", value_name = models::VALUE, alias = "head")]
    name: Option<PathBuf>,
    #[command(flatten)]
    classifier: ClassifierArguments,
}

/// Which model recognises faces, and how.
#[derive(Clone, clap::Args)]
pub struct RecognizerArguments {
    #[command(flatten)]
    pub model: ModelArguments,
    /// Test-time augmentation: flip also looks at the mirror image and averages the probabilities, which takes twice as long
    /// [default: what the model recommends]
    #[arg(long, value_name = "none|flip", value_parser = PossibleValuesParser::new(["none", "flip"]).map(tta))]
    pub tta: Option<TestTimeAugmentation>,
    /// How a GPU computes: f16-weights halves what it reads of the network's weights, and changes the probabilities a
    /// little; f16 and split are for GPUs with matrix units (tensor cores), split nearly as exact as f32
    #[arg(long, default_value = "f32", value_parser = precision::parser())]
    pub precision: Precision,
}

impl ModelArguments {
    /// What was named: one of the program's own models, or a file.
    pub fn name(&self) -> Option<&Path> {
        self.name.as_deref()
    }

    /// Whether the options suit the model.
    pub fn check(&self) -> Result<(), Failure> {
        if self.name().is_some_and(is_onnx) || !self.classifier.is_given() {
            return Ok(());
        }
        let options = "--class-names, --preprocess, --channels, --scale, --mean, --std, --input-size and --dimension";
        Err(Failure::Usage(format!("{options} are for a --model in ONNX: other models say all of that themselves")))
    }

    /// The model's card and the parameters of its network.
    pub fn load(&self, global: &Global) -> Result<(ModelCard, Parameters), Error> {
        if let Some(path) = self.name().filter(|name| is_onnx(name)) {
            return from_onnx(path, &self.classifier.said());
        }
        let model = models::load(self.name(), global)?;
        let base = if needs_base(&model)? { Some(global.vgg16_base()?) } else { None };
        assemble(base, model)
    }
}

/// A model that was read, on no device yet.
pub struct ReadModel {
    pub card: ModelCard,
    pub parameters: Parameters,
}

/// Floating-point operations for one face that take a processor a tenth of a second at most, while a GPU is started.
const LITTLE: u64 = 2_000_000_000;

impl ReadModel {
    /// Whether a processor recognises the faces of one picture sooner than a GPU is started.
    pub fn is_quick(&self) -> Result<bool, Error> {
        let [flops, _] = self.card.network()?.cost()?;
        Ok(flops <= LITTLE)
    }
}

impl RecognizerArguments {
    /// What needs no device.
    pub fn read(&self, global: &Global) -> Result<ReadModel, Failure> {
        self.model.check()?;
        let (card, parameters) = self.model.load(global)?;
        Ok(ReadModel { card, parameters })
    }

    /// The recogniser on a device, for batches of this many faces, and how often it shall look at each.
    pub fn place(
        &self,
        device: &Device,
        model: ReadModel,
        batch: usize,
    ) -> Result<(Recognizer, TestTimeAugmentation), Failure> {
        let options = Options { precision: self.precision, ..Options::default() };
        let recognizer = Recognizer::from_card(device, model.card, &model.parameters, batch, &options)?;
        let tta = self.tta.unwrap_or(recognizer.card().tta);
        Ok((recognizer, tta))
    }
}

fn tta(name: String) -> TestTimeAugmentation {
    if name == "flip" { TestTimeAugmentation::Flip } else { TestTimeAugmentation::None }
}
