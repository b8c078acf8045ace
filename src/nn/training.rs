//! How a network is trained, as data.

use super::Network;
use crate::error::{Error, Result};
use crate::ops::{Adam, CrossEntropy, Sgd};

/// How parameters follow their gradients.
///
/// ```
/// use vultus::nn::{Network, Optimizer, Training};
/// use vultus::ops::Sgd;
/// use vultus::{Device, Options};
///
/// let momentum = Optimizer::Sgd(Sgd { momentum: 0.9, nesterov: true, ..Sgd::default() });
/// let training = Training { optimizer: momentum, ..Training::default() };
/// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let mut plan = model.compile_training(1, &training, &Options::default())?;
/// assert!(plan.state()?.memory.keys().eq(["velocity of fc.bias", "velocity of fc.weight"]));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Optimizer {
    /// Stochastic gradient descent.
    Sgd(Sgd),
    /// Adam or AdamW.
    Adam(Adam),
}

impl Optimizer {
    /// The same with these in the place of its own.
    fn with(self, learning_rate_factor: f32, weight_decay: f32) -> Self {
        match self {
            Optimizer::Sgd(sgd) => Optimizer::Sgd(Sgd { learning_rate_factor, weight_decay, ..sgd }),
            Optimizer::Adam(adam) => Optimizer::Adam(Adam { learning_rate_factor, weight_decay, ..adam }),
        }
    }

    fn learning_rate_factor(&self) -> f32 {
        match self {
            Optimizer::Sgd(sgd) => sgd.learning_rate_factor,
            Optimizer::Adam(adam) => adam.learning_rate_factor,
        }
    }

    fn weight_decay(&self) -> f32 {
        match self {
            Optimizer::Sgd(sgd) => sgd.weight_decay,
            Optimizer::Adam(adam) => adam.weight_decay,
        }
    }
}

/// Which layers are trained. What comes before the first of them costs no more than inference.
///
/// ```
/// use vultus::nn::{Network, Trainable};
///
/// let network = Network::new("small", [2]).dense("fc1", "fc1", 8).relu().dense("fc2", "fc2", 2).softmax();
/// assert_eq!(network.parameters_from(&Trainable::From("fc2".into()))?, ["fc2.weight", "fc2.bias"]);
/// assert_eq!(network.parameters_from(&Trainable::All)?.len(), 4);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Trainable {
    /// All of them.
    #[default]
    All,
    /// The layer of this name and all after it.
    From(String),
}

/// Layers with a learning rate or a weight decay of their own: from one layer up to the next group.
///
/// ```
/// use vultus::nn::{Group, Network, Training};
/// use vultus::{Device, Options, StepOptions, Targets, Tensor};
///
/// let network = Network::new("small", [2]).dense("fc1", "fc1", 4).dense("fc2", "fc2", 2).softmax();
/// let parameters = network.initialize(1)?;
/// // Everything from fc2 on keeps still.
/// let still = Group { from: "fc2".into(), learning_rate_factor: 0.0, weight_decay: None };
/// let model = Device::Cpu.load(&network, &parameters)?;
/// let training = Training { groups: vec![still], ..Training::default() };
/// let mut plan = model.compile_training(1, &training, &Options::default())?;
/// let step = StepOptions { learning_rate: 0.1, ..StepOptions::default() };
/// plan.train(&Tensor::filled([1, 2], 1.0), Targets::Classes(&[Some(0)]), &step)?;
/// let trained = model.parameters()?;
/// assert_ne!(trained["fc1.weight"], parameters["fc1.weight"]);
/// assert_eq!(trained["fc2.weight"], parameters["fc2.weight"]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// The name of the group's first layer.
    pub from: String,
    /// What the learning rate of every step is multiplied with, in the place of the optimiser's own factor: 0 or more.
    pub learning_rate_factor: f32,
    /// The weight decay in the place of the optimiser's.
    pub weight_decay: Option<f32>,
}

/// What a training makes small.
///
/// ```
/// use vultus::nn::{Loss, Network, Training};
/// use vultus::{Device, Options, StepOptions, Targets, Tensor};
///
/// // Two numbers for each sample, such as valence and arousal.
/// let network = Network::new("small", [3]).dense("fc", "fc", 2);
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let training = Training { loss: Loss::Mse, ..Training::default() };
/// let mut plan = model.compile_training(1, &training, &Options::default())?;
/// let (input, wanted) = (Tensor::filled([1, 3], 1.0), Tensor::new([1, 2], vec![0.5, -2.0])?);
/// let step = StepOptions { learning_rate: 0.1, ..StepOptions::default() };
/// let losses = [(); 9].map(|()| plan.train(&input, Targets::Values(&wanted), &step));
/// assert!(losses[8].as_ref().unwrap() < &(0.1 * losses[0].as_ref().unwrap()));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Loss {
    /// The cross entropy of the network's logits with classes or probabilities. A softmax at the network's end is left out.
    CrossEntropy(CrossEntropy),
    /// The mean of squared differences between the network's output and values of the same shape, as PyTorch's `MSELoss`.
    Mse,
    /// The mean binary cross entropy of the network's output, as logits, with probabilities of the same shape, as
    /// PyTorch's `BCEWithLogitsLoss`. A target below 0 is ignored.
    BinaryCrossEntropy,
}

