//! What a tracker goes by.

use crate::error::{Error, Result};

/// What a [`super::Tracker`] goes by.
///
/// ```
/// use vultus::track::{Tracker, TrackerOptions};
///
/// // For a camera that looks at passers-by: faces return soon or never, and every frame counts by itself.
/// let options = TrackerOptions { patience: 0.2, smoothing: 0.0, ..TrackerOptions::default() };
/// assert!(Tracker::new(options).is_ok());
/// assert!(Tracker::new(TrackerOptions { least_overlap: 30.0, ..options }).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrackerOptions {
    /// In how many frames in a row a face must be found to be followed, at least 1. What a detector takes for a face in a
    /// frame or two is left out so.
    pub min_hits: u32,
    /// From which overlap on a found face is the one that was expected there: 0 to 1, what both boxes have in common as
    /// a part of what they cover together. Faces that overlap less can still be the same one where they are near
    /// enough, as in a video of few frames per second.
    pub least_overlap: f32,
    /// For how many seconds a face may be missing and keep its number, counted from the first frame without it; 0 or
    /// more. With 0 it has another number after a single frame without it.
    pub patience: f64,
    /// The time constant of the average of the probabilities in seconds; 0 or more. What was seen that long ago counts
    /// 1/e of what is seen now; with 0 nothing is averaged.
    pub smoothing: f64,
}

impl Default for TrackerOptions {
    /// Three frames in a row, an overlap of 0.3, a patience of 0.7 s, and averages over 0.4 s.
    fn default() -> Self {
        TrackerOptions { min_hits: 3, least_overlap: 0.3, patience: 0.7, smoothing: 0.4 }
    }
}

impl TrackerOptions {
    /// Whether everything is within its range.
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |reason: String| Err(Error::invalid("tracker", reason));
        if self.min_hits == 0 {
            return refuse("a face must be found in at least 1 frame".to_owned());
        }
        if !(0.0..=1.0).contains(&self.least_overlap) {
            return refuse(format!("the least overlap {} is not within 0 and 1", self.least_overlap));
        }
        for (name, seconds) in [("patience", self.patience), ("time constant", self.smoothing)] {
            if !(seconds >= 0.0 && seconds.is_finite()) {
                return refuse(format!("the {name} {seconds} is not a number of seconds from 0 on"));
            }
        }
        Ok(())
    }
}
