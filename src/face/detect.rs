//! Finding faces: MTCNN (Zhang, Zhang, Li, Qiao 2016, arXiv:1604.02878) as facenet-pytorch 2.6 runs it.

use super::boxes::{Bounds, Candidate, Overlap, clipped, corrected, squared, suppress};
use super::options::{CELL, DetectorOptions};
use super::proposals::Pyramid;
use crate::engine::{Device, Options, Picture, Plan};
use crate::error::Result;
use crate::nn::{Network, mtcnn};
use crate::ops::{Crop, Filter, Normalization};
use crate::prepare::face::Face;
use crate::reading::{Reading, at_once};
use crate::tensor::Parameters;
use crate::weights::WeightFile;

/// Proposals that R-Net judges at a time.
const RNET_BATCH: usize = 64;
/// Proposals that O-Net judges at a time.
const ONET_BATCH: usize = 16;

/// The least overlap of a face with the box that is given for it. Boxes are drawn tightly or generously, and two faces
/// rarely overlap.
const LEAST_OVERLAP: f32 = 0.3;

impl Face {
    /// The one of these faces that is meant: without a box the first, which is the largest of those that
    /// [`Detector::detect`] finds; with one the face that overlaps it most, if what both have in common is at least
    /// 3/10 of what they cover together.
    ///
    /// ```
    /// use vultus::face::Face;
    ///
    /// let at = |bounds| Face { bounds, probability: 1.0, landmarks: [[0.0; 2]; 5] };
    /// let faces = || vec![at([0.0, 0.0, 50.0, 50.0]), at([60.0, 0.0, 90.0, 30.0])];
    /// assert_eq!(Face::meant(faces(), None).unwrap().bounds, [0.0, 0.0, 50.0, 50.0]);
    /// assert_eq!(Face::meant(faces(), Some([62.0, 5.0, 92.0, 35.0])).unwrap().bounds, [60.0, 0.0, 90.0, 30.0]);
    /// assert_eq!(Face::meant(faces(), Some([0.0, 60.0, 50.0, 90.0])), None);
    /// ```
    pub fn meant(faces: Vec<Face>, bounds: Option<[f32; 4]>) -> Option<Face> {
        let Some(bounds) = bounds else { return faces.into_iter().next() };
        let overlap = |face: &Face| Overlap::Union.of(&face.bounds, &bounds);
        faces.into_iter().filter(|face| overlap(face) >= LEAST_OVERLAP).max_by(|a, b| overlap(a).total_cmp(&overlap(b)))
    }
}

/// Finds faces in pictures. It keeps the plans for the size of the last picture, so pictures of one size (a video) are
/// the fastest.
///
/// ```no_run
/// use std::path::Path;
/// use vultus::Device;
/// use vultus::face::{Detector, DetectorOptions};
/// use vultus::weights::{DefaultFile, Store};
///
/// let device = Device::best();
/// let weights = Store::open(None)?.load(DefaultFile::Mtcnn)?;
/// let mut detector = Detector::new(&device, weights, DetectorOptions::default())?;
/// let photo = vultus::image::decode_file(Path::new("photo.jpg"))?;
/// for face in detector.detect(&device.upload(&photo, photo.width(), photo.height())?)? {
///     println!("{:?}, surely {:.2}", face.bounds, face.probability);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Detector {
    device: Device,
    options: DetectorOptions,
    pnet: Parameters,
    pyramid: Option<Pyramid>,
    rnet: Plan,
    onet: Plan,
}

impl Detector {
    /// A detector on a device, from the file of MTCNN's weights.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if the file holds other tensors; [`crate::Error::InvalidArgument`] if an option is out
    /// of its range; [`crate::Error::Limit`] or [`crate::Error::Device`] if the device cannot hold the networks.
    pub fn new(device: &Device, weights: WeightFile, options: DetectorOptions) -> Result<Self> {
        options.check()?;
        let networks = [mtcnn::pnet(CELL, CELL)?, mtcnn::rnet()?, mtcnn::onet()?];
        let mut expected = Vec::new();
        for network in &networks {
            expected.extend(network.parameter_shapes()?);
        }
        weights.check_shapes(&expected)?;
        let parameters = mtcnn::reordered(weights.parameters)?;
        let of = |network: &Network| -> Parameters {
            let prefix = format!("{}.", network.name());
            parameters
                .iter()
                .filter(|(name, _)| name.starts_with(&prefix))
                .map(|(n, t)| (n.clone(), t.clone()))
                .collect()
        };
        let [pnet, rnet, onet] = networks;
        let compile =
            |network: &Network, batch| device.load(network, &of(network))?.compile(batch, &Options::default());
        Ok(Detector {
            device: device.clone(),
            options,
            pnet: of(&pnet),
            pyramid: None,
            rnet: compile(&rnet, RNET_BATCH)?,
            onet: compile(&onet, ONET_BATCH)?,
        })
    }

    /// Looks for faces from this side in pixels on, at least 12, from now on.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] if it is out of its range; nothing is changed then.
    pub fn set_min_face(&mut self, min_face: f32) -> Result<()> {
        let options = DetectorOptions { min_face, ..self.options };
        options.check()?;
        if options != self.options {
            (self.options, self.pyramid) = (options, None);
        }
        Ok(())
    }

