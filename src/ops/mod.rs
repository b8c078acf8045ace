//! The vocabulary: what every operation is called, takes and gives, on any backend.
//!
//! One file per operation holds its parameters, its shape rule and the cases that tests and benches share.
//! Images are NCHW, convolution weights OIHW, dense weights `[out, in]`; all numbers are f32.
//!
//! ```
//! use vultus::ops::{Conv2d, Op};
//!
//! // What an operation makes of shapes, before anything is computed.
//! let (x, weight, bias) = ([1, 3, 224, 224], [64, 3, 3, 3], [64]);
//! let conv = Op::Conv2d(Conv2d::square(3, 1, 1));
//! assert_eq!(conv.output_shapes(&[&x, &weight, &bias])?, [[1, 64, 224, 224]]);
//! assert!(conv.output_shapes(&[&x, &weight]).is_err());
//! # Ok::<(), vultus::Error>(())
//! ```

pub mod accumulate;
pub mod adam;
pub mod adaptive_avg_pool2d;
pub mod conv2d;
pub mod cross_entropy;
pub mod dense;
pub mod dropout;
pub mod ema;
pub mod max_pool2d;
pub mod prelu;
pub mod relu;
pub mod resize;
pub mod sgd;
pub mod softmax;

mod case;

pub use adam::Adam;
pub use adaptive_avg_pool2d::AdaptiveAvgPool2d;
pub use case::{Case, Fill};
pub use conv2d::Conv2d;
pub use cross_entropy::CrossEntropy;
pub use dense::Dense;
pub use dropout::Dropout;
pub use ema::Ema;
pub use max_pool2d::MaxPool2d;
pub use resize::{Crop, Filter, Normalization, Order};
pub use sgd::Sgd;

use crate::error::{Error, Result};

/// A shape.
///
/// ```
/// use vultus::ops::{Op, Shape};
///
/// let outputs: Vec<Shape> = Op::Softmax.output_shapes(&[&[2, 7]])?;
/// assert_eq!(outputs, [[2, 7]]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub type Shape = Vec<usize>;

/// One operation, forward or backward. Both backends implement every one.
///
/// A gradient is named after what it is taken with respect to: `dx` belongs to `x` and has its shape.
///
/// ```
/// use vultus::ops::{Dense, Op};
///
/// let (x, weight, bias) = (&[2, 100][..], &[10, 100][..], &[10][..]);
/// let op = Op::Dense(Dense::default());
/// let outputs = op.output_shapes(&[x, weight, bias])?;
/// assert_eq!((op.name(), outputs.as_slice()), ("dense", &[vec![2, 10]][..]));
/// assert_eq!(op.flops(&[x, weight, bias], &outputs), 2 * 2 * 100 * 10);
/// // The backward pass gives back the shape of the input.
/// let backward = Op::DenseBackwardInput(Dense::default(), vec![100]);
/// assert_eq!(backward.output_shapes(&[&[2, 10], weight])?, [[2, 100]]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Op {
    /// `x, weight, bias → y`
    Conv2d(Conv2d),
    /// `dy, weight → dx`, for an input of this height and width
    Conv2dBackwardInput(Conv2d, [usize; 2]),
    /// `x, dy → dweight, dbias`
    Conv2dBackwardWeight(Conv2d),
    /// `x → y`
    Relu,
    /// `y, dy → dx`
    ReluBackward,
    /// `x, slope → y`
    Prelu,
    /// `x, slope, dy → dx, dslope`
    PreluBackward,
    /// `x → y`
    MaxPool2d(MaxPool2d),
    /// `x, dy → dx`
    MaxPool2dBackward(MaxPool2d),
    /// `x → y`
    AdaptiveAvgPool2d(AdaptiveAvgPool2d),
    /// `dy → dx`, for an input of this height and width
    AdaptiveAvgPool2dBackward(AdaptiveAvgPool2d, [usize; 2]),
    /// `x, weight, bias → y`
    Dense(Dense),
    /// `dy, weight → dx`, for an input of this shape (without the batch)
    DenseBackwardInput(Dense, Shape),
    /// `x, dy → dweight, dbias`
    DenseBackwardWeight(Dense),
    /// `x → y` over dimension 1
    Softmax,
    /// `y, dy → dx`
    SoftmaxBackward,
    /// `logits, target, class_weight → loss, dlogits`; targets are class numbers or, for each class, probabilities
    CrossEntropy(CrossEntropy),
    /// `x → y`; with `dy` for `x` it is its own backward pass
    Dropout(Dropout),
    /// `parameter, gradient, velocity → parameter, velocity`, in place
    Sgd(Sgd),
    /// `parameter, gradient, m, v → parameter, m, v`, in place
    Adam(Adam),
    /// `average, parameter → average`, in place
    Ema(Ema),
    /// `mean, gradient → mean`, in place
    Accumulate,
}

