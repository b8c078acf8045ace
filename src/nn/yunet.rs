//! YuNet (Wu, Peng & Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector"), with the names of the authors' file for
//! its parameters.
//!
//! ```
//! use vultus::nn::yunet;
//!
//! let network = yunet::network(480, 640)?;
//! let parameters: usize = network.parameter_shapes()?.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
//! assert_eq!(parameters, 73_840);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use crate::error::Result;
use crate::ops::{Activation, Conv2d, Interpolation, MaxPool2d, Upsample};

/// Pixels from one cell of a grid to the next, for each of the three grids.
pub const STRIDES: [usize; 3] = [8, 16, 32];

/// Values that [`network`] gives for each cell.
pub const CELL_VALUES: usize = 16;

/// Channels of all layers but the first ones and the last.
const CHANNELS: usize = 64;

/// The grids that the network lays over a picture of this size: rows and columns of cells for each of [`STRIDES`].
///
/// ```
/// assert_eq!(vultus::nn::yunet::grids(480, 600), [[60, 76], [30, 38], [15, 19]]);
/// ```
pub fn grids(height: usize, width: usize) -> [[usize; 2]; 3] {
    let coarsest = STRIDES[2];
    STRIDES.map(|stride| [height, width].map(|side| side.div_ceil(coarsest) * (coarsest / stride)))
}

/// The network for pictures of this height and width. It takes BGR from 0 to 255, and puts zeros below and to the right
/// until both sides are multiples of 32, as the authors' detector in OpenCV does.
///
/// The output is `[16, cells]`, with the cells of the three [`grids`] one after the other, each row by row. Its rows are
///
/// | rows | what |
/// |---|---|
/// | 0 | how surely the cell's object is a face (0 to 1) |
/// | 1 | how surely there is an object (0 to 1) |
/// | 2, 3 | x and y of the box's centre, in strides from the cell's corner |
/// | 4, 5 | the logarithm of the box's width and height in strides |
/// | 6 to 15 | x and y of the five landmarks, in strides from the cell's corner |
///
/// # Errors
/// [`crate::Error::Shape`] if a side is 0.
///
/// ```
/// use vultus::nn::yunet;
///
/// let cells = 60 * 76 + 30 * 38 + 15 * 19;
/// assert_eq!(yunet::network(480, 600)?.output_shapes()?, [[yunet::CELL_VALUES, cells]]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn network(height: usize, width: usize) -> Result<Network> {
    let network = backbone(padded(Network::new("yunet", [3, height, width]), height, width));
    let grids = grids(height, width);
    let network = network.branch_from("backbone.model5.conv2.conv2.relu")?;
    let mut network = activated(network, "neck.lateral_convs.2");
    for level in [1, 0] {
        let upsample = Upsample { size: grids[level], interpolation: Interpolation::Nearest };
        let finer = format!("backbone.model{}.conv2.conv2.relu", level + 3);
        network = network.upsample(&format!("neck.up.{level}"), upsample).add(&format!("neck.sum.{level}"), &finer)?;
        network = activated(network, &format!("neck.lateral_convs.{level}"));
    }
    for level in [2, 1, 0] {
        network = head(network.branch_from(&format!("neck.lateral_convs.{level}.conv2.relu"))?, level)?;
    }
    network.concat("cells", &["cells.1", "cells.2"], 2)
}

/// Zeros below and to the right, where they are needed.
fn padded(network: Network, height: usize, width: usize) -> Network {
    let missing = [height, width].map(|side| side.next_multiple_of(STRIDES[2]) - side);
    match missing {
        [0, 0] => network,
        [below, right] => network.pad("pad", &[[0, 0], [0, 0], [0, below], [0, right]], 0.0),
    }
}

/// A convolution of single pixels, then one of each channel by itself.
fn separable(network: Network, name: &str, channels: usize) -> Network {
    let [pointwise, depthwise] = ["conv1", "conv2"].map(|part| format!("{name}.{part}"));
    network.conv2d(&pointwise, &pointwise, channels, Conv2d::square(1, 1, 0)).conv2d(
        &depthwise,
        &depthwise,
        channels,
        Conv2d::square(3, 1, 1).groups(channels),
    )
}

/// The same with a ReLU after it.
fn activated(network: Network, name: &str) -> Network {
    separable(network, name, CHANNELS).relu()
}

/// Ever coarser features: those of stride 8, 16 and 32 come from `model3`, `model4` and `model5`.
fn backbone(network: Network) -> Network {
    let first = "backbone.model0.conv1";
    let network = network.conv2d(first, first, 16, Conv2d::square(3, 2, 1)).relu();
    let network = separable(network, "backbone.model0.conv2", 16).relu().max_pool2d("pool0", MaxPool2d::new(2, 2));
    let network = separable(network, "backbone.model1.conv1", 16).relu();
    let mut network = activated(network, "backbone.model1.conv2");
    for model in 2..=5 {
        network = activated(network, &format!("backbone.model{model}.conv1"));
        network = activated(network, &format!("backbone.model{model}.conv2"));
        if model < 5 {
            network = network.max_pool2d(&format!("pool{model}"), MaxPool2d::new(2, 2));
        }
    }
    network
}

/// What is said of the cells of a level, `[16, cells]`.
fn head(network: Network, level: usize) -> Result<Network> {
    let features = format!("bbox_head.multi_level_share_convs.{level}.0");
    let mut network = activated(network, &features);
    // A concatenation begins with the last layer, which therefore is that of the first rows.
    for (what, channels) in [("kps", 10), ("bbox", 4), ("obj", 1), ("cls", 1)] {
        let name = format!("bbox_head.multi_level_{what}.{level}");
        network = separable(network.branch_from(&format!("{features}.conv2.relu"))?, &name, channels);
        if channels == 1 {
            network = network.activation_named(&format!("{what}.{level}"), Activation::Sigmoid);
        }
    }
    let [kps, bbox] = ["kps", "bbox"].map(|what| format!("bbox_head.multi_level_{what}.{level}.conv2"));
    let network = network.concat(&format!("maps.{level}"), &[&format!("obj.{level}"), &bbox, &kps], 1)?;
    Ok(network.reshape(&format!("cells.{level}"), &[Some(CELL_VALUES), None]))
}