    /// The faces in a picture, the largest first. A picture smaller than the smallest face has none.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] if the picture is on another device; [`crate::Error::Limit`] or
    /// [`crate::Error::Device`] if the device cannot work on a picture of its size; [`crate::Error::DeviceLost`] if the
    /// device is gone.
    pub fn detect(&mut self, picture: &Picture) -> Result<Vec<Face>> {
        at_once(self.find(picture, Reading::Blocking))
    }

    /// As [`Detector::detect`], without blocking while a GPU computes: see [`Plan::output_async`].
    ///
    /// # Errors
    /// As [`Detector::detect`].
    pub async fn detect_async(&mut self, picture: &Picture) -> Result<Vec<Face>> {
        self.find(picture, Reading::Async).await
    }

    async fn find(&mut self, picture: &Picture, reading: Reading) -> Result<Vec<Face>> {
        let [proposed, refined, accepted] = self.options.thresholds;
        let squares = self.pyramid(picture)?.propose(picture, proposed, reading).await?;
        let squares = refine(judge(&mut self.rnet, picture, &squares, refined, reading).await?);
        let mut faces = finish(judge(&mut self.onet, picture, &squares, accepted, reading).await?);
        faces.sort_by(|a, b| area(b).total_cmp(&area(a)));
        Ok(faces)
    }

    /// The plans for pictures of this size. Those for the last size go before new ones are made: both could be too much
    /// for the device.
    fn pyramid(&mut self, picture: &Picture) -> Result<&mut Pyramid> {
        let pyramid = match self.pyramid.take().filter(|pyramid| pyramid.fits(picture)) {
            Some(pyramid) => pyramid,
            None => Pyramid::new(&self.device, &self.pnet, picture.width(), picture.height(), &self.options)?,
        };
        Ok(self.pyramid.insert(pyramid))
    }
}

/// What a network of the second or third stage says of a box.
struct Judged {
    candidate: Candidate,
    /// O-Net's x1 … x5, y1 … y5 relative to the box; empty for R-Net.
    landmarks: Vec<f32>,
}

/// The boxes whose contents the network takes for a face. What lies outside of the picture is not looked at.
async fn judge(
    plan: &mut Plan,
    picture: &Picture,
    boxes: &[Bounds],
    threshold: f32,
    reading: Reading,
) -> Result<Vec<Judged>> {
    let clip = |b: &Bounds| clipped(b, picture.width(), picture.height()).map(|crop| (*b, crop));
    let inside: Vec<(Bounds, Crop)> = boxes.iter().filter_map(clip).collect();
    let batch = plan.input_shapes()[0][0];
    let mut judged = Vec::new();
    for piece in inside.chunks(batch) {
        let crops: Vec<Crop> = piece.iter().map(|(_, crop)| *crop).collect();
        plan.set_picture(picture, &crops, Filter::Area, &Normalization::MTCNN)?;
        plan.execute()?;
        let outputs = plan.read_outputs(reading).await?;
        for (i, &(bounds, _)) in piece.iter().enumerate() {
            let (score, offsets) = (outputs[0].data()[2 * i + 1], &outputs[1].data()[4 * i..]);
            if score > threshold {
                let candidate = Candidate { bounds, score, offsets: [0, 1, 2, 3].map(|edge| offsets[edge]) };
                let landmarks = outputs.get(2).map_or(Vec::new(), |output| output.data()[10 * i..][..10].to_vec());
                judged.push(Judged { candidate, landmarks });
            }
        }
    }
    Ok(judged)
}

fn area(face: &Face) -> f32 {
    let [x1, y1, x2, y2] = face.bounds;
    (x2 - x1) * (y2 - y1)
}

/// The end of the second stage: squares for the third.
fn refine(judged: Vec<Judged>) -> Vec<Bounds> {
    let candidates: Vec<Candidate> = judged.into_iter().map(|judged| judged.candidate).collect();
    let kept = suppress(&candidates, 0.7, Overlap::Union).into_iter().map(|i| &candidates[i]);
    kept.map(|c| squared(&corrected(&c.bounds, &c.offsets, 1.0))).collect()
}

/// The end of the third stage. Landmarks are relative to the box before its correction, suppression looks at the boxes
/// after it.
fn finish(judged: Vec<Judged>) -> Vec<Face> {
    let bounds = |c: &Candidate| corrected(&c.bounds, &c.offsets, 1.0);
    let corrected: Vec<Candidate> =
        judged.iter().map(|j| Candidate { bounds: bounds(&j.candidate), ..j.candidate }).collect();
    let face = |i: usize| {
        let [x1, y1, x2, y2] = judged[i].candidate.bounds;
        let (width, height) = (x2 - x1 + 1.0, y2 - y1 + 1.0);
        let (xs, ys) = judged[i].landmarks.split_at(5);
        let landmark = |k: usize| [width * xs[k] + x1 - 1.0, height * ys[k] + y1 - 1.0];
        let landmarks = [0, 1, 2, 3, 4].map(landmark);
        Face { bounds: corrected[i].bounds, probability: corrected[i].score, landmarks }
    };
    suppress(&corrected, 0.7, Overlap::Smaller).into_iter().map(face).collect()
}
