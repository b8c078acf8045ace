//! The options that say what finds faces, and the detector that they ask for.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use vultus::face::{AnalyzerBuilder, Detector, DetectorKind, DetectorOptions, FaceSize};
use vultus::weights::WeightFile;
use vultus::{Device, Error};

use super::global::Global;
use crate::answer::question::{min_face, probability};

/// What finds faces.
#[derive(Clone, Copy, clap::Args)]
pub struct DetectorArguments {
    /// What finds faces: yunet is one small network, mtcnn three, with which it takes several times as long
    #[arg(long, value_name = "yunet|mtcnn", default_value = DetectorKind::default().name())]
    #[arg(value_parser = PossibleValuesParser::new(DetectorKind::ALL.map(DetectorKind::name)).map(kind))]
    pub detector: DetectorKind,
}

/// The same for commands that look for all faces of a picture.
#[derive(Clone, Copy, clap::Args)]
pub struct SearchArguments {
    #[command(flatten)]
    detector: DetectorArguments,
    /// The smallest face to find, by the longer side of its box: pixels (12 or more), or a part of the picture's longer
    /// side such as 5% [default: 2%, at least 20 pixels]
    #[arg(long, value_name = "PIXELS|%", value_parser = min_face)]
    min_face: Option<FaceSize>,
    /// Leave out what the detector is less sure to be a face
    #[arg(long, value_name = "0-1", default_value_t = 0.0, hide_default_value = true, value_parser = probability)]
    min_probability: f32,
}

impl DetectorArguments {
    /// The detector on a device.
    pub fn load(&self, device: &Device, global: &Global) -> Result<Detector, Error> {
        load(self.options(), device, global)
    }

    pub fn options(&self) -> DetectorOptions {
        DetectorOptions { kind: self.detector, ..DetectorOptions::default() }
    }
}

impl SearchArguments {
    /// The detector on a device, for a picture of this size.
    pub fn load(&self, [width, height]: [u32; 2], device: &Device, global: &Global) -> Result<Detector, Error> {
        let min_face = self.min_face().pixels(width, height);
        load(DetectorOptions { min_face, ..self.options() }, device, global)
    }

    /// What an analyzer is to find.
    pub fn apply(&self, builder: AnalyzerBuilder) -> AnalyzerBuilder {
        builder.min_face(self.min_face()).min_probability(self.min_probability)
    }

    fn min_face(&self) -> FaceSize {
        self.min_face.unwrap_or_default()
    }

    /// Whether a processor finds the faces of one picture sooner than a GPU is started.
    pub fn is_quick(&self) -> bool {
        self.detector.detector == DetectorKind::Yunet
    }

    pub fn options(&self) -> DetectorOptions {
        self.detector.options()
    }
}

fn load(options: DetectorOptions, device: &Device, global: &Global) -> Result<Detector, Error> {
    Detector::new(device, weights(options, global)?, options)
}

/// What such a detector is made from.
pub fn weights(options: DetectorOptions, global: &Global) -> Result<WeightFile, Error> {
    global.store()?.load(options.kind.file())
}

/// The parser lets no other name pass.
fn kind(name: String) -> DetectorKind {
    DetectorKind::ALL.into_iter().find(|kind| kind.name() == name).unwrap_or_default()
}
