//! Plans that train: they take steps, count them, and say what a later run needs to go on.

use super::plan::{LayerTime, Plan};
use crate::error::{Error, Result};
use crate::gpu::GpuPlan;
use crate::nn::average_name;
use crate::ops::{Normalization, Op, RunState, Variation};
use crate::program::{Storage, ValueId, gradient_name};
use crate::tensor::{Parameters, Tensor, check_tensors};

/// A network on a device that is trained there, with all the memory that this needs. It counts its steps.
///
/// ```
/// use vultus::nn::{Network, Training};
/// use vultus::{Device, Options, StepOptions, Targets, Tensor};
///
/// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let mut plan = model.compile_training(3, &Training::default(), &Options::default())?;
/// let input = Tensor::new([3, 2], vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0])?;
/// let mut losses = Vec::new();
/// for _ in 0..20 {
///     let step = StepOptions { learning_rate: 1.0, ..StepOptions::default() };
///     losses.push(plan.train(&input, Targets::Classes(&[Some(0), Some(1), None]), &step)?);
/// }
/// assert!(losses[19] < losses[0] / 2.0);
/// assert_eq!(plan.steps(), 20);
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct TrainingPlan {
    plan: Plan,
    /// The operation that gives the loss.
    loss: Op,
    target: ValueId,
    /// None but for the cross entropy.
    class_weights: Vec<f32>,
    /// Steps that have been taken.
    steps: u32,
    /// The micro-batches of the present step that have run, of how many, and what their samples weigh in the loss.
    under_way: Option<(u32, u32, f64)>,
}

/// What a network should have made of a batch.
///
/// ```
/// use vultus::nn::{Network, Training};
/// use vultus::{Device, Options, StepOptions, Targets, Tensor};
///
/// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
/// let training = Training { soft_targets: true, ..Training::default() };
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let mut plan = model.compile_training(1, &training, &Options::default())?;
/// let (input, mixed) = (Tensor::filled([1, 2], 1.0), Tensor::new([1, 2], vec![0.3, 0.7])?);
/// assert!(plan.train(&input, Targets::Probabilities(&mixed), &StepOptions::default())? > 0.0);
/// // A plan is compiled for one kind.
/// assert!(plan.train(&input, Targets::Classes(&[Some(1)]), &StepOptions::default()).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// The class of each sample; `None` fills up a batch that is not full and counts for nothing.
    Classes(&'a [Option<usize>]),
    /// A probability for each class (`[batch, classes]`), for a plan with
    /// [`Training::soft_targets`](crate::nn::Training::soft_targets). A row of −1 fills up a batch that is not full and
    /// counts for nothing. The loss is the one that [`crate::ops::cross_entropy`] defines for soft targets.
    Probabilities(&'a Tensor),
    /// What the network should have given, in the shape of its output, for a plan with another
    /// [`Training::loss`](crate::nn::Training::loss) than the cross entropy.
    Values(&'a Tensor),
}

/// How a step of training is taken.
///
/// ```
/// use vultus::nn::{Network, Training};
/// use vultus::{Device, Options, StepOptions, Targets, Tensor};
///
/// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
/// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
/// let training = Training { accumulate: 2, ..Training::default() };
/// let mut plan = model.compile_training(1, &training, &Options::default())?;
/// let start = model.parameters()?;
/// // One step of two micro-batches: the parameters move after the second.
/// let step = StepOptions { learning_rate: 0.1, micro_batches: 2, ..StepOptions::default() };
/// plan.train(&Tensor::filled([1, 2], 1.0), Targets::Classes(&[Some(0)]), &step)?;
/// assert_eq!((model.parameters()?, plan.steps()), (start.clone(), 0));
/// plan.train(&Tensor::filled([1, 2], -1.0), Targets::Classes(&[Some(0)]), &step)?;
/// assert_ne!(model.parameters()?, start);
/// assert_eq!(plan.steps(), 1);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepOptions {
    /// The learning rate.
    pub learning_rate: f32,
    /// The seed of what is drawn at random: what dropout drops.
    pub seed: u64,
    /// How many micro-batches the step has: at most [`Training::accumulate`](crate::nn::Training::accumulate). It is the
    /// same in all of them. What dropout drops goes on from one to the next as if they were one batch, where the values of
    /// each are a multiple of 4.
    pub micro_batches: u32,
}

impl Default for StepOptions {
    fn default() -> Self {
        StepOptions { learning_rate: 0.0, seed: 0, micro_batches: 1 }
    }
}

/// What a training needs besides the model's parameters to go on as if it had not ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TrainingState {
    /// Steps that were taken.
    pub steps: u32,
    /// The optimiser's memory by names such as `velocity of features.0.weight` or `m of classifier.3.bias`, and moving
    /// averages (`average of …`).
    pub memory: Parameters,
}

