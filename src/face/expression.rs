//! What faces express: the answer of an analyzer.

use std::time::Duration;

use serde::{Serialize, Serializer};

use super::answer::Answer;
use super::model_card::ModelCard;
use crate::error::Result;
use crate::prepare::face::Face;
use crate::track::{TrackedFace, Tracker};

/// A picture's faces and what they express.
///
/// Written by serde it is `{"width", "height", "faces": [...]}`, each face as [`FaceExpression`] says.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Analysis {
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// The faces, the largest first.
    pub faces: Vec<FaceExpression>,
    /// How long it took.
    #[serde(skip)]
    pub times: AnalysisTimes,
}

/// How long the parts of an analysis took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AnalysisTimes {
    /// Bringing the picture onto the device and finding its faces.
    pub detect: Duration,
    /// Cutting the faces out, where the processor does that.
    pub cut: Duration,
    /// Recognising all faces of the pictures that were analysed together.
    pub recognize: Duration,
}

/// A face and what it expresses.
///
/// Written by serde it is `{"box": [x1, y1, x2, y2], "probability", "landmarks": [[x, y], ...], "expression", "scores":
/// {CLASS: probability, ...}}`, before which a tracked face has its `"id"` and after which its `"smoothed"` probabilities
/// and the seconds `"since"` it was first seen.
#[derive(Clone, Debug, PartialEq)]
pub struct FaceExpression {
    /// Left, upper, right and lower edge in pixels, within the picture.
    pub bounds: [f32; 4],
    /// The face as the detector found it, whose box may reach beyond the picture; none where the picture or a part of it was
    /// given as a face.
    pub face: Option<Face>,
    /// The most probable class, or that the model is uncertain.
    pub answer: Answer,
    /// The name of that class, or [`Answer::UNCERTAIN`].
    pub expression: String,
    /// The classes with their probabilities, in the order of the network's outputs.
    pub scores: Vec<(String, f32)>,
    /// What is known of it from the frames before, where faces are followed.
    pub track: Option<Track>,
}

/// Where a face is.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    /// Where a detector found it.
    Found(Face),
    /// In a box that was given, in which nobody looked for it: left, upper, right and lower edge in pixels.
    Given([f32; 4]),
}

/// What is known of a face from the frames before.
#[derive(Clone, Debug, PartialEq)]
pub struct Track {
    /// Which face it is: counted from 1, never used twice.
    pub id: u64,
    /// How many seconds ago it was first seen.
    pub since: f64,
    /// The answer that the averages over the last moments give.
    pub answer: Answer,
    /// The classes with these averages.
    pub smoothed: Vec<(String, f32)>,
}

impl Analysis {
    /// Gives each face its number and its averages, by a tracker that has seen the frames before. Faces that are no tracks
    /// yet are left out. The time is in seconds from any beginning and must not fall; every frame is to be given, also
    /// one without faces.
    ///
    /// # Errors
    /// As [`Tracker::update`].
    pub fn follow(self, time: f64, tracker: &mut Tracker, card: &ModelCard) -> Result<Self> {
        let Analysis { width, height, faces, times } = self;
        // A part of the picture that was given as a face is its only one.
        let is_given = faces.first().is_some_and(|face| face.face.is_none());
        let (mut found, mut scores) = (Vec::with_capacity(faces.len()), Vec::with_capacity(faces.len()));
        for FaceExpression { bounds, face, scores: row, .. } in faces {
            found.push(face.unwrap_or(Face { bounds, probability: 1.0, landmarks: [[0.0; 2]; 5] }));
            scores.push(row.into_iter().map(|(_, score)| score).collect());
        }
        let tracked = tracker.update(time, found, scores)?;
        let face = |TrackedFace { id, face, scores, smoothed, since }| {
            let place = if is_given { Place::Given(face.bounds) } else { Place::Found(face) };
            let track = Track { id, since, answer: card.answer(&smoothed), smoothed: named(card, smoothed) };
            FaceExpression { track: Some(track), ..FaceExpression::new(place, [width, height], card, scores) }
        };
        Ok(Analysis { width, height, faces: tracked.into_iter().map(face).collect(), times })
    }
}

impl FaceExpression {
    /// A face in a picture of this size, or a part of the picture that was given as one, with the probabilities that a model
    /// gives to its classes.
    pub fn new(place: Place, [width, height]: [u32; 2], card: &ModelCard, scores: Vec<f32>) -> Self {
        let (face, [x1, y1, x2, y2]) = match place {
            Place::Found(face) => {
                let bounds = face.bounds;
                (Some(face), bounds)
            }
            Place::Given(bounds) => (None, bounds),
        };
        let (right, lower) = (width as f32, height as f32);
        let bounds = [x1.clamp(0.0, right), y1.clamp(0.0, lower), x2.clamp(0.0, right), y2.clamp(0.0, lower)];
        let answer = card.answer(&scores);
        let expression = answer.name(&card.classes).to_owned();
        FaceExpression { bounds, face, answer, expression, scores: named(card, scores), track: None }
    }

    /// The classes with their probabilities, the most probable first.
    pub fn ranked(&self) -> Vec<(&str, f32)> {
        let mut ranked: Vec<_> = self.scores.iter().map(|(class, score)| (class.as_str(), *score)).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        ranked
    }
}

fn named(card: &ModelCard, scores: Vec<f32>) -> Vec<(String, f32)> {
    card.classes.iter().cloned().zip(scores).collect()
}

/// A face as it is written.
#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<u64>,
    #[serde(rename = "box")]
    bounds: [f32; 4],
    probability: Option<f32>,
    landmarks: Option<&'a [[f32; 2]; 5]>,
    expression: &'a str,
    scores: Map<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smoothed: Option<Map<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<f64>,
}

/// Names with numbers as an object, in their order.
struct Map<'a>(&'a [(String, f32)]);

impl Serialize for Map<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, number)| (name, number)))
    }
}

impl Serialize for FaceExpression {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        let (face, track) = (self.face.as_ref(), self.track.as_ref());
        let written = Written {
            id: track.map(|track| track.id),
            bounds: self.bounds,
            probability: face.map(|face| face.probability),
            landmarks: face.map(|face| &face.landmarks),
            expression: &self.expression,
            scores: Map(&self.scores),
            smoothed: track.map(|track| Map(&track.smoothed)),
            since: track.map(|track| track.since),
        };
        written.serialize(serializer)
    }
}
