//! What kernels do with their sums before they store them: a residual is added, an activation function is applied.

use crate::ops::Activation;

/// What is done with sums. It is said by constants of the pipeline: drivers that carry out all branches of a program, as
/// those of software adapters do, would otherwise compute every function for every value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Finish {
    /// The number of the function: of activation functions 0 is none.
    function: u32,
    /// Whether a residual is added before.
    residual: bool,
}

impl Finish {
    pub fn new(activation: Option<Activation>, residual: bool) -> Self {
        Finish { function: activation.map_or(0, number), residual }
    }

    /// Of a kernel that does nothing but compute the function of this number.
    pub fn function(number: u32) -> Self {
        Finish { function: number, residual: false }
    }

    /// The constants of shaders that differ from what they are by default.
    pub fn constants(self) -> impl Iterator<Item = (&'static str, f64)> {
        let function = (self.function != 0).then_some(("FUNCTION", f64::from(self.function)));
        let residual = self.residual.then_some(("RESIDUAL", 1.0));
        function.into_iter().chain(residual)
    }
}

fn number(function: Activation) -> u32 {
    match function {
        Activation::Relu => 1,
        Activation::Clip { .. } => 2,
        Activation::LeakyRelu { .. } => 3,
        Activation::Sigmoid => 4,
        Activation::Hardswish => 5,
        Activation::Silu => 6,
        Activation::Gelu => 7,
        Activation::GeluTanh => 8,
    }
}

/// What a function is made with, as shaders take it: `low` and `high`.
pub(super) fn limits(function: Option<Activation>) -> [f32; 2] {
    match function {
        Some(Activation::Clip { min, max }) => [min, max],
        Some(Activation::LeakyRelu { negative_slope }) => [negative_slope, 0.0],
        _ => [0.0; 2],
    }
}
