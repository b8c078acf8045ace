//! One door from a picture to what its faces express.

use std::borrow::Cow;
use std::ops::Range;

use ::image::{RgbImage, imageops};

use super::detect::Detector;
use super::expression::{Analysis, AnalysisTimes, FaceExpression, Place};
use super::face_size::FaceSize;
use super::frame::{Frame, Pixels};
use super::model_card::{ModelCard, TestTimeAugmentation};
use super::options::DetectorKind;
use super::readback::Readback;
use super::recognize::Recognizer;
use crate::engine::{Device, Picture};
use crate::error::Result;
use crate::ops::Crop;
use crate::reading::{Reading, at_once};
use crate::time::Instant;
use crate::track::Tracker;

/// Finds the faces of pictures and says what they express, as the model's card wants it done: alignment, preparation and
/// test-time augmentation. The program, its server and the examples use nothing else, so that a photo gets the same
/// answer everywhere.
///
/// ```no_run
/// use std::path::Path;
/// use vultus::face::Analyzer;
///
/// let mut analyzer = Analyzer::builder().build()?;
/// let photo = vultus::image::decode_file(Path::new("photo.jpg"))?;
/// for face in analyzer.analyze(&photo)?.faces {
///     println!("{:?}: {}", face.bounds, face.expression);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Analyzer {
    pub(super) device: Device,
    pub(super) detector: Detector,
    pub(super) recognizer: Recognizer,
    pub(super) tta: TestTimeAugmentation,
    pub(super) min_face: FaceSize,
    pub(super) min_probability: f32,
    pub(super) tracker: Tracker,
    pub(super) readback: Readback,
}

/// A picture's faces, of which those that were cut out are not recognised yet.
struct Found {
    size: [u32; 2],
    faces: Vec<Place>,
    judged: Judged,
    times: AnalysisTimes,
}

/// What the network says of the faces of a picture, or where they are among those that were cut out.
enum Judged {
    Scores(Vec<Vec<f32>>),
    Cut(Range<usize>),
}

impl Analyzer {
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

    /// The names of the classes, in the order of the scores.
    pub fn classes(&self) -> &[String] {
        self.recognizer.classes()
    }