/// What changes from run to run of a plan.
///
/// ```
/// use vultus::nn::{Network, Training};
/// use vultus::ops::RunState;
/// use vultus::{Device, Options, Tensor};
///
/// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let training = Training { accumulate: 2, ..Training::default() };
/// let mut plan = model.compile_training(1, &training, &Options::default())?;
/// let start = model.parameters()?;
/// // One step of two micro-batches: the parameters move after the second.
/// let first = RunState { step: 1, learning_rate: 0.1, micro_batches: 2, ..RunState::default() };
/// plan.train(&Tensor::filled([1, 2], 1.0), &[Some(0)], &first)?;
/// assert_eq!(model.parameters()?, start);
/// plan.train(&Tensor::filled([1, 2], -1.0), &[Some(0)], &RunState { micro_batch: 1, ..first })?;
/// assert_ne!(model.parameters()?, start);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RunState {
    /// How many steps the optimiser has taken with its present memory, this one included: 1 in a plan's first step. A
    /// training that goes on from a checkpoint goes on counting.
    pub step: u32,
    /// The learning rate of this step.
    pub learning_rate: f32,
    /// The seed of `dropout`.
    pub seed: u64,
    /// Which of the step's micro-batches this is: 0 for the first. What dropout drops goes on from one to the next as if
    /// they were one batch, where the values of each are a multiple of 4.
    pub micro_batch: u32,
    /// How many micro-batches the step has: at most [`Training::accumulate`](crate::nn::Training::accumulate). The
    /// optimiser runs in the last of them.
    pub micro_batches: u32,
}

impl Default for RunState {
    fn default() -> Self {
        RunState { step: 1, learning_rate: 0.0, seed: 0, micro_batch: 0, micro_batches: 1 }
    }
}

impl RunState {
    /// Whether the step ends with this micro-batch.
    pub(crate) fn ends_step(&self) -> bool {
        self.micro_batch.saturating_add(1) >= self.micro_batches
    }
}

