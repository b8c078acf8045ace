//! MobileNetV2 (Sandler et al. 2018), with torchvision's names for layers and parameters.
//!
//! ```
//! use vultus::nn::mobilenet_v2;
//!
//! let network = mobilenet_v2::mobilenet_v2(224, 0.2, 1000)?;
//! let parameters = network.parameter_shapes()?;
//! let trained = parameters.iter().filter(|(name, _)| !name.contains("running_"));
//! assert_eq!(trained.map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>(), 3_504_872);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use crate::error::Result;
use crate::ops::{Activation, BatchNorm2d, Conv2d};

/// The expansion, channels, number and first stride of the blocks of each stage.
const STAGES: [(usize, usize, usize, usize); 7] =
    [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];

/// Channels of the first convolution and of the last.
const FIRST: usize = 32;
const LAST: usize = 1280;

/// PyTorch's defaults.
const NORM: BatchNorm2d = BatchNorm2d { eps: 1e-5, momentum: 0.1, training: false };

/// MobileNetV2 for images of this height and width; `dropout` is the probability before the classifier.
///
/// # Errors
/// None that a caller can cause: the layers that it refers to are its own.
pub fn mobilenet_v2(input: usize, dropout: f32, classes: usize) -> Result<Network> {
    let mut network = Network::new("mobilenet_v2", [3, input, input])
        .normalized_conv2d(["features.0.0", "features.0.1"], FIRST, Conv2d::square(3, 2, 1), NORM)
        .activation_named("features.0.2", Activation::RELU6);
    let (mut before, mut channels, mut number) = ("features.0.2".to_owned(), FIRST, 1);
    for (expansion, width, count, stride) in STAGES {
        for block in 0..count {
            let stride = if block == 0 { stride } else { 1 };
            let name = format!("features.{number}");
            (network, before) = inverted_residual(network, &name, &before, [channels, width], expansion, stride)?;
            (channels, number) = (width, number + 1);
        }
    }
    let [conv, norm, relu] = [0, 1, 2].map(|part| format!("features.{number}.{part}"));
    network = network.normalized_conv2d([&conv, &norm], LAST, Conv2d::square(1, 1, 0), NORM);
    network = network.activation_named(&relu, Activation::RELU6).adaptive_avg_pool2d("avgpool", [1, 1]).flatten();
    Ok(network.dropout(dropout).dense("classifier.1", "classifier.1", classes).softmax())
}

/// Expand, filter each channel, project; past all this where the shape stays. The network, and its last layer.
fn inverted_residual(
    mut network: Network,
    name: &str,
    before: &str,
    [channels, width]: [usize; 2],
    expansion: usize,
    stride: usize,
) -> Result<(Network, String)> {
    let hidden = channels * expansion;
    let mut part = 0;
    let mut filters = vec![Conv2d::square(3, stride, 1).groups(hidden)];
    if expansion > 1 {
        filters.insert(0, Conv2d::square(1, 1, 0));
    }
    for conv in filters {
        let [of_conv, of_norm, of_relu] = [0, 1, 2].map(|number| format!("{name}.conv.{part}.{number}"));
        network = network.normalized_conv2d([&of_conv, &of_norm], hidden, conv, NORM);
        network = network.activation_named(&of_relu, Activation::RELU6);
        part += 1;
    }
    let [conv, norm] = [part, part + 1].map(|number| format!("{name}.conv.{number}"));
    network = network.normalized_conv2d([&conv, &norm], width, Conv2d::square(1, 1, 0), NORM);
    if stride > 1 || channels != width {
        return Ok((network, norm));
    }
    let add = format!("{name}.add");
    Ok((network.add(&add, before)?, add))
}
