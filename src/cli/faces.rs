//! The faces of a data set: where they are, and how they are prepared.

use vultus::data::Dataset;
use vultus::face::{Detector, Face};
use vultus::prepare::{Alignment, Denoise, Illumination, Preparation};
use vultus::{Device, Error};

use super::detector::DetectorArguments;
use super::failure::Failure;
use super::global::Global;

/// Options of the commands that learn from faces.
#[derive(clap::Args)]
#[command(next_help_heading = "Faces")]
pub struct FaceArguments {
    /// The pictures are photos: find the largest face of each that the data set gives no box for
    #[arg(long)]
    pub detect: bool,
    /// The pictures are faces already, which is what is assumed without --detect; no picture is looked at whether it may be
    /// a whole photo
    #[arg(long, conflicts_with = "detect")]
    pub faces: bool,
    #[command(flatten)]
    pub detector: DetectorArguments,
    /// Turn, scale and move each face so that its eyes come to lie in the same places
    #[arg(long, requires = "detect")]
    pub align: bool,
    /// What is done against noise: none, median[:RADIUS], bilateral or nlm
    #[arg(long, value_name = "NAME", default_value = "none")]
    pub denoise: Denoise,
    /// What is done about uneven light: none, equalize, clahe or gamma[:EXPONENT]
    #[arg(long, value_name = "NAME", default_value = "none")]
    pub illumination: Illumination,
}

/// Finds the faces of photos, for one data set after the other.
pub struct FaceFinder {
    device: Device,
    detector: Detector,
    align: bool,
}

impl FaceArguments {
    /// What is done to each face.
    pub fn preparation(&self, gray: bool) -> Preparation {
        Preparation { gray, denoise: self.denoise, illumination: self.illumination }
    }

    /// How faces are aligned, if they are.
    pub fn alignment(&self) -> Option<Alignment> {
        self.align.then(Alignment::default)
    }

    /// What finds the faces of photos, if that is asked for; only then a device is needed.
    pub fn finder(
        &self,
        device: impl FnOnce() -> Result<Device, Error>,
        global: &Global,
    ) -> Result<Option<FaceFinder>, Failure> {
        if !self.detect {
            return Ok(None);
        }
        let device = device()?;
        let detector = self.detector.load(&device, global)?;
        Ok(Some(FaceFinder { device, detector, align: self.align }))
    }
}

impl FaceFinder {
    /// Finds the largest face of each photo, or the one in the box that the data set gives, which is only looked for
    /// where its eyes are needed. The numbers of those in which no face is found, which are named, sorted. Pictures
    /// that cannot be read are passed over: they are named when they are needed.
    pub fn locate(&mut self, data: &mut Dataset, global: &Global) -> Result<Vec<usize>, Failure> {
        let mut without = Vec::new();
        let bar = global.progress("faces", data.samples.len());
        for (index, sample) in data.samples.iter_mut().enumerate() {
            bar.inc(1);
            if sample.face.is_some() && !self.align {
                continue;
            }
            let Ok(image) = sample.decode() else { continue };
            let picture = self.device.upload(image.as_raw(), image.width(), image.height())?;
            sample.detected = Face::meant(self.detector.detect(&picture)?, sample.face);
            if sample.detected.is_none() {
                bar.suspend(|| global.note(&format!("{}: no face found", sample.name(&data.path))));
                without.push(index);
            }
        }
        bar.finish_and_clear();
        if !without.is_empty() {
            let (path, count) = (data.path.display(), without.len());
            global.note(&format!("{path}: {count} pictures without a face are left out"));
        }
        Ok(without)
    }

    /// As [`FaceFinder::locate`]; the data set without the samples in which no face is found.
    pub fn located(&mut self, mut data: Dataset, global: &Global) -> Result<Dataset, Failure> {
        let without = self.locate(&mut data, global)?;
        let numbered = data.samples.into_iter().enumerate();
        let with = numbered.filter(|(index, _)| without.binary_search(index).is_err());
        data.samples = with.map(|(_, sample)| sample).collect();
        Ok(data)
    }
}
