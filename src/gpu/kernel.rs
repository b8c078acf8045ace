//! What a kernel is: an entry point of a shader with its constants and bindings.

use super::finish::Finish;
use super::precision::Precision;
use super::uniform::{Layout, Uniform};

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

/// One kernel for each precision that matrix units compute in.
pub(super) struct MatrixKernels {
    pub f16: Kernel,
    pub split: Kernel,
}

impl MatrixKernels {
    /// The kernel for this precision, if matrix units compute in it.
    pub fn of(&'static self, precision: Precision) -> Option<&'static Kernel> {
        match precision {
            Precision::F16 => Some(&self.f16),
            Precision::Split => Some(&self.split),
            Precision::F32 | Precision::F16Weights => None,
        }
    }
}

/// The kernels of this name, for each precision.
macro_rules! matrix_kernels {
    ($parameters:ty, $name:literal, $shader:expr, $bindings:expr) => {{
        const KERNEL: Kernel = Kernel::new::<$parameters>(concat!($name, "_f16"), $shader, "multiply", $bindings);
        MatrixKernels { f16: KERNEL, split: KERNEL.with(concat!($name, "_split"), &[("PARTS", 2.0)]) }
    }};
}

/// One compute pipeline. Binding 0 is always the uniform buffer of its parameters.
///
/// ```
/// use vultus::gpu::kernels;
///
/// let kernel = kernels().find(|kernel| kernel.name == "dense/matmul_64").unwrap();
/// assert_eq!((kernel.op(), kernel.shader, kernel.entry), ("dense", "dense", "matmul"));
/// assert!(kernel.source.contains(&format!("fn {}(", kernel.entry)));
/// ```
#[derive(Debug, PartialEq)]
pub struct Kernel {
    /// `operation/variant`.
    pub name: &'static str,
    /// The file in `shaders/`, without its ending.
    pub shader: &'static str,
    /// The text of the shader, with what it shares with others.
    pub source: &'static str,
    /// The same with matrix units doing what they can, where `source` emulates them; `None` for other kernels.
    pub matrix_source: Option<&'static str>,
    /// The entry point.
    pub entry: &'static str,
    /// Values of override constants.
    pub constants: &'static [(&'static str, f64)],
    /// What bindings 1, 2, … are.
    pub bindings: &'static [Access],
    /// What binding 0 is.
    pub(super) parameters: Layout,
}

/// A kernel as it is compiled for a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Variant {
    pub kernel: &'static Kernel,
    pub finish: Finish,
}

impl From<&'static Kernel> for Variant {
    fn from(kernel: &'static Kernel) -> Self {
        Variant { kernel, finish: Finish::default() }
    }
}

impl Variant {
    /// Values of override constants.
    pub fn constants(&self) -> Vec<(&'static str, f64)> {
        self.kernel.constants.iter().copied().chain(self.finish.constants()).collect()
    }

    /// What no other variant shares with it.
    pub fn key(&self) -> (&'static str, Finish) {
        (self.kernel.name, self.finish)
    }
}

/// A shader: the name of its file, and its text with that of what it shares with others.
#[derive(Clone, Copy)]
pub(super) struct Shader {
    pub name: &'static str,
    pub source: &'static str,
    pub matrix_source: Option<&'static str>,
}

/// The [`Shader`] in this file of `shaders/`, after those of `shaders/shared/` that it uses; all are named without their
/// ending. The order matters: naga does not take an override that is used before it is declared,
/// or that comes after an array whose size depends on another.
macro_rules! shader {
    ($name:literal $(, $shared:literal)*) => {
        Shader {
            name: $name,
            source: concat!(
                $(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/shared/", $shared, ".wgsl")), "\n",)*
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl"))
            ),
            matrix_source: None,
        }
    };
}

/// As [`shader!`], a shader of products by matrix units (`shaders/shared/matrix.wgsl`), in both of its forms.
macro_rules! matrix_shader {
    ($name:literal $(, $shared:literal)*) => {
        Shader {
            matrix_source: Some(concat!(
                "enable f16;\nenable wgpu_cooperative_matrix;\n",
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/shared/matrix.wgsl")), "\n",
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/shared/matrix_units.wgsl")), "\n",
                $(include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/shared/", $shared, ".wgsl")), "\n",)*
                include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl"))
            )),
            ..shader!($name, "matrix", "matrix_emulated" $(, $shared)*)
        }
    };
}

pub(super) use {matrix_kernels, matrix_shader, shader};

impl Kernel {
    /// The operation that it is for.
    pub fn op(&self) -> &'static str {
        self.name.split_once('/').map_or(self.name, |(op, _)| op)
    }

    /// A kernel without constants, whose parameters these are.
    pub(super) const fn new<Parameters: Uniform>(
        name: &'static str,
        shader: Shader,
        entry: &'static str,
        bindings: &'static [Access],
    ) -> Self {
        Kernel {
            name,
            shader: shader.name,
            source: shader.source,
            matrix_source: shader.matrix_source,
            entry,
            constants: &[],
            bindings,
            parameters: Parameters::LAYOUT,
        }
    }

    /// The kernel with this done to its sums.
    pub(super) fn finishing(&'static self, finish: Finish) -> Variant {
        Variant { kernel: self, finish }
    }

    /// The same with these constants.
    pub(super) const fn with(self, name: &'static str, constants: &'static [(&'static str, f64)]) -> Self {
        Kernel { name, constants, ..self }
    }
}
