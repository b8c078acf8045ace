//! Finding faces, by one of two detectors.

use super::mtcnn::Mtcnn;
use super::options::{DetectorKind, DetectorOptions};
use super::yunet::Yunet;
use crate::engine::{Device, Picture};
use crate::error::Result;
use crate::prepare::Overlap;
use crate::prepare::face::Face;
use crate::reading::{Reading, at_once};
use crate::weights::WeightFile;

/// The least overlap of a face with the box that is given for it. Boxes are drawn tightly or generously, and two faces
/// rarely overlap.
const LEAST_OVERLAP: f32 = 0.3;

impl Face {
    /// The one of these faces that is meant: without a box the first, which is the largest of those that
    /// [`Detector::detect`] finds; with one the face that overlaps it most, if what both have in common is at least
    /// 3/10 of what they cover together.
    ///
    /// ```
    /// use vultus::face::Face;
    ///
    /// let at = |bounds| Face { bounds, probability: 1.0, landmarks: [[0.0; 2]; 5] };
    /// let faces = || vec![at([0.0, 0.0, 50.0, 50.0]), at([60.0, 0.0, 90.0, 30.0])];
    /// assert_eq!(Face::meant(faces(), None).unwrap().bounds, [0.0, 0.0, 50.0, 50.0]);
    /// assert_eq!(Face::meant(faces(), Some([62.0, 5.0, 92.0, 35.0])).unwrap().bounds, [60.0, 0.0, 90.0, 30.0]);
    /// assert_eq!(Face::meant(faces(), Some([0.0, 60.0, 50.0, 90.0])), None);
    /// ```
    pub fn meant(faces: Vec<Face>, bounds: Option<[f32; 4]>) -> Option<Face> {
        let Some(bounds) = bounds else { return faces.into_iter().next() };
        let overlap = |face: &Face| Overlap::Union.of(&face.bounds, &bounds);
        faces.into_iter().filter(|face| overlap(face) >= LEAST_OVERLAP).max_by(|a, b| overlap(a).total_cmp(&overlap(b)))
    }
}

/// Finds faces in pictures. It keeps the plans for the size of the last picture, so pictures of one size (a video) are
/// the fastest.
///
/// ```no_run
/// use std::path::Path;
/// use vultus::Device;
/// use vultus::face::{Detector, DetectorOptions};
/// use vultus::weights::Store;
///
/// let (device, options) = (Device::best(), DetectorOptions::default());
/// let weights = Store::open(None)?.load(options.kind.file())?;
/// let mut detector = Detector::new(&device, weights, options)?;
/// let photo = vultus::image::decode_file(Path::new("photo.jpg"))?;
/// for face in detector.detect(&device.upload(&photo, photo.width(), photo.height())?)? {
///     println!("{:?}, surely {:.2}", face.bounds, face.probability);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Detector {
    options: DetectorOptions,
    search: Search,
}

/// What looks for faces.
enum Search {
    Yunet(Box<Yunet>),
    Mtcnn(Box<Mtcnn>),
}

impl Detector {
    /// A detector on a device, from the file of its kind's weights.
    ///
    /// # Errors
    /// [`crate::Error::Weights`] if the file holds other tensors; [`crate::Error::InvalidArgument`] if an option is out
    /// of its range; [`crate::Error::Limit`] or [`crate::Error::Device`] if the device cannot hold the networks.
    pub fn new(device: &Device, weights: WeightFile, options: DetectorOptions) -> Result<Self> {
        options.check()?;
        let search = match options.kind {
            DetectorKind::Yunet => Search::Yunet(Box::new(Yunet::new(device, weights)?)),
            DetectorKind::Mtcnn => Search::Mtcnn(Box::new(Mtcnn::new(device, weights)?)),
        };
        Ok(Detector { options, search })
    }

    /// Which of the detectors it is.
    pub fn kind(&self) -> DetectorKind {
        self.options.kind
    }

    /// Looks for faces from this side in pixels on, at least 12, from now on.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] if it is out of its range; nothing is changed then.
    pub fn set_min_face(&mut self, min_face: f32) -> Result<()> {
        let options = DetectorOptions { min_face, ..self.options };
        options.check()?;
        if options != self.options {
            self.options = options;
            if let Search::Mtcnn(mtcnn) = &mut self.search {
                mtcnn.forget_plans();
            }
        }
        Ok(())
    }

    /// The faces in a picture, the largest first. A picture smaller than the smallest face has none.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] if the picture is on another device; [`crate::Error::Limit`] or
    /// [`crate::Error::Device`] if the device cannot work on a picture of its size; [`crate::Error::DeviceLost`] if the
    /// device is gone.
    pub fn detect(&mut self, picture: &Picture) -> Result<Vec<Face>> {
        at_once(self.find(picture, Reading::Blocking))
    }

    /// As [`Detector::detect`], without blocking while a GPU computes: see [`crate::Plan::output_async`].
    ///
    /// # Errors
    /// As [`Detector::detect`].
    pub async fn detect_async(&mut self, picture: &Picture) -> Result<Vec<Face>> {
        self.find(picture, Reading::Async).await
    }

    pub(super) async fn find(&mut self, picture: &Picture, reading: Reading) -> Result<Vec<Face>> {
        let mut faces = match &mut self.search {
            Search::Yunet(yunet) => yunet.find(picture, &self.options, reading).await?,
            Search::Mtcnn(mtcnn) => mtcnn.find(picture, &self.options, reading).await?,
        };
        // YuNet sees smaller ones too, and what MTCNN's last network corrects can become smaller than its first one looks
        // for.
        faces.retain(|face| side(face) >= self.options.min_face);
        faces.sort_by(|a, b| area(b).total_cmp(&area(a)));
        Ok(faces)
    }
}

/// The longer side of its box.
fn side(face: &Face) -> f32 {
    let [x1, y1, x2, y2] = face.bounds;
    (x2 - x1).max(y2 - y1)
}

fn area(face: &Face) -> f32 {
    let [x1, y1, x2, y2] = face.bounds;
    (x2 - x1) * (y2 - y1)
}
