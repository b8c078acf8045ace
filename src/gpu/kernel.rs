//! Kernels: which entry point of which shader, with which constants.

use super::{
    accumulate, activation, adam, adaptive_avg_pool2d, add, batch_norm2d, conv2d, conv2d_winograd, cross_entropy,
    dense, dropout, ema, layer_norm, matmul, max_pool2d, peak, prelu, resize, sgd, softmax,
};

use crate::ops::Op;

/// What a kernel does with a binding.
///
/// ```
/// use vultus::gpu::{Access, kernels};
///
/// let activation = kernels().find(|kernel| kernel.name == "activation/forward").unwrap();
/// assert_eq!(activation.bindings, [Access::Read, Access::Unused, Access::Write]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A storage buffer that it reads.
    Read,
    /// A storage buffer that it reads and writes.
    Write,
    /// The uniform buffer of what changes from run to run.
    State,
    /// Nothing: a number that this entry point does not use.
    Unused,
}

/// One compute pipeline. Binding 0 is always the uniform buffer of its parameters.
///
/// ```
/// use vultus::gpu::{kernels, shader_source};
///
/// let kernel = kernels().find(|kernel| kernel.name == "dense/matmul_64").unwrap();
/// assert_eq!((kernel.op(), kernel.shader, kernel.entry), ("dense", "dense", "matmul"));
/// assert!(shader_source(kernel.shader).unwrap().contains(&format!("fn {}(", kernel.entry)));
/// ```
#[derive(Debug, PartialEq)]
pub struct Kernel {
    /// `operation/variant`.
    pub name: &'static str,
    /// The file in `shaders/`, without its ending.
    pub shader: &'static str,
    /// The entry point.
    pub entry: &'static str,
    /// Values of override constants.
    pub constants: &'static [(&'static str, f64)],
    /// What bindings 1, 2, … are.
    pub bindings: &'static [Access],
}

impl Kernel {
    /// The operation that it is for.
    pub fn op(&self) -> &'static str {
        self.name.split_once('/').map_or(self.name, |(op, _)| op)
    }

    /// A kernel without constants.
    pub(super) const fn new(
        name: &'static str,
        shader: &'static str,
        entry: &'static str,
        bindings: &'static [Access],
    ) -> Self {
        Kernel { name, shader, entry, constants: &[], bindings }
    }

    /// The same with these constants.
    pub(super) const fn with(self, name: &'static str, constants: &'static [(&'static str, f64)]) -> Self {
        Kernel { name, constants, ..self }
    }
}

/// Every kernel in use, with every set of constants.
///
/// ```
/// use vultus::gpu::{kernels, shader_source};
///
/// assert!(kernels().all(|kernel| shader_source(kernel.shader).is_some()));
/// ```
pub fn kernels() -> impl Iterator<Item = &'static Kernel> {
    [
        conv2d::KERNELS,
        conv2d_winograd::KERNELS,
        dense::KERNELS,
        activation::KERNELS,
        add::KERNELS,
        prelu::KERNELS,
        max_pool2d::KERNELS,
        adaptive_avg_pool2d::KERNELS,
        batch_norm2d::KERNELS,
        layer_norm::KERNELS,
        matmul::KERNELS,
        softmax::KERNELS,
        cross_entropy::KERNELS,
        dropout::KERNELS,
        sgd::KERNELS,
        adam::KERNELS,
        ema::KERNELS,
        accumulate::KERNELS,
        resize::KERNELS,
        peak::KERNELS,
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
/// use vultus::ops::Op;
///
/// assert_eq!(candidates(&Op::Softmax), ["softmax/forward", "softmax/forward_wide"]);
/// assert!(candidates(&Op::Prelu).is_empty());
/// ```
pub fn candidates(op: &Op) -> Vec<&'static str> {
    match op {
        Op::Conv2d(_) | Op::Conv2dBackwardInput(_) | Op::Conv2dBackwardWeight(_) => conv2d::candidates(op),
        Op::Dense(_) | Op::DenseBackwardInput | Op::DenseBackwardWeight => dense::candidates(op),
        Op::Softmax => vec!["softmax/forward", "softmax/forward_wide"],
        Op::SoftmaxBackward => vec!["softmax/backward", "softmax/backward_wide"],
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
pub fn shader_source(shader: &str) -> Option<&'static str> {
    Some(match shader {
        "accumulate" => include_str!("../../shaders/accumulate.wgsl"),
        "activation" => include_str!("../../shaders/activation.wgsl"),
        "adam" => include_str!("../../shaders/adam.wgsl"),
        "add" => include_str!("../../shaders/add.wgsl"),
        "adaptive_avg_pool2d" => include_str!("../../shaders/adaptive_avg_pool2d.wgsl"),
        "batch_norm2d" => include_str!("../../shaders/batch_norm2d.wgsl"),
        "conv2d" => include_str!("../../shaders/conv2d.wgsl"),
        "conv2d_winograd" => include_str!("../../shaders/conv2d_winograd.wgsl"),
        "conv2d_winograd2" => include_str!("../../shaders/conv2d_winograd2.wgsl"),
        "conv2d_winograd4" => include_str!("../../shaders/conv2d_winograd4.wgsl"),
        "cross_entropy" => include_str!("../../shaders/cross_entropy.wgsl"),
        "dense" => include_str!("../../shaders/dense.wgsl"),
        "dropout" => include_str!("../../shaders/dropout.wgsl"),
        "ema" => include_str!("../../shaders/ema.wgsl"),
        "layer_norm" => include_str!("../../shaders/layer_norm.wgsl"),
        "matmul" => include_str!("../../shaders/matmul.wgsl"),
        "max_pool2d" => include_str!("../../shaders/max_pool2d.wgsl"),
        "peak" => include_str!("../../shaders/peak.wgsl"),
        "prelu" => include_str!("../../shaders/prelu.wgsl"),
        "resize" => include_str!("../../shaders/resize.wgsl"),
        "sgd" => include_str!("../../shaders/sgd.wgsl"),
        "softmax" => include_str!("../../shaders/softmax.wgsl"),
        _ => return None,
    })
}