impl Default for Loss {
    /// Cross entropy without smoothing.
    fn default() -> Self {
        CrossEntropy::default().into()
    }
}

impl From<CrossEntropy> for Loss {
    fn from(loss: CrossEntropy) -> Self {
        Loss::CrossEntropy(loss)
    }
}

/// How a network is trained.
///
/// ```
/// use vultus::nn::{Group, Optimizer, Trainable, Training};
/// use vultus::ops::Adam;
///
/// // VGG16 from its fourth block on; the base ten times more slowly than the head, and no decay of biases.
/// let training = Training {
///     optimizer: Optimizer::Adam(Adam { weight_decay: 0.01, decoupled: true, ..Adam::default() }),
///     trainable: Trainable::From("block4_conv1".into()),
///     groups: vec![
///         Group { from: "block1_conv1".into(), learning_rate_factor: 0.1, weight_decay: None },
///         Group { from: "fc6".into(), learning_rate_factor: 1.0, weight_decay: None },
///     ],
///     decay_biases: false,
///     ..Training::default()
/// };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    /// What is made small.
    pub loss: Loss,
    /// How much each class counts in the cross entropy; empty for 1 each.
    pub class_weights: Vec<f32>,
    /// The optimiser.
    pub optimizer: Optimizer,
    /// Which layers are trained.
    pub trainable: Trainable,
    /// Layers that the optimiser treats in another way, in any order. Those before the first group have none.
    pub groups: Vec<Group>,
    /// Whether weight decay acts on biases and on the slopes of PReLUs too, as it does in PyTorch unless told otherwise.
    /// Many recipes leave them out (He et al. 2019, "Bag of Tricks").
    pub decay_biases: bool,
    /// The decay of a moving average of each trained parameter (0.999, say), as [`Ema`](crate::ops::Ema) defines it;
    /// [`TrainingPlan::averages`](crate::TrainingPlan::averages) gives them. They take as much memory as the parameters.
    pub ema: Option<f32>,
    /// Whether targets of the cross entropy are probabilities for each class
    /// ([`Targets::Probabilities`](crate::Targets::Probabilities)) instead of class numbers: for mixtures of images, say.
    pub soft_targets: bool,
    /// The most micro-batches that one step may have. From 2 on, the gradients of a step's micro-batches are averaged
    /// ([`StepOptions::micro_batches`](crate::StepOptions::micro_batches)) in memory of their own, as much as the trained
    /// parameters take, and the optimiser takes its step after the last: as one batch of all samples would do.
    pub accumulate: usize,
}

impl Default for Training {
    /// Cross-entropy and plain gradient descent on every parameter; the decay of biases is on, as in PyTorch.
    fn default() -> Self {
        Training {
            loss: Loss::default(),
            class_weights: Vec::new(),
            optimizer: Optimizer::Sgd(Sgd::default()),
            trainable: Trainable::All,
            groups: Vec::new(),
            decay_biases: true,
            ema: None,
            soft_targets: false,
            accumulate: 1,
        }
    }
}

impl Training {
    /// Whether every group begins with a layer of its own.
    pub(super) fn check_groups(&self, network: &Network) -> Result<()> {
        for (number, group) in self.groups.iter().enumerate() {
            network.index(&group.from)?;
            if self.groups[..number].iter().any(|other| other.from == group.from) {
                return Err(Error::invalid(network.name(), format!("two groups begin with layer {:?}", group.from)));
            }
        }
        Ok(())
    }

    /// The optimiser of a layer's weights, or of its biases or slopes. The groups have been checked.
    pub(super) fn optimizer_of(&self, network: &Network, layer: usize, is_weight: bool) -> Optimizer {
        let starts = self.groups.iter().filter_map(|group| Some((network.index(&group.from).ok()?, group)));
        let group = starts.filter(|(start, _)| *start <= layer).max_by_key(|(start, _)| *start).map(|(_, group)| group);
        let factor = group.map_or(self.optimizer.learning_rate_factor(), |group| group.learning_rate_factor);
        let decay = group.and_then(|group| group.weight_decay).unwrap_or(self.optimizer.weight_decay());
        self.optimizer.with(factor, if is_weight || self.decay_biases { decay } else { 0.0 })
    }
}
