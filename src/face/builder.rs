//! What an analyzer is made from.

use super::analyzer::Analyzer;
use super::assemble::assemble;
use super::detect::Detector;
use super::face_size::FaceSize;
use super::model_card::{ModelCard, TestTimeAugmentation};
use super::options::DetectorOptions;
use super::readback::Readback;
use super::recognize::Recognizer;
use crate::engine::{Device, Options};
use crate::error::{Error, Result};
use crate::gpu::Precision;
use crate::tensor::Parameters;
use crate::track::{Tracker, TrackerOptions};
use crate::weights::WeightFile;
#[cfg(feature = "files")]
use crate::weights::{DefaultFile, Store};

/// What an [`Analyzer`] is made from. All that is left out has a default; what comes from a file does with the feature
/// `files` only.
///
/// ```no_run
/// use vultus::Device;
/// use vultus::face::{Analyzer, FaceSize, TestTimeAugmentation};
///
/// let mut analyzer = Analyzer::builder()
///     .device(Device::Cpu)
///     .min_face(FaceSize::Share(0.1))
///     .min_probability(0.9)
///     .tta(TestTimeAugmentation::None)
///     .build()?;
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Default)]
#[must_use]
pub struct AnalyzerBuilder {
    device: Option<Device>,
    detector: DetectorOptions,
    detector_weights: Option<WeightFile>,
    model: Option<WeightFile>,
    base: Option<WeightFile>,
    network: Option<(ModelCard, Parameters)>,
    options: Options,
    batch: Option<usize>,
    tta: Option<TestTimeAugmentation>,
    min_face: FaceSize,
    min_probability: f32,
    tracking: TrackerOptions,
}

impl Analyzer {
    /// What an analyzer is made from; without any further word the program's own networks on the best device.
    pub fn builder() -> AnalyzerBuilder {
        AnalyzerBuilder::default()
    }
}

/// Looks at faces that hardware computes at a time unless another number is asked for. A processor is about as quick one
/// by one.
const BATCH: usize = 8;

impl AnalyzerBuilder {
    /// Where to compute; `Device::best` unless it is said, in browsers the processor.
    pub fn device(self, device: Device) -> Self {
        AnalyzerBuilder { device: Some(device), ..self }
    }

    /// What finds faces, and from which score on. Its smallest face is the one of [`AnalyzerBuilder::min_face`].
    pub fn detector(self, options: DetectorOptions) -> Self {
        AnalyzerBuilder { detector: options, ..self }
    }

    /// The file of the detector's weights; the program's own unless it is given.
    pub fn detector_weights(self, weights: WeightFile) -> Self {
        AnalyzerBuilder { detector_weights: Some(weights), ..self }
    }

    /// The file of a trained model; the program's default model unless one is given.
    pub fn model(self, model: WeightFile) -> Self {
        AnalyzerBuilder { model: Some(model), ..self }
    }

    /// VGG16's base, for a model whose file does not hold all layers ([`super::needs_base`]).
    pub fn base(self, base: WeightFile) -> Self {
        AnalyzerBuilder { base: Some(base), ..self }
    }

    /// A card and all parameters of its network, as [`assemble`] and `from_onnx` give them, in the place of a file.
    pub fn network(self, card: ModelCard, parameters: Parameters) -> Self {
        AnalyzerBuilder { network: Some((card, parameters)), ..self }
    }

    /// How a GPU computes the model; f32 unless it is said.
    pub fn precision(self, precision: Precision) -> Self {
        AnalyzerBuilder { options: Options { precision, ..self.options }, ..self }
    }

    /// How many looks at faces go through the network at a time at most.
    pub fn batch(self, looks: usize) -> Self {
        AnalyzerBuilder { batch: Some(looks), ..self }
    }

    /// How often to look at each face; as the model's card recommends unless it is said.
    pub fn tta(self, tta: TestTimeAugmentation) -> Self {
        AnalyzerBuilder { tta: Some(tta), ..self }
    }

    /// The smallest face to find.
    pub fn min_face(self, size: FaceSize) -> Self {
        AnalyzerBuilder { min_face: size, ..self }
    }

    /// The probability, 0 to 1, below which what the detector found is not taken for a face.
    pub fn min_probability(self, probability: f32) -> Self {
        AnalyzerBuilder { min_probability: probability, ..self }
    }

    /// How [`Analyzer::follow`] follows faces from frame to frame.
    pub fn tracking(self, options: TrackerOptions) -> Self {
        AnalyzerBuilder { tracking: options, ..self }
    }

    /// Reads what was not given, and puts the networks onto the device.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a value is out of its range, or something was not given that is not read without the
    /// feature `files`; [`Error::Weights`] or [`Error::Io`] if a file cannot be used; [`Error::Limit`] or
    /// [`Error::Device`] if the device cannot hold the networks.
    pub fn build(self) -> Result<Analyzer> {
        self.min_face.check()?;
        if !(0.0..=1.0).contains(&self.min_probability) {
            let reason = format!("the least probability {} is not within 0 and 1", self.min_probability);
            return Err(Error::invalid("analyzer", reason));
        }
        let tracker = Tracker::new(self.tracking)?;
        let weights = match self.detector_weights {
            Some(weights) => weights,
            None => default_detector(&self.detector)?,
        };
        let (card, parameters) = match self.network {
            Some(network) => network,
            None => network(self.model, self.base)?,
        };
        let device = self.device.unwrap_or_else(default_device);
        let detector = Detector::new(&device, weights, self.detector)?;
        let is_hardware = device.gpu().is_some_and(|gpu| gpu.info().device_type != wgpu::DeviceType::Cpu);
        let batch = self.batch.unwrap_or(if is_hardware { BATCH } else { 1 });
        let recognizer = Recognizer::from_card(&device, card, &parameters, batch, &self.options)?;
        let tta = self.tta.unwrap_or(recognizer.card().tta);
        let (min_face, min_probability) = (self.min_face, self.min_probability);
        let readback = Readback::default();
        Ok(Analyzer { device, detector, recognizer, tta, min_face, min_probability, tracker, readback })
    }
}

#[cfg(not(target_family = "wasm"))]
fn default_device() -> Device {
    Device::best()
}

/// A browser's GPU must be waited for.
#[cfg(target_family = "wasm")]
fn default_device() -> Device {
    Device::Cpu
}

/// The card and all parameters of a model's file, or of the default model.
#[cfg(feature = "files")]
fn network(model: Option<WeightFile>, base: Option<WeightFile>) -> Result<(ModelCard, Parameters)> {
    let model = model.map_or_else(|| Store::open(None)?.load(DefaultFile::ExpressionModel), Ok)?;
    let lacks_base = base.is_none() && super::needs_base(&model)?;
    assemble(if lacks_base { Some(Store::open(None)?.load(DefaultFile::Vgg16Base)?) } else { base }, model)
}

#[cfg(not(feature = "files"))]
fn network(model: Option<WeightFile>, base: Option<WeightFile>) -> Result<(ModelCard, Parameters)> {
    assemble(base, model.ok_or_else(|| missing("model"))?)
}

#[cfg(feature = "files")]
fn default_detector(options: &DetectorOptions) -> Result<WeightFile> {
    Store::open(None)?.load(options.kind.file())
}

#[cfg(not(feature = "files"))]
fn default_detector(_: &DetectorOptions) -> Result<WeightFile> {
    Err(missing("detector_weights"))
}

#[cfg(not(feature = "files"))]
fn missing(what: &str) -> Error {
    Error::invalid("analyzer", format!("{what} is not given, and without the feature files it is not read"))
}
