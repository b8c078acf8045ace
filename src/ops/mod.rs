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
pub mod activation;
pub mod adam;
pub mod adaptive_avg_pool2d;
pub mod add;
pub mod augment;
pub mod avg_pool2d;
pub mod batch_norm2d;
pub mod binary_cross_entropy;
pub(crate) mod broadcast;
pub mod concat;
pub mod conv2d;
pub mod cross_entropy;
pub mod dense;
pub mod dropout;
pub mod ema;
pub mod layer_norm;
pub mod masked_fill;
pub mod matmul;
pub mod max_pool2d;
pub mod mse_loss;
pub mod mul;
pub mod mul_reduce;
pub mod pad;
pub mod prelu;
pub mod reduce_mean;
pub mod reduce_sum;
pub mod relative_position_bias;
pub mod reshape;
pub mod resize;
pub mod sgd;
pub mod slice;
pub mod softmax;
pub mod stochastic_depth;
pub mod transpose;
pub mod unary;
pub mod upsample;
pub(crate) mod walk;

mod case;
mod operation;

pub use activation::{Activation, ActivationBackward};
pub use adam::Adam;
pub use adaptive_avg_pool2d::{AdaptiveAvgPool2d, AdaptiveAvgPool2dBackward};
pub use augment::Variation;
pub use avg_pool2d::{AvgPool2d, AvgPool2dBackward};
pub use batch_norm2d::{BatchNorm2d, BatchNorm2dBackward, BatchNorm2dFold, BatchNorm2dRunning};
pub use case::{Case, Fill};
pub use concat::Concat;
pub use conv2d::{Conv2d, Conv2dBackwardInput, Conv2dBackwardWeight};
pub use cross_entropy::CrossEntropy;
pub use dense::Dense;
pub use dropout::Dropout;
pub use ema::Ema;
pub use layer_norm::{LayerNorm, LayerNormBackward};
pub use masked_fill::MaskedFill;
pub use matmul::MatMul;
pub use max_pool2d::{MaxPool2d, MaxPool2dBackward};
pub use mul_reduce::MulReduce;
pub(crate) use operation::{Backward, Operand, Parameter, Start};
pub use pad::Pad;
pub use reduce_mean::{ReduceMean, ReduceMeanBackward};
pub use reduce_sum::ReduceSum;
pub use relative_position_bias::{RelativePositionBias, RelativePositionBiasBackward};
pub use reshape::Reshape;
pub use resize::{Crop, Filter, Normalization, Order};
pub use sgd::Sgd;
pub use slice::Slice;
pub use softmax::{Softmax, SoftmaxBackward};
pub use stochastic_depth::StochasticDepth;
pub use transpose::Transpose;
pub use unary::{Unary, UnaryBackward};
pub use upsample::{Interpolation, Upsample, UpsampleBackward};

use crate::error::{Error, Result};
use operation::Operation;

/// A shape.
///
/// ```
/// use vultus::ops::{Op, Shape, Softmax};
///
/// let outputs: Vec<Shape> = Op::from(Softmax::default()).output_shapes(&[&[2, 7]])?;
/// assert_eq!(outputs, [[2, 7]]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub type Shape = Vec<usize>;

