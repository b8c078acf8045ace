//! Adam (Kingma, Ba 2015) and AdamW (Loshchilov, Hutter 2019), as in PyTorch.
//!
//! ```
//! use vultus::ops::{Adam, Op, RunState};
//! use vultus::{Device, Options, Tensor};
//!
//! // In the first step every parameter moves by the learning rate, however large its gradient is.
//! let mut adam = Device::Cpu.compile_op(&Op::Adam(Adam::default()), &[&[2][..]; 4], &Options::default())?;
//! let (parameter, gradient) = (Tensor::filled([2], 1.0), Tensor::new([2], vec![3.0, -0.5])?);
//! let state = RunState { learning_rate: 0.1, ..RunState::default() };
//! let after = adam.run_in(&[parameter, gradient, Tensor::zeros([2]), Tensor::zeros([2])], &state)?;
//! assert!((after[0].data()[0] - 0.9).abs() < 1e-6 && (after[0].data()[1] - 1.1).abs() < 1e-6);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::Operation;
use super::{Case, Fill, Shape, check_factor, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of the optimiser; the learning rate comes with every step.
///
/// ```
/// use vultus::nn::{Network, Optimizer, Training};
/// use vultus::ops::Adam;
/// use vultus::{Device, Options};
///
/// let adamw = Adam { weight_decay: 0.01, decoupled: true, ..Adam::default() };
/// let training = Training { optimizer: Optimizer::Adam(adamw), ..Training::default() };
/// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let mut plan = model.compile_training(1, &training, &Options::default())?;
/// assert!(plan.state()?.memory.keys().eq(["m of fc.bias", "m of fc.weight", "v of fc.bias", "v of fc.weight"]));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adam {
    /// Decay of the running means of the gradient and of its square.
    pub betas: [f32; 2],
    /// Added to the root of the second mean.
    pub epsilon: f32,
    /// Weight decay.
    pub weight_decay: f32,
    /// Whether the decay acts on the parameter itself (AdamW) instead of on its gradient (Adam).
    pub decoupled: bool,
    /// What the learning rate of every step is multiplied with: 0 or more.
    pub learning_rate_factor: f32,
}

impl Default for Adam {
    fn default() -> Self {
        Adam { betas: [0.9, 0.999], epsilon: 1e-8, weight_decay: 0.0, decoupled: false, learning_rate_factor: 1.0 }
    }
}

impl Adam {
    /// `1 − betaᵗ` for both means in step t, in f64 because betas are near 1.
    pub(crate) fn bias_corrections(&self, step: u32) -> [f32; 2] {
        self.betas.map(|beta| (1.0 - f64::from(beta).powi(step.max(1) as i32)) as f32)
    }
}

impl Operation for Adam {
    fn name(&self) -> &'static str {
        "adam"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [parameter, gradient, m, v] = take("adam", inputs)?;
        same("adam", "gradient", gradient, parameter)?;
        same("adam", "m", m, parameter)?;
        same("adam", "v", v, parameter)?;
        if self.betas.iter().any(|b| !(0.0..1.0).contains(b))
            || [self.weight_decay, self.epsilon].iter().any(|rate| !(0.0..).contains(rate))
        {
            let reason = format!("betas {:?} are not in 0 to 1 (exclusive), or a rate is negative", self.betas);
            return Err(Error::invalid("adam", reason));
        }
        check_factor("adam", self.learning_rate_factor)?;
        Ok(vec![parameter.to_vec(), m.to_vec(), v.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        14 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[0, 1, 2, 3]
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0, 1, 2]
    }

    fn in_place(&self) -> &'static [usize] {
        &[0, 2, 3]
    }

    fn ends_step(&self) -> bool {
        true
    }
}

/// Shapes that every kernel must get right.
///
/// ```
/// use vultus::ops::{Op, adam};
///
/// assert!(adam::cases().iter().any(|case| matches!(case.op, Op::Adam(adam) if adam.decoupled)));
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    let decayed = Adam { weight_decay: 0.05, ..Adam::default() };
    [
        (vec![1], Adam::default()),
        (vec![1000], decayed),
        (vec![64, 3, 3, 3], Adam { decoupled: true, learning_rate_factor: 0.1, ..decayed }),
    ]
    .into_iter()
    .map(|(shape, adam)| case(shape, adam))
    .collect()
}

/// A case with a random shape and parameters.
///
/// ```
/// use vultus::Random;
/// use vultus::ops::adam;
///
/// let case = adam::random_case(&mut Random::new(1));
/// // Parameter, gradient and both means have one shape.
/// assert!(case.shapes().windows(2).all(|pair| pair[0] == pair[1]));
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape = (0..1 + random.below(3)).map(|_| 1 + random.below(20)).collect();
    let adam = Adam {
        betas: [random.uniform() * 0.99, 0.9 + random.uniform() * 0.099],
        epsilon: 1e-6,
        weight_decay: random.uniform() * 0.1,
        decoupled: random.below(2) == 0,
        learning_rate_factor: random.uniform() * 2.0,
    };
    case(shape, adam)
}

fn case(shape: Shape, adam: Adam) -> Case {
    let normal = (shape.clone(), Fill::Normal(1.0));
    Case::new(adam, vec![normal.clone(), normal.clone(), normal, (shape, Fill::Between(0.0, 1.0))])
}
