//! YuNet (Wu, Peng, Yu 2023, doi:10.1007/s11633-023-1423-y) as OpenCV's `FaceDetectorYN` runs it, and beyond the sizes
//! that it was trained for in copies and parts of the picture.

mod decode;
mod looks;

use super::boxes::suppress;
use super::options::DetectorOptions;
use crate::engine::{Device, Options, Picture, Plan};
use crate::error::Result;
use crate::nn::yunet;
use crate::ops::{Filter, Normalization, Order};
use crate::prepare::Overlap;
use crate::prepare::face::Face;
use crate::reading::Reading;
use crate::tensor::Parameters;
use crate::weights::WeightFile;
use looks::{Look, looks};

/// Colours as OpenCV has them.
const PIXELS: Normalization = Normalization { order: Order::Bgr, mean: [0.0; 3], std: [1.0; 3], gray: false };

/// The most that two faces have in common, of what they cover together. OpenCV's.
const MOST_OVERLAP: f32 = 0.3;

/// The most boxes that are compared with each other. OpenCV's.
const MAX_BOXES: usize = 5000;

/// The network, and its plans for pictures of one size.
pub(super) struct Yunet {
    device: Device,
    parameters: Parameters,
    views: Vec<View>,
}

/// A plan for a way to look at pictures.
struct View {
    look: Look,
    grids: [[usize; 2]; 3],
    plan: Plan,
}

impl Yunet {
    /// The network on a device.
    pub fn new(device: &Device, weights: WeightFile) -> Result<Self> {
        weights.check_shapes(&yunet::network(32, 32)?.parameter_shapes()?)?;
        Ok(Yunet { device: device.clone(), parameters: weights.parameters, views: Vec::new() })
    }

    /// The faces in a picture.
    pub async fn find(&mut self, picture: &Picture, options: &DetectorOptions, reading: Reading) -> Result<Vec<Face>> {
        self.prepare(looks(picture.width(), picture.height(), options.min_face))?;
        // All are submitted before the first is waited for.
        for view in &mut self.views {
            view.submit(picture, 0)?;
        }
        let mut faces = Vec::new();
        for view in &mut self.views {
            view.collect(picture, options.score, reading, &mut faces).await?;
        }
        if faces.len() > MAX_BOXES {
            faces.sort_by(|a, b| b.probability.total_cmp(&a.probability));
            faces.truncate(MAX_BOXES);
        }
        Ok(suppress(&faces, MOST_OVERLAP, Overlap::Union).into_iter().map(|i| faces[i].clone()).collect())
    }

    /// Makes the plans, unless they are there. Those for the last size go before new ones are made: both could be too much
    /// for the device.
    fn prepare(&mut self, looks: Vec<Look>) -> Result<()> {
        if !self.views.iter().map(|view| &view.look).eq(&looks) {
            self.views.clear();
            let views = looks.into_iter().map(|look| View::new(&self.device, &self.parameters, look));
            self.views = views.collect::<Result<_>>()?;
        }
        Ok(())
    }
}

impl View {
    fn new(device: &Device, parameters: &Parameters, look: Look) -> Result<Self> {
        let [height, width] = look.size;
        let plan = device.load(&yunet::network(height, width)?, parameters)?.compile(1, &Options::default())?;
        Ok(View { look, grids: yunet::grids(height, width), plan })
    }

    /// Starts to look at a part.
    fn submit(&mut self, picture: &Picture, part: usize) -> Result<()> {
        self.plan.set_picture(picture, &[self.look.parts[part]], Filter::Area, &PIXELS)?;
        self.plan.begin()
    }

    /// Appends the faces in all parts, of which the first was submitted.
    async fn collect(&mut self, picture: &Picture, score: f32, reading: Reading, faces: &mut Vec<Face>) -> Result<()> {
        for part in 0..self.look.parts.len() {
            if part > 0 {
                self.submit(picture, part)?;
            }
            let outputs = self.plan.read_begun(reading).await?;
            let found = decode::faces(outputs[0].data(), &self.grids, score);
            let (crop, size) = (&self.look.parts[part], [picture.width(), picture.height()]);
            faces.extend(found.into_iter().filter_map(|face| self.look.placed(face, crop, size)));
        }
        Ok(())
    }
}
