//! MobileNetV1 (Howard et al. 2017) without batch normalisation: as it is after that was folded into the convolutions, with
//! a dense layer of features before the classifier.
//!
//! ```
//! use vultus::nn::mobilenet_v1;
//!
//! let network = mobilenet_v1::mobilenet_v1(224, 256, 0.5, 7)?;
//! assert_eq!(network.output_shapes()?, [[7]]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use super::efficientnet_lite0::same;
use crate::error::Result;
use crate::ops::{Activation, Conv2d};

/// Channels after each of the thirteen pairs of convolutions.
const WIDTHS: [usize; 13] = [64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024];

/// The pairs that halve height and width, counted from 1.
const HALVING: [usize; 4] = [2, 4, 6, 12];

/// Channels of the first convolution.
const FIRST: usize = 32;

/// The convolutions for images of this height and width, with a ReLU6 after each, and the mean over each channel of the
/// last: 1024 features. Padding is TensorFlow's "same".
pub fn base(input: usize) -> Network {
    pairs(input, WIDTHS.len())
}

/// The first convolution and so many pairs of the others.
fn pairs(input: usize, count: usize) -> Network {
    let mut size = input;
    let mut network = Network::new("mobilenet_v1-base", [3, input, input])
        .conv2d("conv1", "conv1", FIRST, same(3, 2, &mut size))
        .activation(Activation::RELU6);
    let mut channels = FIRST;
    for (number, width) in WIDTHS.into_iter().take(count).enumerate().map(|(i, width)| (i + 1, width)) {
        let [depthwise, pointwise] = ["dw", "pw"].map(|kind| format!("{kind}{number}"));
        let stride = if HALVING.contains(&number) { 2 } else { 1 };
        network = network
            .conv2d(&depthwise, &depthwise, channels, same(3, stride, &mut size).groups(channels))
            .activation(Activation::RELU6)
            .conv2d(&pointwise, &pointwise, width, Conv2d::square(1, 1, 0))
            .activation(Activation::RELU6);
        channels = width;
    }
    network.adaptive_avg_pool2d("avgpool", [1, 1]).flatten()
}

/// The base, so many features of it, dropout and a classifier.
///
/// # Errors
/// None that a caller can cause.
pub fn mobilenet_v1(input: usize, features: usize, dropout: f32, classes: usize) -> Result<Network> {
    let head = Network::new("head", [WIDTHS[WIDTHS.len() - 1]])
        .dense("feats", "feats", features)
        .relu()
        .dropout(dropout)
        .dense("classifier", "classifier", classes)
        .softmax();
    let mut network = base(input).followed_by(head)?;
    network.name = "mobilenet_v1".to_owned();
    Ok(network)
}

/// All but the last pair of convolutions, dropout and a classifier: a third fewer parameters, and little less to see by on
/// small images.
///
/// ```
/// use vultus::nn::mobilenet_v1;
///
/// let network = mobilenet_v1::mobilenet_v1_short(64, 0.0, 8)?;
/// let parameters: usize = network.parameter_shapes()?.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
/// assert_eq!(parameters, 2_144_392);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// None that a caller can cause.
pub fn mobilenet_v1_short(input: usize, dropout: f32, classes: usize) -> Result<Network> {
    let count = WIDTHS.len() - 1;
    let head =
        Network::new("head", [WIDTHS[count - 1]]).dropout(dropout).dense("classifier", "classifier", classes).softmax();
    let mut network = pairs(input, count).followed_by(head)?;
    network.name = "mobilenet_v1_short".to_owned();
    Ok(network)
}
