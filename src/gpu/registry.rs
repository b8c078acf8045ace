//! All kernels, and what an operation may be done by.

#[cfg(feature = "files")]
use std::collections::BTreeMap;

use super::kernel::Kernel;
use super::{
    accumulate, activation, adam, adaptive_avg_pool2d, add, augment, avg_pool2d, batch_norm2d, binary_cross_entropy,
    concat, conv2d, conv2d_winograd, cross_entropy, dense, dropout, ema, layer_norm, masked_fill, matmul, max_pool2d,
    mse_loss, mul, mul_reduce, pad, peak, prelu, reduce_mean, reduce_sum, relative_position_bias, resize, scale, sgd,
    slice, softmax, stochastic_depth, transpose, unary, upsample,
};
use crate::ops::Op;

/// Every kernel in use, with every set of constants.
///
/// ```
/// use vultus::gpu::{kernels, shader_source};
///
/// assert!(kernels().all(|kernel| shader_source(kernel.shader) == Some(kernel.source)));
/// ```
pub fn kernels() -> impl Iterator<Item = &'static Kernel> {
    [
        conv2d::KERNELS,
        conv2d_winograd::KERNELS,
        dense::KERNELS,
        activation::KERNELS,
        add::KERNELS,
        avg_pool2d::KERNELS,
        binary_cross_entropy::KERNELS,
        concat::KERNELS,
        mse_loss::KERNELS,
        mul::KERNELS,
        mul_reduce::KERNELS,
        pad::KERNELS,
        reduce_mean::KERNELS,
        reduce_sum::KERNELS,
        slice::KERNELS,
        stochastic_depth::KERNELS,
        transpose::KERNELS,
        unary::KERNELS,
        upsample::KERNELS,
        prelu::KERNELS,
        max_pool2d::KERNELS,
        adaptive_avg_pool2d::KERNELS,
        batch_norm2d::KERNELS,
        layer_norm::KERNELS,
        relative_position_bias::KERNELS,
        masked_fill::KERNELS,
        matmul::KERNELS,
        softmax::KERNELS,
        cross_entropy::KERNELS,
        dropout::KERNELS,
        sgd::KERNELS,
        adam::KERNELS,
        ema::KERNELS,
        accumulate::KERNELS,
        resize::KERNELS,
        augment::KERNELS,
        peak::KERNELS,
        scale::KERNELS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// What [`crate::Options::kernel`] can name: kernels, and algorithms of several kernels.
///
/// ```
/// use vultus::gpu::choices;
///
/// let of_dense: Vec<&str> = choices().filter(|name| name.starts_with("dense/")).collect();
/// assert!(of_dense.contains(&"dense/rows"));
/// ```
pub fn choices() -> impl Iterator<Item = &'static str> {
    kernels().map(|kernel| kernel.name).chain(conv2d_winograd::ALGORITHMS.iter().map(|algorithm| algorithm.name))
}

/// The kernels and algorithms that an operation may be done by, where there is a choice. Some may not suit the sizes of
/// the inputs or the device: then the rules choose.
///
/// ```
/// use vultus::gpu::candidates;
/// use vultus::ops::{Op, Softmax};
///
/// assert_eq!(candidates(&Softmax::default().into()), ["softmax/forward", "softmax/forward_wide"]);
/// assert!(candidates(&Op::Prelu).is_empty());
/// ```
pub fn candidates(op: &Op) -> Vec<&'static str> {
    match op {
        Op::Conv2d(_) | Op::Conv2dBackwardInput(_) | Op::Conv2dBackwardWeight(_) => conv2d::candidates(op),
        Op::Dense(_) | Op::DenseBackwardInput | Op::DenseBackwardWeight => dense::candidates(op),
        Op::MaxPool2dBackward(_) => vec!["max_pool2d/backward", "max_pool2d/backward_apart"],
        Op::ReduceSum(_) => vec!["reduce_sum/forward", "reduce_sum/forward_wide"],
        Op::MulReduce(_) => vec!["mul_reduce/forward", "mul_reduce/forward_wide"],
        Op::ReduceMean(_) => vec!["reduce_mean/forward", "reduce_mean/forward_wide"],
        Op::Transpose(_) => vec!["transpose/forward", "transpose/tiled"],
        Op::Softmax(_) => vec!["softmax/forward", "softmax/forward_wide"],
        Op::SoftmaxBackward(_) => vec!["softmax/backward", "softmax/backward_wide"],
        _ => Vec::new(),
    }
}

/// The text of a shader, by the name of its file without the ending.
///
/// ```
/// use vultus::gpu::shader_source;
///
/// assert!(shader_source("prelu").is_some_and(|wgsl| wgsl.contains("@compute")));
/// assert!(shader_source("prelu.wgsl").is_none());
/// ```
#[doc(hidden)]
pub fn shader_source(shader: &str) -> Option<&'static str> {
    kernels().find(|kernel| kernel.shader == shader).map(|kernel| kernel.source)
}

/// The texts of all shaders, in all of their forms, by name.
#[cfg(feature = "files")]
pub(super) fn shaders() -> BTreeMap<&'static str, [&'static str; 2]> {
    kernels().map(|kernel| (kernel.shader, [kernel.source, kernel.matrix_source.unwrap_or_default()])).collect()
}

#[cfg(test)]
mod layouts;

#[cfg(test)]
mod tests {
    use super::super::kernel::Access;
    use super::super::limits::{STORAGES, UNIFORMS};
    use super::*;

    #[test]
    fn no_kernel_has_more_bindings_than_devices_are_asked_for() {
        let most = |of: fn(&Access) -> bool| {
            kernels().map(|kernel| kernel.bindings.iter().filter(|access| of(access)).count() as u64).max().unwrap()
        };
        assert_eq!(most(|access| matches!(access, Access::Read | Access::Write)), STORAGES);
        // Its parameters, and what changes from run to run.
        assert_eq!(1 + most(|access| matches!(access, Access::State)), UNIFORMS);
    }
}
