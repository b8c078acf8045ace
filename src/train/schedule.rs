//! How the learning rate changes in the course of a training.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The course of the learning rate behind the warm-up.
///
/// ```
/// use vultus::train::{Decay, Schedule};
///
/// let after_ten_of_twenty = |decay| Schedule { warm_up: 0.0, decay }.factor(10.0, 20);
/// assert_eq!(after_ten_of_twenty(Decay::Constant), 1.0);
/// assert!((after_ten_of_twenty(Decay::Cosine) - 0.5).abs() < 1e-6);
/// assert_eq!(after_ten_of_twenty(Decay::Step { epochs: 5, factor: 0.5 }), 0.25);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// It stays as it is.
    Constant,
    /// Half a cosine from 1 to 0 (Loshchilov, Hutter 2017).
    Cosine,
    /// It is multiplied by `factor` every `epochs` epochs.
    Step {
        /// Epochs between two steps, at least 1.
        epochs: usize,
        /// 0 to 1.
        factor: f32,
    },
}

/// A linear rise from 0 during the first `warm_up` epochs, then a decay.
///
/// ```
/// use vultus::train::{Decay, Schedule};
///
/// let schedule = Schedule { warm_up: 2.0, decay: Decay::Cosine };
/// let factors: Vec<f32> = (0..10).map(|epoch| schedule.factor(epoch as f32, 10)).collect();
/// assert!(factors[0] < 0.01 && factors[1] > 0.5 && factors[2] == 1.0);
/// assert!(factors[2..].is_sorted_by(|a, b| a > b));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Epochs of the rise; a part of one is allowed.
    pub warm_up: f32,
    /// What follows.
    pub decay: Decay,
}

impl Schedule {
    /// The factor for the learning rate in the step that begins when `epoch` of `epochs` epochs are done.
    pub fn factor(&self, epoch: f32, epochs: usize) -> f32 {
        if epoch < self.warm_up {
            // The first step of all is taken with a rate above 0.
            return ((epoch + 1e-3) / self.warm_up).min(1.0);
        }
        match self.decay {
            Decay::Constant => 1.0,
            Decay::Cosine => {
                let rest = (epochs as f32 - self.warm_up).max(f32::MIN_POSITIVE);
                let progress = ((epoch - self.warm_up) / rest).clamp(0.0, 1.0);
                0.5 * (1.0 + (std::f32::consts::PI * progress).cos())
            }
            Decay::Step { epochs, factor } => factor.powi((epoch as usize / epochs.max(1)) as i32),
        }
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |reason: String| Err(Error::invalid("schedule", reason));
        if !(0.0..=1e6).contains(&self.warm_up) {
            return wrong(format!("a warm-up of {} epochs", self.warm_up));
        }
        match self.decay {
            Decay::Step { epochs, factor } if epochs == 0 || !(0.0..=1.0).contains(&factor) => {
                wrong(format!("steps of {epochs} epochs by the factor {factor}, which is to be within 0 and 1"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn the_rate_rises_and_falls() {
        let cosine = Schedule { warm_up: 2.0, decay: Decay::Cosine };
        assert!(cosine.factor(0.0, 10) > 0.0 && cosine.factor(0.0, 10) < 0.01);
        assert_abs_diff_eq!(cosine.factor(1.0, 10), 0.5, epsilon = 1e-3);
        assert_eq!(cosine.factor(2.0, 10), 1.0);
        assert_abs_diff_eq!(cosine.factor(6.0, 10), 0.5, epsilon = 1e-6);
        assert_abs_diff_eq!(cosine.factor(10.0, 10), 0.0, epsilon = 1e-6);
        let step = Schedule { warm_up: 0.0, decay: Decay::Step { epochs: 3, factor: 0.1 } };
        assert_eq!([0.0, 2.9, 3.0, 6.5].map(|epoch| step.factor(epoch, 9)), [1.0, 1.0, 0.1, 0.1f32.powi(2)]);
        let constant = Schedule { warm_up: 0.0, decay: Decay::Constant };
        assert_eq!(constant.factor(0.0, 1), 1.0);
    }

    #[test]
    fn schedules_out_of_range_are_refused() {
        for warm_up in [-1.0, f32::NAN, f32::INFINITY] {
            assert!(Schedule { warm_up, decay: Decay::Constant }.check().is_err());
        }
        for decay in [Decay::Step { epochs: 0, factor: 0.1 }, Decay::Step { epochs: 1, factor: 1.5 }] {
            assert!(Schedule { warm_up: 0.0, decay }.check().is_err());
        }
    }
}
