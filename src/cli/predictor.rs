//! Finds the faces of a picture and recognises what they express.

use vultus::face::{Detector, Face, ModelCard, Recognizer, TestTimeAugmentation};
use vultus::image::RgbImage;
use vultus::wgpu::DeviceType;
use vultus::{Device, Error};

use super::detector::{self, SearchArguments};
use super::failure::Failure;
use super::global::Global;
use super::recognizer::RecognizerArguments;

/// Detector and recogniser on one device, for one picture after the other.
pub struct Predictor {
    device: Device,
    detector: Detector,
    recognizer: Recognizer,
    tta: TestTimeAugmentation,
}

impl Predictor {
    /// What the command line asks for, for one picture or for more.
    pub fn new(
        recognizer: &RecognizerArguments,
        search: &SearchArguments,
        global: &Global,
        one: bool,
    ) -> Result<Self, Failure> {
        let read =
            || -> Result<_, Failure> { Ok((detector::weights(search.options(), global)?, recognizer.read(global)?)) };
        let (device, (weights, model)) = if one && global.device.is_none() && search.is_quick() {
            let (weights, model) = read()?;
            let device = if model.is_quick()? { global.processor_for_little() } else { global.device()? };
            (device, (weights, model))
        } else {
            global.device_beside(read)?
        };
        let detector = Detector::new(&device, weights, search.options())?;
        let (recognizer, tta) = recognizer.place(&device, model, batch(&device))?;
        Ok(Predictor { device, detector, recognizer, tta })
    }

    /// What the model says about itself.
    pub fn card(&self) -> &ModelCard {
        self.recognizer.card()
    }

    /// The faces of a picture, the largest first, and the probabilities of the classes for each.
    pub fn predict(&mut self, image: &RgbImage) -> Result<(Vec<Face>, Vec<Vec<f32>>), Error> {
        let picture = self.device.upload(image.as_raw(), image.width(), image.height())?;
        let faces = self.detector.detect(&picture)?;
        let cut = faces.iter().map(|face| self.recognizer.cut(image, face)).collect::<Result<Vec<_>, _>>()?;
        let scores = self.recognizer.recognize_faces(&cut, self.tta)?;
        Ok((faces, scores))
    }
}

/// Faces that are recognised at a time at most. The plan for so many is made at the start, which pays on a GPU; a
/// processor is about as quick one by one.
fn batch(device: &Device) -> usize {
    let hardware = device.gpu().is_some_and(|gpu| gpu.info().device_type != DeviceType::Cpu);
    if hardware { 8 } else { 1 }
}