impl TrainingPlan {
    /// # Errors
    /// [`Error::InvalidArgument`] if the program has no loss.
    pub(super) fn new(plan: Plan) -> Result<Self> {
        let program = plan.program();
        let loss = program
            .steps
            .iter()
            .find(|step| matches!(step.op, Op::CrossEntropy(_) | Op::MseLoss | Op::BinaryCrossEntropy));
        if let Some((loss, [_, target, weights @ ..])) = loss.map(|loss| (loss.op.clone(), loss.inputs.as_slice())) {
            let class_weights = match weights.first().map(|&weights| &program.values[weights].storage) {
                Some(Storage::Constant(weights)) => weights.clone(),
                _ => Vec::new(),
            };
            let target = *target;
            return Ok(TrainingPlan { plan, loss, target, class_weights, steps: 0, under_way: None });
        }
        Err(Error::invalid(&program.name, "there is no loss to train by"))
    }

    /// One step: forward, backward, optimiser; the loss.
    ///
    /// In a step of several micro-batches this is the next of them, and the loss is the mean over its samples. All together
    /// train as one batch would: each sample counts by the weight of its class.
    ///
    /// # Errors
    /// [`Error::Shape`] if the input has another shape, or there are more or fewer targets than the batch has samples.
    /// [`Error::InvalidArgument`] if the targets are not those of the plan's kind, one is not a class, or a row is
    /// neither made of probabilities that sum to 1 (within a thousandth) nor of −1; or if the number of micro-batches
    /// is 0, not the one that the step began with, or more than the plan has room for. [`Error::DeviceLost`] if the
    /// device is gone.
    pub fn train(&mut self, input: &Tensor, targets: Targets, options: &StepOptions) -> Result<f32> {
        self.train_by(targets, options, |plan| plan.set_input(0, input))
    }

    /// As [`TrainingPlan::train`], on pictures in bytes that are varied and normalised on the device: a whole batch of them,
    /// as [`Plan::set_varied`] takes them.
    ///
    /// ```
    /// use vultus::nn::{Network, Training};
    /// use vultus::ops::{Normalization, Variation};
    /// use vultus::{Device, Options, StepOptions, Targets};
    ///
    /// let network = Network::new("small", [3, 1, 2]).flatten().dense("fc", "fc", 2).softmax();
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let mut plan = model.compile_training(2, &Training::default(), &Options::default())?;
    /// let (left, right) = ([255, 0], [0, 255]);
    /// let mirrored = Variation { x: [-1.0, 0.0, 2.0], ..Variation::none() };
    /// let (targets, step) = ([Some(0), Some(1)], StepOptions { learning_rate: 0.1, ..StepOptions::default() });
    /// let mut train = |variations: [Variation; 2]| {
    ///     let targets = Targets::Classes(&targets);
    ///     plan.train_varied(&[&left, &right], &variations, &Normalization::MTCNN, targets, &step)
    /// };
    /// let (first, second) = (train([Variation::none(); 2])?, train([Variation::none(); 2])?);
    /// assert!(second < first);
    /// // Who is mirrored looks like the other.
    /// assert!(train([mirrored; 2])? > second);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`TrainingPlan::train`] and [`Plan::set_varied`]; [`Error::Shape`] if there are fewer pictures than the batch has
    /// images.
    pub fn train_varied(
        &mut self,
        pictures: &[&[u8]],
        variations: &[Variation],
        normalization: &Normalization,
        targets: Targets,
        options: &StepOptions,
    ) -> Result<f32> {
        let batch = self.plan.input_shapes()[0][0];
        if pictures.len() != batch {
            let reason = format!("{} pictures for a batch of {batch}", pictures.len());
            return Err(Error::shape(&self.plan.program().name, reason));
        }
        self.train_by(targets, options, |plan| plan.set_varied(pictures, variations, normalization))
    }

