//! How networks are written down: a layer after the other.

use std::ops::Range;

use super::{INPUT, Layer, Network, Source};
use crate::error::{Error, Result};
use crate::ops::{
    Activation, AdaptiveAvgPool2d, AvgPool2d, BatchNorm2d, Concat, Conv2d, Dense, Dropout, LayerNorm, MaskedFill,
    MatMul, MaxPool2d, Op, Pad, ReduceMean, RelativePositionBias, Reshape, Slice, Softmax, StochasticDepth, Transpose,
    Unary, Upsample,
};

impl Network {
    /// Adds a convolution whose parameters are called `{parameters}.weight` and `{parameters}.bias`.
    #[must_use]
    pub fn conv2d(self, name: &str, parameters: &str, out_channels: usize, conv: Conv2d) -> Self {
        self.with_parameters(
            name,
            conv,
            out_channels,
            &["weight", "bias"].map(|suffix| format!("{parameters}.{suffix}")),
        )
    }

    /// Adds a convolution without a bias, as before a batch normalisation; its weights are called `{parameters}.weight`.
    #[must_use]
    pub fn conv2d_without_bias(self, name: &str, parameters: &str, out_channels: usize, conv: Conv2d) -> Self {
        self.with_parameters(name, conv, out_channels, &[format!("{parameters}.weight")])
    }

    /// Adds a batch normalisation whose parameters are called `{parameters}.weight`, `.bias`, `.running_mean` and
    /// `.running_var`. The latter two follow the batches in training.
    #[must_use]
    pub fn batch_norm2d(self, name: &str, parameters: &str, norm: BatchNorm2d) -> Self {
        let names = ["weight", "bias", "running_mean", "running_var"].map(|suffix| format!("{parameters}.{suffix}"));
        self.with_parameters(name, norm, 0, &names)
    }

    /// Adds a convolution without a bias and the batch normalisation of its output, each named as its parameters are.
    pub(super) fn normalized_conv2d(
        self,
        [conv, norm]: [&str; 2],
        out_channels: usize,
        op: Conv2d,
        by: BatchNorm2d,
    ) -> Self {
        self.conv2d_without_bias(conv, conv, out_channels, op).batch_norm2d(norm, norm, by)
    }

    /// Adds a layer normalisation over the last dimension whose parameters are called `{parameters}.weight` and
    /// `{parameters}.bias`.
    #[must_use]
    pub fn layer_norm(self, name: &str, parameters: &str, norm: LayerNorm) -> Self {
        self.with_parameters(name, norm, 0, &["weight", "bias"].map(|suffix| format!("{parameters}.{suffix}")))
    }

    /// Adds a ReLU.
    #[must_use]
    pub fn relu(self) -> Self {
        self.activation(Activation::Relu)
    }

    /// Adds an activation function, named after the layer before it.
    #[must_use]
    pub fn activation(self, activation: Activation) -> Self {
        self.unnamed(activation.name(), activation)
    }

    /// The same, under a name of its own.
    #[must_use]
    pub fn activation_named(self, name: &str, activation: Activation) -> Self {
        self.layer(name, activation)
    }

    /// Adds an elementary function of each value.
    #[must_use]
    pub fn unary(self, name: &str, function: Unary) -> Self {
        self.layer(name, function)
    }

    /// Adds a PReLU whose slopes are called `{parameters}.weight`.
    #[must_use]
    pub fn prelu(self, name: &str, parameters: &str) -> Self {
        self.with_parameters(name, Op::Prelu, 0, &[format!("{parameters}.weight")])
    }

    /// Adds a max-pool.
    #[must_use]
    pub fn max_pool2d(self, name: &str, pool: MaxPool2d) -> Self {
        self.layer(name, pool)
    }

    /// Adds an adaptive average-pool with an output of this height and width.
    #[must_use]
    pub fn adaptive_avg_pool2d(self, name: &str, output: [usize; 2]) -> Self {
        self.layer(name, AdaptiveAvgPool2d { output })
    }

