//! Kernels: which entry point of which shader, with which constants.

use super::{
    adam, adaptive_avg_pool2d, conv2d, cross_entropy, dense, dropout, max_pool2d, peak, prelu, relu, resize, sgd,
    softmax,
};

/// What a kernel does with a binding.
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
#[derive(Debug, PartialEq)]
pub struct Kernel {
    /// `shader/variant`.
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
pub fn kernels() -> impl Iterator<Item = &'static Kernel> {
    [
        conv2d::KERNELS,
        dense::KERNELS,
        relu::KERNELS,
        prelu::KERNELS,
        max_pool2d::KERNELS,
        adaptive_avg_pool2d::KERNELS,
        softmax::KERNELS,
        cross_entropy::KERNELS,
        dropout::KERNELS,
        sgd::KERNELS,
        adam::KERNELS,
        resize::KERNELS,
        peak::KERNELS,
    ]
    .into_iter()
    .flatten()
    .copied()
}

/// The text of a shader, by the name of its file without the ending.
pub fn shader_source(shader: &str) -> Option<&'static str> {
    Some(match shader {
        "adam" => include_str!("../../shaders/adam.wgsl"),
        "adaptive_avg_pool2d" => include_str!("../../shaders/adaptive_avg_pool2d.wgsl"),
        "conv2d" => include_str!("../../shaders/conv2d.wgsl"),
        "cross_entropy" => include_str!("../../shaders/cross_entropy.wgsl"),
        "dense" => include_str!("../../shaders/dense.wgsl"),
        "dropout" => include_str!("../../shaders/dropout.wgsl"),
        "max_pool2d" => include_str!("../../shaders/max_pool2d.wgsl"),
        "peak" => include_str!("../../shaders/peak.wgsl"),
        "prelu" => include_str!("../../shaders/prelu.wgsl"),
        "relu" => include_str!("../../shaders/relu.wgsl"),
        "resize" => include_str!("../../shaders/resize.wgsl"),
        "sgd" => include_str!("../../shaders/sgd.wgsl"),
        "softmax" => include_str!("../../shaders/softmax.wgsl"),
        _ => return None,
    })
}
