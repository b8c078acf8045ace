//! The CPU backend: every operation with rayon, as a twin that the GPU's kernels are checked against, and for machines
//! without a GPU. One file per operation, under the operation's name.

mod accumulate;
mod activation;
mod adam;
mod adaptive_avg_pool2d;
mod add;
pub(crate) mod augment;
mod avg_pool2d;
mod batch_norm2d;
mod binary_cross_entropy;
mod concat;
mod conv2d;
mod cross_entropy;
mod dense;
mod depthwise;
mod direct;
mod dropout;
mod ema;
mod epilogue;
mod im2col;
mod layer_norm;
mod masked_fill;
mod matmul;
mod max_pool2d;
mod microkernel;
mod mse_loss;
mod mul;
mod mul_reduce;
mod pad;
pub(crate) mod peak;
mod plan;
mod prelu;
mod reduce_mean;
mod reduce_sum;
mod relative_position_bias;
pub(crate) mod resize;
mod scratch;
mod sgd;
mod shared_output;
mod slice;
mod softmax;
mod stochastic_depth;
mod transforms;
mod transpose;
mod unary;
mod upsample;
mod vector;
mod walk;
mod winograd;
mod winograd_weight;

pub(crate) use conv2d::Algorithm;
pub(crate) use plan::{CpuModel, CpuPlan};

use crate::ops::{Op, RunState};
use epilogue::After;
use scratch::Scratch;

/// Values that a thread takes at a time where each is computed on its own.
const PART: usize = 1 << 14;

/// What an operation reads: a shape and its values.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub shape: &'a [usize],
    pub data: &'a [f32],
}

impl View<'_> {
    /// The four dimensions of an image tensor, which the shape rule has checked.
    fn nchw(&self) -> [usize; 4] {
        let dimension = |i: usize| self.shape.get(i).copied().unwrap_or(1);
        [dimension(0), dimension(1), dimension(2), dimension(3)]
    }
}

