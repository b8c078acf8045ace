//! The analyzer that a command line asks for.

use vultus::Device;
use vultus::face::{Analyzer, AnalyzerBuilder, DetectorOptions};
use vultus::track::TrackerOptions;
use vultus::weights::WeightFile;

use super::detector::{self, SearchArguments};
use super::failure::Failure;
use super::global::Global;
use super::recognizer::{ReadModel, RecognizerArguments};

/// What finds and recognises faces, for one picture or for more.
pub fn analyzer(
    recognizer: &RecognizerArguments,
    search: &SearchArguments,
    tracking: TrackerOptions,
    global: &Global,
    is_one: bool,
) -> Result<Analyzer, Failure> {
    let options = search.options();
    let read = || -> Result<_, Failure> { Ok((detector::weights(options, global)?, recognizer.read(global)?)) };
    let (device, (weights, model)) = if is_one && global.device.is_none() && search.is_quick() {
        let (weights, model) = read()?;
        let device = if model.is_quick()? { global.processor_for_little() } else { global.device()? };
        (device, (weights, model))
    } else {
        global.device_beside(read)?
    };
    let builder = builder(device, options, weights, model, recognizer).tracking(tracking);
    Ok(search.apply(builder).build()?)
}

/// An analyzer for what was read.
pub fn builder(
    device: Device,
    options: DetectorOptions,
    weights: WeightFile,
    model: ReadModel,
    recognizer: &RecognizerArguments,
) -> AnalyzerBuilder {
    let ReadModel { card, parameters } = model;
    let builder = Analyzer::builder().device(device).detector(options).detector_weights(weights);
    let builder = builder.network(card, parameters).precision(recognizer.precision);
    recognizer.tta.into_iter().fold(builder, AnalyzerBuilder::tta)
}
