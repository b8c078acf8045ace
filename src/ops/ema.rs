//! The exponential moving average of a parameter over the steps of training: `average ← d·average + (1−d)·parameter`.
//!
//! In step t, d is the smaller of the decay and `(t−1)/(t+8)`: the average is the parameter itself after the first step,
//! and forgets the beginning quickly before it becomes as slow as the decay asks for.
//!
//! ```
//! use vultus::ops::{Ema, Op, RunState};
//! use vultus::{Device, Options, Tensor};
//!
//! let mut ema = Device::Cpu.compile_op(&Op::Ema(Ema { decay: 0.75 }), &[&[1], &[1]], &Options::default())?;
//! let (average, parameter) = (Tensor::filled([1], 1.0), Tensor::filled([1], 5.0));
//! let inputs = [average, parameter];
//! assert_eq!(ema.run_all(&inputs)?[0].data(), [5.0]);
//! assert_eq!(ema.run_in(&inputs, &RunState { step: 1000, ..RunState::default() })?[0].data(), [2.0]);
//! # Ok::<(), vultus::Error>(())
//! ```

use super::operation::Operation;
use super::{Case, Fill, Shape, elements, same, take};
use crate::error::{Error, Result};
use crate::random::Random;

/// The parameters of the average.
///
/// ```
/// use vultus::ops::{Ema, Op};
///
/// let shapes = [&[64][..]; 2];
/// assert_eq!(Op::Ema(Ema { decay: 0.999 }).output_shapes(&shapes)?, [[64]]);
/// // It would never change.
/// assert!(Op::Ema(Ema { decay: 1.0 }).output_shapes(&shapes).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ema {
    /// How much of the average is kept in each step, once there have been enough: 0 (inclusive) to 1 (exclusive).
    pub decay: f32,
}

impl Ema {
    /// How much of the average is kept in this step.
    pub(crate) fn decay_in(&self, step: u32) -> f32 {
        let step = step.max(1);
        self.decay.min((step - 1) as f32 / (step as f32 + 8.0))
    }
}

impl Operation for Ema {
    fn name(&self) -> &'static str {
        "ema"
    }

    fn output_shapes(&self, inputs: &[&[usize]]) -> Result<Vec<Shape>> {
        let [average, parameter] = take("ema", inputs)?;
        same("ema", "parameter", parameter, average)?;
        if !(0.0..1.0).contains(&self.decay) {
            return Err(Error::invalid("ema", format!("a decay of {} is not in 0 to 1 (exclusive)", self.decay)));
        }
        Ok(vec![average.to_vec()])
    }

    fn flops(&self, inputs: &[&[usize]], _outputs: &[Shape]) -> u64 {
        3 * elements(inputs[0])
    }

    fn parameter_inputs(&self) -> &'static [usize] {
        &[0, 1]
    }

    fn parameter_outputs(&self) -> &'static [usize] {
        &[0]
    }

    fn in_place(&self) -> &'static [usize] {
        &[0]
    }

    fn ends_step(&self) -> bool {
        true
    }
}

/// Shapes that every kernel must get right. The decays are below and above what the step of the tests limits them to.
///
/// ```
/// use vultus::ops::{Op, ema};
///
/// for case in ema::cases() {
///     assert!(matches!(case.op, Op::Ema(ema) if (0.0..1.0).contains(&ema.decay)));
/// }
/// ```
#[doc(hidden)]
pub fn cases() -> Vec<Case> {
    [(vec![1], 0.1), (vec![1000], 0.999), (vec![64, 3, 3, 3], 0.05)]
        .into_iter()
        .map(|(shape, decay)| case(shape, decay))
        .collect()
}

/// A case with a random shape and decay.
///
/// ```
/// use vultus::ops::ema;
/// use vultus::{Device, Options, Random};
///
/// let case = ema::random_case(&mut Random::new(1));
/// let mut plan = Device::Cpu.compile_op(&case.op, &case.shapes(), &Options::default())?;
/// let inputs = case.inputs(2);
/// assert_eq!(plan.run_all(&inputs)?[0], inputs[1]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[doc(hidden)]
pub fn random_case(random: &mut Random) -> Case {
    let shape = (0..1 + random.below(3)).map(|_| 1 + random.below(20)).collect();
    case(shape, random.uniform() * 0.4)
}

fn case(shape: Shape, decay: f32) -> Case {
    Case::new(Ema { decay }, vec![(shape, Fill::Normal(1.0)); 2])
}
