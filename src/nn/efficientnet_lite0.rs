//! EfficientNet-Lite0 (Tan, Le 2019; the Lite variant by TensorFlow's authors, 2020: no gates, ReLU6, a fixed stem and head),
//! with the names of the package `efficientnet-lite-pytorch`.
//!
//! ```
//! use vultus::nn::efficientnet_lite0;
//!
//! let network = efficientnet_lite0::efficientnet_lite0(224, 0.2, 0.2, 1000)?;
//! let parameters = network.parameter_shapes()?;
//! let trained = parameters.iter().filter(|(name, _)| !name.contains("running_"));
//! assert_eq!(trained.map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>(), 4_652_008);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use crate::error::Result;
use crate::ops::{Activation, BatchNorm2d, Conv2d};

/// The kernel, first stride, expansion, channels and number of the blocks of each stage.
const STAGES: [(usize, usize, usize, usize, usize); 7] = [
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
];

/// Channels of the first convolution and of the last.
const STEM: usize = 32;
const HEAD: usize = 1280;

/// TensorFlow's: its decay of 0.99 leaves the rest to each batch.
const NORM: BatchNorm2d = BatchNorm2d { eps: 1e-3, momentum: 0.01, training: false };

/// EfficientNet-Lite0 for images of this height and width. `dropout` is the probability before the classifier,
/// `drop_path` that with which the last block's branch is dropped for a sample (stochastic depth, Huang et al. 2016); it
/// grows from 0 at the first.
///
/// # Errors
/// None that a caller can cause: the layers that it refers to are its own.
pub fn efficientnet_lite0(input: usize, dropout: f32, drop_path: f32, classes: usize) -> Result<Network> {
    let mut size = input;
    let mut network = Network::new("efficientnet_lite0", [3, input, input])
        .normalized_conv2d(["_conv_stem", "_bn0"], STEM, same(3, 2, &mut size), NORM)
        .activation_named("_bn0.relu", Activation::RELU6);
    let (mut before, mut channels, mut number) = ("_bn0.relu".to_owned(), STEM, 0);
    let blocks: usize = STAGES.iter().map(|stage| stage.4).sum();
    for (kernel, stride, expansion, width, count) in STAGES {
        for block in 0..count {
            let conv = same(kernel, if block == 0 { stride } else { 1 }, &mut size);
            let shape = Block { name: format!("_blocks.{number}"), channels, width, expansion, conv };
            (network, before) = shape.add(network, &before, drop_path * number as f32 / blocks as f32)?;
            (channels, number) = (width, number + 1);
        }
    }
    network = network.normalized_conv2d(["_conv_head", "_bn1"], HEAD, Conv2d::square(1, 1, 0), NORM);
    network = network.activation_named("_bn1.relu", Activation::RELU6).adaptive_avg_pool2d("_avg_pooling", [1, 1]);
    Ok(network.flatten().dropout(dropout).dense("_fc", "_fc", classes).softmax())
}

/// A convolution with TensorFlow's "same" padding for an input of this height and width, which become those of the output:
/// what is odd in it comes after the input.
pub(super) fn same(kernel: usize, stride: usize, size: &mut usize) -> Conv2d {
    let output = size.div_ceil(stride);
    let padding = ((output - 1) * stride + kernel).saturating_sub(*size);
    let (before, after) = (padding / 2, padding.div_ceil(2));
    *size = output;
    Conv2d::square(kernel, stride, 0).padded(before, before, after, after)
}

/// Expand, filter each channel, project; past all this where the shape stays.
struct Block {
    name: String,
    channels: usize,
    width: usize,
    expansion: usize,
    conv: Conv2d,
}

impl Block {
    /// The network with this block, and its last layer.
    fn add(&self, mut network: Network, before: &str, drop_path: f32) -> Result<(Network, String)> {
        let of = |part: &str| format!("{}.{part}", self.name);
        let hidden = self.channels * self.expansion;
        if self.expansion > 1 {
            let expand = [of("_expand_conv"), of("_bn0")];
            network = network.normalized_conv2d([&expand[0], &expand[1]], hidden, Conv2d::square(1, 1, 0), NORM);
            network = network.activation_named(&of("_bn0.relu"), Activation::RELU6);
        }
        let names = [of("_depthwise_conv"), of("_bn1"), of("_project_conv"), of("_bn2")];
        network = network.normalized_conv2d([&names[0], &names[1]], hidden, self.conv.groups(hidden), NORM);
        network = network.activation_named(&of("_bn1.relu"), Activation::RELU6);
        network = network.normalized_conv2d([&names[2], &names[3]], self.width, Conv2d::square(1, 1, 0), NORM);
        if self.conv.stride != [1, 1] || self.channels != self.width {
            return Ok((network, of("_bn2")));
        }
        if drop_path > 0.0 {
            network = network.stochastic_depth(drop_path);
        }
        Ok((network.add(&of("add"), before)?, of("add")))
    }
}
