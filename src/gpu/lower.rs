//! Which file lowers which operation to dispatches.

use super::compile::{Compiler, Operands};
use super::{
    accumulate, activation, adam, adaptive_avg_pool2d, add, avg_pool2d, batch_norm2d, binary_cross_entropy, concat,
    conv2d, cross_entropy, dense, dropout, ema, layer_norm, masked_fill, matmul, max_pool2d, mse_loss, mul, mul_reduce,
    pad, prelu, reduce_mean, reduce_sum, relative_position_bias, sgd, slice, softmax, stochastic_depth, transpose,
    unary, upsample,
};
use crate::error::{Error, Result};
use crate::ops::{Conv2d, Op};

impl Compiler<'_> {
    /// Adds the dispatches of one step.
    pub fn step(&mut self, index: usize, op: &Op, operands: &Operands) -> Result<()> {
        self.begin(index, op, operands);
        let lowered = match op {
            Op::Conv2d(op) => conv2d::forward(self, op, operands),
            Op::Conv2dBackwardInput(op) => conv2d::backward_input(self, op, operands),
            Op::Conv2dBackwardWeight(op) => conv2d::backward_weight(self, &op.0, operands),
            Op::Activation(op) => activation::forward(self, *op, operands),
            Op::ActivationBackward(op) => activation::backward(self, op.0, operands),
            Op::Unary(op) => unary::forward(self, *op, operands),
            Op::UnaryBackward(op) => unary::backward(self, op.0, operands),
            Op::Prelu => prelu::forward(self, operands),
            Op::PreluBackward => prelu::backward(self, operands),
            Op::MaxPool2d(op) => max_pool2d::forward(self, op, operands),
            Op::MaxPool2dBackward(op) => max_pool2d::backward(self, op, operands),
            Op::AdaptiveAvgPool2d(_) => adaptive_avg_pool2d::forward(self, operands),
            Op::AdaptiveAvgPool2dBackward(_) => adaptive_avg_pool2d::backward(self, operands),
            Op::Dense(op) => dense::forward(self, op, operands),
            Op::DenseBackwardInput => dense::backward_input(self, operands),
            Op::DenseBackwardWeight => dense::backward_weight(self, operands),
            Op::Add => add::forward(self, operands),
            Op::Mul => mul::forward(self, operands),
            Op::MaskedFill(op) => masked_fill::forward(self, op, operands),
            Op::ReduceSum(op) => reduce_sum::forward(self, op, operands),
            Op::MulReduce(op) => mul_reduce::forward(self, op, operands),
            Op::ReduceMean(op) => reduce_mean::forward(self, op, operands),
            Op::ReduceMeanBackward(op) => reduce_mean::backward(self, op, operands),
            Op::AvgPool2d(op) => avg_pool2d::forward(self, op, operands),
            Op::AvgPool2dBackward(op) => avg_pool2d::backward(self, &op.pool, operands),
            Op::Concat(op) => concat::forward(self, op, operands),
            Op::Slice(op) => slice::forward(self, op, operands),
            Op::Pad(op) => pad::forward(self, op, operands),
            Op::Transpose(op) => transpose::forward(self, op, operands),
            Op::Upsample(op) => upsample::forward(self, op, operands),
            Op::UpsampleBackward(op) => upsample::backward(self, &op.upsample, operands),
            // A view.
            Op::Reshape(_) => Ok(()),
            Op::BatchNorm2d(op) => batch_norm2d::forward(self, op, operands),
            Op::BatchNorm2dBackward(op) => batch_norm2d::backward(self, &op.0, operands),
            Op::BatchNorm2dStatistics => batch_norm2d::statistics(self, operands),
            Op::BatchNorm2dRunning(op) => batch_norm2d::running(self, op, operands),
            Op::BatchNorm2dFold(op) => batch_norm2d::fold(self, op, operands),
            Op::LayerNorm(op) => layer_norm::forward(self, op, operands),
            Op::LayerNormBackward(op) => layer_norm::backward(self, &op.0, operands),
            Op::MatMul(op) => matmul::forward(self, op, operands),
            Op::RelativePositionBias(op) => relative_position_bias::forward(self, op, operands),
            Op::RelativePositionBiasBackward(op) => relative_position_bias::backward(self, &op.0, operands),
            Op::Softmax(op) => softmax::forward(self, op, operands),
            Op::SoftmaxBackward(op) => softmax::backward(self, &op.0, operands),
            Op::MseLoss => mse_loss::forward(self, operands),
            Op::BinaryCrossEntropy => binary_cross_entropy::forward(self, operands),
            Op::StochasticDepth(op) => stochastic_depth::forward(self, op, operands),
            Op::CrossEntropy(op) => cross_entropy::forward(self, op, operands),
            Op::Dropout(op) => dropout::forward(self, op, operands),
            Op::Sgd(op) => sgd::update(self, op, operands),
            Op::Adam(op) => adam::update(self, op, operands),
            Op::Ema(op) => ema::update(self, op, operands),
            Op::Accumulate => accumulate::update(self, operands),
        };
        lowered.map_err(|error| of_operation(op.name(), error))
    }

    /// Adds the dispatches of a convolution and of the max-pool of 2×2 that follows, in one: `operands` has the inputs of
    /// the former and the output of the latter, `unpooled` is the shape in between. False if that cannot be.
    pub fn pooled_step(&mut self, index: usize, op: &Conv2d, unpooled: &[usize], operands: &Operands) -> Result<bool> {
        self.begin(index, &Op::Conv2d(*op), operands);
        conv2d::forward_pooled(self, op, unpooled, operands).map_err(|error| of_operation("conv2d", error))
    }
}

/// Names the operation in an error about its operands.
fn of_operation(op: &str, error: Error) -> Error {
    match error {
        Error::Shape { what, reason } => Error::Shape { what: format!("{op}, {what}"), reason },
        Error::InvalidArgument { what, reason } => Error::InvalidArgument { what: format!("{op}, {what}"), reason },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::adapter::Adapter;
    use super::*;
    use crate::ops::{Softmax, SoftmaxBackward};

    #[test]
    fn operands_that_kernels_do_not_expect_are_an_error() {
        let gpu = Adapter::all()[0].open().unwrap();
        let (x, none) =
            (gpu.storage("x", 4, 0).unwrap(), Operands { inputs: &[], shapes: &[], outputs: &[], output_shapes: &[] });
        let refused = |op: &Op, operands: &Operands| {
            Compiler::new(&gpu, None, false).step(0, op, operands).unwrap_err().to_string()
        };
        let wanted = "prelu, operands: 0 inputs instead of 2, which is a fault of this library: report it";
        assert_eq!(refused(&Op::Prelu, &none), wanted);
        let operands = Operands { inputs: &[&x, &x], shapes: &[&[4], &[4]], ..none };
        let wanted = "softmax_backward, operands: 0 outputs instead of 1, which is a fault of this library: report it";
        assert_eq!(refused(&SoftmaxBackward(Softmax::default()).into(), &operands), wanted);
        let wanted = "accumulate, operands: 0 inputs instead of 2, which is a fault of this library: report it";
        assert_eq!(refused(&Op::Accumulate, &none), wanted);
    }
}
