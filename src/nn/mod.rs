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

mod backward;
mod gradient;
pub mod light;
mod lower;
pub mod mtcnn;
mod training;
pub mod vgg16;

use crate::error::{Error, Result};
use crate::ops::{AdaptiveAvgPool2d, Conv2d, MaxPool2d, Shape};
use crate::random::Random;
use crate::tensor::{Parameters, Tensor, check_tensors};

pub(crate) use backward::{average_name, gradient_name};
pub(crate) use lower::Purpose;
pub use training::{Group, Optimizer, Trainable, Training};

/// What a layer does.
///
/// ```
/// use vultus::nn::{Kind, vgg16};
///
/// let base = vgg16::base(224);
/// let filters = base.layers().iter().filter_map(|layer| match layer.kind {
///     Kind::Conv2d(filters, _) => Some(filters),
///     _ => None,
/// });
/// assert_eq!(filters.sum::<usize>(), 4224);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// Convolution with this many filters and a bias.
    Conv2d(usize, Conv2d),
    /// `max(x, 0)`.
    Relu,
    /// One slope per channel for negative values.
    Prelu,
    /// Maximum over windows.
    MaxPool2d(MaxPool2d),
    /// Mean over windows, to an output of a fixed size.
    AdaptiveAvgPool2d(AdaptiveAvgPool2d),
    /// Everything behind the batch dimension becomes one, in C, H, W order.
    Flatten,
    /// Fully connected, with this many outputs and a bias.
    Dense(usize),
    /// Values dropped with this probability in training; nothing otherwise.
    Dropout(f32),
    /// Probabilities over dimension 1. Training takes the logits before it.
    Softmax,
}

/// One layer of a network.
///
/// ```
/// use vultus::nn::{Kind, vgg16};
///
/// let base = vgg16::base(224);
/// let [conv, relu, ..] = base.layers() else { unreachable!() };
/// assert_eq!((conv.name.as_str(), conv.parameters.as_str(), conv.input), ("block1_conv1", "features.0", None));
/// assert_eq!((&relu.kind, relu.input), (&Kind::Relu, Some(0)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Layer {
    /// Its name, unique in the network.
    pub name: String,
    /// What it does.
    pub kind: Kind,
    /// What the names of its parameters begin with: `features.0` for `features.0.weight`. Empty where it has none.
    pub parameters: String,
    /// The layer that it reads; `None` for the network's input.
    pub input: Option<usize>,
}

/// A network: layers that each read one other, one input, any number of outputs.
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
    next_input: Option<usize>,
}

impl Network {
    /// A network without layers, for inputs of this shape (without the batch).
    pub fn new(name: impl Into<String>, input: impl Into<Vec<usize>>) -> Self {
        Network { name: name.into(), input: input.into(), layers: Vec::new(), outputs: Vec::new(), next_input: None }
    }

    /// Adds a convolution whose parameters are called `{parameters}.weight` and `{parameters}.bias`.
    #[must_use]
    pub fn conv2d(self, name: &str, parameters: &str, filters: usize, conv: Conv2d) -> Self {
        self.layer(name, Kind::Conv2d(filters, conv), parameters)
    }

    /// Adds a ReLU.
    #[must_use]
    pub fn relu(self) -> Self {
        self.unnamed("relu", Kind::Relu)
    }

    /// Adds a PReLU whose slopes are called `{parameters}.weight`.
    #[must_use]
    pub fn prelu(self, name: &str, parameters: &str) -> Self {
        self.layer(name, Kind::Prelu, parameters)
    }

    /// Adds a max-pool.
    #[must_use]
    pub fn max_pool2d(self, name: &str, pool: MaxPool2d) -> Self {
        self.layer(name, Kind::MaxPool2d(pool), "")
    }

