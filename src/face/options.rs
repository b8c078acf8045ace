//! What finds faces, and what it takes for one.

use crate::error::{Error, Result};
#[cfg(feature = "files")]
use crate::weights::DefaultFile;

/// The least that can be asked for as the side of the smallest face, in pixels. MTCNN looks at so many at a time, and of
/// fewer YuNet does not see much.
pub(super) const LEAST_FACE: f32 = 12.0;

/// Which detector finds faces. The boxes of both have about the same size: those of YuNet are 1.02 times as wide and high
/// in the mean over 24 faces in seven photos, and their centres lie less than 1 % of the size elsewhere. So faces are cut
/// out alike.
///
/// ```
/// use vultus::face::DetectorKind;
///
/// assert_eq!(DetectorKind::default(), DetectorKind::Yunet);
/// assert_eq!(DetectorKind::ALL.map(DetectorKind::name), ["yunet", "mtcnn"]);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum DetectorKind {
    /// YuNet (Wu, Peng, Yu 2023, doi:10.1007/s11633-023-1423-y) as OpenCV's `FaceDetectorYN` runs it: one small network.
    #[default]
    Yunet,
    /// MTCNN (Zhang, Zhang, Li, Qiao 2016, arXiv:1604.02878) as facenet-pytorch 2.6 runs it: three networks, of which
    /// the first looks at a picture in many sizes.
    Mtcnn,
}

impl DetectorKind {
    /// All of them, the default first.
    pub const ALL: [DetectorKind; 2] = [DetectorKind::Yunet, DetectorKind::Mtcnn];

    /// Its name in lower case.
    pub fn name(self) -> &'static str {
        match self {
            DetectorKind::Yunet => "yunet",
            DetectorKind::Mtcnn => "mtcnn",
        }
    }

    /// The file of its weights.
    #[cfg(feature = "files")]
    pub fn file(self) -> DefaultFile {
        match self {
            DetectorKind::Yunet => DefaultFile::Yunet,
            DetectorKind::Mtcnn => DefaultFile::Mtcnn,
        }
    }
}

/// What counts as a face.
///
/// ```
/// use vultus::face::{DetectorKind, DetectorOptions};
///
/// // Portraits: faces are large and few, so that small ones need not be looked for.
/// let portraits = DetectorOptions { min_face: 80.0, score: 0.9, ..DetectorOptions::default() };
/// assert_eq!((portraits.kind, portraits.factor), (DetectorKind::Yunet, 0.709));
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectorOptions {
    /// What finds them.
    pub kind: DetectorKind,
    /// The smallest face: the longer side of its box in pixels, at least 12. MTCNN's time grows with the square of its
    /// inverse. YuNet takes more time only where a picture is so large that such a face would be lost in the scaled one.
    pub min_face: f32,
    /// The score from which on YuNet takes a box for a face: 0 to 1.
    pub score: f32,
    /// The probabilities from which on MTCNN's P-Net, R-Net and O-Net take a box for a face: 0 to 1.
    pub thresholds: [f32; 3],
    /// The ratio of one of MTCNN's scales to the next, 0.1 to 0.95. Faces between two scales may be missed if it is
    /// small.
    pub factor: f32,
}

impl Default for DetectorOptions {
    /// YuNet, from 20 pixels and a score of 0.8 on. For MTCNN facenet-pytorch's: 0.6, 0.7, 0.7, and 0.709 (about half the
    /// pixels from scale to scale).
    fn default() -> Self {
        let kind = DetectorKind::default();
        DetectorOptions { kind, min_face: 20.0, score: 0.8, thresholds: [0.6, 0.7, 0.7], factor: 0.709 }
    }
}

impl DetectorOptions {
    pub(super) fn check(&self) -> Result<()> {
        let refuse = |reason: String| Err(Error::invalid("detector", reason));
        if !(self.min_face >= LEAST_FACE && self.min_face.is_finite()) {
            return refuse(format!("the smallest face has {} pixels, at least {LEAST_FACE} are needed", self.min_face));
        }
        if !(0.0..=1.0).contains(&self.score) {
            return refuse(format!("the score {} is not within 0 and 1", self.score));
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