    /// The faces of a picture, the largest first, and what they express.
    ///
    /// The faces of a [`Picture`] on the device are cut out there, unless the model's card asks for an alignment or a
    /// preparation: then the picture is read back, since the processor does that.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] if the picture is on another device, its smallest face is out of range, or a face
    /// is to be aligned whose eyes are less than a pixel apart; [`crate::Error::Limit`] or [`crate::Error::Device`] if the
    /// device cannot work on a picture of its size; [`crate::Error::DeviceLost`] if it is gone.
    pub fn analyze<'a>(&mut self, frame: impl Into<Frame<'a>>) -> Result<Analysis> {
        let frame = [frame.into()];
        at_once(self.all(&frame, Reading::Blocking)).swap_remove(0)
    }

    /// As [`Analyzer::analyze`], without blocking while a GPU computes: see [`crate::Plan::output_async`].
    ///
    /// # Errors
    /// As [`Analyzer::analyze`].
    pub async fn analyze_async<'a>(&mut self, frame: impl Into<Frame<'a>>) -> Result<Analysis> {
        let frame = [frame.into()];
        self.all(&frame, Reading::Async).await.swap_remove(0)
    }

    /// As [`Analyzer::analyze`] for several pictures, whose faces go through the network together. What is found in one
    /// does not depend on the others, and where one fails, the others do not.
    ///
    /// # Errors
    /// For each picture those of [`Analyzer::analyze`].
    pub fn analyze_many(&mut self, frames: &[Frame<'_>]) -> Vec<Result<Analysis>> {
        at_once(self.all(frames, Reading::Blocking))
    }

    /// As [`Analyzer::analyze_many`], without blocking while a GPU computes.
    ///
    /// # Errors
    /// As [`Analyzer::analyze_many`].
    pub async fn analyze_many_async(&mut self, frames: &[Frame<'_>]) -> Vec<Result<Analysis>> {
        self.all(frames, Reading::Async).await
    }

    /// As [`Analyzer::analyze`] for the next frame of a video or a camera, whose faces are followed
    /// ([`Analysis::follow`]): each has a number that stays, and what was taken for a face in a frame or two is left out.
    ///
    /// # Errors
    /// As [`Analyzer::analyze`] and [`Analysis::follow`].
    pub fn follow<'a>(&mut self, time: f64, frame: impl Into<Frame<'a>>) -> Result<Analysis> {
        self.analyze(frame)?.follow(time, &mut self.tracker, self.recognizer.card())
    }

    /// As [`Analyzer::follow`], without blocking while a GPU computes.
    ///
    /// # Errors
    /// As [`Analyzer::follow`].
    pub async fn follow_async<'a>(&mut self, time: f64, frame: impl Into<Frame<'a>>) -> Result<Analysis> {
        let analysis = self.analyze_async(frame).await?;
        analysis.follow(time, &mut self.tracker, self.recognizer.card())
    }

    /// Forgets the faces that were followed, as after a cut or when another video begins.
    pub fn forget(&mut self) {
        self.tracker.reset();
    }

    async fn all(&mut self, frames: &[Frame<'_>], reading: Reading) -> Vec<Result<Analysis>> {
        let (mut found, mut cut) = (Vec::with_capacity(frames.len()), Vec::new());
        for frame in frames {
            found.push(self.find(frame, frames.len() == 1, &mut cut, reading).await);
        }
        let start = Instant::now();
        let together = match cut.as_slice() {
            [] => Ok(Vec::new()),
            cut => self.recognizer.judge(cut, self.tta, reading).await,
        };
        let recognize = start.elapsed();
        let mut analyses = Vec::with_capacity(frames.len());
        for found in found {
            analyses.push(match found {
                Ok(mut found) => {
                    found.times.recognize += recognize;
                    self.judged(found, &cut, &together, reading).await
                }
                Err(error) => Err(error),
            });
        }
        analyses
    }

    /// The faces of a picture. Those that the processor cuts out are appended to `cut`.
    async fn find(
        &mut self,
        frame: &Frame<'_>,
        is_alone: bool,
        cut: &mut Vec<RgbImage>,
        reading: Reading,
    ) -> Result<Found> {
        let size = [frame.width(), frame.height()];
        let mut times = AnalysisTimes::default();
        let start = Instant::now();
        let uploaded;
        let picture = match &frame.pixels {
            Pixels::Device(picture) => *picture,
            Pixels::Memory(image) => {
                uploaded = self.device.upload(image.as_raw(), size[0], size[1])?;
                &uploaded
            }
        };
        let faces = match frame.part {
            Some(part) => {
                part.check(size[0], size[1])?;
                let [x1, y1, x2, y2] = [part.x, part.y, part.x + part.width, part.y + part.height];
                vec![Place::Given([x1, y1, x2, y2].map(|edge| edge as f32))]
            }
            None => self.detect(frame, picture, reading).await?,
        };
        times.detect = start.elapsed();
        let start = Instant::now();
        let is_on_device = is_alone || matches!(frame.pixels, Pixels::Device(_));
        let judged = if is_on_device && self.recognizer.cuts_on_device() {
            let crop = |place: &Place| match place {
                Place::Found(face) => self.recognizer.crop(face, picture),
                Place::Given(bounds) => part(*bounds),
            };
            let crops: Vec<Crop> = faces.iter().map(crop).collect();
            let scores = self.recognizer.scores(picture, &crops, self.tta, reading).await?;
            times.recognize = start.elapsed();
            Judged::Scores(scores)
        } else {
            let image = match &frame.pixels {
                Pixels::Memory(image) => Cow::Borrowed(image.as_ref()),
                Pixels::Device(_) if faces.is_empty() => Cow::Owned(RgbImage::default()),
                Pixels::Device(picture) => Cow::Owned(self.readback.read(&self.device, picture, reading).await?),
            };
            let cut_out = |place: &Place| match place {
                Place::Found(face) => self.recognizer.cut(&image, face),
                Place::Given(bounds) => {
                    let Crop { x, y, width, height, .. } = part(*bounds);
                    Ok(imageops::crop_imm(image.as_ref(), x, y, width, height).to_image())
                }
            };
            let these = faces.iter().map(cut_out).collect::<Result<Vec<_>>>()?;
            let first = cut.len();
            cut.extend(these);
            times.cut = start.elapsed();
            Judged::Cut(first..cut.len())
        };
        Ok(Found { size, faces, judged, times })
    }

    async fn detect(&mut self, frame: &Frame<'_>, picture: &Picture, reading: Reading) -> Result<Vec<Place>> {
        let size = frame.min_face.unwrap_or(self.min_face);
        size.check()?;
        self.detector.set_min_face(size.pixels(frame.width(), frame.height()))?;
        let faces = self.detector.find(picture, reading).await?;
        Ok(faces.into_iter().filter(|face| face.probability >= self.min_probability).map(Place::Found).collect())
    }

    /// The answer for a picture, when all faces that were cut out have gone through the network together. Where that
    /// failed, those of this picture go through it by themselves: one error is given to one picture only.
    async fn judged(
        &mut self,
        found: Found,
        cut: &[RgbImage],
        together: &Result<Vec<Vec<f32>>>,
        reading: Reading,
    ) -> Result<Analysis> {
        let Found { size, faces, judged, times } = found;
        let scores = match (judged, together) {
            (Judged::Scores(scores), _) => scores,
            (Judged::Cut(range), Ok(scores)) => scores.get(range).map(<[_]>::to_vec).unwrap_or_default(),
            (Judged::Cut(range), Err(_)) => {
                let these = cut.get(range).unwrap_or_default();
                self.recognizer.judge(these, self.tta, reading).await?
            }
        };
        let card = self.recognizer.card();
        let face = |(place, scores)| FaceExpression::new(place, size, card, scores);
        let faces = faces.into_iter().zip(scores).map(face).collect();
        Ok(Analysis { width: size[0], height: size[1], faces, times })
    }
}

/// A box of whole pixels as a part of the picture.
fn part([x1, y1, x2, y2]: [f32; 4]) -> Crop {
    let [x, y, right, lower] = [x1, y1, x2, y2].map(|edge| edge as u32);
    Crop { x, y, width: right - x, height: lower - y, mirror: false }
}