/// Runs an operation that does not work in place. Shapes were checked by `Op::output_shapes`; `algorithm` is that of a
/// convolution.
fn run(
    op: &Op,
    algorithm: Algorithm,
    state: &RunState,
    inputs: &[View],
    outputs: &mut [&mut [f32]],
    scratch: &Scratch,
) {
    match (op, inputs, outputs) {
        (Op::Conv2d(op), [x, weight, bias, residual @ ..], [y]) => {
            let after = After { bias: bias.data, residual: residual.first().map(|residual| residual.data) };
            conv2d::forward(op, algorithm, *x, *weight, after, y, scratch);
        }
        (Op::Conv2dBackwardInput(op), [dy, weight, seen @ ..], [dx]) => {
            let seen = seen.first().map(|seen| seen.data);
            conv2d::backward_input(op, algorithm, [*dy, *weight], seen, dx, scratch);
        }
        (Op::Conv2dBackwardWeight(op), [x, dy], [dweight, dbias]) => {
            conv2d::backward_weight(&op.0, algorithm, *x, *dy, dweight, dbias, scratch);
        }
        (Op::Activation(op), [x], [y]) => activation::forward(*op, x.data, y),
        (Op::ActivationBackward(op), [seen, dy], [dx]) => activation::backward(op.0, seen.data, dy.data, dx),
        (Op::Unary(op), [x], [y]) => unary::forward(*op, x.data, y),
        (Op::UnaryBackward(op), [x, dy], [dx]) => unary::backward(op.0, x.data, dy.data, dx),
        (Op::Prelu, [x, slope], [y]) => prelu::forward(*x, slope.data, y),
        (Op::PreluBackward, [x, slope, dy], [dx, dslope]) => prelu::backward(*x, slope.data, dy.data, dx, dslope),
        (Op::MaxPool2d(op), [x], [y]) => max_pool2d::forward(op, *x, y),
        (Op::MaxPool2dBackward(op), [x, dy], [dx]) => max_pool2d::backward(op, *x, *dy, dx),
        (Op::AdaptiveAvgPool2d(op), [x], [y]) => adaptive_avg_pool2d::forward(op, *x, y),
        (Op::AdaptiveAvgPool2dBackward(op), [dy], [dx]) => {
            adaptive_avg_pool2d::backward(&op.pool, op.size, *dy, dx);
        }
        (Op::Dense(op), [x, weight, bias], [y]) => dense::forward(op, *x, *weight, bias.data, y, scratch),
        (Op::DenseBackwardInput, [dy, weight], [dx]) => dense::backward_input(*dy, *weight, dx),
        (Op::DenseBackwardWeight, [x, dy], [dweight, dbias]) => dense::backward_weight(*x, *dy, dweight, dbias),
        (Op::Add, [a, b], [y]) => add::forward(*a, *b, y),
        (Op::Mul, [a, b], [y]) => mul::forward(*a, *b, y),
        (Op::MaskedFill(op), [x, mask], [y]) => masked_fill::forward(op, *x, *mask, y),
        (Op::ReduceSum(op), [x], [y]) => reduce_sum::forward(*x, &op.shape, y),
        (Op::MulReduce(op), [a, b], [y]) => mul_reduce::forward(op, *a, *b, y),
        (Op::ReduceMean(op), [x], [y]) => reduce_mean::forward(op, *x, y),
        (Op::ReduceMeanBackward(op), [dy], [dx]) => reduce_mean::backward(op, *dy, dx),
        (Op::AvgPool2d(op), [x], [y]) => avg_pool2d::forward(op, *x, y),
        (Op::AvgPool2dBackward(op), [dy], [dx]) => avg_pool2d::backward(&op.pool, op.size, *dy, dx),
        (Op::Concat(op), inputs, [y]) => concat::forward(op, inputs, y),
        (Op::Slice(op), [x], [y]) => slice::forward(op, *x, y),
        (Op::Pad(op), [x], [y]) => pad::forward(op, *x, y),
        (Op::Transpose(op), [x], [y]) => transpose::forward(op, *x, y),
        (Op::Upsample(op), [x], [y]) => upsample::forward(op, *x, y),
        (Op::UpsampleBackward(op), [dy], [dx]) => upsample::backward(&op.upsample, op.size, *dy, dx),
        (Op::BatchNorm2d(op), [x, weight, bias, mean, var], [y]) => {
            batch_norm2d::forward(op, *x, [weight.data, bias.data, mean.data, var.data], y);
        }
        (Op::BatchNorm2dBackward(op), [x, weight, mean, var, dy], [dx, dweight, dbias]) => {
            let fixed = [weight.data, mean.data, var.data];
            batch_norm2d::backward(&op.0, [*x, *dy], fixed, dx, [dweight, dbias]);
        }
        (Op::BatchNorm2dStatistics, [x], [mean, var]) => batch_norm2d::statistics(*x, mean, var),
        (Op::BatchNorm2dFold(op), [weight, bias, gamma, beta, mean, var], [folded, folded_bias]) => {
            let rows = [bias.data, gamma.data, beta.data, mean.data, var.data];
            batch_norm2d::fold(op, weight.data, rows, folded, folded_bias);
        }
        (Op::LayerNorm(op), [x, weight, bias], [y]) => layer_norm::forward(op, *x, weight.data, bias.data, y),
        (Op::LayerNormBackward(op), [x, weight, dy], [dx, dweight, dbias]) => {
            layer_norm::backward(&op.0, *x, weight.data, dy.data, dx, [dweight, dbias]);
        }
        (Op::MatMul(op), [a, b], [y]) => matmul::forward(op, *a, *b, y),
        (Op::RelativePositionBias(op), [scores, table], [y]) => {
            relative_position_bias::forward(op, *scores, table.data, y);
        }
        (Op::RelativePositionBiasBackward(op), [dy], [dtable]) => {
            relative_position_bias::backward(&op.0, *dy, dtable);
        }
        (Op::Softmax(op), [x], [y]) => softmax::forward(op, *x, y),
        (Op::SoftmaxBackward(op), [y, dy], [dx]) => softmax::backward(&op.0, *y, dy.data, dx),
        (Op::MseLoss, [pred, target], [loss, dpred]) => loss[0] = mse_loss::forward(pred.data, target.data, dpred),
        (Op::BinaryCrossEntropy, [logits, target], [loss, dlogits]) => {
            loss[0] = binary_cross_entropy::forward(logits.data, target.data, dlogits);
        }
        (Op::CrossEntropy(op), [logits, target, weight], [loss, dlogits]) => {
            let is_soft = target.shape.len() == 2;
            let forward = if is_soft { cross_entropy::forward_soft } else { cross_entropy::forward };
            loss[0] = forward(op, *logits, target.data, weight.data, dlogits);
        }
        (Op::Dropout(op), [x], [y]) => dropout::forward(op, state, x.data, y),
        (Op::StochasticDepth(op), [x], [y]) => stochastic_depth::forward(op, state, *x, y),
        (op, ..) => unreachable!("{op:?} with other inputs or outputs than its shape rule gives"),
    }
}

/// Runs an operation that works in place: what it changes, what that follows, and further memory that it changes.
/// `share` is what this micro-batch weighs among those of its step.
fn update(op: &Op, state: &RunState, share: f32, changed: &mut [f32], followed: &[f32], memory: &mut [&mut [f32]]) {
    match (op, memory) {
        (Op::Sgd(op), [velocity]) => sgd::update(op, state, changed, followed, velocity),
        (Op::Adam(op), [m, v]) => adam::update(op, state, changed, followed, m, v),
        (Op::BatchNorm2dRunning(op), []) => batch_norm2d::running(op, changed, followed),
        (Op::Accumulate, []) => accumulate::update(share, changed, followed),
        (Op::Ema(op), []) => ema::update(op, state, changed, followed),
        (op, _) => unreachable!("{op:?} does not work in place"),
    }
}
