//! Faces: where they are (YuNet or MTCNN), what is cut out, and which class they belong to (a trained model).
//!
//! ```no_run
//! use std::path::Path;
//! use vultus::face::Analyzer;
//!
//! let mut analyzer = Analyzer::builder().build()?;
//! let photo = vultus::image::decode_file(Path::new("photo.jpg"))?;
//! for face in analyzer.analyze(&photo)?.faces {
//!     println!("{:?}: {}", face.bounds, face.expression);
//! }
//! # Ok::<(), vultus::Error>(())
//! ```
//!
//! [`Analyzer`] is the way for applications. What it is made of, [`Detector`] and [`Recognizer`], is there for those who
//! measure or train.

mod analyzer;
mod answer;
mod assemble;
mod boxes;
mod builder;
#[cfg(feature = "onnx")]
mod classifier;
mod crop;
mod detect;
mod explanation;
mod expression;
mod face_size;
mod frame;
mod hirescam;
mod model_card;
mod mtcnn;
mod occlusion;
mod options;
mod readback;
mod recognize;
mod yunet;

pub use analyzer::Analyzer;
pub use answer::Answer;
pub use assemble::{assemble, needs_base, without_base};
pub use builder::AnalyzerBuilder;
#[cfg(feature = "onnx")]
pub use classifier::{Classifier, from_onnx};
pub use crop::{cut_square, square_crop};
pub use detect::Detector;
pub use explanation::HeatMap;
pub use expression::{Analysis, AnalysisTimes, FaceExpression, Place, Track};
pub use face_size::FaceSize;
pub use frame::{Frame, PixelFormat};
pub use hirescam::HiResCam;
pub use model_card::{Architecture, ModelCard, TestTimeAugmentation};
pub use occlusion::Occlusion;
pub use options::{DetectorKind, DetectorOptions};
pub use recognize::Recognizer;

pub use crate::prepare::face::Face;