/// Declares [`Op`] from the operations: each is one line, with what it takes and gives.
macro_rules! operations {
    ($($(#[$doc:meta])* $variant:ident $(($parameters:ty))? $(= $unit:expr)?,)+) => {
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
        /// assert_eq!(Op::DenseBackwardInput.output_shapes(&[&[2, 10], weight])?, [[2, 100]]);
        /// # Ok::<(), vultus::Error>(())
        /// ```
        #[derive(Clone, Debug, PartialEq)]
        #[non_exhaustive]
        pub enum Op {
            $($(#[$doc])* $variant $(($parameters))?,)+
        }

        impl Op {
            /// Its declaration.
            fn operation(&self) -> &dyn Operation {
                match self {
                    $(operations!(@pattern op $variant $($parameters)?) => operations!(@declaration op $($unit)?),)+
                }
            }
        }

        $($(impl From<$parameters> for Op {
            fn from(parameters: $parameters) -> Self {
                Op::$variant(parameters)
            }
        })?)+
    };
    (@pattern $op:ident $variant:ident $parameters:ty) => { Op::$variant($op) };
    (@pattern $op:ident $variant:ident) => { Op::$variant };
    (@declaration $op:ident) => { $op };
    (@declaration $op:ident $unit:expr) => { &$unit };
}

operations! {
    /// `x, weight, bias → y` or `x, weight, bias, residual → y`: the residual is added before the activation
    Conv2d(Conv2d),
    /// `dy, weight → dx`
    Conv2dBackwardInput(Conv2dBackwardInput),
    /// `x, dy → dweight, dbias`
    Conv2dBackwardWeight(Conv2dBackwardWeight),
    /// `x → y`
    Activation(Activation),
    /// `y, dy → dx` or `x, dy → dx`
    ActivationBackward(ActivationBackward),
    /// `x → y`
    Unary(Unary),
    /// `x, dy → dx`
    UnaryBackward(UnaryBackward),
    /// `x, slope → y`
    Prelu = prelu::Prelu,
    /// `x, slope, dy → dx, dslope`
    PreluBackward = prelu::PreluBackward,
    /// `x → y`
    MaxPool2d(MaxPool2d),
    /// `x, dy → dx`
    MaxPool2dBackward(MaxPool2dBackward),
    /// `x → y`
    AdaptiveAvgPool2d(AdaptiveAvgPool2d),
    /// `dy → dx`
    AdaptiveAvgPool2dBackward(AdaptiveAvgPool2dBackward),
    /// `x, weight, bias → y`
    Dense(Dense),
    /// `dy, weight → dx`
    DenseBackwardInput = dense::DenseBackwardInput,
    /// `x, dy → dweight, dbias`
    DenseBackwardWeight = dense::DenseBackwardWeight,
    /// `a, b → y`
    Add = add::Add,
    /// `a, b → y`
    Mul = mul::Mul,
    /// `x, mask → y`
    MaskedFill(MaskedFill),
    /// `x → y`
    ReduceSum(ReduceSum),
    /// `a, b → y`
    MulReduce(MulReduce),
    /// `x → y`
    ReduceMean(ReduceMean),
    /// `dy → dx`
    ReduceMeanBackward(ReduceMeanBackward),
    /// `x → y`
    AvgPool2d(AvgPool2d),
    /// `dy → dx`
    AvgPool2dBackward(AvgPool2dBackward),
    /// `a, b, … → y`
    Concat(Concat),
    /// `x → y`
    Slice(Slice),
    /// `x → y`
    Pad(Pad),
    /// `x → y`
    Transpose(Transpose),
    /// `x → y`
    Upsample(Upsample),
    /// `dy → dx`
    UpsampleBackward(UpsampleBackward),
    /// `x → y`, a view of the same values
    Reshape(Reshape),
    /// `x, weight, bias, mean, var → y`
    BatchNorm2d(BatchNorm2d),
    /// `x, weight, mean, var, dy → dx, dweight, dbias`
    BatchNorm2dBackward(BatchNorm2dBackward),
    /// `x → mean, var`
    BatchNorm2dStatistics = batch_norm2d::BatchNorm2dStatistics,
    /// `running, batch → running`, in place
    BatchNorm2dRunning(BatchNorm2dRunning),
    /// `weight, bias, gamma, beta, mean, var → weight, bias`
    BatchNorm2dFold(BatchNorm2dFold),
    /// `x, weight, bias → y`
    LayerNorm(LayerNorm),
    /// `x, weight, dy → dx, dweight, dbias`
    LayerNormBackward(LayerNormBackward),
    /// `a, b → y`
    MatMul(MatMul),
    /// `scores, table → y`
    RelativePositionBias(RelativePositionBias),
    /// `dy → dtable`
    RelativePositionBiasBackward(RelativePositionBiasBackward),
    /// `x → y`
    Softmax(Softmax),
    /// `y, dy → dx`
    SoftmaxBackward(SoftmaxBackward),
    /// `logits, target, class_weight → loss, dlogits`; targets are class numbers or, for each class, probabilities
    CrossEntropy(CrossEntropy),
    /// `pred, target → loss, dpred`
    MseLoss = mse_loss::MseLoss,
    /// `logits, target → loss, dlogits`; a target below 0 is ignored
    BinaryCrossEntropy = binary_cross_entropy::BinaryCrossEntropy,
    /// `x → y`; with `dy` for `x` it is its own backward pass
    Dropout(Dropout),
    /// `x → y`; with `dy` for `x` it is its own backward pass
    StochasticDepth(StochasticDepth),
    /// `parameter, gradient, velocity → parameter, velocity`, in place
    Sgd(Sgd),
    /// `parameter, gradient, m, v → parameter, m, v`, in place
    Adam(Adam),
    /// `average, parameter → average`, in place
    Ema(Ema),
    /// `mean, gradient → mean`, in place
    Accumulate = accumulate::Accumulate,
}

/// What changes from step to step of a training, as operations see it.
#[derive(Clone, Copy, Debug, PartialEq)]
#[doc(hidden)]
pub struct RunState {
    /// How many steps the optimiser has taken with its present memory, this one included: 1 in the first.
    pub step: u32,
    /// The learning rate of this step.
    pub learning_rate: f32,
    /// The seed of what is drawn at random.
    pub seed: u64,
    /// Which of the step's micro-batches this is: 0 for the first.
    pub micro_batch: u32,
    /// How many micro-batches the step has; the optimiser runs in the last of them.
    pub micro_batches: u32,
}

impl Default for RunState {
    fn default() -> Self {
        RunState { step: 1, learning_rate: 0.0, seed: 0, micro_batch: 0, micro_batches: 1 }
    }
}

impl RunState {
    /// What this micro-batch weighs among those of its step so far, where all weigh the same.
    pub(crate) fn even_share(&self) -> f32 {
        1.0 / (self.micro_batch as f32 + 1.0)
    }

    /// Whether the step ends with this micro-batch.
    pub(crate) fn ends_step(&self) -> bool {
        self.micro_batch.saturating_add(1) >= self.micro_batches
    }
}

impl Op {
    /// The operation's name; the files that implement it begin with it.
    pub fn name(&self) -> &'static str {
        self.operation().name()
    }

    /// The shapes of the outputs for inputs of these shapes.
    ///
    /// # Errors
    /// [`Error::Shape`] if the operation does not accept these inputs; [`Error::InvalidArgument`] if one of its own
    /// values is out of range.
    pub fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        if let Some(shape) = inputs.iter().find(|s| s.contains(&0) || s.is_empty()) {
            return Err(Error::shape(self.name(), format!("an input of shape {shape:?} holds nothing")));
        }
        self.operation().output_shapes(inputs)
    }

    /// How many floating-point operations it takes (a multiply-add counts as two).
    pub fn flops(&self, inputs: &[&[usize]], outputs: &[Shape]) -> u64 {
        self.operation().flops(inputs, outputs)
    }

    /// Which inputs are parameters: read by rows of their first dimension, and allowed to be larger than one binding.
    pub fn parameter_inputs(&self) -> &'static [usize] {
        self.operation().parameter_inputs()
    }

    /// Which outputs have the shape of parameters and are stored as these are.
    pub fn parameter_outputs(&self) -> &'static [usize] {
        self.operation().parameter_outputs()
    }

    /// For each output, the input that it overwrites, if it works in place.
    ///
    /// ```
    /// use vultus::ops::{Op, Sgd};
    ///
    /// // Of parameter, gradient and velocity, the first and the third are overwritten.
    /// assert_eq!(Op::Sgd(Sgd::default()).in_place(), [0, 2]);
    /// assert!(Op::Prelu.in_place().is_empty());
    /// ```
    pub fn in_place(&self) -> &'static [usize] {
        self.operation().in_place()
    }

    /// Whether it is done once in a step of training, after the last micro-batch.
    pub(crate) fn ends_step(&self) -> bool {
        self.operation().ends_step()
    }

    /// Whether a sample of its output depends on other samples of its inputs' batch: see [`Operation::mixes_samples`].
    pub(crate) fn mixes_samples(&self, inputs: &[&[usize]]) -> bool {
        self.operation().mixes_samples(inputs)
    }

    /// The parameters of a layer that does this: see [`Operation::parameters`].
    pub(crate) fn parameters(&self, input: &[usize], features: usize) -> Vec<Parameter> {
        self.operation().parameters(input, features)
    }

    /// How the gradients of the inputs come from that of the output: see [`Operation::backward`].
    pub(crate) fn backward(&self, inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        self.operation().backward(inputs)
    }
}

/// How many values a tensor of this shape has.
fn elements(shape: &[usize]) -> u64 {
    shape.iter().map(|&size| size as u64).product()
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
    Err(Error::invalid(what, format!("a factor of {factor} on the learning rate is not a number from 0 on")))
}