    /// Takes a step on what `fill` makes the input.
    fn train_by(
        &mut self,
        targets: Targets,
        options: &StepOptions,
        fill: impl FnOnce(&mut Plan) -> Result<()>,
    ) -> Result<f32> {
        let (values, weight) = self.target_values(targets)?;
        fill(&mut self.plan)?;
        self.plan.write(self.target, &values);
        self.step(weight, options)?;
        let loss = self.plan.program().outputs[0];
        Ok(self.plan.read(loss)?.data()[0])
    }

    /// The targets as the loss reads them, and what the samples weigh in it.
    fn target_values(&self, targets: Targets) -> Result<(Vec<f32>, f64)> {
        let program = self.plan.program();
        let (shape, classes) = (&program.values[self.target].shape, self.class_weights.len());
        let misshapen = |reason: String| Err(Error::shape(&program.name, reason));
        let refused = |reason: String| Err(Error::invalid(&program.name, reason));
        match (targets, &self.loss, shape.len()) {
            (Targets::Classes(targets), Op::CrossEntropy(_), 1) => {
                let (wanted, given) = (shape[0], targets.len());
                let reason = || format!("takes {wanted} targets below {classes}, not {given} such as {targets:?}");
                if given != wanted {
                    return misshapen(reason());
                }
                if targets.iter().flatten().any(|&target| target >= classes) {
                    return refused(reason());
                }
                let weight = targets.iter().flatten().map(|&target| f64::from(self.class_weights[target])).sum();
                Ok((targets.iter().map(|target| target.map_or(-1.0, |class| class as f32)).collect(), weight))
            }
            (Targets::Probabilities(targets), Op::CrossEntropy(_), 2) => {
                if targets.shape() != shape {
                    return misshapen(format!("takes soft targets of the shape {shape:?}, not {:?}", targets.shape()));
                }
                let mut rows = targets.data().chunks(classes).enumerate();
                if let Some((row, wrong)) = rows.find(|(_, row)| !is_soft_target(row)) {
                    let reason =
                        format!("the soft targets {wrong:?} of sample {row} are not probabilities that sum to 1");
                    return refused(reason);
                }
                let weight = targets.data().chunks(classes).filter(|row| row[0] >= 0.0).count() as f64;
                Ok((targets.data().to_vec(), weight))
            }
            (Targets::Values(targets), Op::MseLoss | Op::BinaryCrossEntropy, _) => {
                if targets.shape() != shape {
                    return misshapen(format!("takes targets of the shape {shape:?}, not {:?}", targets.shape()));
                }
                let most = if self.loss == Op::MseLoss { f32::INFINITY } else { 1.0 };
                if let Some(wrong) = targets.data().iter().find(|target| !target.is_finite() || **target > most) {
                    return refused(format!("the target {wrong} is not finite, or above 1 where it is a probability"));
                }
                let counts = |target: &&f32| self.loss == Op::MseLoss || **target >= 0.0;
                Ok((targets.data().to_vec(), targets.data().iter().filter(counts).count() as f64))
            }
            (Targets::Values(_), ..) => {
                refused("takes classes or probabilities as targets (Training::loss), not values".to_owned())
            }
            (_, Op::MseLoss | Op::BinaryCrossEntropy, _) => {
                refused("takes values as targets (Training::loss), not classes or probabilities".to_owned())
            }
            (Targets::Classes(_), ..) => {
                refused("takes probabilities as targets (Training::soft_targets), not classes".to_owned())
            }
            (Targets::Probabilities(_), ..) => {
                refused("takes classes as targets, not probabilities (Training::soft_targets)".to_owned())
            }
        }
    }

