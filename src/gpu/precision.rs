//! In which precision a GPU computes.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// In which precision the layers of a plan compute that make nearly all of its work: convolutions and dense layers, and
/// their gradients. What else there is computes in f32, and parameters, their gradients and activations are kept in f32.
///
/// [`Precision::F16`] and [`Precision::Split`] are for GPUs with matrix units (tensor cores), which have not been measured
/// yet; a plan that asks for them elsewhere is refused with [`Error::Precision`](crate::Error::Precision).
/// [`Gpu::has_matrix_units`](crate::gpu::Gpu::has_matrix_units) tells before. `docs/precision.md` has what each of them
/// does to the results.
///
/// ```
/// use vultus::nn::Network;
/// use vultus::{Device, Error, Options, Precision, Tensor};
///
/// let network = Network::new("small", [8]).dense("fc", "fc", 2);
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let halves = Options { precision: Precision::F16Weights, ..Options::default() };
/// let input = Tensor::filled([1, 8], 1.0);
/// // The CPU stores weights in f32 in either case…
/// assert_eq!(model.compile(1, &halves)?.run(&input)?, model.compile(1, &Options::default())?.run(&input)?);
/// // …and has no matrix units.
/// let f16 = Options { precision: Precision::F16, ..Options::default() };
/// assert!(matches!(model.compile(1, &f16), Err(Error::Precision { .. })));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// In f32.
    #[default]
    F32,
    /// In f32, from weights that the plan does not train and that are rounded to f16, wherever a kernel for that exists:
    /// dense layers for a batch of up to 8 whose features are a multiple of 8, and convolutions by Winograd's algorithms,
    /// whose transformed weights are rounded. This halves what these kernels read. VGG16's base on a test photo at 96×96
    /// errs by less than 0.2 % of its largest output. It saves no memory: the model keeps its parameters in f32, and those
    /// of dense layers are there in f16 besides. The CPU computes as with [`Precision::F32`].
    ///
    /// A parameter stays in f32 if f16 does not suit its largest magnitude when the model is loaded: above 29,000 the
    /// transforms could leave the range of f16, and below 0.001 too little of its precision is left. Another plan may
    /// train a parameter: it is rounded again after that, and what has left the range of f16 by then becomes infinite.
    F16Weights,
    /// By matrix units, wherever a kernel for that exists, from weights and inputs that are rounded to f16; products are
    /// added up in f32. Weights may reach 450 and inputs 160,000: a plan with larger weights is refused, and larger inputs
    /// make results infinite, as do weights that grow so large in a training. Gradients may have any size.
    F16,
    /// As [`Precision::F16`], but each number is the sum of two in f16, and three products take the place of one: nearly as
    /// exact as f32.
    Split,
}

impl Precision {
    /// All of them.
    pub const ALL: [Precision; 4] = [Precision::F32, Precision::F16Weights, Precision::F16, Precision::Split];

    /// What the program calls it: `f32`, `f16-weights`, `f16` or `split`.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::F16Weights => "f16-weights",
            Precision::F16 => "f16",
            Precision::Split => "split",
        }
    }

    /// Refuses what the CPU does not compute in: it has no matrix units.
    pub(crate) fn check_on_the_cpu(self) -> Result<()> {
        if !self.is_by_matrix_units() {
            return Ok(());
        }
        let (device, reason) = ("the CPU".to_owned(), "it has no matrix units".to_owned());
        Err(Error::Precision { device, precision: self.name(), reason })
    }

    /// Whether it is one in which matrix units compute.
    pub(crate) fn is_by_matrix_units(self) -> bool {
        matches!(self, Precision::F16 | Precision::Split)
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
