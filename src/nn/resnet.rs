//! ResNet-18 (He et al. 2016) with torchvision's names for layers and parameters, and the same with squeeze-and-excitation
//! in each block (Hu et al. 2018), as Huang et al. 2023 train it on faces.
//!
//! ```
//! use vultus::nn::{Network, resnet};
//!
//! let trained = |network: &Network| -> vultus::Result<usize> {
//!     let parameters = network.parameter_shapes()?;
//!     let trained = parameters.iter().filter(|(name, _)| !name.contains("running_"));
//!     Ok(trained.map(|(_, shape)| shape.iter().product::<usize>()).sum())
//! };
//! assert_eq!(trained(&resnet::resnet18(224, 0.0, 1000)?)?, 11_689_512);
//! assert_eq!(trained(&resnet::se_resnet18(224, 0.0, 7)?)?, 11_267_143);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use crate::error::Result;
use crate::ops::{Activation, BatchNorm2d, Conv2d, MaxPool2d};

/// Channels of the four stages, of two blocks each.
const WIDTHS: [usize; 4] = [64, 128, 256, 512];

/// How many channels squeeze-and-excitation makes one of.
const REDUCTION: usize = 16;

/// ResNet-18 for images of this height and width, with dropout before the classifier.
///
/// # Errors
/// None that a caller can cause: the layers that it refers to are its own.
pub fn resnet18(input: usize, dropout: f32, classes: usize) -> Result<Network> {
    network("resnet18", input, dropout, classes, false)
}

/// The same with a gate for each channel at the end of each block's branch.
///
/// # Errors
/// As [`resnet18`].
pub fn se_resnet18(input: usize, dropout: f32, classes: usize) -> Result<Network> {
    network("se_resnet18", input, dropout, classes, true)
}

fn network(name: &str, input: usize, dropout: f32, classes: usize, gated: bool) -> Result<Network> {
    let mut network = Network::new(name, [3, input, input])
        .normalized_conv2d(["conv1", "bn1"], WIDTHS[0], Conv2d::square(7, 2, 3), BatchNorm2d::default())
        .activation_named("relu", Activation::Relu)
        .max_pool2d("maxpool", MaxPool2d { padding: [1, 1], ..MaxPool2d::new(3, 2) });
    let (mut before, mut channels) = ("maxpool".to_owned(), WIDTHS[0]);
    for (stage, &width) in WIDTHS.iter().enumerate() {
        for block in 0..2 {
            let name = format!("layer{}.{block}", stage + 1);
            let stride = if stage > 0 && block == 0 { 2 } else { 1 };
            let block = Block { name: &name, channels, width, stride, gated };
            network = block.add(network, &before)?;
            (before, channels) = (format!("{name}.relu"), width);
        }
    }
    let network = network.adaptive_avg_pool2d("avgpool", [1, 1]).flatten().dropout(dropout);
    Ok(network.dense("fc", "fc", classes).softmax())
}

/// Two convolutions and what goes past them, which takes a convolution of its own where the shape changes.
struct Block<'a> {
    name: &'a str,
    channels: usize,
    width: usize,
    stride: usize,
    gated: bool,
}

impl Block<'_> {
    fn of(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }

    fn add(&self, network: Network, input: &str) -> Result<Network> {
        let mut network = network.branch_from(input)?;
        let mut shortcut = input.to_owned();
        if self.stride > 1 || self.channels != self.width {
            let conv = Conv2d::square(1, self.stride, 0);
            network = self.normalized(network, ["downsample.0", "downsample.1"], conv).branch_from(input)?;
            shortcut = self.of("downsample.1");
        }
        network = self.normalized(network, ["conv1", "bn1"], Conv2d::square(3, self.stride, 1));
        network = network.activation_named(&self.of("relu1"), Activation::Relu);
        network = self.normalized(network, ["conv2", "bn2"], Conv2d::square(3, 1, 1));
        if self.gated {
            network = self.gate(network)?;
        }
        Ok(network.add(&self.of("add"), &shortcut)?.activation_named(&self.of("relu"), Activation::Relu))
    }

    /// A convolution without bias and its batch normalisation.
    fn normalized(&self, network: Network, names: [&str; 2], op: Conv2d) -> Network {
        let [conv, norm] = names.map(|name| self.of(name));
        network.normalized_conv2d([&conv, &norm], self.width, op, BatchNorm2d::default())
    }

    /// Squeeze-and-excitation: each channel times a number that follows from the means of all.
    fn gate(&self, network: Network) -> Result<Network> {
        let [fc1, fc2] = ["se.fc1", "se.fc2"].map(|part| self.of(part));
        network
            .adaptive_avg_pool2d(&self.of("se.pool"), [1, 1])
            .flatten()
            .dense_without_bias(&fc1, &fc1, self.width / REDUCTION)
            .relu()
            .dense_without_bias(&fc2, &fc2, self.width)
            .activation(Activation::Sigmoid)
            .reshape(&self.of("se.gate"), &[Some(self.width), Some(1), Some(1)])
            .mul(&self.of("se"), &self.of("bn2"))
    }
}