    /// Adds a flattening of everything after the batch dimension, in C, H, W order.
    #[must_use]
    pub fn flatten(self) -> Self {
        self.unnamed("flatten", Reshape::flatten())
    }

    /// Adds a dense layer whose parameters are called `{parameters}.weight` and `{parameters}.bias`.
    #[must_use]
    pub fn dense(self, name: &str, parameters: &str, out_features: usize) -> Self {
        self.with_parameters(
            name,
            Dense::default(),
            out_features,
            &["weight", "bias"].map(|suffix| format!("{parameters}.{suffix}")),
        )
    }

    /// Adds a dense layer without a bias, whose weights are called `{parameters}.weight`.
    #[must_use]
    pub fn dense_without_bias(self, name: &str, parameters: &str, out_features: usize) -> Self {
        self.with_parameters(name, Dense::default(), out_features, &[format!("{parameters}.weight")])
    }

    /// Adds dropout with this probability.
    #[must_use]
    pub fn dropout(self, probability: f32) -> Self {
        self.unnamed("dropout", Dropout { probability, layer: 0 })
    }

    /// Adds a softmax over dimension 1.
    #[must_use]
    pub fn softmax(self) -> Self {
        self.unnamed("softmax", Softmax::default())
    }

    /// Adds a softmax over this dimension; 0 is the batch.
    #[must_use]
    pub fn softmax_over(self, name: &str, dim: usize) -> Self {
        self.layer(name, Softmax { dim })
    }

