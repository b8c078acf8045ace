//! Training: pictures or features come in batches, a network learns from them, its state is kept after each epoch.
//!
//! ```
//! use vultus::nn::{Network, Trainable};
//! use vultus::train::{Examples, Job, Recipe, fit};
//! use vultus::Device;
//!
//! /// Pictures of 4×4 pixels that are bright above or below.
//! struct Halves;
//!
//! impl Examples for Halves {
//!     fn shape(&self) -> [usize; 3] {
//!         [1, 4, 4]
//!     }
//!
//!     fn write(&self, index: usize, _: Option<&mut vultus::Random>, out: &mut [f32]) -> vultus::Result<()> {
//!         out.iter_mut().enumerate().for_each(|(i, value)| *value = f32::from(u8::from(i / 8 == index % 2)));
//!         Ok(())
//!     }
//! }
//!
//! let network = Network::new("small", [1, 4, 4]).flatten().dense("fc", "fc", 2).softmax();
//! let labels: Vec<usize> = (0..16).map(|index| index % 2).collect();
//! let job = Job {
//!     device: &Device::Cpu,
//!     network: &network,
//!     start: network.initialize(1)?,
//!     trainable: Trainable::All,
//!     examples: &Halves,
//!     classes: &["above", "below"].map(str::to_owned),
//!     labels: &labels,
//!     probabilities: None,
//!     training: &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
//!     validation: &[12, 13, 14, 15],
//!     recipe: &Recipe { epochs: 10, batch: 4, learning_rate: 0.1, ..Recipe::default() },
//!     checkpoint: None,
//! };
//! let trained = fit(job, |_| ())?;
//! assert!(trained.epochs.last().and_then(|epoch| epoch.validation).is_some_and(|part| part.accuracy == 1.0));
//! # Ok::<(), vultus::Error>(())
//! ```

mod batch;
mod calibrate;
mod checkpoint;
mod course;
mod decoded;
mod examples;
mod features;
mod fit;
mod head;
mod judge;
mod labels;
mod order;
mod predict;
mod recipe;
mod rows;
mod schedule;
mod stream;

pub use calibrate::Calibration;
pub use course::{Course, Prepared, adapt, start};
pub use examples::{Examples, Pictures, Varied};
pub use features::{Features, Frozen};
pub use fit::{Epoch, Event, Job, Trained, fit};
pub use judge::{Answers, Judgement};
pub use labels::{Labels, Truth};
pub use predict::Predictor;
pub use recipe::{Balance, Recipe, Rule};
pub use schedule::{Decay, Schedule};
