//! What kernels do with their sums before they store them: a residual is added, an activation function or its gradient is
//! applied.

use crate::ops::Activation;

/// What is done with sums. It is said by constants of the pipeline: drivers that carry out all branches of a program, as
/// those of software adapters do, would otherwise compute every function for every value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Finish {
    /// The number of the function: of activation functions 0 is none.
    function: u32,
    /// What lies at the same place of another value.
    beside: Beside,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Beside {
    #[default]
    Nothing,
    /// A residual that is added before.
    Residual,
    /// What the gradient of the function sees, which is computed instead.
    Seen,
}

impl Finish {
    pub fn new(activation: Option<Activation>, residual: bool) -> Self {
        let beside = if residual { Beside::Residual } else { Beside::Nothing };
        Finish { function: activation.map_or(0, number), beside }
    }

    /// Sums are what comes back from this function, if there is one.
    pub fn backward(activation: Option<Activation>) -> Self {
        activation.map_or_else(Finish::default, |function| Finish { function: number(function), beside: Beside::Seen })
    }

    /// Of a kernel that does nothing but compute the function of this number.
    pub fn function(number: u32) -> Self {
        Finish { function: number, beside: Beside::Nothing }
    }

    /// The constants of shaders that differ from what they are by default.
    pub fn constants(self) -> impl Iterator<Item = (&'static str, f64)> {
        let function = (self.function != 0).then_some(("FUNCTION", f64::from(self.function)));
        let beside = match self.beside {
            Beside::Nothing => None,
            Beside::Residual => Some(("RESIDUAL", 1.0)),
            Beside::Seen => Some(("BACKWARD", 1.0)),
        };
        function.into_iter().chain(beside)
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
