//! The option that says how the numbers of a file of weights are stored.

use clap::ValueEnum;
use vultus::weights::safetensors::Precision;

/// Type of the saved numbers.
#[derive(Clone, Copy, ValueEnum)]
pub enum Stored {
    /// Four bytes
    F32,
    /// Two bytes
    F16,
    /// One byte, with a scale for each output channel
    I8,
}

impl From<Stored> for Precision {
    fn from(stored: Stored) -> Self {
        match stored {
            Stored::F32 => Precision::F32,
            Stored::F16 => Precision::F16,
            Stored::I8 => Precision::I8,
        }
    }
}
