//! Training a head on the features of a frozen base.

mod features;
mod head;

pub use features::{Extractor, Features};
pub use head::{Epoch, HeadTraining, TrainedHead, evaluate, train_head};
