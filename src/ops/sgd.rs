//! Stochastic gradient descent with momentum, Nesterov's variant and weight decay, as in PyTorch.
//!
//! `d = gradient + decay·parameter; velocity = momentum·velocity + d;
//! parameter −= factor·rate·(nesterov ? d + momentum·velocity : velocity)`
//!
//! ```
//! use vultus::ops::{Op, RunState, Sgd};
//! use vultus::{Device, Options, Tensor};
//!
//! let sgd = Sgd { momentum: 0.5, ..Sgd::default() };
//! let mut plan = Device::Cpu.compile_op(&Op::Sgd(sgd), &[&[1][..]; 3], &Options::default())?;
//! let [parameter, gradient, velocity] = [1.0, 2.0, 4.0].map(|value| Tensor::filled([1], value));
//! let state = RunState { learning_rate: 0.125, ..RunState::default() };
//! let after = plan.run_in(&[parameter, gradient, velocity], &state)?;
//! assert_eq!((after[0].data(), after[1].data()), (&[0.5][..], &[4.0][..]));
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::Operation;
use super::{Case, Fill, Shape, check_factor, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of the optimiser; the learning rate comes with every step.
///
/// ```
/// use vultus::ops::{Op, Sgd};
///
/// let shapes = [&[64, 3, 3, 3][..]; 3];
/// let momentum = Sgd { momentum: 0.9, nesterov: true, weight_decay: 5e-4, ..Sgd::default() };
/// assert!(Op::Sgd(momentum).output_shapes(&shapes).is_ok());
/// assert!(Op::Sgd(Sgd { momentum: 1.5, ..momentum }).output_shapes(&shapes).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sgd {
    /// How much of the last velocity is kept: 0 to 1.
    pub momentum: f32,
    /// Whether the gradient looks ahead (Sutskever et al. 2013).
    pub nesterov: bool,
    /// How much of the parameter is added to its gradient.
    pub weight_decay: f32,
    /// What the learning rate of every step is multiplied with: 0 or more.
    pub learning_rate_factor: f32,
}

impl Default for Sgd {
    /// Plain gradient descent, at the learning rate of the step.
    fn default() -> Self {
        Sgd { momentum: 0.0, nesterov: false, weight_decay: 0.0, learning_rate_factor: 1.0 }
    }
}

impl Operation for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [parameter, gradient, velocity] = take("sgd", inputs)?;
        same("sgd", "gradient", gradient, parameter)?;
        same("sgd", "velocity", velocity, parameter)?;
        if !(0.0..=1.0).contains(&self.momentum) || !(0.0..).contains(&self.weight_decay) {
            let reason =
                format!("momentum {} is not in 0 to 1, or decay {} is negative", self.momentum, self.weight_decay);
            return Err(Error::invalid("sgd", reason));
        }
        check_factor("sgd", self.learning_rate_factor)?;
        Ok(vec![parameter.to_vec(), velocity.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        8 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[0, 1, 2]
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0, 1]
    }

    fn in_place(&self) -> &'static [usize] {
        &[0, 2]
    }

    fn ends_step(&self) -> bool {
        true
    }
}

/// Shapes that every kernel must get right.
///
/// ```
/// use vultus::ops::sgd;
///
/// let names: Vec<String> = sgd::cases().iter().map(|case| case.name()).collect();
/// assert_eq!(names[0], "sgd/1_1_1");
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let momentum = Sgd { momentum: 0.9, ..Sgd::default() };
    [
        (vec![1], Sgd::default()),
        (vec![1000], momentum),
        (vec![64, 3, 3, 3], Sgd { nesterov: true, weight_decay: 0.01, learning_rate_factor: 0.1, ..momentum }),
    ]
    .into_iter()
    .map(|(shape, sgd)| case(shape, sgd))
    .collect()
}

/// A case with a random shape and parameters.
///
/// ```
/// use vultus::ops::sgd;
/// use vultus::{Device, Options, Random};
///
/// let case = sgd::random_case(&mut Random::new(1));
/// let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options::default())?;
/// let inputs = case.inputs(2);
/// // At a learning rate of 0 the parameter stays.
/// assert_eq!(plan.run_all(&inputs)?[0], inputs[0]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape = (0..1 + random.below(3)).map(|_| 1 + random.below(20)).collect();
    let sgd = Sgd {
        momentum: random.uniform(),
        nesterov: random.below(2) == 0,
        weight_decay: random.uniform() * 0.1,
        learning_rate_factor: random.uniform() * 2.0,
    };
    case(shape, sgd)
}

fn case(shape: Shape, sgd: Sgd) -> Case {
    Case::new(sgd, vec![(shape, Fill::Normal(1.0)); 3])
}
