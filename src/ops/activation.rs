//! Activation functions, value by value, and their gradients. Convolutions and dense layers compute them within their own
//! kernels.
//!
//! ```
//! use vultus::ops::{Activation, Op};
//! use vultus::{Device, Options, Tensor};
//!
//! let mut relu6 = Device::Cpu.compile_op(&Activation::RELU6.into(), &[&[3]], &Options::default())?;
//! assert_eq!(relu6.run(&Tensor::new([3], vec![-1.0, 2.0, 9.0])?)?[0].data(), [0.0, 2.0, 6.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// An activation function, named as in PyTorch.
///
/// ```
/// use vultus::ops::{Activation, Op};
///
/// let silu = Op::from(Activation::Silu);
/// assert_eq!((silu.name(), silu.output_shapes(&[&[2, 3]])?), ("activation", vec![vec![2, 3]]));
/// // Nothing lies between a minimum and a smaller maximum.
/// assert!(Op::from(Activation::Clip { min: 1.0, max: 0.0 }).output_shapes(&[&[2]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `min(max(x, min), max)`; the gradient is 0 from the limits on, as of PyTorch's `hardtanh`.
    Clip {
        /// The smallest result.
        min: f32,
        /// The largest result.
        max: f32,
    },
    /// `x` where it is positive, else `negative_slope · x`.
    LeakyRelu {
        /// Above 0.
        negative_slope: f32,
    },
    /// `1 / (1 + exp(−x))`.
    Sigmoid,
    /// `x · min(max(x + 3, 0), 6) / 6` (Howard et al. 2019).
    Hardswish,
    /// `x · sigmoid(x)` (Elfwing et al. 2018; also called swish).
    Silu,
    /// `x · Φ(x)` with the normal distribution's Φ (Hendrycks, Gimpel 2016), exactly.
    Gelu,
    /// The same by its approximation with tanh.
    GeluTanh,
}

impl Activation {
    /// `min(max(x, 0), 6)`.
    pub const RELU6: Activation = Activation::Clip { min: 0.0, max: 6.0 };

    /// What PyTorch calls the function.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Clip { .. } if *self == Activation::RELU6 => "relu6",
            Activation::Clip { .. } => "clip",
            Activation::LeakyRelu { .. } => "leaky_relu",
            Activation::Sigmoid => "sigmoid",
            Activation::Hardswish => "hardswish",
            Activation::Silu => "silu",
            Activation::Gelu | Activation::GeluTanh => "gelu",
        }
    }

    /// Whether the backward pass reads what the forward pass gave. Else it reads what that took.
    pub(crate) fn backward_reads_output(&self) -> bool {
        match self {
            Activation::Relu | Activation::Clip { .. } | Activation::LeakyRelu { .. } | Activation::Sigmoid => true,
            Activation::Hardswish | Activation::Silu | Activation::Gelu | Activation::GeluTanh => false,
        }
    }

    /// Whether a larger x never gives a smaller y.
    pub(crate) fn is_monotonic(&self) -> bool {
        match self {
            Activation::Relu | Activation::Clip { .. } | Activation::LeakyRelu { .. } | Activation::Sigmoid => true,
            Activation::Hardswish | Activation::Silu | Activation::Gelu | Activation::GeluTanh => false,
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        match *self {
            // Also where one of them is not a number.
            Activation::Clip { min, max } if min.partial_cmp(&max).is_none_or(std::cmp::Ordering::is_gt) => {
                Err(Error::invalid("activation", format!("nothing lies between {min} and {max}")))
            }
            Activation::LeakyRelu { negative_slope } if !(negative_slope > 0.0 && negative_slope.is_finite()) => {
                Err(Error::invalid("activation", format!("a negative slope of {negative_slope} is not above 0")))
            }
            _ => Ok(()),
        }
    }

    /// Floating-point operations for one value, about.
    fn flops(&self) -> u64 {
        match self {
            Activation::Relu => 1,
            Activation::Clip { .. } | Activation::LeakyRelu { .. } => 2,
            Activation::Sigmoid | Activation::Hardswish => 4,
            Activation::Silu => 5,
            Activation::Gelu | Activation::GeluTanh => 14,
        }
    }
}

impl Operation for Activation {
    fn name(&self) -> &'static str {
        "activation"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("activation", inputs)?;
        self.check()?;
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        self.flops() * elements(inputs[0])
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        let seen = if self.backward_reads_output() { Operand::Output(0) } else { Operand::Input(0) };
        Some(vec![Backward::step(ActivationBackward(*self), [seen, Operand::Gradient], [0])])
    }
}

/// The gradient of an activation's input: `y, dy → dx` of functions whose derivative follows from the result (ReLU, clip,
/// leaky ReLU, sigmoid), else `x, dy → dx`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ActivationBackward(pub Activation);

impl Operation for ActivationBackward {
    fn name(&self) -> &'static str {
        "activation_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [seen, dy] = take("activation_backward", inputs)?;
        self.0.check()?;
        same("activation_backward", "dy", dy, seen)?;
        Ok(vec![dy.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        self.0.flops() * elements(inputs[0])
    }
}

/// One of each.
const FUNCTIONS: [Activation; 9] = [
    Activation::Relu,
    Activation::RELU6,
    Activation::Clip { min: -0.5, max: 1.5 },
    Activation::LeakyRelu { negative_slope: 0.1 },
    Activation::Sigmoid,
    Activation::Hardswish,
    Activation::Silu,
    Activation::Gelu,
    Activation::GeluTanh,
];

/// Shapes that every kernel must get right: one value, edges of workgroups, more than 65,535 workgroups.
///
/// ```
/// use vultus::ops::activation;
///
/// let values = |case: &vultus::ops::Case| case.shapes()[0].iter().product::<usize>();
/// assert!(activation::cases().iter().any(|case| values(case) > 65_535 * 256));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let sizes = [vec![1], vec![2, 64, 9, 7], vec![3, 513], vec![256], vec![65_536 * 256 + 3]];
    let relus = sizes.into_iter().flat_map(|shape| pair(Activation::Relu, shape));
    relus.chain(FUNCTIONS.into_iter().flat_map(|function| pair(function, vec![3, 517]))).collect()
}

/// A case with a random shape and function, in either direction.
///
/// ```
/// use vultus::ops::activation;
/// use vultus::{Device, Options, Random};
///
/// let case = activation::random_case(&mut Random::new(1));
/// let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options { checked: true, ..Options::default() })?;
/// assert!(plan.run_all(&case.inputs(2))?[0].data().iter().all(|value| value.is_finite()));
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape = (0..1 + random.below(4)).map(|_| 1 + random.below(20)).collect();
    let (function, direction) = (random_function(random), random.below(2));
    pair(function, shape).swap_remove(direction)
}

/// One of the functions.
pub(super) fn random_function(random: &mut Random) -> Activation {
    FUNCTIONS[random.below(FUNCTIONS.len())]
}

fn pair(function: Activation, shape: Shape) -> Vec<Case> {
    // Ties lie on the kinks; smooth functions are tried where they bend and where they have become straight.
    let seen = match function {
        Activation::Relu | Activation::Clip { .. } | Activation::LeakyRelu { .. } => Fill::Ties,
        Activation::Sigmoid => Fill::Between(0.0, 1.0),
        _ => Fill::Between(-12.0, 12.0),
    };
    let x = if function == Activation::Sigmoid { Fill::Between(-100.0, 100.0) } else { seen };
    vec![
        Case::new(function, vec![(shape.clone(), x)]),
        Case::new(ActivationBackward(function), vec![(shape.clone(), seen), (shape, Fill::Normal(1.0))]),
    ]
}
