//! ResNet-18 (He et al. 2016), with torchvision's names for layers and parameters.
//!
//! ```
//! use vultus::nn::resnet;
//!
//! let network = resnet::resnet18(224, 1000)?;
//! let parameters = network.parameter_shapes()?;
//! let trained = parameters.iter().filter(|(name, _)| !name.contains("running_"));
//! assert_eq!(trained.map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>(), 11_689_512);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use crate::error::Result;
use crate::ops::{Activation, BatchNorm2d, Conv2d, MaxPool2d};

/// Channels of the four stages, of two blocks each.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];

/// ResNet-18 for images of this height and width.
///
/// # Errors
/// None that a caller can cause: the layers that it refers to are its own.
pub fn resnet18(input: usize, classes: usize) -> Result<Network> {
    let norm = BatchNorm2d::default();
    let mut network = Network::new("resnet18", [3, input, input])
        .conv2d_without_bias("conv1", "conv1", WIDTHS[0], Conv2d::square(7, 2, 3))
        .batch_norm2d("bn1", "bn1", norm)
        .activation_named("relu", Activation::Relu)
        .max_pool2d("maxpool", MaxPool2d { padding: 1, ..MaxPool2d::new(3, 2) });
    let (mut before, mut channels) = ("maxpool".to_owned(), WIDTHS[0]);
    for (stage, &width) in WIDTHS.iter().enumerate() {
        for block in 0..2 {
            let name = format!("layer{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            network = basic_block(network, &name, &before, [channels, width], stride)?;
            (before, channels) = (format!("{name}.relu"), width);
        }
    }
    Ok(network.adaptive_avg_pool2d("avgpool", [1, 1]).flatten().dense("fc", "fc", classes).softmax())
}

/// Two convolutions and what goes past them, which takes a convolution of its own where the shape changes.
fn basic_block(
    network: Network,
    name: &str,
    input: &str,
    [channels, width]: [usize; 2],
    stride: usize,
) -> Result<Network> {
    let of = |part: &str| format!("{name}.{part}");
    let conv = |network: Network, part: &str, norm: &str, conv: Conv2d| {
        network.conv2d_without_bias(&of(part), &of(part), width, conv).batch_norm2d(
            &of(norm),
            &of(norm),
            BatchNorm2d::default(),
        )
    };
    let mut network = network.branch_from(input)?;
    let mut shortcut = input.to_owned();
    if stride > 1 || channels != width {
        network = conv(network, "downsample.0", "downsample.1", Conv2d::square(1, stride, 0)).branch_from(input)?;
        shortcut = of("downsample.1");
    }
    let network = conv(network, "conv1", "bn1", Conv2d::square(3, stride, 1));
    let network =
        conv(network.activation_named(&of("relu1"), Activation::Relu), "conv2", "bn2", Conv2d::square(3, 1, 1));
    Ok(network.add(&of("add"), &shortcut)?.activation_named(&of("relu"), Activation::Relu))
}
