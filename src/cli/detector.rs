//! The options that say what finds faces, and the detector that they ask for.

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use vultus::face::{Detector, DetectorKind, DetectorOptions};
use vultus::weights::WeightFile;
use vultus::{Device, Error};

use super::global::Global;
use crate::answer::question::min_face;

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
    /// The side of the smallest face to find, in pixels (12 or more)
    #[arg(long, value_name = "PIXELS", default_value_t = DetectorOptions::default().min_face, value_parser = min_face)]
    min_face: f32,
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
    /// The detector on a device.
    pub fn load(&self, device: &Device, global: &Global) -> Result<Detector, Error> {
        load(self.options(), device, global)
    }

    /// Whether a processor finds the faces of one picture sooner than a GPU is started.
    pub fn is_quick(&self) -> bool {
        self.detector.detector == DetectorKind::Yunet
    }

    pub fn options(&self) -> DetectorOptions {
        let (kind, min_face) = (self.detector.detector, self.min_face);
        DetectorOptions { kind, min_face, ..DetectorOptions::default() }
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
