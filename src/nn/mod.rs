//! Networks as data: a list of layers, with shapes and the names of their parameters.
//!
//! ```
//! use vultus::nn::{Network, vgg16};
//!
//! // A network of the house with a head of one's own behind it.
//! let head = Network::new("head", [512, 3, 3]).flatten().dense("fc", "classifier.0", 7).softmax();
//! let network = vgg16::base(96).followed_by(head)?;
//! assert_eq!((network.input(), network.output_shapes()?), (&[3, 96, 96][..], vec![vec![7]]));
//! # Ok::<(), vultus::Error>(())
//! ```

pub mod attention;
mod builder;
pub mod efficientnet_lite0;
pub mod light;
mod lower;
pub mod mobilenet_v1;
pub mod mobilenet_v2;
pub mod mtcnn;
mod optimize;
mod published;
pub mod resnet;
mod training;
pub mod vgg16;
pub mod yunet;

use crate::error::{Error, Result};
use crate::ops::{Op, Shape, Start};
use crate::random::Random;
use crate::tensor::{Parameters, Tensor, check_tensors};

pub(crate) use lower::Purpose;
pub(crate) use optimize::average_name;
pub use published::Published;
pub use training::{Group, Loss, Optimizer, Trainable, Training};

/// What a layer reads: another layer, or with `None` the network's input.
pub(crate) type Source = Option<usize>;

/// One layer of a network: an operation with named parameters.
///
/// ```
/// use vultus::nn::vgg16;
/// use vultus::ops::{Activation, Op};
///
/// let base = vgg16::base(224);
/// let [conv, relu, ..] = base.layers() else { unreachable!() };
/// assert_eq!((conv.name.as_str(), conv.features, conv.inputs.as_slice()), ("block1_conv1", 64, &[None][..]));
/// assert_eq!(conv.parameters, ["features.0.weight", "features.0.bias"]);
/// assert_eq!((&relu.op, relu.inputs.as_slice()), (&Op::Activation(Activation::Relu), &[Some(0)][..]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its name, unique in the network.
    pub name: String,
    /// What it does. Shapes of weights follow from the input; dropout is numbered when the network is compiled.
    pub op: Op,
    /// Channels or features of its output, where its parameters decide that; 0 elsewhere.
    pub features: usize,
    /// The names of its parameters, in the operation's order. A bias that is missing at the end is zero, and stays so.
    pub parameters: Vec<String>,
    /// The layers that it reads; `None` for the network's input.
    pub inputs: Vec<Option<usize>>,
}

/// A network: layers that read each other without circles, one input, any number of outputs.
///
/// ```
/// use vultus::nn::Network;
/// use vultus::ops::{Conv2d, MaxPool2d};
///
/// let network = Network::new("small", [3, 32, 32])
///     .conv2d("conv1", "features.0", 16, Conv2d::square(3, 1, 1))
///     .relu()
///     .max_pool2d("pool1", MaxPool2d::new(2, 2))
///     .flatten()
///     .dense("fc", "classifier.0", 7);
/// assert_eq!(network.parameter_shapes()?[2].1, [7, 16 * 16 * 16]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    name: String,
    input: Shape,
    layers: Vec<Layer>,
    outputs: Vec<usize>,
    /// What the next layer reads, if not the last one.
    next_input: Option<Source>,
}

impl Network {
    /// A network without layers, for inputs of this shape (without the batch).
    pub fn new(name: impl Into<String>, input: impl Into<Vec<usize>>) -> Self {
        Network { name: name.into(), input: input.into(), layers: Vec::new(), outputs: Vec::new(), next_input: None }
    }

    /// The network's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape of the input, without the batch.
    pub fn input(&self) -> &[usize] {
        &self.input
    }

    /// The layers in the order in which they run.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The layers whose values are the network's outputs.
    pub(crate) fn outputs(&self) -> Vec<usize> {
        if self.outputs.is_empty() {
            self.layers.len().checked_sub(1).into_iter().collect()
        } else {
            self.outputs.clone()
        }
    }

    /// The shapes of the outputs, without the batch.
    ///
    /// # Errors
    /// [`Error::Shape`] if a layer does not accept what it is given; [`Error::InvalidArgument`] if a value of an
    /// operation is out of its range, two layers or parameters have the same name, or there are no layers.
    pub fn output_shapes(&self) -> Result<Vec<Shape>> {
        let program = self.lower(1, Purpose::Inference, false)?;
        Ok(program.shapes(&program.outputs).into_iter().map(|shape| shape[1..].to_vec()).collect())
    }

    /// Names and shapes of all parameters, in the order of the layers.
    ///
    /// # Errors
    /// As [`Network::output_shapes`].
    pub fn parameter_shapes(&self) -> Result<Vec<(String, Shape)>> {
        Ok(self.starts()?.into_iter().map(|(name, shape, _)| (name, shape)).collect())
    }