    /// Adds an adaptive average-pool with an output of this height and width.
    #[must_use]
    pub fn adaptive_avg_pool2d(self, name: &str, output: [usize; 2]) -> Self {
        self.layer(name, Kind::AdaptiveAvgPool2d(AdaptiveAvgPool2d { output }), "")
    }

    /// Adds a flattening of everything behind the batch dimension.
    #[must_use]
    pub fn flatten(self) -> Self {
        self.unnamed("flatten", Kind::Flatten)
    }

    /// Adds a dense layer whose parameters are called `{parameters}.weight` and `{parameters}.bias`.
    #[must_use]
    pub fn dense(self, name: &str, parameters: &str, outputs: usize) -> Self {
        self.layer(name, Kind::Dense(outputs), parameters)
    }

    /// Adds dropout with this probability.
    #[must_use]
    pub fn dropout(self, probability: f32) -> Self {
        self.unnamed("dropout", Kind::Dropout(probability))
    }

    /// Adds a softmax over dimension 1.
    #[must_use]
    pub fn softmax(self) -> Self {
        self.unnamed("softmax", Kind::Softmax)
    }

    /// Makes the last layer one of the network's outputs. Without any, the last layer is the only one.
    #[must_use]
    pub fn output(mut self) -> Self {
        self.outputs.extend(self.layers.len().checked_sub(1));
        self
    }

