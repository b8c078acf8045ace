//! MTCNN (Zhang, Zhang, Li, Qiao 2016, arXiv:1604.02878) as facenet-pytorch 2.6 runs it.

mod boxes;
mod proposals;

use super::boxes::{Bounds, suppress};
use super::options::DetectorOptions;
use crate::engine::{Device, Options, Picture, Plan};
use crate::error::Result;
use crate::nn::{Network, mtcnn};
use crate::ops::{Crop, Filter, Normalization};
use crate::prepare::Overlap;
use crate::prepare::face::Face;
use crate::reading::Reading;
use crate::tensor::Parameters;
use crate::weights::WeightFile;
use boxes::{Candidate, clipped, corrected, squared};
use proposals::{CELL, Pyramid};

/// Proposals that R-Net judges at a time.
const RNET_BATCH: usize = 64;
/// Proposals that O-Net judges at a time.
const ONET_BATCH: usize = 16;

/// The three networks, one after the other.
pub(super) struct Mtcnn {
    device: Device,
    pnet: Parameters,
    pyramid: Option<Pyramid>,
    rnet: Plan,
    onet: Plan,
}

impl Mtcnn {
    /// The networks on a device.
    pub fn new(device: &Device, weights: WeightFile) -> Result<Self> {
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
        Ok(Mtcnn {
            device: device.clone(),
            pnet: of(&pnet),
            pyramid: None,
            rnet: compile(&rnet, RNET_BATCH)?,
            onet: compile(&onet, ONET_BATCH)?,
        })
    }

    /// Makes the plans anew, for other options.
    pub fn forget_plans(&mut self) {
        self.pyramid = None;
    }

    /// The faces in a picture.
    pub async fn find(&mut self, picture: &Picture, options: &DetectorOptions, reading: Reading) -> Result<Vec<Face>> {
        let [proposed, refined, accepted] = options.thresholds;
        let squares = self.pyramid(picture, options)?.propose(picture, proposed, reading).await?;
        let squares = refine(judge(&mut self.rnet, picture, &squares, refined, reading).await?);
        Ok(finish(judge(&mut self.onet, picture, &squares, accepted, reading).await?))
    }

    /// The plans for pictures of this size. Those for the last size go before new ones are made: both could be too much
    /// for the device.
    fn pyramid(&mut self, picture: &Picture, options: &DetectorOptions) -> Result<&mut Pyramid> {
        let pyramid = match self.pyramid.take().filter(|pyramid| pyramid.fits(picture)) {
            Some(pyramid) => pyramid,
            None => Pyramid::new(&self.device, &self.pnet, picture.width(), picture.height(), options)?,
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
        plan.begin()?;
        let outputs = plan.read_begun(reading).await?;
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
