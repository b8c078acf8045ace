//! Elementary functions, value by value, and their gradients: what networks compute apart from the activation functions of
//! [`super::activation`].
//!
//! ```
//! use vultus::ops::{Op, Unary};
//! use vultus::{Device, Options, Tensor};
//!
//! let mut sqrt = Device::Cpu.compile_op(&Op::from(Unary::Sqrt), &[&[3]], &Options::default())?;
//! assert_eq!(sqrt.run(&Tensor::new([3], vec![0.0, 4.0, 9.0])?)?[0].data(), [0.0, 2.0, 3.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::{Backward, Operand, Operation};
use super::{Case, Fill, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// A function of one number, named as in PyTorch.
///
/// ```
/// use vultus::ops::{Op, Unary};
///
/// let tanh = Op::from(Unary::Tanh);
/// assert_eq!((tanh.name(), tanh.output_shapes(&[&[2, 3]])?), ("unary", vec![vec![2, 3]]));
/// assert!(Op::from(Unary::Pow { exponent: f32::NAN }).output_shapes(&[&[2]]).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Unary {
    /// `|x|`; the gradient at 0 is 0.
    Abs,
    /// The square root.
    Sqrt,
    /// `1 / x`.
    Reciprocal,
    /// `e^x`.
    Exp,
    /// The natural logarithm.
    Log,
    /// The sine. GPUs lose digits from some 10,000 on.
    Sin,
    /// The cosine. GPUs lose digits from some 10,000 on.
    Cos,
    /// The hyperbolic tangent.
    Tanh,
    /// The error function.
    Erf,
    /// The next whole number below; its gradient is 0.
    Floor,
    /// The next whole number above; its gradient is 0.
    Ceil,
    /// The nearest whole number, of two the even one; its gradient is 0.
    Round,
    /// −1, 0 or 1; its gradient is 0.
    Sign,
    /// `x` where it is positive, else `alpha · (e^x − 1)` (Clevert et al. 2015).
    Elu {
        /// What it tends to, negated.
        alpha: f32,
    },
    /// `ln(1 + e^x)`.
    Softplus,
    /// `x / (1 + |x|)`.
    Softsign,
    /// `x^exponent`; not a number where x is below 0 and the exponent is not whole.
    Pow {
        /// Any number.
        exponent: f32,
    },
}

impl Unary {
    fn check(&self) -> Result<()> {
        match *self {
            Unary::Elu { alpha: number } | Unary::Pow { exponent: number } if !number.is_finite() => {
                Err(Error::invalid("unary", format!("{self:?} has {number} where a finite number is needed")))
            }
            _ => Ok(()),
        }
    }

    /// Floating-point operations for one value, about.
    fn flops(&self) -> u64 {
        match self {
            Unary::Abs | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Sign => 1,
            Unary::Sqrt | Unary::Reciprocal => 4,
            Unary::Softsign => 6,
            Unary::Exp | Unary::Log | Unary::Sin | Unary::Cos | Unary::Elu { .. } => 20,
            Unary::Tanh | Unary::Erf | Unary::Softplus | Unary::Pow { .. } => 40,
        }
    }
}

impl Operation for Unary {
    fn name(&self) -> &'static str {
        "unary"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x] = take("unary", inputs)?;
        self.check()?;
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        self.flops() * elements(inputs[0])
    }

    fn backward(&self, _inputs: &[&[usize]]) -> Option<Vec<Backward>> {
        Some(vec![Backward::step(UnaryBackward(*self), [Operand::Input(0), Operand::Gradient], [0])])
    }
}

/// The gradient of a function's input: `x, dy → dx`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UnaryBackward(pub Unary);

impl Operation for UnaryBackward {
    fn name(&self) -> &'static str {
        "unary_backward"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [x, dy] = take("unary_backward", inputs)?;
        self.0.check()?;
        same("unary_backward", "dy", dy, x)?;
        Ok(vec![x.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        self.0.flops() * elements(inputs[0])
    }
}

/// One of each, of powers several.
const FUNCTIONS: [Unary; 19] = [
    Unary::Abs,
    Unary::Sqrt,
    Unary::Reciprocal,
    Unary::Exp,
    Unary::Log,
    Unary::Sin,
    Unary::Cos,
    Unary::Tanh,
    Unary::Erf,
    Unary::Floor,
    Unary::Ceil,
    Unary::Round,
    Unary::Sign,
    Unary::Elu { alpha: 1.5 },
    Unary::Softplus,
    Unary::Softsign,
    Unary::Pow { exponent: 2.5 },
    Unary::Pow { exponent: -0.5 },
    Unary::Pow { exponent: 3.0 },
];

/// Where a function is tried: where it bends, and far from there.
fn ranges(function: Unary) -> [(f32, f32); 2] {
    match function {
        Unary::Pow { exponent } if exponent.fract() == 0.0 => [(0.1, 1.5), (-3.0, -0.2)],
        Unary::Sqrt | Unary::Log | Unary::Pow { .. } => [(0.05, 1.5), (0.5, 50.0)],
        Unary::Reciprocal => [(0.1, 4.0), (-4.0, -0.1)],
        Unary::Exp => [(-8.0, 1.0), (0.0, 12.0)],
        _ => [(-0.7, 0.7), (-12.0, 12.0)],
    }
}

/// Shapes and functions that every kernel must get right: one value, edges of workgroups, each function where it bends and
/// far from there.
///
/// ```
/// use vultus::ops::unary;
///
/// assert!(unary::cases().iter().all(|case| case.op.output_shapes(&case.shapes()).is_ok()));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let sizes = [vec![1], vec![2, 64, 9, 7], vec![256]].into_iter();
    let tanh = sizes.flat_map(|shape| pair(Unary::Tanh, shape, (-12.0, 12.0)));
    let each = |function| ranges(function).into_iter().flat_map(move |range| pair(function, vec![3, 517], range));
    tanh.chain(FUNCTIONS.into_iter().flat_map(each)).collect()
}

/// A case with a random shape and function, in either direction.
///
/// ```
/// use vultus::ops::unary;
/// use vultus::{Device, Options, Random};
///
/// let case = unary::random_case(&mut Random::new(1));
/// let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options { checked: true, ..Options::default() })?;
/// assert!(plan.run_all(&case.inputs(2))?[0].data().iter().all(|value| value.is_finite()));
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape = (0..1 + random.below(4)).map(|_| 1 + random.below(20)).collect();
    let function = FUNCTIONS[random.below(FUNCTIONS.len())];
    let (range, direction) = (ranges(function)[random.below(2)], random.below(2));
    pair(function, shape, range).swap_remove(direction)
}

fn pair(function: Unary, shape: Shape, (low, high): (f32, f32)) -> Vec<Case> {
    let x = Fill::Between(low, high);
    vec![
        Case::new(function, vec![(shape.clone(), x)]),
        Case::new(UnaryBackward(function), vec![(shape.clone(), x), (shape, Fill::Normal(1.0))]),
    ]
}
