//! A small network in VGG's manner (Simonyan, Zisserman 2014), to be trained from scratch on faces of 48×48: eight
//! convolutions of 3×3 without batch normalisation, pools between the blocks and a global average-pool (Lin et al. 2013)
//! in place of hidden dense layers. With seven classes it has 841,703 parameters, 6 % of VGG16's base.
//!
//! ```
//! use vultus::nn::light;
//!
//! let network = light::network(light::INPUT, 0.5, 7);
//! let sizes = network.parameter_shapes()?.into_iter().map(|(_, shape)| shape.iter().product::<usize>());
//! assert_eq!(sizes.sum::<usize>(), 841_703);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use crate::ops::{Conv2d, MaxPool2d};

/// Height and width of the faces that it is meant for.
pub const INPUT: usize = 48;

/// Filters of the convolutions of the four blocks.
pub const WIDTHS: [[usize; 2]; 4] = [[32, 32], [64, 64], [128, 128], [192, 192]];

/// The whole network for pictures of three channels and this height and width (at least 8), giving probabilities. The
/// layers are called `block1_conv1` to `block4_conv2`, `avgpool` and `fc`, the parameters `features.N` and
/// `classifier.0` as in torchvision's VGG. Dropout comes before the dense layer.
///
/// ```
/// use vultus::nn::light;
/// use vultus::{Device, Options, Tensor};
///
/// let network = light::network(16, 0.5, 3);
/// let mut plan = Device::Cpu.load(&network, &network.initialize(1)?)?.compile(1, &Options::default())?;
/// let probabilities = plan.run(&Tensor::filled([1, 3, 16, 16], 0.5))?;
/// assert!((probabilities[0].data().iter().sum::<f32>() - 1.0).abs() < 1e-5);
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn network(input: usize, dropout: f32, classes: usize) -> Network {
    let mut network = Network::new("light", [3, input, input]);
    let mut number = 0;
    for (block, widths) in WIDTHS.iter().enumerate() {
        if block > 0 {
            network = network.max_pool2d(&format!("block{block}_pool"), MaxPool2d::new(2, 2));
            number += 1;
        }
        for (conv, &filters) in widths.iter().enumerate() {
            let name = format!("block{}_conv{}", block + 1, conv + 1);
            network = network.conv2d(&name, &format!("features.{number}"), filters, Conv2d::square(3, 1, 1)).relu();
            number += 2;
        }
    }
    network
        .adaptive_avg_pool2d("avgpool", [1, 1])
        .flatten()
        .dropout(dropout)
        .dense("fc", "classifier.0", classes)
        .softmax()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_841_703_parameters() {
        let network = network(INPUT, 0.5, 7);
        let shapes = network.parameter_shapes().unwrap();
        let count: usize = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        assert_eq!(count, 841_703);
        assert_eq!(network.output_shapes().unwrap(), [[7]]);
        let names: Vec<&str> = shapes.iter().map(|(name, _)| name.trim_end_matches(".weight")).step_by(2).collect();
        let numbers = [0, 2, 5, 7, 10, 12, 15, 17].map(|n| format!("features.{n}"));
        assert_eq!(names[..8], numbers);
        assert_eq!(names[8..], ["classifier.0"]);
    }

    #[test]
    fn he_initialisation_keeps_the_signal() {
        let network = network(INPUT, 0.0, 7);
        let model = crate::Device::Cpu.load(&network, &network.initialize(1).unwrap()).unwrap();
        let options = crate::Options { keep_activations: true, ..crate::Options::default() };
        let mut plan = model.compile(2, &options).unwrap();
        let mut random = crate::Random::new(2);
        plan.run(&crate::Tensor::from_fn([2, 3, INPUT, INPUT], |_| random.normal())).unwrap();
        for layer in ["block1_conv1", "block2_conv2", "block4_conv2"] {
            let activation = plan.activation(layer).unwrap();
            let square = activation.data().iter().map(|v| v * v).sum::<f32>() / activation.len() as f32;
            // The mean square stays near 1 behind each ReLU; zero padding and pools move it by less than this.
            assert!((0.2..5.0).contains(&square), "{layer}: {square}");
        }
    }
}