impl Op {
    /// The operation's name; the files that implement it begin with it.
    pub fn name(&self) -> &'static str {
        match self {
            Op::Conv2d(_) => "conv2d",
            Op::Conv2dBackwardInput(..) => "conv2d_backward_input",
            Op::Conv2dBackwardWeight(_) => "conv2d_backward_weight",
            Op::Relu => "relu",
            Op::ReluBackward => "relu_backward",
            Op::Prelu => "prelu",
            Op::PreluBackward => "prelu_backward",
            Op::MaxPool2d(_) => "max_pool2d",
            Op::MaxPool2dBackward(_) => "max_pool2d_backward",
            Op::AdaptiveAvgPool2d(_) => "adaptive_avg_pool2d",
            Op::AdaptiveAvgPool2dBackward(..) => "adaptive_avg_pool2d_backward",
            Op::Dense(_) => "dense",
            Op::DenseBackwardInput(..) => "dense_backward_input",
            Op::DenseBackwardWeight(_) => "dense_backward_weight",
            Op::Softmax => "softmax",
            Op::SoftmaxBackward => "softmax_backward",
            Op::CrossEntropy(_) => "cross_entropy",
            Op::Dropout(_) => "dropout",
            Op::Sgd(_) => "sgd",
            Op::Adam(_) => "adam",
            Op::Ema(_) => "ema",
            Op::Accumulate => "accumulate",
        }
    }

    /// The shapes of the outputs for inputs of these shapes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the operation does not accept these inputs.
    pub fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        if let Some(shape) = inputs.iter().find(|s| s.contains(&0) || s.is_empty()) {
            return Err(Error::shape(self.name(), format!("an input of shape {shape:?} holds nothing")));
        }
        match self {
            Op::Conv2d(op) => op.forward(inputs),
            Op::Conv2dBackwardInput(op, size) => op.backward_input(*size, inputs),
            Op::Conv2dBackwardWeight(op) => op.backward_weight(inputs),
            Op::Relu => relu::forward(inputs),
            Op::ReluBackward => relu::backward(inputs),
            Op::Prelu => prelu::forward(inputs),
            Op::PreluBackward => prelu::backward(inputs),
            Op::MaxPool2d(op) => op.forward(inputs),
            Op::MaxPool2dBackward(op) => op.backward(inputs),
            Op::AdaptiveAvgPool2d(op) => op.forward(inputs),
            Op::AdaptiveAvgPool2dBackward(op, size) => op.backward(*size, inputs),
            Op::Dense(op) => op.forward(inputs),
            Op::DenseBackwardInput(op, shape) => op.backward_input(shape, inputs),
            Op::DenseBackwardWeight(op) => op.backward_weight(inputs),
            Op::Softmax => softmax::forward(inputs),
            Op::SoftmaxBackward => softmax::backward(inputs),
            Op::CrossEntropy(op) => op.forward(inputs),
            Op::Dropout(op) => op.forward(inputs),
            Op::Sgd(op) => op.update(inputs),
            Op::Adam(op) => op.update(inputs),
            Op::Ema(op) => op.update(inputs),
            Op::Accumulate => accumulate::update(inputs),
        }
    }

    /// How many floating-point operations it takes (a multiply-add counts as two).
    pub fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        let size = |shape: &[usize]| shape.iter().map(|&d| d as u64).product::<u64>();
        let input = size(inputs[0]);
        match self {
            // Every output is a sum over one filter.
            Op::Conv2d(_) => 2 * size(&outputs[0]) * size(&inputs[1][1..]),
            Op::Conv2dBackwardInput(..) => 2 * input * size(&inputs[1][1..]),
            Op::Conv2dBackwardWeight(_) => 2 * size(inputs[1]) * size(&outputs[0][1..]),
            Op::Dense(_) | Op::DenseBackwardInput(..) => 2 * inputs[0][0] as u64 * size(inputs[1]),
            Op::DenseBackwardWeight(_) => 2 * inputs[0][0] as u64 * size(&outputs[0]),
            Op::MaxPool2d(op) => size(&outputs[0]) * (op.kernel * op.kernel) as u64,
            Op::Relu | Op::ReluBackward | Op::MaxPool2dBackward(_) => input,
            Op::Prelu | Op::AdaptiveAvgPool2d(_) | Op::AdaptiveAvgPool2dBackward(..) | Op::Dropout(_) => 2 * input,
            Op::PreluBackward => 4 * input,
            Op::Softmax | Op::SoftmaxBackward => 5 * input,
            Op::CrossEntropy(_) | Op::Sgd(_) => 8 * input,
            Op::Adam(_) => 14 * input,
            Op::Ema(_) | Op::Accumulate => 3 * input,
        }
    }

    /// Which inputs are parameters: read by rows of their first dimension, and allowed to be larger than one binding.
    pub fn parameter_inputs(&self) -> &'static [usize] {
        match self {
            Op::Conv2d(_) | Op::Dense(_) => &[1, 2],
            Op::Conv2dBackwardInput(..) | Op::DenseBackwardInput(..) | Op::Prelu | Op::PreluBackward => &[1],
            Op::Sgd(_) => &[0, 1, 2],
            Op::Adam(_) => &[0, 1, 2, 3],
            Op::Ema(_) | Op::Accumulate => &[0, 1],
            _ => &[],
        }
    }

    /// Which outputs have the shape of parameters and are stored as these are.
    pub fn parameter_outputs(&self) -> &'static [usize] {
        match self {
            Op::Conv2dBackwardWeight(_) | Op::DenseBackwardWeight(_) => &[0, 1],
            Op::PreluBackward => &[1],
            Op::Sgd(_) => &[0, 1],
            Op::Adam(_) => &[0, 1, 2],
            Op::Ema(_) | Op::Accumulate => &[0],
            _ => &[],
        }
    }

    /// Whether it is done once in a step of training, after the last micro-batch.
    pub(crate) fn ends_step(&self) -> bool {
        matches!(self, Op::Sgd(_) | Op::Adam(_) | Op::Ema(_))
    }

    /// For each output, the input that it overwrites, if it works in place.
    ///
    /// ```
    /// use vultus::ops::{Op, Sgd};
    ///
    /// // Of parameter, gradient and velocity, the first and the third are overwritten.
    /// assert_eq!(Op::Sgd(Sgd::default()).in_place(), [0, 2]);
    /// assert!(Op::Relu.in_place().is_empty());
    /// ```
    pub fn in_place(&self) -> &'static [usize] {
        match self {
            Op::Sgd(_) => &[0, 2],
            Op::Adam(_) => &[0, 2, 3],
            Op::Ema(_) | Op::Accumulate => &[0],
            _ => &[],
        }
    }
}

/// As many inputs as the operation takes.
fn take<'a, const N: usize>(what: &str, inputs: &[&'a [usize]]) -> Result<[&'a [usize]; N]> {
    inputs.try_into().map_err(|_| Error::shape(what, format!("takes {N} inputs, not {}", inputs.len())))
}

/// An image tensor: batch, channels, height, width.
fn image(what: &str, shape: &[usize]) -> Result<[usize; 4]> {
    shape.try_into().map_err(|_| Error::shape(what, format!("takes an NCHW tensor, not one of shape {shape:?}")))
}

/// Two shapes that must be the same.
fn same(what: &str, name: &str, found: &[usize], wanted: &[usize]) -> Result<()> {
    if found == wanted {
        return Ok(());
    }
    Err(Error::shape(what, format!("{name} has the shape {found:?} where {wanted:?} is needed")))
}

/// A factor on the learning rate.
fn check_factor(what: &str, factor: f32) -> Result<()> {
    if factor.is_finite() && factor >= 0.0 {
        return Ok(());
    }
    Err(Error::shape(what, format!("a factor of {factor} on the learning rate is not a number from 0 on")))
}
