//! How a network is trained: everything but the network, the pictures and the device.

use serde::{Deserialize, Serialize};

use super::{Decay, Schedule};
use crate::data::class_weights;
use crate::error::{Error, Result};
use crate::gpu::Precision;
use crate::nn::{Group, Optimizer};
use crate::ops::{Adam, Sgd};
use crate::prepare::Mix;

/// Which rule changes the parameters.
///
/// ```
/// use vultus::train::{Recipe, Rule};
///
/// let recipe = Recipe { rule: Rule::Sgd, learning_rate: 0.01, weight_decay: 5e-4, ..Recipe::default() };
/// assert_eq!(Recipe::default().rule, Rule::AdamW);
/// assert_ne!(recipe, Recipe::default());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// Gradient descent with Nesterov's momentum of 0.9.
    Sgd,
    /// Adam, with weight decay as a part of the gradient.
    Adam,
    /// Adam with weight decay on the parameters themselves.
    AdamW,
}

/// What is done where classes are of different sizes.
///
/// ```
/// use vultus::train::{Balance, Recipe};
///
/// // FER2013 has 16 times as many happy faces as disgusted ones; at full weight the few would be too loud.
/// let recipe = Recipe { balance: Balance::Weights(0.5), ..Recipe::default() };
/// assert_eq!(Balance::default(), Balance::None);
/// assert_ne!(recipe, Recipe::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Balance {
    /// Nothing.
    #[default]
    None,
    /// Each epoch takes as many pictures of each class as the smallest has.
    Under,
    /// Each epoch takes as many pictures of each class as the largest has, some more than once.
    Over,
    /// Classes count in inverse proportion to this power of their size: at 1 all count alike, at 0 each picture does.
    Weights(f32),
}

/// Everything about a training but the network, the pictures and the device.
///
/// ```
/// use vultus::train::{Decay, Recipe, Schedule};
///
/// // The head learns ten times as fast as the convolutions; without progress in five epochs it ends.
/// let recipe = Recipe {
///     epochs: 40,
///     learning_rate: 1e-4,
///     head_factor: 10.0,
///     schedule: Schedule { warm_up: 2.0, decay: Decay::Cosine },
///     ema: Some(0.999),
///     patience: Some(5),
///     seed: 7,
///     ..Recipe::default()
/// };
/// assert_eq!((recipe.batch, recipe.label_smoothing), (64, 0.1));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recipe {
    /// How often every picture is seen.
    pub epochs: usize,
    /// Pictures that are computed at once.
    pub batch: usize,
    /// Batches whose gradients make one step.
    pub accumulate: u32,
    /// The precision that a GPU computes in.
    #[serde(default, skip_serializing_if = "is_f32")]
    pub precision: Precision,
    /// The rule of the optimiser.
    pub rule: Rule,
    /// The learning rate of the convolutions after the warm-up.
    pub learning_rate: f32,
    /// The factor for it in the dense layers.
    pub head_factor: f32,
    /// How it rises and falls.
    pub schedule: Schedule,
    /// Weight decay of weights; biases have none.
    pub weight_decay: f32,
    /// How much of each target goes evenly to all classes.
    pub label_smoothing: f32,
    /// How pictures of a batch are mixed, and the α of the distribution Beta(α, α) of their shares.
    pub mix: Option<(Mix, f32)>,
    /// What is done where classes are of different sizes.
    pub balance: Balance,
    /// Where examples have a probability for each class, each epoch draws one class for each example by them, instead of
    /// learning all probabilities at once.
    pub draw: bool,
    /// Share of its old value that an average over the parameters keeps in each step. The average is what is judged and
    /// saved then.
    pub ema: Option<f32>,
    /// The training ends when this many epochs after the best have not been better.
    pub patience: Option<usize>,
    /// Where everything that is drawn begins: start, order, variation, dropout.
    pub seed: u64,
}

/// Checkpoints of trainings in f32 do not say so.
fn is_f32(precision: &Precision) -> bool {
    *precision == Precision::F32
}

impl Default for Recipe {
    fn default() -> Self {
        Recipe {
            epochs: 20,
            batch: 64,
            accumulate: 1,
            precision: Precision::F32,
            rule: Rule::AdamW,
            learning_rate: 1e-3,
            head_factor: 1.0,
            schedule: Schedule { warm_up: 0.0, decay: Decay::Cosine },
            weight_decay: 0.01,
            label_smoothing: 0.1,
            mix: None,
            balance: Balance::None,
            draw: false,
            ema: None,
            patience: None,
            seed: 0,
        }
    }
}

impl Recipe {
    pub(super) fn check(&self) -> Result<()> {
        let wrong = |reason: String| Err(Error::invalid("training", reason));
        if self.epochs == 0 || self.batch == 0 || self.accumulate == 0 {
            return wrong(format!(
                "{} epochs of batches of {}, {} for a step: each must be at least 1",
                self.epochs, self.batch, self.accumulate
            ));
        }
        let rates = [self.learning_rate, self.head_factor, self.weight_decay];
        if !rates.iter().all(|rate| (0.0..=1e6).contains(rate)) {
            return wrong(format!("a learning rate, its factor or the weight decay of {rates:?} is out of range"));
        }
        if let Balance::Weights(power) = self.balance
            && !(0.0..=2.0).contains(&power)
        {
            return wrong(format!("classes weighed by the power {power} of their sizes: it must be within 0 and 2"));
        }
        if let Some(decay) = self.ema.filter(|decay| !(0.0..1.0).contains(decay)) {
            return wrong(format!("an average that keeps {decay} of its value in each step: less than 1 is needed"));
        }
        if let Some((_, alpha)) = self.mix.filter(|(_, alpha)| !(0.05..=100.0).contains(alpha)) {
            return wrong(format!("pictures are mixed with an α of {alpha}: it must be within 0.05 and 100"));
        }
        self.schedule.check()
    }

    pub(super) fn optimizer(&self) -> Optimizer {
        let adam = Adam { weight_decay: self.weight_decay, ..Adam::default() };
        match self.rule {
            Rule::Sgd => {
                Optimizer::Sgd(Sgd { momentum: 0.9, nesterov: true, weight_decay: self.weight_decay, ..Sgd::default() })
            }
            Rule::Adam => Optimizer::Adam(adam),
            Rule::AdamW => Optimizer::Adam(Adam { decoupled: true, ..adam }),
        }
    }

    /// The dense layers' own learning rate.
    pub(super) fn groups(&self, first_dense: Option<&str>) -> Vec<Group> {
        let group =
            |layer: &str| Group { from: layer.to_owned(), learning_rate_factor: self.head_factor, weight_decay: None };
        first_dense.filter(|_| self.head_factor != 1.0).map(group).into_iter().collect()
    }

    /// How much each class counts in the loss, by the examples that it has, or its share of them.
    pub(super) fn class_weights(&self, sizes: &[f64]) -> Vec<f32> {
        match self.balance {
            Balance::Weights(power) => class_weights(sizes, f64::from(power)),
            Balance::None | Balance::Under | Balance::Over => Vec::new(),
        }
    }
}
