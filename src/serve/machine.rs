//! What recognises: an analyzer and a look inside its network, used by one thread.

use std::time::{Duration, Instant};

use serde::Serialize;
use vultus::face::{Analysis, AnalysisTimes, Analyzer, DetectorKind, FaceSize, Frame, ModelCard};
use vultus::image::RgbImage;
use vultus::{Device, Error, Parameters};

use super::inside::{Inside, Question, View};

/// The most looks at faces in one batch of the device.
pub const BATCH: usize = 16;

/// How often the smallest face goes into the longer side of a picture at most, whoever asks for less: it bounds the time
/// that one picture takes.
const FACES_ALONG: f32 = 50.0;

/// A picture in which faces are wanted.
pub struct Request {
    /// The picture.
    pub picture: RgbImage,
    /// The smallest face; the analyzer's default unless it is said.
    pub min_face: Option<FaceSize>,
}

impl Request {
    fn frame(&self) -> Frame<'_> {
        let frame = Frame::from(&self.picture);
        let Some(asked) = self.min_face else { return frame };
        let (width, height) = self.picture.dimensions();
        let least = width.max(height) as f32 / FACES_ALONG;
        frame.min_face(FaceSize::Pixels(asked.pixels(width, height).max(least)))
    }
}

/// What a picture shows.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The faces and what they express.
    pub analysis: Analysis,
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
    milliseconds(start.elapsed())
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}

impl From<AnalysisTimes> for Times {
    fn from(times: AnalysisTimes) -> Self {
        let [detect, prepare, network] = [times.detect, times.cut, times.recognize].map(milliseconds);
        Times { detect, prepare, network, ..Times::default() }
    }
}

/// What a machine is made from.
pub struct Setup {
    /// What finds and recognises faces.
    pub analyzer: Analyzer,
    /// All parameters of its network.
    pub parameters: Parameters,
}

/// Finds and recognises faces.
pub struct Machine {
    analyzer: Analyzer,
    parameters: Parameters,
    /// Made when it is first asked for: it holds the network once more.
    inside: Option<Inside>,
}

impl Machine {
    /// As it is set up.
    pub fn new(Setup { analyzer, parameters }: Setup) -> Self {
        Machine { analyzer, parameters, inside: None }
    }

    /// Where it computes.
    pub fn device(&self) -> &Device {
        self.analyzer.device()
    }

    /// What finds faces.
    pub fn detector(&self) -> DetectorKind {
        self.analyzer.detector()
    }

    /// What the model says about itself.
    pub fn card(&self) -> &ModelCard {
        self.analyzer.card()
    }

    /// Looks at several pictures; the faces of all of them go through the network together. What one answer says does not
    /// depend on the other pictures.
    pub fn look(&mut self, requests: &[&Request]) -> Vec<Result<Seen, Error>> {
        let frames: Vec<Frame<'_>> = requests.iter().map(|request| request.frame()).collect();
        let seen = |analysis: Analysis| Seen { times: analysis.times.into(), analysis };
        self.analyzer.analyze_many(&frames).into_iter().map(|analysis| analysis.map(seen)).collect()
    }

    /// Shows how the answer for one face of a picture comes about.
    pub fn look_inside(&mut self, request: &Request, question: &Question) -> Result<View, Error> {
        let analysis = self.analyzer.analyze(request.frame())?;
        let inside = match self.inside.take() {
            Some(inside) => inside,
            None => Inside::new(self.device(), self.card().clone(), &self.parameters)?,
        };
        self.inside.insert(inside).view(&request.picture, analysis, question)
    }
}
