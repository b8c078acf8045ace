//! Training: pictures or features come in batches, a network learns from them, its state is kept after each epoch.

mod batch;
mod checkpoint;
mod course;
mod examples;
mod features;
mod fit;
mod judge;
mod order;
mod predict;
mod recipe;
mod schedule;
mod stream;

pub use course::{Course, Prepared, adapt, start};
pub use examples::{Examples, Pictures};
pub use features::{Features, Frozen};
pub use fit::{Epoch, Event, Job, Trained, fit};
pub use judge::{Answers, Judgement};
pub use predict::Predictor;
pub use recipe::{Balance, Recipe, Rule};
pub use schedule::{Decay, Schedule};
