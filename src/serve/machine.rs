//! What recognises: detector and recogniser on one device, used by one thread.

use std::time::Instant;

use serde::Serialize;
use vultus::face::{Detector, DetectorKind, Face, ModelCard, Recognizer, TestTimeAugmentation};
use vultus::image::RgbImage;
use vultus::{Device, Error, Options, Parameters, Precision};

use super::inside::{Inside, Question, View};

/// The most looks at faces in one batch of the device.
const BATCH: usize = 16;

/// How often the smallest face goes into the longer side of a picture at most, whoever asks for less: it bounds the time
/// that one picture takes.
const FACES_ALONG: f32 = 48.0;

/// A picture in which faces are wanted.
pub struct Request {
    /// The picture.
    pub picture: RgbImage,
    /// The side of the smallest face, in pixels.
    pub min_face: f32,
}

/// What a picture shows.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The faces, the largest first, with the probability of each class.
    pub faces: Vec<(Face, Vec<f32>)>,
    /// How long it took.
    pub times: Times,
}

/// Milliseconds of each stage.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Times {
    /// From the file's bytes to pixels.
    pub decode: f64,
    /// For the device.
    pub wait: f64,
    /// Finding faces.
    pub detect: f64,
    /// Cutting faces out.
    pub prepare: f64,
    /// Recognising all faces of the batch.
    pub network: f64,
    /// From the arrival of the bytes to the answer.
    pub total: f64,
}

/// Milliseconds since then, to the microsecond.
pub fn since(start: Instant) -> f64 {
    start.elapsed().as_micros() as f64 / 1e3
}

/// What a machine is made from.
pub struct Setup {
    /// Where to compute.
    pub device: Device,
    /// What finds faces there.
    pub detector: Detector,
    /// What the trained model says about itself.
    pub card: ModelCard,
    /// All parameters of its network.
    pub parameters: Parameters,
    /// How a GPU stores the recogniser's weights.
    pub precision: Precision,
    /// How often to look at each face; what the model recommends unless it is said.
    pub tta: Option<TestTimeAugmentation>,
}

/// Finds and recognises faces.
pub struct Machine {
    device: Device,
    detector: Detector,
    recognizer: Recognizer,
    tta: TestTimeAugmentation,
    parameters: Parameters,
    /// Made when it is first asked for: it holds the network once more.
    inside: Option<Inside>,
}

impl Machine {
    /// A detector and a recogniser on a device.
    pub fn new(setup: Setup) -> Result<Self, Error> {
        let Setup { device, detector, card, parameters, precision, tta } = setup;
        let options = Options { precision, ..Options::default() };
        let recognizer = Recognizer::from_card(&device, card, &parameters, BATCH, &options)?;
        let tta = tta.unwrap_or(recognizer.card().tta);
        Ok(Machine { device, detector, recognizer, tta, parameters, inside: None })
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What finds faces.
    pub fn detector(&self) -> DetectorKind {
        self.detector.kind()
    }

    /// What the model says about itself.
    pub fn card(&self) -> &ModelCard {
        self.recognizer.card()
    }

    /// Looks at several pictures; the faces of all of them go through the network together. What one answer says does not
    /// depend on the other pictures.
    pub fn look(&mut self, requests: &[&Request]) -> Vec<Result<Seen, Error>> {
        let mut found: Vec<_> = requests.iter().map(|request| self.find(request)).collect();
        let cut: Vec<RgbImage> = found.iter_mut().flatten().flat_map(|found| std::mem::take(&mut found.cut)).collect();
        let start = Instant::now();
        // One error is given to one request only, and the others are looked at by themselves.
        match self.recognizer.recognize_faces(&cut, self.tta) {
            Ok(scores) => {
                let (network, mut scores) = (since(start), scores.into_iter());
                let mut seen = |found: Found| Seen {
                    times: Times { network, ..found.times },
                    faces: found.faces.into_iter().zip(scores.by_ref()).collect(),
                };
                found.into_iter().map(|found| found.map(&mut seen)).collect()
            }
            Err(error) if requests.len() <= 1 => vec![Err(error)],
            Err(_) => requests.iter().flat_map(|request| self.look(&[request])).collect(),
        }
    }

    /// Shows how the answer for one face of a picture comes about.
    pub fn look_inside(&mut self, request: &Request, question: &Question) -> Result<View, Error> {
        let faces = self.look(&[request]).swap_remove(0)?.faces;
        let inside = match self.inside.take() {
            Some(inside) => inside,
            None => Inside::new(&self.device, self.card().clone(), &self.parameters)?,
        };
        self.inside.insert(inside).view(&request.picture, faces, question)
    }

    fn find(&mut self, request: &Request) -> Result<Found, Error> {
        let image = &request.picture;
        let start = Instant::now();
        let least = image.width().max(image.height()) as f32 / FACES_ALONG;
        self.detector.set_min_face(request.min_face.max(least))?;
        let picture = self.device.upload(image.as_raw(), image.width(), image.height())?;
        let faces = self.detector.detect(&picture)?;
        let detect = since(start);
        let start = Instant::now();
        let cut = faces.iter().map(|face| self.recognizer.cut(image, face)).collect::<Result<_, _>>()?;
        Ok(Found { faces, cut, times: Times { detect, prepare: since(start), ..Times::default() } })
    }
}

/// The faces of a picture, not yet recognised.
struct Found {
    faces: Vec<Face>,
    cut: Vec<RgbImage>,
    times: Times,
}
