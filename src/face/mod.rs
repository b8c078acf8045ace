//! Faces: where they are (MTCNN), what is cut out, and which class they belong to (VGG16 with a trained head).
//!
//! ```no_run
//! use std::path::Path;
//! use vultus::Device;
//! use vultus::face::{Detector, DetectorOptions, Recognizer};
//! use vultus::weights::{DefaultFile, Store};
//!
//! let (device, store) = (Device::best(), Store::open(None)?);
//! let mut detector = Detector::new(&device, store.load(DefaultFile::Mtcnn)?, DetectorOptions::default())?;
//! let (base, head) = (store.load(DefaultFile::Vgg16Base)?, store.load(DefaultFile::ExpressionHead)?);
//! let mut recognizer = Recognizer::new(&device, base, head, 8)?;
//!
//! let image = vultus::image::read(Path::new("photo.jpg"))?;
//! let picture = device.upload(&image, image.width(), image.height())?;
//! let faces = detector.detect(&picture)?;
//! let crops: Vec<_> = faces.iter().map(|face| recognizer.crop(face, &picture)).collect();
//! let scores = recognizer.recognize(&picture, &crops)?;
//! # Ok::<(), vultus::Error>(())
//! ```

mod boxes;
mod crop;
mod detect;
mod head;
mod proposals;
mod recognize;

pub use crop::square_crop;
pub use detect::{Detector, DetectorOptions, Face};
pub use head::HeadCard;
pub use recognize::Recognizer;