    /// Names and shapes of all parameters, and what they are before any training.
    fn starts(&self) -> Result<Vec<lower::Named>> {
        let (_, starts) = self.lower_with_starts(1, Purpose::Inference, false)?;
        Ok(starts)
    }

    /// Parameters to start training from: weights from He's normal distribution (He et al. 2015), biases 0, slopes 0.25.
    ///
    /// # Errors
    /// As [`Network::output_shapes`].
    ///
    /// ```
    /// use vultus::nn::Network;
    ///
    /// let network = Network::new("small", [4]).dense("fc", "fc", 2);
    /// let parameters = network.initialize(1)?;
    /// assert_eq!(parameters["fc.weight"].shape(), [2, 4]);
    /// assert_eq!(parameters["fc.bias"].data(), [0.0, 0.0]);
    /// assert_eq!(network.initialize(1)?, parameters);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn initialize(&self, seed: u64) -> Result<Parameters> {
        let mut random = Random::new(seed);
        let mut fill = |shape: Shape, start: Start| match start {
            Start::Constant(value) => Tensor::filled(shape, value),
            Start::He => {
                let deviation = (2.0 / shape[1..].iter().product::<usize>() as f32).sqrt();
                Tensor::from_fn(shape, |_| random.normal() * deviation)
            }
        };
        Ok(self.starts()?.into_iter().map(|(name, shape, start)| (name, fill(shape, start))).collect())
    }

    /// Whether these are the network's parameters, by names and shapes.
    pub(crate) fn check_parameters(&self, parameters: &Parameters) -> Result<()> {
        check_tensors(&self.name, "parameter", self.parameter_shapes()?, parameters)
    }

    /// The names of the parameters that are trained.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer.
    pub fn parameters_from(&self, trainable: &Trainable) -> Result<Vec<String>> {
        let first = self.first_trained(trainable)?;
        Ok(self.layers[first..].iter().flat_map(|layer| layer.parameters.clone()).collect())
    }

    /// The network in two parts: what is not trained, which computes the same in every epoch, and the rest. It is cut where
    /// a single value goes from the one to the other, at the first trained layer or before it; the first part has no layers
    /// if there is no such place.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer; [`Error::InvalidArgument`] if the network has several outputs;
    /// as [`Network::output_shapes`].
    ///
    /// ```
    /// use vultus::nn::{Trainable, vgg16};
    ///
    /// let (frozen, rest) = vgg16::base(64).split(&Trainable::From("block5_conv1".into()))?;
    /// assert_eq!(frozen.output_shapes()?, [[512, 4, 4]]);
    /// assert_eq!((rest.input(), rest.output_shapes()?), (&[512, 4, 4][..], vec![vec![512, 2, 2]]));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn split(&self, trainable: &Trainable) -> Result<(Network, Network)> {
        if !self.outputs.is_empty() {
            return Err(Error::invalid(&self.name, "only a network with one output can be split"));
        }
        let mut first = self.first_trained(trainable)?;
        // Neither a reshape nor what is done in training only computes anything in the frozen part.
        let idle = |layer: &Layer| matches!(layer.op, Op::Reshape(_) | Op::Dropout(_) | Op::StochasticDepth(_));
        while first > 0 && (idle(&self.layers[first - 1]) || !self.can_be_cut(first)) {
            first -= 1;
        }
        let part = |input: Shape, layers: &[Layer], offset: usize| {
            let before = |input: &Option<usize>| input.and_then(|input| input.checked_sub(offset));
            let layer = |layer: &Layer| Layer { inputs: layer.inputs.iter().map(before).collect(), ..layer.clone() };
            let layers = layers.iter().map(layer).collect();
            Network { name: self.name.clone(), input, layers, outputs: Vec::new(), next_input: None }
        };
        let frozen = part(self.input.clone(), &self.layers[..first], 0);
        let between = if first == 0 { self.input.clone() } else { frozen.output_shapes()?.swap_remove(0) };
        Ok((frozen, part(between, &self.layers[first..], first)))
    }

    /// Whether the layers from this one on read nothing of those before but the last one's output.
    fn can_be_cut(&self, index: usize) -> bool {
        let mut read = self.layers[index..].iter().flat_map(|layer| &layer.inputs);
        read.all(|input| input.is_some_and(|input| input + 1 >= index))
    }

    /// The index of the first layer that is trained.
    fn first_trained(&self, trainable: &Trainable) -> Result<usize> {
        match trainable {
            Trainable::All => Ok(0),
            Trainable::From(name) => self.index(name),
        }
    }

    pub(crate) fn index(&self, name: &str) -> Result<usize> {
        self.layers.iter().position(|layer| layer.name == name).ok_or_else(|| {
            let known = self.layers.iter().map(|layer| layer.name.as_str());
            Error::unknown(&self.name, format!("layer {name:?}"), known)
        })
    }
}
