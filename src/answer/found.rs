//! What is found in a picture.

use serde::{Serialize, Serializer};
use vultus::face::{Answer, Face, ModelCard};

/// A picture and its faces.
#[derive(Serialize)]
pub struct Found {
    /// The file, as it was named.
    pub file: String,
    /// Width in pixels, upright.
    pub width: u32,
    /// Height in pixels, upright.
    pub height: u32,
    /// The faces, the largest first.
    pub faces: Vec<FoundFace>,
}

/// A face and what it expresses.
#[derive(Serialize)]
pub struct FoundFace {
    /// x1, y1, x2, y2 in pixels.
    #[serde(rename = "box")]
    pub bounds: [f32; 4],
    /// The probability that this is a face.
    pub probability: f32,
    /// x and y of the eyes, the nose and the corners of the mouth.
    pub landmarks: [[f32; 2]; 5],
    /// The most probable class, or that the model is uncertain.
    pub expression: String,
    /// The same by the number of the class.
    #[serde(skip)]
    pub answer: Answer,
    /// The probability of every class, in the order of the network's outputs.
    #[serde(serialize_with = "as_map")]
    pub scores: Vec<(String, f32)>,
}

/// Names with numbers as an object, in their order.
///
/// # Errors
/// The serializer's.
pub fn as_map<S: Serializer>(scores: &[(String, f32)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(scores.iter().map(|(class, score)| (class, score)))
}

impl FoundFace {
    /// A face with the probabilities that a model gives to its classes.
    pub fn new(face: Face, card: &ModelCard, scores: Vec<f32>) -> Self {
        let answer = card.answer(&scores);
        FoundFace {
            bounds: face.bounds,
            probability: face.probability,
            landmarks: face.landmarks,
            expression: answer.name(&card.classes).to_owned(),
            answer,
            scores: card.classes.iter().cloned().zip(scores).collect(),
        }
    }

    /// Classes with their probabilities, the most probable first.
    pub fn ranked(&self) -> Vec<&(String, f32)> {
        let mut ranked: Vec<_> = self.scores.iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }
}