    /// Adds the sum of the last layer and the one of this name: a residual connection.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer.
    ///
    /// ```
    /// use vultus::nn::{Network, Source};
    ///
    /// let block = Network::new("residual", [8]).dense("in", "in", 8).relu().dense("fc", "fc", 8).add("sum", "in.relu")?;
    /// assert_eq!(block.layers()[3].inputs, [Source::Layer(2), Source::Layer(1)]);
    /// assert_eq!(block.output_shapes()?, [[8]]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn add(self, name: &str, other: &str) -> Result<Self> {
        let other = self.source(other)?;
        Ok(self.layer_of(name, Op::Add, &[other]))
    }

    /// Adds the product of the last layer's matrices and those of the layer of this name.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer.
    pub fn matmul(self, name: &str, other: &str, product: MatMul) -> Result<Self> {
        let other = self.source(other)?;
        Ok(self.layer_of(name, product, &[other]))
    }

    /// Adds biases of attention scores by relative position, whose table is the parameter of this name.
    #[must_use]
    pub fn relative_position_bias(self, name: &str, parameter: &str, bias: RelativePositionBias) -> Self {
        self.with_parameters(name, bias, 0, &[parameter.to_owned()])
    }

    /// Adds the product of the last layer and the one of this name, which may have the size 1 where the other has more: a
    /// gate for each channel.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer.
    ///
    /// ```
    /// use vultus::nn::Network;
    /// use vultus::ops::{Activation, Conv2d, MaxPool2d};
    ///
    /// // Squeeze and excitation.
    /// let network = Network::new("gated", [3, 8, 8])
    ///     .conv2d("conv", "conv", 16, Conv2d::square(3, 1, 1))
    ///     .reduce_mean("mean", &[2, 3], true)
    ///     .conv2d("gate", "gate", 16, Conv2d::square(1, 1, 0))
    ///     .activation(Activation::Sigmoid)
    ///     .mul("gated", "conv")?;
    /// assert_eq!(network.output_shapes()?, [[16, 8, 8]]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn mul(self, name: &str, other: &str) -> Result<Self> {
        let other = self.source(other)?;
        Ok(self.layer_of(name, Op::Mul, &[other]))
    }

    /// Adds the last layer with this number wherever the layer of this name is above 0.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer.
    pub fn masked_fill(self, name: &str, mask: &str, value: f32) -> Result<Self> {
        let mask = self.source(mask)?;
        Ok(self.layer_of(name, MaskedFill { value }, &[mask]))
    }

    /// Adds the last layer and those of these names, one after the other along a dimension; 1 are the channels.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer.
    ///
    /// ```
    /// use vultus::nn::Network;
    ///
    /// let network =
    ///     Network::new("wide", [8]).dense("a", "a", 3).branch_from("a")?.dense("b", "b", 4).concat("both", &["a"], 1)?;
    /// assert_eq!(network.output_shapes()?, [[7]]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn concat(self, name: &str, others: &[&str], dim: usize) -> Result<Self> {
        let others: Vec<Source> = others.iter().map(|other| self.source(other)).collect::<Result<_>>()?;
        Ok(self.layer_of(name, Concat { dim }, &others))
    }

    /// Adds the mean over these dimensions, of which 0 is the batch and must stay.
    ///
    /// ```
    /// use vultus::nn::Network;
    ///
    /// let network = Network::new("mean", [64, 7, 5]).reduce_mean("mean", &[2, 3], false);
    /// assert_eq!(network.output_shapes()?, [[64]]);
    /// assert!(Network::new("mean", [64, 7, 5]).reduce_mean("mean", &[0], false).output_shapes().is_err());
    /// # Ok::<(), vultus::Error>(())
    /// ```
    #[must_use]
    pub fn reduce_mean(self, name: &str, dims: &[usize], keepdim: bool) -> Self {
        self.layer(name, ReduceMean { dims: dims.to_vec(), keepdim })
    }

    /// Adds an average-pool.
    #[must_use]
    pub fn avg_pool2d(self, name: &str, pool: AvgPool2d) -> Self {
        self.layer(name, pool)
    }

    /// Adds a change of height and width.
    #[must_use]
    pub fn upsample(self, name: &str, upsample: Upsample) -> Self {
        self.layer(name, upsample)
    }

    /// Adds a change of the order of dimensions: for each of the result, which one of the input it is. The first is the
    /// batch and stays.
    ///
    /// ```
    /// use vultus::nn::Network;
    ///
    /// let network = Network::new("channels last", [64, 7, 5]).transpose("transpose", &[0, 2, 3, 1]);
    /// assert_eq!(network.output_shapes()?, [[7, 5, 64]]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    #[must_use]
    pub fn transpose(self, name: &str, permutation: &[usize]) -> Self {
        self.layer(name, Transpose { permutation: permutation.to_vec() })
    }

    /// Adds a part of a dimension; 1 are the channels.
    #[must_use]
    pub fn slice(self, name: &str, dim: usize, range: Range<usize>) -> Self {
        self.layer(name, Slice::along(dim, range))
    }

    /// Adds a border of this value: for each dimension, the batch first, how many elements come before and after.
    ///
    /// ```
    /// use vultus::nn::Network;
    ///
    /// let network = Network::new("pad", [3, 8, 8]).pad("pad", &[[0, 0], [0, 0], [0, 1], [0, 1]], 0.0);
    /// assert_eq!(network.output_shapes()?, [[3, 9, 9]]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    #[must_use]
    pub fn pad(self, name: &str, padding: &[[usize; 2]], value: f32) -> Self {
        self.layer(name, Pad { padding: padding.to_vec(), value })
    }

    /// Adds another shape for the same values: the dimensions after the batch, of which one may be left to be found.
    ///
    /// ```
    /// use vultus::nn::Network;
    ///
    /// let network = Network::new("tokens", [16, 7, 7]).reshape("tokens", &[Some(16), None]);
    /// assert_eq!(network.output_shapes()?, [[16, 49]]);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    #[must_use]
    pub fn reshape(self, name: &str, sizes: &[Option<usize>]) -> Self {
        self.layer(name, Reshape::to(sizes))
    }

    /// Adds stochastic depth with this probability, before the sum of a residual connection.
    #[must_use]
    pub fn stochastic_depth(self, probability: f32) -> Self {
        self.unnamed("stochastic_depth", StochasticDepth { probability, layer: 0 })
    }

    /// Makes the last layer one of the network's outputs. Without any, the last layer is the only one.
    #[must_use]
    pub fn output(mut self) -> Self {
        self.outputs.extend(self.layers.len().checked_sub(1));
        self
    }

    /// Lets the next layer read this one instead of the last, or the network's input of this name (`input` unless it was
    /// given another).
    ///
    /// # Errors
    /// [`Error::UnknownName`] if there is no such layer.
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
        self.next_input = Some(self.source(name)?);
        Ok(self)
    }

    /// The layers of `tail` after those of this network, whose output they read.
    ///
    /// # Errors
    /// [`Error::Shape`] if the output of this network is not the input of the other, or that has several; as
    /// [`Network::output_shapes`].
    pub fn followed_by(mut self, tail: Network) -> Result<Self> {
        let shape = self.output_shapes()?.swap_remove(0);
        if tail.inputs.len() != 1 || shape != tail.input() {
            let takes: Vec<&[usize]> = tail.inputs().map(|(_, shape)| shape).collect();
            let reason = format!("gives {shape:?} where {} takes {takes:?}", tail.name);
            return Err(Error::shape(self.name, reason));
        }
        let offset = self.layers.len();
        let (parameters, constants) = (self.held.parameters.len(), self.held.constants.len());
        self.outputs = tail.outputs.iter().map(|output| output + offset).collect();
        self.held.parameters.extend(tail.held.parameters);
        self.held.constants.extend(tail.held.constants);
        self.layers.extend(tail.layers.into_iter().map(|mut layer| {
            for source in &mut layer.inputs {
                *source = match *source {
                    Source::Input(_) => offset.checked_sub(1).map_or(Source::Input(0), Source::Layer),
                    Source::Layer(layer) => Source::Layer(layer + offset),
                    Source::Parameter(index) => Source::Parameter(index + parameters),
                    Source::Constant(index) => Source::Constant(index + constants),
                };
            }
            layer
        }));
        Ok(self)
    }

    /// Adds a layer that reads the last one and has no parameters.
    fn layer(self, name: &str, op: impl Into<Op>) -> Self {
        self.layer_of(name, op, &[])
    }

    /// The same, reading these layers after the last one.
    fn layer_of(self, name: &str, op: impl Into<Op>, others: &[Source]) -> Self {
        self.push(name, op.into(), 0, &[], others)
    }

    /// Adds a layer that reads the last one and has these parameters.
    fn with_parameters(self, name: &str, op: impl Into<Op>, features: usize, parameters: &[String]) -> Self {
        self.push(name, op.into(), features, parameters, &[])
    }

    fn push(mut self, name: &str, op: Op, features: usize, parameters: &[String], others: &[Source]) -> Self {
        let last = self.next_input.take().unwrap_or(self.last());
        let inputs = std::iter::once(last).chain(others.iter().copied()).collect();
        self.layers.push(Layer { name: name.to_owned(), op, features, parameters: parameters.to_vec(), inputs });
        self
    }

    /// The last layer, or the first input where there is none.
    fn last(&self) -> Source {
        self.layers.len().checked_sub(1).map_or(Source::Input(0), Source::Layer)
    }

    /// A layer or an input of the network by its name.
    fn source(&self, name: &str) -> Result<Source> {
        match self.inputs.iter().position(|(input, _)| input == name) {
            Some(input) => Ok(Source::Input(input)),
            None => self.index(name).map(Source::Layer),
        }
    }

    /// The name of what the next layer reads.
    pub(super) fn last_layer(&self) -> &str {
        match self.next_input.unwrap_or(self.last()) {
            Source::Layer(layer) => &self.layers[layer].name,
            Source::Input(input) => &self.inputs[input].0,
            Source::Parameter(_) | Source::Constant(_) => INPUT,
        }
    }

    /// Layers that nobody asks for are named after the layer before: `block1_conv1.relu`.
    fn unnamed(self, what: &str, op: impl Into<Op>) -> Self {
        let name = format!("{}.{what}", self.last_layer());
        self.layer(&name, op)
    }
}
