//! What facenet-pytorch's MTCNN finds in some pictures, and how near other faces are to it.

mod iou;

use std::fs;
use std::path::Path;

use serde::Deserialize;
use vultus::face::Face;

use iou::iou;

/// Two boxes are of the same face from this intersection over union on.
pub const MIN_IOU: f32 = 0.6;
/// How far a landmark may be from the reference's, relative to the width of the face.
pub const MAX_LANDMARK_ERROR: f32 = 0.05;
/// A face that the reference does not have is a fault from this probability on.
pub const MAX_EXTRA_PROBABILITY: f32 = 0.9;

/// The file of the reference.
#[derive(Deserialize)]
pub struct Reference {
    pub images: Vec<ReferenceImage>,
}

/// A picture.
#[derive(Deserialize)]
pub struct ReferenceImage {
    pub file: String,
    pub width: u32,
    pub height: u32,
    pub faces: Vec<ReferenceFace>,
}

/// A face: box x1, y1, x2, y2 and landmarks in the order of [`Face::landmarks`].
#[derive(Deserialize)]
pub struct ReferenceFace {
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
    pub landmarks: [[f32; 2]; 5],
}

impl Reference {
    pub fn read(path: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        Ok(serde_json::from_slice(&fs::read(path)?)?)
    }
}

/// How near the faces found are to the reference's.
#[derive(Debug)]
pub struct Comparison {
    /// The smallest intersection over union of a reference face with the face found that is nearest to it; 1 without
    /// reference faces.
    pub min_iou: f32,
    /// The largest distance of a landmark of these, relative to the width of the reference's box.
    pub worst_landmark: f32,
    /// Faces found above [`MAX_EXTRA_PROBABILITY`] that are no reference face's nearest.
    pub extras: usize,
}

impl Comparison {
    pub fn new(found: &[Face], reference: &[ReferenceFace]) -> Self {
        let mut comparison = Comparison { min_iou: 1.0, worst_landmark: 0.0, extras: 0 };
        let mut matched = vec![false; found.len()];
        for wanted in reference {
            let overlap = |&i: &usize| iou(&found[i].bounds, &wanted.bounds);
            let free = (0..found.len()).filter(|&i| !matched[i]);
            let Some(nearest) = free.max_by(|a, b| overlap(a).total_cmp(&overlap(b))) else {
                comparison.min_iou = 0.0;
                continue;
            };
            matched[nearest] = true;
            comparison.min_iou = comparison.min_iou.min(overlap(&nearest));
            let width = wanted.bounds[2] - wanted.bounds[0];
            for (a, b) in found[nearest].landmarks.iter().zip(&wanted.landmarks) {
                let error = (a[0] - b[0]).hypot(a[1] - b[1]) / width;
                comparison.worst_landmark = comparison.worst_landmark.max(error);
            }
        }
        let extra = |(face, matched): &(&Face, &bool)| !**matched && face.probability > MAX_EXTRA_PROBABILITY;
        comparison.extras = found.iter().zip(&matched).filter(extra).count();
        comparison
    }

    /// Whether the same faces were found.
    pub fn agrees(&self) -> bool {
        self.min_iou >= MIN_IOU && self.worst_landmark <= MAX_LANDMARK_ERROR && self.extras == 0
    }
}
