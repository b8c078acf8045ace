//! Stochastic gradient descent with momentum, Nesterov's variant and weight decay, as in PyTorch.
//!
//! `d = gradient + decay·parameter; velocity = momentum·velocity + d;
//! parameter −= factor·rate·(nesterov ? d + momentum·velocity : velocity)`

use super::{Case, Fill, Op, Shape, check_factor, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of the optimiser; the learning rate comes with every step.
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

impl Sgd {
    pub(super) fn update(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [parameter, gradient, velocity] = take("sgd", inputs)?;
        same("sgd", "gradient", gradient, parameter)?;
        same("sgd", "velocity", velocity, parameter)?;
        if !(0.0..=1.0).contains(&self.momentum) || !(0.0..).contains(&self.weight_decay) {
            let reason =
                format!("momentum {} is not in 0 to 1, or decay {} is negative", self.momentum, self.weight_decay);
            return Err(Error::shape("sgd", reason));
        }
        check_factor("sgd", self.learning_rate_factor)?;
        Ok(vec![parameter.to_vec(), velocity.to_vec()])
    }
}

/// Shapes that every kernel must get right.
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
    Case::new(Op::Sgd(sgd), vec![(shape, Fill::Normal(1.0)); 3])
}
