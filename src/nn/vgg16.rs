//! VGG16 (Simonyan, Zisserman 2014: configuration D), with torchvision's names for its parameters.
//!
//! ```
//! use vultus::nn::vgg16::{self, Pooling};
//!
//! // VGG16's base on faces of 96×96, and a head for seven classes.
//! let head = vgg16::head([512, 3, 3], Pooling::Flatten, &[256], 0.5, 7);
//! let network = vgg16::base(96).followed_by(head)?;
//! assert_eq!(network.output_shapes()?, [[7]]);
//! assert_eq!(network.layers()[0].name, "block1_conv1");
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use crate::error::Result;
use crate::ops::{Conv2d, MaxPool2d};

/// Height and width of the pictures that VGG16 was trained on.
pub const INPUT: usize = 224;

/// Filters of the convolutions of the five blocks.
pub const WIDTHS: [&[usize]; 5] = [&[64, 64], &[128, 128], &[256, 256, 256], &[512, 512, 512], &[512, 512, 512]];

/// What stands between the base and the dense layers of a head.
///
/// ```
/// use vultus::nn::vgg16::{Pooling, head};
///
/// let flat = head([512, 7, 7], Pooling::Flatten, &[], 0.0, 7);
/// let mean = head([512, 7, 7], Pooling::Average, &[], 0.0, 7);
/// assert_eq!(flat.parameter_shapes()?[0].1, [7, 512 * 7 * 7]);
/// assert_eq!(mean.parameter_shapes()?[0].1, [7, 512]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// Nothing: every place of the last feature maps counts on its own.
    Flatten,
    /// The mean of each feature map.
    Average,
}

/// The convolutional base: thirteen convolutions and five pools, named `block1_conv1` to `block5_pool`. Takes RGB or
/// BGR pictures of this height and width (at least 32) and gives 512 feature maps of a 32nd of it.
///
/// ```
/// use vultus::nn::vgg16;
///
/// let base = vgg16::base(vgg16::INPUT);
/// assert_eq!(base.output_shapes()?, [[512, 7, 7]]);
/// assert_eq!(base.parameter_shapes()?[0], ("features.0.weight".to_owned(), vec![64, 3, 3, 3]));
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn base(input: usize) -> Network {
    base_with_widths(input, &WIDTHS)
}

/// A base of VGG16's structure with other numbers of filters per convolution.
///
/// ```
/// use vultus::nn::vgg16::base_with_widths;
/// use vultus::{Device, Options, Tensor};
///
/// // Small enough for a test: two blocks of one convolution each.
/// let network = base_with_widths(8, &[&[4], &[6]]);
/// let mut plan = Device::Cpu.load(&network, &network.initialize(1)?)?.compile(1, &Options::default())?;
/// assert_eq!(plan.run(&Tensor::zeros([1, 3, 8, 8]))?[0].shape(), [1, 6, 2, 2]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn base_with_widths(input: usize, widths: &[&[usize]]) -> Network {
    let mut network = Network::new("vgg16-base", [3, input, input]);
    // torchvision counts convolutions, ReLUs and pools in one sequence.
    let mut number = 0;
    for (block, widths) in widths.iter().enumerate().map(|(i, widths)| (i + 1, widths)) {
        for (conv, &filters) in widths.iter().enumerate().map(|(i, filters)| (i + 1, filters)) {
            let (name, parameters) = (format!("block{block}_conv{conv}"), format!("features.{number}"));
            network = network.conv2d(&name, &parameters, filters, Conv2d::square(3, 1, 1)).relu();
            number += 2;
        }
        network = network.max_pool2d(&format!("block{block}_pool"), MaxPool2d::new(2, 2));
        number += 1;
    }
    network
}

/// The classifier of a network behind feature maps of this shape: hidden dense layers, each with ReLU and dropout, then
/// one for the classes. Its parameters are called `classifier.0`, `classifier.3`, … as in torchvision.
///
/// ```
/// use vultus::nn::vgg16::{Pooling, head};
///
/// let head = head([512, 7, 7], Pooling::Average, &[256, 64], 0.5, 7);
/// let names: Vec<String> = head.parameter_shapes()?.into_iter().map(|(name, _)| name).step_by(2).collect();
/// assert_eq!(names, ["classifier.0.weight", "classifier.3.weight", "classifier.6.weight"]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn head(features: [usize; 3], pooling: Pooling, hidden: &[usize], dropout: f32, classes: usize) -> Network {
    let mut network = Network::new("head", features);
    if pooling == Pooling::Average {
        network = network.adaptive_avg_pool2d("avgpool", [1, 1]);
    }
    network = network.flatten();
    for (i, &width) in hidden.iter().enumerate() {
        network =
            network.dense(&format!("fc{}", i + 6), &format!("classifier.{}", 3 * i), width).relu().dropout(dropout);
    }
    let i = hidden.len();
    network.dense(&format!("fc{}", i + 6), &format!("classifier.{}", 3 * i), classes).softmax()
}

/// The whole VGG16 with its own head (7×7 adaptive average-pool, 4096, 4096, classes), giving probabilities.
///
/// # Errors
/// [`crate::Error::Shape`] if the input is too small for five pools.
///
/// ```
/// use vultus::nn::vgg16;
///
/// let shapes = vgg16::whole(224, 1000)?.parameter_shapes()?;
/// let count: usize = shapes.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
/// assert_eq!(count, 138_357_544);
/// assert!(vgg16::whole(31, 1000).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn whole(input: usize, classes: usize) -> Result<Network> {
    whole_with_widths(input, &WIDTHS, &[4096, 4096], classes)
}

/// A network of VGG16's structure with other numbers of filters and hidden units.
///
/// # Errors
/// [`crate::Error::Shape`] if the input is too small for five pools.
///
/// ```
/// use vultus::nn::vgg16::whole_with_widths;
///
/// let network = whole_with_widths(32, &[&[4], &[4], &[4], &[4], &[6, 6]], &[8], 7)?;
/// let shapes = network.parameter_shapes()?;
/// assert!(shapes.contains(&("classifier.0.weight".to_owned(), vec![8, 6 * 7 * 7])));
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn whole_with_widths(input: usize, widths: &[&[usize]], hidden: &[usize], classes: usize) -> Result<Network> {
    whole_with_maps(input, widths, 7, hidden, classes)
}

/// As [`whole_with_widths`], with a head on feature maps of this height and width in the place of 7×7.
pub(crate) fn whole_with_maps(
    input: usize,
    widths: &[&[usize]],
    side: usize,
    hidden: &[usize],
    classes: usize,
) -> Result<Network> {
    let base = base_with_widths(input, widths).adaptive_avg_pool2d("avgpool", [side, side]);
    let channels = widths.last().and_then(|w| w.last()).copied().unwrap_or(3);
    let mut network = base.followed_by(head([channels, side, side], Pooling::Flatten, hidden, 0.5, classes))?;
    network.name = "vgg16".to_owned();
    Ok(network)
}
