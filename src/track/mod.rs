//! Faces from frame to frame: which is which, and what each shows over a short time.
//!
//! A [`Tracker`] is given the faces of each frame of a video or a camera as they come. It gives each person's face a
//! number that stays, also where people cross or a face is not found for a moment, and an average of the probabilities
//! over the last moments, which flickers less than what single frames give. The rate of the frames need not be regular:
//! everything goes by the time of each frame. What is found in a frame or two only is left out.
//!
//! ```
//! use vultus::face::Face;
//! use vultus::track::{Tracker, TrackerOptions};
//!
//! let at = |x: f32| Face { bounds: [x, 10.0, x + 40.0, 60.0], probability: 1.0, landmarks: [[0.0; 2]; 5] };
//! let mut tracker = Tracker::new(TrackerOptions { min_hits: 1, ..TrackerOptions::default() })?;
//! tracker.update(0.0, vec![at(10.0), at(200.0)], vec![vec![0.9, 0.1], vec![0.2, 0.8]])?;
//! // The same two, found in another order; the one on the left shows something else for one frame.
//! let tracked = tracker.update(0.04, vec![at(203.0), at(11.0)], vec![vec![0.2, 0.8], vec![0.1, 0.9]])?;
//! assert_eq!([tracked[0].id, tracked[1].id], [2, 1]);
//! assert!(tracked[1].smoothed[0] > 0.8);
//! # Ok::<(), vultus::Error>(())
//! ```

mod association;
mod motion;
mod options;
#[cfg(test)]
mod tests;
mod tracker;

pub use options::TrackerOptions;
pub use tracker::{TrackedFace, Tracker};
