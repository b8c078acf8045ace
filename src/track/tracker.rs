//! The tracker: numbers that stay and averages over time.

use super::association::{Expected, associate};
use super::motion::Motion;
use super::options::TrackerOptions;
use crate::error::{Error, Result};
use crate::prepare::face::Face;

/// A face of one frame, with what is known from the frames before.
///
/// ```
/// use vultus::face::Face;
/// use vultus::track::{Tracker, TrackerOptions};
///
/// let face = || vec![Face { bounds: [0.0, 0.0, 40.0, 50.0], probability: 1.0, landmarks: [[0.0; 2]; 5] }];
/// let mut tracker = Tracker::new(TrackerOptions { min_hits: 1, ..TrackerOptions::default() })?;
/// tracker.update(10.0, face(), vec![vec![1.0, 0.0]])?;
/// let tracked = &tracker.update(10.5, face(), vec![vec![0.0, 1.0]])?[0];
/// assert_eq!((tracked.id, tracked.since), (1, 0.5));
/// assert!(tracked.smoothed[1] > 0.5 && tracked.smoothed[1] < tracked.scores[1]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TrackedFace {
    /// Which face it is: counted from 1, never used twice by one tracker.
    pub id: u64,
    /// The face as it was found in this frame.
    pub face: Face,
    /// The probabilities of the classes in this frame.
    pub scores: Vec<f32>,
    /// Their average over the last moments. It sums to 1 where the probabilities of every frame do.
    pub smoothed: Vec<f32>,
    /// How many seconds ago the face was first seen.
    pub since: f64,
}

/// Follows faces through the frames of a video or of a camera.
///
/// A found face is the one whose expected box it overlaps most; boxes are expected to go on as they moved. Where frames
/// are so far apart in time that they do not overlap, the nearest one is taken, if it is near enough for the time that
/// passed.
///
/// ```
/// use vultus::face::Face;
/// use vultus::track::{Tracker, TrackerOptions};
///
/// let face = || vec![Face { bounds: [0.0, 0.0, 40.0, 50.0], probability: 1.0, landmarks: [[0.0; 2]; 5] }];
/// let options = TrackerOptions { min_hits: 2, patience: 1.0, ..TrackerOptions::default() };
/// let mut tracker = Tracker::new(options)?;
/// let mut see = |time, faces: Vec<Face>| {
///     let scores = vec![vec![0.5, 0.5]; faces.len()];
///     tracker.update(time, faces, scores).map(|faces| faces.iter().map(|face| face.id).collect::<Vec<_>>())
/// };
/// // What is found once may not be a face; in two frames it is.
/// assert!(see(0.0, face())?.is_empty());
/// assert_eq!(see(0.1, face())?, [1]);
/// // It is missing for less than a second, then for longer.
/// assert!(see(0.2, vec![])?.is_empty());
/// assert_eq!(see(0.4, face())?, [1]);
/// see(0.6, vec![])?;
/// see(2.0, face())?;
/// assert_eq!(see(2.1, face())?, [2]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tracker {
    options: TrackerOptions,
    tracks: Vec<Track>,
    /// The number of the next new face.
    next: u64,
    /// The time of the last frame.
    last: Option<f64>,
    /// How many classes the frames so far had.
    classes: Option<usize>,
}

/// A face that is followed, or that may turn out to be one.
#[derive(Clone, Debug)]
struct Track {
    /// None until it was found in enough frames in a row.
    id: Option<u64>,
    /// The frames in which it was found.
    hits: u32,
    first: f64,
    motion: Motion,
    smoothed: Vec<f32>,
    /// The time of the first frame without it, since it was seen last.
    missing: Option<f64>,
}

impl Tracker {
    /// A tracker that has seen nothing.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if an option is out of its range.
    pub fn new(options: TrackerOptions) -> Result<Self> {
        options.check()?;
        Ok(Tracker { options, tracks: Vec::new(), next: 1, last: None, classes: None })
    }

    /// Takes the faces of the next frame, each with the probabilities of its classes, and says which they are, in the
    /// same order. Those that were not found in enough frames in a row yet are left out ([`TrackerOptions::min_hits`]). The time
    /// is in seconds from any beginning and must not fall. A frame without faces is to be given too: it says that they are
    /// missing.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the time is no number or lies before the last frame's, or a box or a probability
    /// is not finite; [`Error::Shape`] if there are not as many rows of probabilities as faces or not as many classes
    /// as before. The tracker is then as it was.
    pub fn update(&mut self, time: f64, faces: Vec<Face>, scores: Vec<Vec<f32>>) -> Result<Vec<TrackedFace>> {
        self.check(time, &faces, &scores)?;
        self.last = Some(time);
        self.classes = self.classes.or_else(|| scores.first().map(Vec::len));
        self.forget(time);
        let which = self.which(time, &faces);
        let mut seen = vec![false; self.tracks.len()];
        let mut tracked = Vec::with_capacity(faces.len());
        for ((face, scores), which) in faces.into_iter().zip(scores).zip(which) {
            let which = match which {
                Some(which) => {
                    seen[which] = true;
                    self.tracks[which].see(time, face.bounds, &scores, self.options.smoothing);
                    which
                }
                None => self.begin(time, face.bounds, &scores),
            };
            if let Some(id) = self.number(which) {
                let track = &self.tracks[which];
                let (smoothed, since) = (track.smoothed.clone(), time - track.first);
                tracked.push(TrackedFace { id, face, scores, smoothed, since });
            }
        }
        self.miss(time, &seen);
        Ok(tracked)
    }

