//! How good predictions are: figures for each class and over all, how sure they are, and how far they can be trusted.
//!
//! ```
//! use vultus::metrics::{Evaluation, Predictions};
//!
//! let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
//! predictions.labels = vec![0, 0, 1, 1];
//! predictions.probabilities = vec![vec![0.9, 0.1], vec![0.6, 0.4], vec![0.7, 0.3], vec![0.2, 0.8]];
//! let evaluation = Evaluation::new(&predictions, 1, 1000)?;
//! assert_eq!(evaluation.accuracy, 0.75);
//! assert_eq!(evaluation.per_class["happy"].measures.precision, Some(2.0 / 3.0));
//! # Ok::<(), vultus::Error>(())
//! ```
//!
//! What has no value, because it would be a part of nothing, is `None` (`null` in JSON), never 0.

mod bootstrap;
mod calibration;
mod evaluation;
mod measures;
mod paired;
mod predictions;
mod row;
mod tally;

pub use bootstrap::{Bootstrap, Interval, Intervals, Unit};
pub use calibration::{BINS, ReliabilityBin};
pub use evaluation::{ClassMeasures, Evaluation};
pub use measures::Measures;
pub use paired::PairedTest;
pub use predictions::Predictions;
pub(crate) use predictions::check_priors;
#[cfg(feature = "train")]
pub(crate) use row::most_probable;
#[cfg(feature = "train")]
pub(crate) use tally::Tally;
