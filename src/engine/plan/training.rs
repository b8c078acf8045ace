//! Plans that train: a step, and what steps leave behind.

use super::super::backend::Executor;
use super::Plan;
use crate::error::{Error, Result};
use crate::nn::{average_name, gradient_name};
use crate::ops::{Op, RunState};
use crate::program::{Step, Storage, ValueId};
use crate::tensor::{Parameters, Tensor, check_tensors};

impl Plan {
    /// One step of a training plan: forward, backward, optimiser; the loss. Targets are class numbers; `None` fills up
    /// a batch that is not full and counts for nothing.
    ///
    /// In a step of several micro-batches ([`Training::accumulate`](crate::nn::Training::accumulate)) this is one of them,
    /// and the loss is the mean over its samples. All together train as one batch would: each sample counts by the weight
    /// of its class.
    ///
    /// # Errors
    /// [`Error::Shape`] if the input has another shape, a target is missing or is not a class, or the plan does not
    /// train, trains on soft targets, or is in another micro-batch of its step; [`Error::DeviceLost`] if the device is gone.
    ///
    /// ```
    /// use vultus::nn::{Network, Training};
    /// use vultus::ops::RunState;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let mut plan = model.compile_training(3, &Training::default(), &Options::default())?;
    /// let input = Tensor::new([3, 2], vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0])?;
    /// let mut losses = Vec::new();
    /// for step in 1..=20 {
    ///     let state = RunState { step, learning_rate: 1.0, ..RunState::default() };
    ///     losses.push(plan.train(&input, &[Some(0), Some(1), None], &state)?);
    /// }
    /// assert!(losses[19] < losses[0] / 2.0);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn train(&mut self, input: &Tensor, targets: &[Option<usize>], state: &RunState) -> Result<f32> {
        let Targets { value, classes, class_weights, is_soft } = self.targets()?;
        if is_soft {
            return Err(Error::shape(&self.program.name, "takes soft targets: Plan::train_soft gives it some"));
        }
        let wanted = self.program.values[value].len();
        if targets.len() != wanted || targets.iter().flatten().any(|&t| t >= classes) {
            let reason = format!("takes {wanted} targets below {classes}, not {} such as {:?}", targets.len(), targets);
            return Err(Error::shape(&self.program.name, reason));
        }
        let weight = targets.iter().flatten().map(|&t| f64::from(class_weights[t])).sum();
        let targets: Vec<f32> = targets.iter().map(|t| t.map_or(-1.0, |class| class as f32)).collect();
        self.step(input, (value, &targets), weight, state)
    }

    /// As [`Plan::train`], with a probability for each class as targets (`[batch, classes]`), of a plan that was compiled
    /// with [`Training::soft_targets`](crate::nn::Training::soft_targets). A row of −1 fills up a batch that is not full
    /// and counts for nothing. The loss is the one that [`crate::ops::cross_entropy`] defines for soft targets.
    ///
    /// # Errors
    /// [`Error::Shape`] if the input or the targets have another shape, a row of targets is neither made of probabilities
    /// that sum to 1 (within a thousandth) nor of −1, or the plan does not train on soft targets; [`Error::DeviceLost`]
    /// if the device is gone.
    ///
    /// ```
    /// use vultus::nn::{Network, Training};
    /// use vultus::ops::RunState;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
    /// let training = Training { soft_targets: true, ..Training::default() };
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let mut plan = model.compile_training(1, &training, &Options::default())?;
    /// let mixed = Tensor::new([1, 2], vec![0.3, 0.7])?;
    /// assert!(plan.train_soft(&Tensor::filled([1, 2], 1.0), &mixed, &RunState::default())? > 0.0);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn train_soft(&mut self, input: &Tensor, targets: &Tensor, state: &RunState) -> Result<f32> {
        let Targets { value, classes, is_soft, .. } = self.targets()?;
        if !is_soft {
            let reason = "takes class numbers: Plan::train gives it some (Training::soft_targets)";
            return Err(Error::shape(&self.program.name, reason));
        }
        let wanted = &self.program.values[value].shape;
        if targets.shape() != wanted {
            let reason = format!("takes soft targets of the shape {wanted:?}, not {:?}", targets.shape());
            return Err(Error::shape(&self.program.name, reason));
        }
        if let Some((row, wrong)) = targets.data().chunks(classes).enumerate().find(|(_, row)| !is_soft_target(row)) {
            let reason = format!("the soft targets {wrong:?} of sample {row} are no probabilities that sum to 1");
            return Err(Error::shape(&self.program.name, reason));
        }
        let weight = targets.data().chunks(classes).filter(|row| row[0] >= 0.0).count() as f64;
        self.step(input, (value, targets.data()), weight, state)
    }

    /// `weight` is what the samples weigh in the loss.
    fn step(&mut self, input: &Tensor, targets: (ValueId, &[f32]), weight: f64, state: &RunState) -> Result<f32> {
        self.set_input(0, input)?;
        self.write(targets.0, targets.1);
        self.execute_weighing(state, weight, false)?;
        Ok(self.read(self.program.outputs[0])?.data()[0])
    }

    /// Runs the plan on the inputs that are there; in a step of several micro-batches, this one counts by its weight. With
    /// `copies` the outputs can be read without another copy.
    pub(super) fn execute_weighing(&mut self, state: &RunState, weight: f64, copies: bool) -> Result<()> {
        self.check_step(state)?;
        let before = match (self.program.micro_batches, state.micro_batch) {
            (_, 0) => 0.0,
            // An operation by itself, whose micro-batches nobody has counted: all weigh the same.
            (0, number) => weight * f64::from(number),
            _ => self.progress.weight,
        };
        let share = if before > 0.0 { weight / (before + weight) } else { 1.0 };
        // Until it has run, nothing follows.
        self.progress = Progress::default();
        match &mut self.executor {
            Executor::Cpu(plan) => plan.run(state, share as f32),
            Executor::Gpu(plan) => plan.submit(state, share as f32, copies)?,
        }
        if state.ends_step() {
            self.has_state = true;
        } else {
            self.progress = Progress { next: Some((state.step, state.micro_batch + 1)), weight: before + weight };
        }
        Ok(())
    }

    /// The targets of a plan that trains.
    fn targets(&self) -> Result<Targets> {
        let loss = self.program.steps.iter().find(|step| matches!(step.op, Op::CrossEntropy(_)));
        let values = &self.program.values;
        if let (&[_, value], Some(&[_, _, weights])) =
            (self.program.inputs.as_slice(), loss.map(|loss| loss.inputs.as_slice()))
            && let Storage::Constant(class_weights) = &values[weights].storage
        {
            let (classes, is_soft) = (class_weights.len(), values[value].shape.len() == 2);
            return Ok(Targets { value, classes, class_weights: class_weights.clone(), is_soft });
        }
        Err(Error::shape(&self.program.name, "the plan was not compiled for training"))
    }

    /// Whether this can be the next run: micro-batches come one after the other, and moving averages begin with step 1 or
    /// go on from a state.
    fn check_step(&self, state: &RunState) -> Result<()> {
        let most = self.program.micro_batches;
        if most == 0 {
            return Ok(());
        }
        let (number, all) = (state.micro_batch, state.micro_batches);
        if number >= all || all as usize > most {
            let reason = format!("micro-batch {number} of {all}: a step has {most} at most (Training::accumulate)");
            return Err(Error::shape(&self.program.name, reason));
        }
        if number > 0 && self.progress.next != Some((state.step, number)) {
            let reason = format!("micro-batch {number} of step {} does not follow the last run", state.step);
            return Err(Error::shape(&self.program.name, reason));
        }
        let is_state = |id: ValueId| self.program.values[id].storage == Storage::State;
        let is_average = |step: &Step| matches!(step.op, Op::Ema(_)) && is_state(step.inputs[0]);
        let has_averages = || self.program.steps.iter().any(is_average);
        if state.step <= 1 || self.has_state || !has_averages() {
            return Ok(());
        }
        let reason =
            format!("moving averages begin with step 1, not {}: set the state of the steps before", state.step);
        Err(Error::shape(&self.program.name, reason))
    }

    /// The gradient of a parameter in the last step of a training plan.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is none.
    ///
    /// ```
    /// use vultus::nn::{Network, Training};
    /// use vultus::ops::RunState;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let mut plan = model.compile_training(1, &Training::default(), &Options::default())?;
    /// plan.train(&Tensor::filled([1, 2], 1.0), &[Some(0)], &RunState::default())?;
    /// // More of the right class would lower the loss.
    /// let gradient = plan.gradient("fc.bias")?;
    /// assert!(gradient.data()[0] < 0.0 && gradient.data()[1] > 0.0);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn gradient(&mut self, parameter: &str) -> Result<Tensor> {
        let id = self.find(&gradient_name(parameter))?;
        // Other gradients share memory with what came after them.
        if self.program.values[id].storage != Storage::Gradient {
            return Err(Error::shape(parameter, "this is not a parameter that the plan trains"));
        }
        self.read(id)
    }

    /// The optimiser's memory as it is after the last step, by names such as `velocity of features.0.weight` or `m of
    /// classifier.3.bias`, and moving averages (`average of …`): with the model's parameters, all that a later run needs
    /// to go on as if this one had not ended. Between the micro-batches of a step it is the state before that step. Empty
    /// for a plan that does not train. Blocks until the device is done with what it is doing.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if the device is gone.
    pub fn state(&mut self) -> Result<Parameters> {
        let program = self.program.clone();
        program.states().map(|(id, value)| Ok((value.name.clone(), self.read_once(id)?))).collect()
    }

    /// Takes the optimiser's memory that [`Plan::state`] gave, of this plan or of another one that trains the same
    /// parameters with the same optimiser.
    ///
    /// # Errors
    /// [`Error::Shape`] if something is missing, is no part of this plan's state, or has another shape: nothing is changed
    /// then. [`Error::DeviceLost`] if the device is gone.
    ///
    /// ```
    /// use vultus::nn::{Network, Optimizer, Training};
    /// use vultus::ops::{Adam, RunState};
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
    /// let training = Training { optimizer: Optimizer::Adam(Adam::default()), ..Training::default() };
    /// let (input, state) = (Tensor::filled([1, 2], 1.0), RunState { learning_rate: 0.1, ..RunState::default() });
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let mut first = model.compile_training(1, &training, &Options::default())?;
    /// first.train(&input, &[Some(1)], &state)?;
    /// let (parameters, memory) = (model.parameters()?, first.state()?);
    ///
    /// // Another day.
    /// let model = Device::Cpu.load(&network, &parameters)?;
    /// let mut second = model.compile_training(1, &training, &Options::default())?;
    /// second.set_state(&memory)?;
    /// let state = RunState { step: 2, ..state };
    /// assert_eq!(second.train(&input, &[Some(1)], &state)?, first.train(&input, &[Some(1)], &state)?);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn set_state(&mut self, state: &Parameters) -> Result<()> {
        let program = self.program.clone();
        let wanted = program.states().map(|(_, value)| (value.name.clone(), value.shape.clone()));
        check_tensors(&program.name, "training state", wanted, state)?;
        let values: Vec<_> = program.states().filter_map(|(id, value)| Some((id, state.get(&value.name)?))).collect();
        match &mut self.executor {
            Executor::Cpu(plan) => values.iter().for_each(|(id, tensor)| plan.write(*id, tensor.data())),
            Executor::Gpu(plan) => plan.write_all(&values)?,
        }
        self.has_state = true;
        self.progress = Progress::default();
        Ok(())
    }

    /// The moving averages of the parameters that the plan trains, under the parameters' names. With the other parameters
    /// of the model they make up the averaged network.
    ///
    /// # Errors
    /// [`Error::Shape`] if the plan keeps none (see [`Training::ema`](crate::nn::Training::ema)) or has not taken a step
    /// yet; [`Error::DeviceLost`] if the device is gone.
    ///
    /// ```
    /// use vultus::nn::{Network, Training};
    /// use vultus::ops::RunState;
    /// use vultus::{Device, Options, Tensor};
    ///
    /// let network = Network::new("small", [2]).dense("fc", "fc", 2).softmax();
    /// let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
    /// let training = Training { ema: Some(0.999), ..Training::default() };
    /// let mut plan = model.compile_training(1, &training, &Options::default())?;
    /// plan.train(&Tensor::filled([1, 2], 1.0), &[Some(0)], &RunState { learning_rate: 0.1, ..RunState::default() })?;
    /// // After the first step they are the parameters themselves.
    /// assert_eq!(plan.averages()?, model.parameters()?);
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn averages(&mut self) -> Result<Parameters> {
        let program = self.program.clone();
        let parameters = program.values.iter().filter(|value| matches!(value.storage, Storage::Parameter(_)));
        let averages = parameters.filter_map(|value| Some((&value.name, self.find(&average_name(&value.name)).ok()?)));
        let averages: Vec<(&String, ValueId)> = averages.collect();
        if averages.is_empty() || !self.has_state {
            return Err(Error::shape(
                &program.name,
                "there are no moving averages: the plan keeps none, or took no step",
            ));
        }
        averages.into_iter().map(|(name, id)| Ok((name.clone(), self.read_once(id)?))).collect()
    }
}

/// What a plan that trains takes besides the images.
struct Targets {
    value: ValueId,
    classes: usize,
    class_weights: Vec<f32>,
    is_soft: bool,
}

/// How far a step of several micro-batches has come.
#[derive(Default)]
pub(super) struct Progress {
    /// The step and the micro-batch that come next.
    next: Option<(u32, u32)>,
    /// What the samples of the step so far weigh in the loss.
    weight: f64,
}

/// Whether these are probabilities of classes, or what fills up a batch.
fn is_soft_target(row: &[f32]) -> bool {
    let sum: f32 = row.iter().sum();
    row.iter().all(|&value| value == -1.0) || row.iter().all(|&value| value >= 0.0) && (sum - 1.0).abs() <= 1e-3
}
