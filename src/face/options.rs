//! What a detector takes for a face.

use crate::error::{Error, Result};

/// Pixels that a cell of P-Net looks at, each way: no smaller face can be found.
pub(super) const CELL: usize = 12;

/// What counts as a face.
///
/// ```
/// use vultus::face::DetectorOptions;
///
/// // Portraits: faces are large and few, so that small ones need not be looked for.
/// let portraits = DetectorOptions { min_face: 80.0, thresholds: [0.6, 0.7, 0.9], ..DetectorOptions::default() };
/// assert_eq!(portraits.factor, 0.709);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectorOptions {
    /// The side of the smallest face in pixels, at least 12. Time grows with the square of its inverse.
    pub min_face: f32,
    /// The probabilities from which on P-Net, R-Net and O-Net take a box for a face: 0 to 1.
    pub thresholds: [f32; 3],
    /// The ratio of one scale to the next, 0.1 to 0.95. Faces between two scales may be missed if it is small.
    pub factor: f32,
}

impl Default for DetectorOptions {
    /// facenet-pytorch's: 20 pixels, 0.6, 0.7, 0.7, and 0.709 (about half the pixels from scale to scale).
    fn default() -> Self {
        DetectorOptions { min_face: 20.0, thresholds: [0.6, 0.7, 0.7], factor: 0.709 }
    }
}

impl DetectorOptions {
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |reason: String| Err(Error::invalid("detector", reason));
        if !(self.min_face >= CELL as f32 && self.min_face.is_finite()) {
            return refuse(format!("the smallest face has {} pixels, at least {CELL} are needed", self.min_face));
        }
        if let Some(threshold) = self.thresholds.iter().find(|t| !(0.0..=1.0).contains(*t)) {
            return refuse(format!("the threshold {threshold} is not a probability"));
        }
        if !(0.1..=0.95).contains(&self.factor) {
            return refuse(format!("the factor {} is not within 0.1 and 0.95", self.factor));
        }
        Ok(())
    }
}
