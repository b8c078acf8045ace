//! Networks of the literature by their names, with a classifier of one's own at their end.

use super::{Network, efficientnet_lite0, mobilenet_v1, mobilenet_v2, resnet};
use crate::error::Result;
use crate::ops::{Normalization, Order};

/// A published network for images of three channels.
///
/// ```
/// use vultus::nn::Published;
///
/// let network = Published::named("se_resnet18").unwrap().network(64, 0.0, 7)?;
/// assert_eq!(network.output_shapes()?, [[7]]);
/// assert!(Published::named("vgg19").is_none());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Published {
    /// ResNet-18 (He et al. 2016): 11.2 million parameters.
    ResNet18,
    /// ResNet-18 with squeeze-and-excitation in each block (Hu et al. 2018): 11.3 million parameters.
    SeResNet18,
    /// MobileNetV1 (Howard et al. 2017) without batch normalisation, with 256 features before the classifier: 3.5 million
    /// parameters.
    MobileNet,
    /// MobileNetV1 without its last pair of convolutions and without features of its own: 2.2 million parameters.
    MobileNetShort,
    /// MobileNetV2 (Sandler et al. 2018): 2.2 million parameters.
    MobileNetV2,
    /// EfficientNet-Lite0 (Tan, Le 2019): 3.4 million parameters.
    EfficientNetLite0,
}

impl Published {
    /// All of them.
    pub const ALL: [Published; 6] = [
        Published::ResNet18,
        Published::SeResNet18,
        Published::MobileNet,
        Published::MobileNetShort,
        Published::MobileNetV2,
        Published::EfficientNetLite0,
    ];

    /// Its name, in lower case with underscores.
    pub fn name(self) -> &'static str {
        match self {
            Published::ResNet18 => "resnet18",
            Published::SeResNet18 => "se_resnet18",
            Published::MobileNet => "mobilenet",
            Published::MobileNetShort => "mobilenet_short",
            Published::MobileNetV2 => "mobilenet_v2",
            Published::EfficientNetLite0 => "efficientnet_lite0",
        }
    }

    /// What it is, in a few words.
    pub fn summary(self) -> &'static str {
        match self {
            Published::ResNet18 => "ResNet-18: 11.2 million parameters",
            Published::SeResNet18 => "ResNet-18 with squeeze-and-excitation: 11.3 million parameters",
            Published::MobileNet => "MobileNetV1: 3.5 million parameters",
            Published::MobileNetShort => "MobileNetV1 without its last pair of convolutions: 2.2 million parameters",
            Published::MobileNetV2 => "MobileNetV2: 2.2 million parameters",
            Published::EfficientNetLite0 => "EfficientNet-Lite0: 3.4 million parameters",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|network| network.name() == name)
    }

    /// The network for images of this height and width, with dropout of this probability before its last layer.
    ///
    /// # Errors
    /// [`crate::Error::InvalidArgument`] if a probability is not one, once the network is compiled.
    pub fn network(self, input: usize, dropout: f32, classes: usize) -> Result<Network> {
        match self {
            Published::ResNet18 => resnet::resnet18(input, dropout, classes),
            Published::SeResNet18 => resnet::se_resnet18(input, dropout, classes),
            Published::MobileNet => mobilenet_v1::mobilenet_v1(input, 256, dropout, classes),
            Published::MobileNetShort => mobilenet_v1::mobilenet_v1_short(input, dropout, classes),
            Published::MobileNetV2 => mobilenet_v2::mobilenet_v2(input, dropout, classes),
            Published::EfficientNetLite0 => efficientnet_lite0::efficientnet_lite0(input, dropout, DROP_PATH, classes),
        }
    }

    /// The layer that gives the logits.
    pub fn classifier(self) -> &'static str {
        match self {
            Published::ResNet18 | Published::SeResNet18 => "fc",
            Published::MobileNet | Published::MobileNetShort => "classifier",
            Published::MobileNetV2 => "classifier.1",
            Published::EfficientNetLite0 => "_fc",
        }
    }

    /// How the weights that come with its publication want images: ImageNet's mean and deviation for torchvision's, those of
    /// TensorFlow for EfficientNet-Lite0, Caffe's for the MobileNet that was trained on faces.
    pub fn normalization(self) -> Normalization {
        match self {
            Published::ResNet18 | Published::SeResNet18 | Published::MobileNetV2 => Normalization::TORCHVISION,
            Published::MobileNet | Published::MobileNetShort => Normalization::CAFFE,
            Published::EfficientNetLite0 => {
                Normalization { order: Order::Rgb, mean: [127.0; 3], std: [128.0; 3], gray: false }
            }
        }
    }
}

/// The probability of stochastic depth at the last block, of the paper on EfficientNet.
const DROP_PATH: f32 = 0.2;
