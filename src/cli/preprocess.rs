//! The option that names what a network expects of its input.

use clap::ValueEnum;
use vultus::ops::Normalization;

/// What a network expects of its input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Preprocess {
    /// BGR less the mean of ImageNet: the original weights from Caffe, Keras
    Caffe,
    /// RGB less the mean, by the standard deviation: torchvision
    Torchvision,
}

impl From<Preprocess> for Normalization {
    fn from(preprocess: Preprocess) -> Self {
        match preprocess {
            Preprocess::Caffe => Normalization::CAFFE,
            Preprocess::Torchvision => Normalization::TORCHVISION,
        }
    }
}
