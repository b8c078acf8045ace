//! The three networks of MTCNN (Zhang, Zhang, Li, Qiao 2016), with facenet-pytorch's names for their parameters.
//!
//! ```
//! use vultus::nn::mtcnn::{onet, pnet, rnet};
//!
//! let networks = [pnet(48, 64)?, rnet()?, onet()?];
//! let counts = networks.each_ref().map(|network| network.output_shapes().map(|outputs| outputs.len()));
//! assert_eq!(counts.into_iter().collect::<vultus::Result<Vec<_>>>()?, [2, 2, 3]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::Network;
use crate::error::{Error, Result};
use crate::ops::{Conv2d, MaxPool2d};
use crate::tensor::{Parameters, Tensor};

fn pool(kernel: usize, stride: usize) -> MaxPool2d {
    MaxPool2d { ceil_mode: true, ..MaxPool2d::new(kernel, stride) }
}

/// Convolution without padding, then a PReLU.
fn conv(network: Network, net: &str, number: usize, filters: usize, kernel: usize) -> Network {
    network
        .conv2d(&format!("conv{number}"), &format!("{net}.conv{number}"), filters, Conv2d::square(kernel, 1, 0))
        .prelu(&format!("prelu{number}"), &format!("{net}.prelu{number}"))
}

/// P-Net: proposes faces all over a picture. Outputs: probabilities `[2, h, w]` (no face, face) and box offsets
/// `[4, h, w]`; a cell looks at 12×12 pixels, in steps of 2.
///
/// # Errors
/// [`Error::Shape`] if the picture is smaller than a cell.
///
/// ```
/// use vultus::nn::mtcnn::pnet;
///
/// assert_eq!(pnet(12, 12)?.output_shapes()?, [[2, 1, 1], [4, 1, 1]]);
/// assert_eq!(pnet(48, 64)?.output_shapes()?, [[2, 19, 27], [4, 19, 27]]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn pnet(height: usize, width: usize) -> Result<Network> {
    let network = conv(Network::new("pnet", [3, height, width]), "pnet", 1, 10, 3).max_pool2d("pool1", pool(2, 2));
    let network = conv(conv(network, "pnet", 2, 16, 3), "pnet", 3, 32, 3);
    let network = network.conv2d("conv4_1", "pnet.conv4_1", 2, Conv2d::square(1, 1, 0)).softmax().output();
    Ok(network.branch_from("prelu3")?.conv2d("conv4_2", "pnet.conv4_2", 4, Conv2d::square(1, 1, 0)).output())
}

/// R-Net: judges proposals of 24×24 pixels. Outputs: probabilities `[2]` and box offsets `[4]`.
///
/// # Errors
/// None in practice: its layers are fixed.
///
/// ```
/// let rnet = vultus::nn::mtcnn::rnet()?;
/// assert_eq!((rnet.input(), rnet.output_shapes()?), (&[3, 24, 24][..], vec![vec![2], vec![4]]));
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn rnet() -> Result<Network> {
    let network = conv(Network::new("rnet", [3, 24, 24]), "rnet", 1, 28, 3).max_pool2d("pool1", pool(3, 2));
    let network = conv(network, "rnet", 2, 48, 3).max_pool2d("pool2", pool(3, 2));
    let network = conv(network, "rnet", 3, 64, 2).flatten();
    let network = network.dense("dense4", "rnet.dense4", 128).prelu("prelu4", "rnet.prelu4");
    let network = network.dense("dense5_1", "rnet.dense5_1", 2).softmax().output();
    Ok(network.branch_from("prelu4")?.dense("dense5_2", "rnet.dense5_2", 4).output())
}

/// O-Net: judges what is left at 48×48 pixels. Outputs: probabilities `[2]`, box offsets `[4]` and landmarks `[10]`
/// (x1 … x5, then y1 … y5, relative to the box).
///
/// # Errors
/// None in practice: its layers are fixed.
///
/// ```
/// let onet = vultus::nn::mtcnn::onet()?;
/// assert_eq!((onet.input(), onet.output_shapes()?), (&[3, 48, 48][..], vec![vec![2], vec![4], vec![10]]));
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn onet() -> Result<Network> {
    let network = conv(Network::new("onet", [3, 48, 48]), "onet", 1, 32, 3).max_pool2d("pool1", pool(3, 2));
    let network = conv(network, "onet", 2, 64, 3).max_pool2d("pool2", pool(3, 2));
    let network = conv(network, "onet", 3, 64, 3).max_pool2d("pool3", pool(2, 2));
    let network = conv(network, "onet", 4, 128, 2).flatten();
    let network = network.dense("dense5", "onet.dense5", 256).prelu("prelu5", "onet.prelu5");
    let network = network.dense("dense6_1", "onet.dense6_1", 2).softmax().output();
    let network = network.branch_from("prelu5")?.dense("dense6_2", "onet.dense6_2", 4).output();
    Ok(network.branch_from("prelu5")?.dense("dense6_3", "onet.dense6_3", 10).output())
}

/// The parameters as these networks need them: the reference flattens in W, H, C order before its first dense layers,
/// this engine in C, H, W order, so the columns of these two weights change places.
///
/// # Errors
/// [`Error::UnknownName`] if one of these two weights is missing; [`Error::Shape`] if it has another shape.
///
/// ```
/// use vultus::nn::mtcnn::{onet, reordered, rnet};
///
/// let mut reference = rnet()?.initialize(1)?;
/// reference.extend(onet()?.initialize(2)?);
/// let parameters = reordered(reference.clone())?;
/// // The second channel at the first place: the second column there, the tenth here, behind 3×3 of the first channel.
/// assert_eq!(parameters["rnet.dense4.weight"].data()[9], reference["rnet.dense4.weight"].data()[1]);
/// assert_eq!(parameters["rnet.conv1.weight"], reference["rnet.conv1.weight"]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn reordered(mut parameters: Parameters) -> Result<Parameters> {
    for (name, [channels, height, width]) in [("rnet.dense4.weight", [64, 3, 3]), ("onet.dense5.weight", [128, 3, 3])] {
        let columns = channels * height * width;
        let Some(weight) = parameters.get_mut(name) else {
            return Err(Error::unknown("mtcnn", format!("weight {name:?}"), None::<&str>));
        };
        if weight.shape().get(1) != Some(&columns) {
            return Err(Error::shape(name, format!("has the shape {:?}, not {columns} columns", weight.shape())));
        }
        let source = weight.data();
        *weight = Tensor::from_fn(weight.shape(), |place| {
            let (row, column) = (place / columns, place % columns);
            let (c, y, x) = (column / (height * width), column / width % height, column % width);
            source[row * columns + (x * height + y) * channels + c]
        });
    }
    Ok(parameters)
}