    /// Lets the next layer read this one instead of the last.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such layer.
    ///
    /// ```
    /// use vultus::nn::Network;
    ///
    /// let network = Network::new("two answers", [4])
    ///     .dense("fc", "fc", 8)
    ///     .dense("class", "class", 2)
    ///     .output()
    ///     .branch_from("fc")?
    ///     .dense("age", "age", 1)
    ///     .output();
    /// assert_eq!(network.output_shapes()?, [[2], [1]]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn branch_from(mut self, name: &str) -> Result<Self> {
        self.next_input = Some(self.index(name)?);
        Ok(self)
    }

    /// The layers of `tail` behind those of this network, whose outputs they read.
    ///
    /// # Errors
    /// [`Error::Shape`] if the output of this network is not the input of the other.
    pub fn followed_by(mut self, tail: Network) -> Result<Self> {
        let shape = self.output_shapes()?.swap_remove(0);
        if shape != tail.input {
            let reason = format!("gives {shape:?} where {} takes {:?}", tail.name, tail.input);
            return Err(Error::shape(self.name, reason));
        }
        let offset = self.layers.len();
        self.outputs = tail.outputs.iter().map(|output| output + offset).collect();
        self.layers.extend(tail.layers.into_iter().map(|mut layer| {
            layer.input = layer.input.map(|i| i + offset).or(offset.checked_sub(1));
            layer
        }));
        Ok(self)
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
    /// [`Error::Shape`] if a layer does not accept what it is given.
    pub fn output_shapes(&self) -> Result<Vec<Shape>> {
        let program = self.lower(1, Purpose::Inference, false)?;
        Ok(program.shapes(&program.outputs).into_iter().map(|shape| shape[1..].to_vec()).collect())
    }

    /// Names and shapes of all parameters, in the order of the layers.
    ///
    /// # Errors
    /// [`Error::Shape`] if a layer does not accept what it is given.
    pub fn parameter_shapes(&self) -> Result<Vec<(String, Shape)>> {
        let program = self.lower(1, Purpose::Inference, false)?;
        let parameters = program.values.into_iter().filter_map(|value| match value.storage {
            crate::program::Storage::Parameter(name) => Some((name, value.shape)),
            _ => None,
        });
        Ok(parameters.collect())
    }

    /// Parameters to start training from: weights from He's normal distribution (He et al. 2015), biases 0, slopes 0.25.
    ///
    /// # Errors
    /// [`Error::Shape`] if a layer does not accept what it is given.
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
        let mut fill = |name: &str, shape: Shape| match shape.as_slice() {
            [_] if name.ends_with(".bias") => Tensor::zeros(shape),
            [_] => Tensor::filled(shape, 0.25),
            [_, rest @ ..] => {
                let deviation = (2.0 / rest.iter().product::<usize>() as f32).sqrt();
                Tensor::from_fn(shape, |_| random.normal() * deviation)
            }
            [] => Tensor::zeros(shape),
        };
        let shapes = self.parameter_shapes()?;
        Ok(shapes
            .into_iter()
            .map(|(name, shape)| {
                let tensor = fill(&name, shape);
                (name, tensor)
            })
            .collect())
    }

    /// Whether these are the network's parameters, by names and shapes.
    pub(crate) fn check_parameters(&self, parameters: &Parameters) -> Result<()> {
        check_tensors(&self.name, "parameter", self.parameter_shapes()?, parameters)
    }

    /// The names of the parameters that are trained.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such layer.
    pub fn parameters_from(&self, trainable: &Trainable) -> Result<Vec<String>> {
        let first = self.first_trained(trainable)?;
        let owners: Vec<&str> = self.layers[first..].iter().map(|layer| layer.parameters.as_str()).collect();
        let belongs = |name: &str| name.rsplit_once('.').is_some_and(|(owner, _)| owners.contains(&owner));
        Ok(self.parameter_shapes()?.into_iter().map(|(name, _)| name).filter(|name| belongs(name)).collect())
    }

    /// A chain of layers in two parts: what is not trained, which computes the same in every epoch, and the rest. The
    /// first has no layers if all are trained.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no such layer, or a layer does not read the one before it.
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
        let chained = |(i, layer): (usize, &Layer)| layer.input == i.checked_sub(1);
        if !self.layers.iter().enumerate().all(chained) || !self.outputs.is_empty() {
            return Err(Error::shape(&self.name, "only a chain of layers can be split"));
        }
        let mut first = self.first_trained(trainable)?;
        // A flattening moves nothing, and is no output.
        while first > 0 && matches!(self.layers[first - 1].kind, Kind::Flatten | Kind::Dropout(_)) {
            first -= 1;
        }
        let part = |input: Shape, layers: &[Layer]| {
            let layer = |(i, layer): (usize, &Layer)| Layer { input: i.checked_sub(1), ..layer.clone() };
            let layers = layers.iter().enumerate().map(layer).collect();
            Network { name: self.name.clone(), input, layers, outputs: Vec::new(), next_input: None }
        };
        let frozen = part(self.input.clone(), &self.layers[..first]);
        let between = if first == 0 { self.input.clone() } else { frozen.output_shapes()?.swap_remove(0) };
        Ok((frozen, part(between, &self.layers[first..])))
    }

    /// The place of the first layer that is trained.
    fn first_trained(&self, trainable: &Trainable) -> Result<usize> {
        match trainable {
            Trainable::All => Ok(0),
            Trainable::From(name) => self.index(name),
        }
    }

    pub(crate) fn index(&self, name: &str) -> Result<usize> {
        self.layers.iter().position(|layer| layer.name == name).ok_or_else(|| {
            let names: Vec<&str> = self.layers.iter().map(|layer| layer.name.as_str()).collect();
            Error::shape(&self.name, format!("there is no layer {name:?}; there are {}", names.join(", ")))
        })
    }

    fn layer(mut self, name: &str, kind: Kind, parameters: &str) -> Self {
        let input = self.next_input.take().or(self.layers.len().checked_sub(1));
        self.layers.push(Layer { name: name.to_owned(), kind, parameters: parameters.to_owned(), input });
        self
    }

    /// Layers that nobody asks for are named after the layer before: `block1_conv1.relu`.
    fn unnamed(self, what: &str, kind: Kind) -> Self {
        let before = self.next_input.or(self.layers.len().checked_sub(1)).map(|i| self.layers[i].name.as_str());
        let name = format!("{}.{what}", before.unwrap_or("input"));
        self.layer(&name, kind, "")
    }
}