    /// Forgets all faces and the time, as after a cut or when another video begins. Numbers are still not used twice.
    ///
    /// ```
    /// use vultus::face::Face;
    /// use vultus::track::{Tracker, TrackerOptions};
    ///
    /// let face = || vec![Face { bounds: [0.0, 0.0, 40.0, 50.0], probability: 1.0, landmarks: [[0.0; 2]; 5] }];
    /// let mut tracker = Tracker::new(TrackerOptions { min_hits: 1, ..TrackerOptions::default() })?;
    /// tracker.update(100.0, face(), vec![vec![0.5, 0.5]])?;
    /// tracker.reset();
    /// assert_eq!(tracker.update(0.0, face(), vec![vec![0.5, 0.5]])?[0].id, 2);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn reset(&mut self) {
        self.tracks.clear();
        self.last = None;
        self.classes = None;
    }

    fn check(&self, time: f64, faces: &[Face], scores: &[Vec<f32>]) -> Result<()> {
        let refuse = |reason: String| Err(Error::invalid("tracker", reason));
        let misshapen = |reason: String| Err(Error::shape("tracker", reason));
        if !time.is_finite() {
            return refuse(format!("the time {time} is not a number of seconds"));
        }
        if let Some(last) = self.last.filter(|&last| time < last) {
            return refuse(format!("the time {time} lies before that of the last frame, {last}"));
        }
        if faces.len() != scores.len() {
            return misshapen(format!("{} faces have {} rows of probabilities", faces.len(), scores.len()));
        }
        if let Some(face) = faces.iter().find(|face| !face.bounds.iter().all(|edge| edge.is_finite())) {
            return refuse(format!("the box {:?} is not finite", face.bounds));
        }
        let classes = self.classes.or_else(|| scores.first().map(Vec::len)).unwrap_or(0);
        if let Some(row) = scores.iter().find(|row| row.len() != classes) {
            return misshapen(format!("a face has {} probabilities, others have {classes}", row.len()));
        }
        if scores.iter().flatten().any(|score| !score.is_finite()) {
            return refuse("a probability is not finite".to_owned());
        }
        Ok(())
    }

    /// Drops the faces that have been missing for too long.
    fn forget(&mut self, time: f64) {
        let patience = self.options.patience;
        self.tracks.retain(|track| track.missing.is_none_or(|since| time - since <= patience));
    }

    /// For each face the place of its track, if it has one.
    fn which(&self, time: f64, faces: &[Face]) -> Vec<Option<usize>> {
        let expected =
            |Track { motion, .. }: &Track| Expected { bounds: motion.expected(time), unseen: time - motion.seen() };
        let expected: Vec<Expected> = self.tracks.iter().map(expected).collect();
        let found: Vec<[f32; 4]> = faces.iter().map(|face| face.bounds).collect();
        associate(&expected, &found, self.options.least_overlap)
    }

    /// Begins a track; its place.
    fn begin(&mut self, time: f64, bounds: [f32; 4], scores: &[f32]) -> usize {
        let motion = Motion::new(time, bounds);
        self.tracks.push(Track { id: None, hits: 1, first: time, motion, smoothed: scores.to_vec(), missing: None });
        self.tracks.len() - 1
    }

    /// The number of a track that was found in enough frames.
    fn number(&mut self, which: usize) -> Option<u64> {
        let track = &mut self.tracks[which];
        if track.id.is_none() && track.hits >= self.options.min_hits {
            track.id = Some(self.next);
            self.next += 1;
        }
        track.id
    }

    /// Takes note of the tracks that were not found. Those without a number are given up: they are none.
    fn miss(&mut self, time: f64, seen: &[bool]) {
        for (track, _) in self.tracks.iter_mut().zip(seen).filter(|(_, seen)| !**seen) {
            track.missing.get_or_insert(time);
        }
        self.tracks.retain(|track| track.id.is_some() || track.missing.is_none());
    }
}

impl Track {
    /// Takes note of where it is seen and what it shows.
    fn see(&mut self, time: f64, bounds: [f32; 4], scores: &[f32], smoothing: f64) {
        let passed = time - self.motion.seen();
        // What is seen now stands for all the time since the last frame. With 0 / 0 nothing has passed, and nothing is
        // averaged either.
        let weight = if smoothing > 0.0 { -(-passed / smoothing).exp_m1() } else { 1.0 };
        for (smoothed, &score) in self.smoothed.iter_mut().zip(scores) {
            *smoothed = (f64::from(*smoothed) + weight * (f64::from(score) - f64::from(*smoothed))) as f32;
        }
        self.motion.see(time, bounds);
        self.hits = self.hits.saturating_add(1);
        self.missing = None;
    }
}