    /// Runs the next micro-batch, whose samples weigh so much in the loss.
    fn step(&mut self, weight: f64, options: &StepOptions) -> Result<()> {
        let program = self.plan.program();
        let (most, micro_batches) = (program.micro_batches, options.micro_batches);
        let (micro_batch, before) = match self.under_way {
            Some((done, all, _)) if all != micro_batches => {
                let reason =
                    format!("{done} of the step's {all} micro-batches have run: it cannot have {micro_batches}");
                return Err(Error::invalid(&program.name, reason));
            }
            Some((done, _, weight)) => (done, weight),
            None => (0, 0.0),
        };
        if micro_batches == 0 || micro_batches as usize > most {
            let reason = format!("a step of {micro_batches} micro-batches: it has 1 to {most} (Training::accumulate)");
            return Err(Error::invalid(&program.name, reason));
        }
        let StepOptions { learning_rate, seed, .. } = *options;
        let state = RunState { step: self.steps + 1, learning_rate, seed, micro_batch, micro_batches };
        let share = if before > 0.0 { weight / (before + weight) } else { 1.0 };
        // If it fails, the step begins anew.
        self.under_way = None;
        self.plan.submit(&state, share as f32, &[])?;
        if state.ends_step() {
            self.steps += 1;
        } else {
            self.under_way = Some((micro_batch + 1, micro_batches, before + weight));
        }
        Ok(())
    }

    /// Steps that have been taken, those of the state that the plan goes on from included.
    pub fn steps(&self) -> u32 {
        self.steps
    }

