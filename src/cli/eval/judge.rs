//! From images to predictions: decoded on other threads while the device computes, in memory that does not grow with the
//! data set.

use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use indicatif::ProgressBar;
use rayon::prelude::*;
use vultus::data::{Dataset, Sample, Votes};
use vultus::face::{Detector, Face, Recognizer, TestTimeAugmentation, cut_square};
use vultus::image::RgbImage;
use vultus::metrics::Predictions;
use vultus::{Device, Error};

use crate::cli::failure::{Failure, say};
use crate::cli::global::Global;

/// The most pixels that faces of a batch have on the device together, 64 MiB there.
const MAX_BATCH_PIXELS: u64 = 1 << 24;

/// Finds the face of an image and recognises it.
pub struct Judge {
    pub device: Device,
    /// Nothing if images are faces already.
    pub detector: Option<Detector>,
    pub recognizer: Recognizer,
    pub tta: TestTimeAugmentation,
    /// Faces that are computed at a time.
    pub batch: usize,
}

/// What became of all images.
pub struct Judged {
    pub predictions: Predictions,
    /// The names of the samples that were predicted, in their order.
    pub names: Vec<String>,
    /// What people said of each of them.
    pub votes: Vec<Option<Votes>>,
    /// The names of the images in which no face was found.
    pub without_face: Vec<String>,
    /// The names of the images that could not be read.
    pub unreadable: Vec<String>,
}

type Decoded = Vec<Result<RgbImage, Error>>;

impl Judge {
    /// Predicts for all samples. Images that cannot be read are named on standard error, and so are those without a
    /// face, unless it is to be quiet.
    pub fn all(self, data: &Dataset, global: &Global) -> Result<Judged, Failure> {
        let bar = global.progress("images", data.samples.len());
        let (sender, receiver) = sync_channel::<Decoded>(1);
        thread::scope(|scope| {
            scope.spawn(move || {
                for samples in data.samples.chunks(decoded_at_a_time()) {
                    let decoded = samples.par_iter().map(Sample::decode).collect();
                    // Nobody receives any more after a failure.
                    if sender.send(decoded).is_err() {
                        return;
                    }
                }
            });
            self.received(data, receiver, global, &bar)
        })
    }

    fn received(
        mut self,
        data: &Dataset,
        receiver: Receiver<Decoded>,
        global: &Global,
        bar: &ProgressBar,
    ) -> Result<Judged, Failure> {
        let mut predictions = Predictions::new(self.recognizer.classes().to_vec());
        predictions.subjects = data.subjects().map(|_| Vec::new());
        let mut judged = Judged {
            predictions,
            names: Vec::new(),
            votes: Vec::new(),
            without_face: Vec::new(),
            unreadable: Vec::new(),
        };
        let mut batch = Batch::default();
        for (sample, image) in data.samples.iter().zip(receiver.into_iter().flatten()) {
            bar.inc(1);
            let name = || sample.name(&data.path);
            let face = image.and_then(|image| self.face(sample, image));
            match face {
                Ok(Some(face)) => {
                    if batch.faces.len() == self.batch || !batch.has_room(&face) {
                        self.recognize(&mut batch, &mut judged.predictions)?;
                    }
                    batch.faces.push(face);
                    judged.add(sample, name());
                }
                Ok(None) => {
                    bar.suspend(|| global.note(&format!("{}: no face found", name())));
                    judged.without_face.push(name());
                }
                Err(error @ Error::DeviceLost { .. }) => return Err(error.into()),
                Err(error) => {
                    bar.suspend(|| say(&format!("vultus: {error}")));
                    judged.unreadable.push(name());
                }
            }
        }
        self.recognize(&mut batch, &mut judged.predictions)?;
        bar.finish_and_clear();
        Ok(judged)
    }

    /// The picture of the face in an image, if one is found.
    fn face(&mut self, sample: &Sample, image: RgbImage) -> Result<Option<RgbImage>, Error> {
        let Some(detector) = &mut self.detector else { return Ok(Some(image)) };
        let card = self.recognizer.card();
        if let (Some(bounds), None) = (sample.face, card.alignment) {
            return Ok(Some(cut_square(&image, bounds, card.margin)));
        }
        let picture = self.device.upload(image.as_raw(), image.width(), image.height())?;
        let faces = detector.detect(&picture)?;
        Face::meant(faces, sample.face).map(|face| self.recognizer.cut(&image, &face)).transpose()
    }

    /// Appends the probabilities for the faces of a batch, which is empty afterwards.
    fn recognize(&mut self, batch: &mut Batch, predictions: &mut Predictions) -> Result<(), Error> {
        predictions.probabilities.extend(self.recognizer.recognize_faces(&batch.faces, self.tta)?);
        batch.faces.clear();
        Ok(())
    }
}

impl Judged {
    /// A sample whose probabilities will be the next ones.
    fn add(&mut self, sample: &Sample, name: String) {
        self.names.push(name);
        self.votes.push(sample.votes.clone());
        self.predictions.labels.push(sample.label);
        if let (Some(subjects), Some(subject)) = (&mut self.predictions.subjects, &sample.subject) {
            subjects.push(subject.clone());
        }
    }
}

/// Images that are decoded at a time. As many again wait, and as many are computed with: enough to keep all threads
/// busy, and little enough for photos of many megapixels.
fn decoded_at_a_time() -> usize {
    rayon::current_num_threads().clamp(4, 16)
}

/// Faces that are recognised together, on the device as one picture with each below the last.
#[derive(Default)]
struct Batch {
    faces: Vec<RgbImage>,
}

impl Batch {
    /// Whether the picture of all faces stays small with another one.
    fn has_room(&self, face: &RgbImage) -> bool {
        let faces = || self.faces.iter().chain([face]);
        let width = faces().map(|face| u64::from(face.width())).max().unwrap_or(0);
        let height: u64 = faces().map(|face| u64::from(face.height())).sum();
        width * height <= MAX_BATCH_PIXELS
    }
}
