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
mod source;
mod training;
pub mod vgg16;
pub mod yunet;

use crate::error::{Error, Result};
use crate::ops::{Op, Shape, Start};
use crate::random::Random;
use crate::tensor::{Parameters, Tensor, check_tensors};
pub(crate) use source::Held;

pub(crate) use lower::Purpose;
pub(crate) use optimize::average_name;
pub use published::Published;
pub use source::Source;
pub use training::{Group, Loss, Optimizer, Trainable, Training};

/// What a network's input is called among the layers, where it has no other name.
const INPUT: &str = "input";

/// One layer of a network: an operation with named parameters.
///
/// ```
/// use vultus::nn::{Source, vgg16};
/// use vultus::ops::{Activation, Op};
///
/// let base = vgg16::base(224);
/// let [conv, relu, ..] = base.layers() else { unreachable!() };
/// assert_eq!((conv.name.as_str(), conv.features, conv.inputs.as_slice()), ("block1_conv1", 64, &[Source::Input(0)][..]));
/// assert_eq!(conv.parameters, ["features.0.weight", "features.0.bias"]);
/// assert_eq!((&relu.op, relu.inputs.as_slice()), (&Op::Activation(Activation::Relu), &[Source::Layer(0)][..]));
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
    /// What it reads.
    pub inputs: Vec<Source>,
}

/// A network: layers that read each other without circles, any number of inputs and outputs.
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
    /// Names and shapes (without the batch); at least one.
    inputs: Vec<(String, Shape)>,
    layers: Vec<Layer>,
    /// Values that are not made by layers, for those that read them as they read other layers.
    held: Held,
    outputs: Vec<usize>,
    /// What the next layer reads, if not the last one.
    next_input: Option<Source>,
}

impl Network {
    /// A network without layers, for inputs of this shape (without the batch). The input is called `input`.
    pub fn new(name: impl Into<String>, input: impl Into<Vec<usize>>) -> Self {
        Network {
            name: name.into(),
            inputs: vec![(INPUT.to_owned(), input.into())],
            layers: Vec::new(),
            held: Held::default(),
            outputs: Vec::new(),
            next_input: None,
        }
    }

    /// The same network with one more input of this name and shape (without the batch). The first layer reads the first
    /// input; [`Network::branch_from`] and layers that read several values know any of them by its name. A plan takes the
    /// inputs in this order ([`Plan::run_all`](crate::Plan::run_all)); a network with several cannot be trained.
    ///
    /// ```
    /// use vultus::nn::Network;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let network = Network::new("masked", [2]).with_input("mask", [2]).dense_without_bias("fc", "fc", 2).mul("out", "mask")?;
    /// let parameters = [("fc.weight".to_owned(), Tensor::filled([2, 2], 1.0))].into();
    /// let mut plan = Device::Cpu.load(&network, &parameters)?.compile(1, &Options::default())?;
    /// let (values, mask) = (Tensor::new([1, 2], vec![2.0, 3.0])?, Tensor::new([1, 2], vec![0.0, 1.0])?);
    /// assert_eq!(plan.run_all(&[values, mask])?[0].data(), [0.0, 5.0]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    #[must_use]
    pub fn with_input(mut self, name: impl Into<String>, shape: impl Into<Vec<usize>>) -> Self {
        self.inputs.push((name.into(), shape.into()));
        self
    }

    /// The network's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The shape of the first input, without the batch.
    pub fn input(&self) -> &[usize] {
        &self.inputs[0].1
    }

    /// The names of all inputs and their shapes without the batch, in the order in which a plan takes them.
    pub fn inputs(&self) -> impl ExactSizeIterator<Item = (&str, &[usize])> {
        self.inputs.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }

    /// The layers in the order in which they run.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// A network of these parts, of which each layer reads others before it, inputs, or what is held.
    #[cfg(feature = "onnx")]
    pub(crate) fn of_parts(
        name: &str,
        inputs: Vec<(String, Shape)>,
        layers: Vec<Layer>,
        held: Held,
        outputs: Vec<usize>,
    ) -> Self {
        Network { name: name.to_owned(), inputs, layers, held, outputs, next_input: None }
    }

    /// The values that it holds besides the parameters of its layers.
    #[cfg(feature = "onnx")]
    pub(crate) fn held(&self) -> &Held {
        &self.held
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

    /// What running it once takes, for one sample: floating-point operations by the definitions of the layers (a
    /// multiply-add counts as two), and how many numbers their outputs have together.
    ///
    /// # Errors
    /// As [`Network::output_shapes`].
    ///
    /// ```
    /// use vultus::nn::Network;
    ///
    /// let network = Network::new("small", [4]).dense("fc", "fc", 2);
    /// assert_eq!(network.cost()?, [2 * 4 * 2, 2]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn cost(&self) -> Result<[u64; 2]> {
        let program = self.lower(1, Purpose::Inference, false)?;
        let flops = program.steps.iter().map(|step| step.flops).sum();
        let outputs = program.steps.iter().flat_map(|step| &step.outputs);
        Ok([flops, outputs.map(|&value| program.values[value].len() as u64).sum()])
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
            Start::Constant(value) => Ok(Tensor::filled(shape, value)),
            Start::He => {
                let deviation = (2.0 / shape[1..].iter().product::<usize>() as f32).sqrt();
                let values = random.normals(shape.iter().product(), deviation);
                Tensor::new(shape, values)
            }
        };
        let starts = self.starts()?.into_iter();
        starts.map(|(name, shape, start)| Ok((name, fill(shape, start)?))).collect()
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
        let part = |inputs: Vec<(String, Shape)>, layers: &[Layer], offset: usize| {
            let before = |source: &Source| match *source {
                Source::Layer(layer) => layer.checked_sub(offset).map_or(Source::Input(0), Source::Layer),
                other => other,
            };
            let layer = |layer: &Layer| Layer { inputs: layer.inputs.iter().map(before).collect(), ..layer.clone() };
            let layers = layers.iter().map(layer).collect();
            Network { inputs, layers, outputs: Vec::new(), next_input: None, ..self.clone() }
        };
        let frozen = part(self.inputs.clone(), &self.layers[..first], 0);
        let between = match first {
            0 => self.inputs.clone(),
            _ => vec![(INPUT.to_owned(), frozen.output_shapes()?.swap_remove(0))],
        };
        Ok((frozen, part(between, &self.layers[first..], first)))
    }

    /// Whether the layers from this one on read nothing of those before but the last one's output.
    pub(crate) fn can_be_cut(&self, index: usize) -> bool {
        let mut read = self.layers[index..].iter().flat_map(|layer| &layer.inputs);
        read.all(|source| match source {
            Source::Layer(layer) => layer + 1 >= index,
            Source::Input(_) => false,
            Source::Parameter(_) | Source::Constant(_) => true,
        })
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