    /// The gradient of a parameter in the last step of a training plan.
    ///
    /// # Errors
    /// [`Error::UnknownName`] if the plan trains no such parameter; [`Error::DeviceLost`] if the device is gone.
    ///
    /// ```
    /// use vultus::nn::{Network, Training};
    /// use vultus::{Device, Options, StepOptions, Targets, Tensor};
    ///
    /// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let mut plan = model.compile_training(1, &Training::default(), &Options::default())?;
    /// plan.train(&Tensor::filled([1, 2], 1.0), Targets::Classes(&[Some(0)]), &StepOptions::default())?;
    /// // More of the right class would lower the loss.
    /// let gradient = plan.gradient("fc.bias")?;
    /// assert!(gradient.data()[0] < 0.0 && gradient.data()[1] > 0.0);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn gradient(&mut self, parameter: &str) -> Result<Tensor> {
        let program = self.plan.program();
        // Other gradients share memory with what came after them.
        let is_kept = |id: &ValueId| program.values[*id].storage == Storage::Gradient;
        let Some(id) = self.plan.find(&gradient_name(parameter)).filter(is_kept) else {
            return Err(Error::unknown(&program.name, format!("trained parameter {parameter:?}"), None::<&str>));
        };
        self.plan.read(id)
    }

    /// The outputs of the last run: the loss and the logits. Blocks until they are there.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn outputs(&mut self) -> Result<Vec<Tensor>> {
        self.plan.outputs()
    }

    /// The output of a layer in the last run, as [`Plan::activation`] gives it.
    ///
    /// # Errors
    /// As [`Plan::activation`].
    pub fn activation(&mut self, layer: &str) -> Result<Tensor> {
        self.plan.activation(layer)
    }

    /// Waits until the device has done what was submitted to it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn wait(&self) -> Result<()> {
        self.plan.wait()
    }

    /// The plan on the GPU, where it runs on one.
    pub fn gpu(&self) -> Option<&GpuPlan> {
        self.plan.gpu()
    }

    /// Takes a step on the inputs that are there with a learning rate of 0 and times every part of it, as
    /// [`Plan::profile`] does. It still moves the optimiser's memory: profile a plan that is not trained further.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn profile(&mut self) -> Result<Vec<LayerTime>> {
        self.under_way = None;
        self.plan.profile()
    }

    /// The plan itself, for measurements of single steps.
    #[doc(hidden)]
    pub fn as_plan(&mut self) -> &mut Plan {
        &mut self.plan
    }

    /// What a later run needs to go on from here, with the model's parameters. Between the micro-batches of a step it is the
    /// state before that step. Blocks until the device is done with what it is doing.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn state(&mut self) -> Result<TrainingState> {
        let program = self.plan.program().clone();
        let memory = program.states().map(|(id, value)| Ok((value.name.clone(), self.plan.read_once(id)?)));
        Ok(TrainingState { steps: self.steps, memory: memory.collect::<Result<_>>()? })
    }

    /// Goes on from the state that [`TrainingPlan::state`] gave, of this plan or of another one that trains the same
    /// parameters with the same optimiser.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if something is missing, [`Error::UnknownName`] if it is not a part of this plan's
    /// state, [`Error::Shape`] if it has another shape: nothing is changed then. [`Error::DeviceLost`] if the device is
    /// gone.
    ///
    /// ```
    /// use vultus::nn::{Network, Optimizer, Training};
    /// use vultus::ops::Adam;
    /// use vultus::{Device, Options, StepOptions, Targets, Tensor};
    ///
    /// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
    /// let training = Training { optimizer: Optimizer::Adam(Adam::default()), ..Training::default() };
    /// let input = Tensor::filled([1, 2], 1.0);
    /// let (targets, step) = (Targets::Classes(&[Some(1)]), StepOptions { learning_rate: 0.1, ..StepOptions::default() });
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let mut first = model.compile_training(1, &training, &Options::default())?;
    /// first.train(&input, targets, &step)?;
    /// let (parameters, state) = (model.parameters()?, first.state()?);
    ///
    /// // Another day.
    /// let model = Device::Cpu.load(&network, &parameters)?;
    /// let mut second = model.compile_training(1, &training, &Options::default())?;
    /// second.set_state(&state)?;
    /// assert_eq!(second.train(&input, targets, &step)?, first.train(&input, targets, &step)?);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn set_state(&mut self, state: &TrainingState) -> Result<()> {
        let program = self.plan.program().clone();
        let wanted = program.states().map(|(_, value)| (value.name.clone(), value.shape.clone()));
        check_tensors(&program.name, "training state", wanted, &state.memory)?;
        let values = program.states().filter_map(|(id, value)| Some((id, state.memory.get(&value.name)?)));
        self.plan.write_all(&values.collect::<Vec<_>>())?;
        self.steps = state.steps;
        self.under_way = None;
        Ok(())
    }

    /// The moving averages of the parameters that the plan trains, under the parameters' names. With the other parameters
    /// of the model they make up the averaged network.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the plan keeps none (see [`Training::ema`](crate::nn::Training::ema)) or has not
    /// taken a step yet; [`Error::DeviceLost`] if the device is gone.
    ///
    /// ```
    /// use vultus::nn::{Network, Training};
    /// use vultus::{Device, Options, StepOptions, Targets, Tensor};
    ///
    /// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let training = Training { ema: Some(0.999), ..Training::default() };
    /// let mut plan = model.compile_training(1, &training, &Options::default())?;
    /// let step = StepOptions { learning_rate: 0.1, ..StepOptions::default() };
    /// plan.train(&Tensor::filled([1, 2], 1.0), Targets::Classes(&[Some(0)]), &step)?;
    /// // After the first step they are the parameters themselves.
    /// assert_eq!(plan.averages()?, model.parameters()?);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn averages(&mut self) -> Result<Parameters> {
        let program = self.plan.program().clone();
        let parameters = program.values.iter().filter(|value| matches!(value.storage, Storage::Parameter(_)));
        let average = |name| self.plan.find(&average_name(name));
        let averages: Vec<(&String, ValueId)> =
            parameters.filter_map(|value| Some((&value.name, average(&value.name)?))).collect();
        if averages.is_empty() || self.steps == 0 {
            return Err(Error::invalid(
                &program.name,
                "there are no moving averages: the plan keeps none, or took no step",
            ));
        }
        averages.into_iter().map(|(name, id)| Ok((name.clone(), self.plan.read_once(id)?))).collect()
    }
}

/// Whether these are probabilities of classes, or what fills up a batch.
fn is_soft_target(row: &[f32]) -> bool {
    let sum: f32 = row.iter().sum();
    row.iter().all(|&value| value == -1.0) || row.iter().all(|&value| value >= 0.0) && (sum - 1.0).abs() <= 1e-3
}
