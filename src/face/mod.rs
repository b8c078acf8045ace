//! Faces: where they are (YuNet or MTCNN), what is cut out, and which class they belong to (a trained model).
//!
//! ```no_run
//! use std::path::Path;
//! use vultus::Device;
//! use vultus::face::{Detector, DetectorOptions, Recognizer};
//! use vultus::weights::{DefaultFile, Store};
//!
//! let (device, store) = (Device::best(), Store::open(None)?);
//! let mut detector = Detector::new(&device, store.load(DefaultFile::Yunet)?, DetectorOptions::default())?;
//! let mut recognizer = Recognizer::new(&device, None, store.load(DefaultFile::ExpressionModel)?, 8)?;
//!
//! let image = vultus::image::decode_file(Path::new("photo.jpg"))?;
//! let picture = device.upload(&image, image.width(), image.height())?;
//! let faces = detector.detect(&picture)?;
//! let crops: Vec<_> = faces.iter().map(|face| recognizer.crop(face, &picture)).collect();
//! for scores in recognizer.recognize(&picture, &crops)? {
//!     println!("{}", recognizer.card().answer(&scores).name(recognizer.classes()));
//! }
//! # Ok::<(), vultus::Error>(())
//! ```

mod answer;
mod assemble;
mod boxes;
#[cfg(feature = "onnx")]
mod classifier;
mod crop;
mod detect;
mod explanation;
mod hirescam;
mod model_card;
mod mtcnn;
mod occlusion;
mod options;
mod recognize;
mod yunet;

pub use answer::Answer;
pub use assemble::{assemble, needs_base, without_base};
pub(crate) use boxes::Overlap;
#[cfg(feature = "onnx")]
pub use classifier::{Classifier, from_onnx};
pub use crop::{cut_square, square_crop};
pub use detect::Detector;
pub use explanation::HeatMap;
pub use hirescam::HiResCam;
pub use model_card::{Architecture, ModelCard, TestTimeAugmentation};
pub use occlusion::Occlusion;
pub use options::{DetectorKind, DetectorOptions};
pub use recognize::Recognizer;

pub use crate::prepare::face::Face;
