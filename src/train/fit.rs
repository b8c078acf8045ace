//! The loop: epochs of steps, each followed by a look at the validation part and a checkpoint.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::batch::{Batches, classes, learn, soft};
use super::checkpoint::{Checkpoint, Progress};
use super::head::head;
use super::judge::{Judge, Judgement};
use super::order::epoch_order;
use super::stream::{Pass, Stream};
use super::{Examples, Recipe, Varied};
use crate::engine::{Device, Model, Options, StepOptions, Targets, TrainingPlan, TrainingState};
use crate::error::{Error, Result};
use crate::nn::{Network, Trainable, Training};
use crate::ops::CrossEntropy;
use crate::random::Random;
use crate::tensor::{Parameters, Tensor};

/// A network to be trained, and on what.
///
/// ```
/// use std::path::Path;
/// use vultus::Device;
/// use vultus::nn::{Network, Trainable};
/// use vultus::train::{Examples, Job, Recipe};
///
/// # struct Halves;
/// # impl Examples for Halves {
/// #     fn shape(&self) -> [usize; 3] {
/// #         [1, 4, 4]
/// #     }
/// #     fn write(&self, index: usize, _: Option<&mut vultus::Random>, out: &mut [f32]) -> vultus::Result<()> {
/// #         out.iter_mut().enumerate().for_each(|(i, value)| *value = f32::from(u8::from(i / 8 == index % 2)));
/// #         Ok(())
/// #     }
/// # }
/// let network = Network::new("small", [1, 4, 4]).flatten().dense("fc", "fc", 2).softmax();
/// let job = Job {
///     device: &Device::Cpu,
///     network: &network,
///     start: network.initialize(1)?,
///     trainable: Trainable::From("fc".to_owned()),
///     examples: &Halves,
///     classes: &["above", "below"].map(str::to_owned),
///     labels: &[0, 1, 0, 1],
///     probabilities: None,
///     training: &[0, 1, 2, 3],
///     validation: &[],
///     recipe: &Recipe::default(),
///     // When this file is there, the training goes on behind its last epoch.
///     checkpoint: Some(Path::new("training.ckpt").into()),
/// };
/// assert_eq!(job.classes.len(), job.network.output_shapes()?[0][0]);
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Job<'a> {
    /// Where to compute.
    pub device: &'a Device,
    /// The network, ending in a softmax over the classes.
    pub network: &'a Network,
    /// What its parameters are at the start.
    pub start: Parameters,
    /// Which of its layers are trained.
    pub trainable: Trainable,
    /// The examples.
    pub examples: &'a dyn Examples,
    /// The names of the classes.
    pub classes: &'a [String],
    /// The class of each example.
    pub labels: &'a [usize],
    /// The probability of each class for each example, a row of numbers after the other, where more is known than the
    /// most probable class. It is what is learned; answers are judged by the class.
    pub probabilities: Option<&'a [f32]>,
    /// The numbers of the examples to train on.
    pub training: &'a [usize],
    /// The numbers of the examples to judge each epoch by; may be empty.
    pub validation: &'a [usize],
    /// How it is trained.
    pub recipe: &'a Recipe,
    /// Where its state is kept after each epoch.
    pub checkpoint: Option<PathBuf>,
}

/// What one pass over the pictures gave.
///
/// ```
/// use vultus::train::{Epoch, Judgement};
///
/// let validation = Some(Judgement { loss: 0.9, accuracy: 0.64, macro_recall: 0.58 });
/// let (seconds, pictures_per_second) = (12.5, 2300.0);
/// let epoch =
///     Epoch { number: 3, learning_rate: 5e-4, loss: 1.1, validation, seconds, pictures_per_second, waited: 0.4 };
/// let accuracy = epoch.validation.map_or("unknown".to_owned(), |part| format!("{:.2}", part.accuracy));
/// assert_eq!(format!("epoch {}: {accuracy}", epoch.number), "epoch 3: 0.64");
/// if epoch.waited > 0.2 {
///     println!("the device could do more: pictures do not come fast enough");
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// 1 for the first.
    pub number: usize,
    /// The learning rate of its last step.
    pub learning_rate: f32,
    /// The mean loss of its steps.
    pub loss: f32,
    /// How the validation part did after it; `None` where there is none.
    pub validation: Option<Judgement>,
    /// How long it took, without the look at the validation part.
    pub seconds: f64,
    /// Pictures that were trained on per second.
    pub pictures_per_second: f64,
    /// The share of the time in which the device waited for pictures, 0 to 1.
    pub waited: f64,
}

/// What a training hears about while it runs.
///
/// ```
/// use vultus::train::Event;
///
/// let line = |event: Event| match event {
///     Event::Step { done, all, loss } => format!("step {done} of {all}: {loss:.3}"),
///     Event::Epoch(epoch) => format!("epoch {} took {:.1} s", epoch.number, epoch.seconds),
///     Event::Resumed(epochs) => format!("{} epochs were done before", epochs.len()),
///     Event::Warning(text) => format!("warning: {text}"),
/// };
/// assert_eq!(line(Event::Step { done: 7, all: 90, loss: 1.25 }), "step 7 of 90: 1.250");
/// assert_eq!(line(Event::Resumed(&[])), "0 epochs were done before");
/// ```
pub enum Event<'a> {
    /// A step was taken: how many of how many, and its loss.
    Step {
        /// Steps taken.
        done: usize,
        /// Steps in all, if nothing ends the training early.
        all: usize,
        /// The loss of this step.
        loss: f32,
    },
    /// An epoch ended.
    Epoch(&'a Epoch),
    /// A training goes on behind these epochs.
    Resumed(&'a [Epoch]),
    /// Something is not as it should be, and the training goes on all the same.
    Warning(&'a str),
}

/// A trained network.
///
/// ```
/// use vultus::train::{Epoch, Trained};
/// use vultus::Parameters;
///
/// let epoch = |number, loss| Epoch {
///     number, loss, learning_rate: 1e-3, validation: None, seconds: 1.0, pictures_per_second: 100.0, waited: 0.0,
/// };
/// let epochs = vec![epoch(1, 1.9), epoch(2, 1.2)];
/// let unreadable = [(4, "the picture is cut short".to_owned())].into();
/// let trained = Trained { parameters: Parameters::new(), epochs, best: 2, unreadable };
/// let best = trained.epochs.iter().find(|epoch| epoch.number == trained.best).unwrap();
/// assert_eq!((best.loss, trained.unreadable.len()), (1.2, 1));
/// ```
#[derive(Clone, Debug)]
pub struct Trained {
    /// The parameters that were trained, after the best epoch.
    pub parameters: Parameters,
    /// Every epoch.
    pub epochs: Vec<Epoch>,
    /// The best epoch by the validation part's accuracy (of equal ones the last); the last where there is none.
    pub best: usize,
    /// Examples that could not be read, by number, and why.
    pub unreadable: BTreeMap<usize, String>,
}

/// Trains a network. The same job on the same device gives the same numbers, in one go or continued from a checkpoint.
///
/// ```
/// use vultus::Device;
/// use vultus::nn::{Network, Trainable};
/// use vultus::train::{Event, Examples, Job, Recipe, fit};
///
/// # struct Halves;
/// # impl Examples for Halves {
/// #     fn shape(&self) -> [usize; 3] {
/// #         [1, 4, 4]
/// #     }
/// #     fn write(&self, index: usize, _: Option<&mut vultus::Random>, out: &mut [f32]) -> vultus::Result<()> {
/// #         out.iter_mut().enumerate().for_each(|(i, value)| *value = f32::from(u8::from(i / 8 == index % 2)));
/// #         Ok(())
/// #     }
/// # }
/// let network = Network::new("small", [1, 4, 4]).flatten().dense("fc", "fc", 2).softmax();
/// let job = Job {
///     device: &Device::Cpu,
///     network: &network,
///     start: network.initialize(1)?,
///     trainable: Trainable::All,
///     examples: &Halves,
///     classes: &["above", "below"].map(str::to_owned),
///     labels: &[0, 1, 0, 1],
///     probabilities: None,
///     training: &[0, 1, 2, 3],
///     validation: &[],
///     recipe: &Recipe { epochs: 5, batch: 2, learning_rate: 0.1, ..Recipe::default() },
///     checkpoint: None,
/// };
/// let mut losses = Vec::new();
/// fit(job, |event| {
///     if let Event::Epoch(epoch) = event {
///         losses.push(epoch.loss);
///     }
/// })?;
/// assert!(losses.len() == 5 && losses[4] < losses[0]);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::InvalidArgument`] for settings out of range, or nothing to train on; [`Error::Shape`] if there are not as
/// many classes as the network has outputs; [`Error::UnknownName`] if there is no layer that training is to begin with;
/// [`Error::Weights`] if the checkpoint belongs to another training; [`Error::Io`] if it cannot be written; the
/// device's own errors. The training is given up with [`Error::Diverged`] if the loss or a parameter is no longer
/// finite: the learning rate was too large.
pub fn fit(job: Job, mut hear: impl FnMut(Event)) -> Result<Trained> {
    job.check()?;
    let mut fitting = Fitting::new(job)?;
    if let Some(epochs) = fitting.resume()? {
        hear(Event::Resumed(epochs));
    }
    while !fitting.is_done() {
        fitting.epoch(&mut hear)?;
    }
    fitting.finish()
}

impl Job<'_> {
    fn check(&self) -> Result<()> {
        self.recipe.check()?;
        if self.training.is_empty() {
            return Err(Error::invalid("training", "there are no pictures to train on"));
        }
        let outputs: usize = self.network.output_shapes()?[0].iter().product();
        if outputs != self.classes.len() {
            let reason = format!("{} classes for a network with {outputs} outputs", self.classes.len());
            return Err(Error::shape("training", reason));
        }
        if let Some(index) = self.training.iter().chain(self.validation).find(|&&index| index >= self.labels.len()) {
            return Err(Error::invalid("training", format!("there is no example {index}")));
        }
        if let Some(rows) = self.probabilities.filter(|rows| rows.len() != self.labels.len() * outputs) {
            let reason =
                format!("{} probabilities for {} examples of {outputs} classes", rows.len(), self.labels.len());
            return Err(Error::shape("training", reason));
        }
        match self.labels.iter().find(|&&label| label >= outputs) {
            Some(label) => Err(Error::invalid("training", format!("the label {label} is no class"))),
            None => Ok(()),
        }
    }

    fn training_settings(&self) -> Result<Training> {
        let mut sizes = vec![0.0; self.classes.len()];
        for &index in self.training {
            match self.row(index) {
                Some(row) => sizes.iter_mut().zip(row).for_each(|(size, &share)| *size += f64::from(share)),
                None => sizes[self.labels[index]] += 1.0,
            }
        }
        let dense = head(self.network);
        Ok(Training {
            loss: CrossEntropy { label_smoothing: self.recipe.label_smoothing }.into(),
            class_weights: self.recipe.class_weights(&sizes),
            optimizer: self.recipe.optimizer(),
            trainable: self.trainable.clone(),
            groups: self.recipe.groups(dense.map(|layer| layer.name.as_str())),
            decay_biases: false,
            ema: self.recipe.ema,
            soft_targets: self.is_soft(),
            accumulate: self.recipe.accumulate as usize,
        })
    }

    /// The probabilities for an example.
    pub(super) fn row(&self, index: usize) -> Option<&[f32]> {
        let width = self.classes.len();
        self.probabilities.map(|rows| &rows[index * width..(index + 1) * width])
    }

    /// Whether targets are probabilities.
    fn is_soft(&self) -> bool {
        self.recipe.mix.is_some() || (self.probabilities.is_some() && !self.recipe.draw)
    }

    /// Pictures in bytes that the device varies and normalises, where that is the way to train. On the processor nothing
    /// would be gained: threads that make batches do the same there while the network is computed. Mixing takes the
    /// numbers of pictures on the host, and what is not varied has its own way (features, or decoded once).
    fn varied(&self) -> Option<&dyn Varied> {
        let is_gpu = matches!(self.device, Device::Gpu(_));
        self.examples.varied().filter(|_| is_gpu && self.recipe.mix.is_none())
    }

    /// A text that is another one for every other training.
    fn identity(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(format!("{:?} {:?} {:?} {}\n", self.recipe, self.trainable, self.network, self.device));
        hash.update(self.examples.settings());
        hash.update(format!("{:?}\n", self.classes));
        for part in [self.training, self.validation] {
            part.iter().for_each(|&index| hash.update(format!("{index}:{} ", self.labels[index])));
            hash.update("\n");
        }
        hash.update(bytemuck::cast_slice(self.probabilities.unwrap_or_default()));
        for (name, tensor) in &self.start {
            hash.update(name);
            hash.update(bytemuck::cast_slice(tensor.data()));
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A training under way.
struct Fitting<'a> {
    job: Job<'a>,
    identity: String,
    model: Model,
    plan: TrainingPlan,
    judge: Judge,
    stream: Stream,
    progress: Progress,
    /// The names of the parameters that are trained.
    names: Vec<String>,
    best: Parameters,
}

impl<'a> Fitting<'a> {
    fn new(job: Job<'a>) -> Result<Self> {
        // It takes a look at many pictures, and is of use to checkpoints only.
        let identity = if job.checkpoint.is_some() { job.identity() } else { String::new() };
        let model = job.device.load(job.network, &job.start)?;
        let options = Options { precision: job.recipe.precision, ..Options::default() };
        let plan = model.compile_training(job.recipe.batch, &job.training_settings()?, &options)?;
        let names = job.network.parameters_from(&job.trainable)?;
        let judge = Judge::new(job.device, job.network, &job.start, job.recipe.batch)?;
        let progress =
            Progress { identity: identity.clone(), steps: 0, epochs: Vec::new(), unreadable: BTreeMap::new() };
        Ok(Fitting {
            job,
            identity,
            model,
            plan,
            judge,
            stream: Stream::new()?,
            progress,
            names,
            best: Parameters::new(),
        })
    }

    /// Goes on from the checkpoint, where there is one: the epochs that are done.
    fn resume(&mut self) -> Result<Option<&[Epoch]>> {
        let Some(file) = self.job.checkpoint.as_deref().filter(|file| file.exists()) else { return Ok(None) };
        let checkpoint = Checkpoint::read(file, &self.identity)?;
        let mut parameters = self.model.parameters()?;
        parameters.extend(checkpoint.parameters);
        self.model.set_parameters(&parameters)?;
        self.plan.set_state(&TrainingState { steps: checkpoint.progress.steps, memory: checkpoint.optimizer })?;
        self.best = checkpoint.best;
        self.progress = checkpoint.progress;
        Ok(Some(&self.progress.epochs))
    }

    /// Whether all epochs are done, or too many were no better than an earlier one.
    fn is_done(&self) -> bool {
        let (done, recipe) = (self.progress.epochs.len(), self.job.recipe);
        let waited = best_epoch(&self.progress.epochs).map_or(0, |best| done - best);
        done >= recipe.epochs || recipe.patience.is_some_and(|patience| waited > patience)
    }

    fn epoch(&mut self, hear: &mut impl FnMut(Event)) -> Result<()> {
        let epoch = self.train(hear)?;
        self.check_readable()?;
        let trained = self.trained_parameters()?;
        check_finite(&trained)?;
        let mut judged = trained.clone();
        judged.extend(self.averages()?);
        let validation = self.judge_by(&judged)?;
        self.progress.epochs.push(Epoch { validation, ..epoch });
        if best_epoch(&self.progress.epochs) == Some(self.progress.epochs.len()) {
            self.best = judged;
        }
        if let Some(file) = self.job.checkpoint.clone() {
            self.write_checkpoint(&file, trained)?;
        }
        if let Some(epoch) = self.progress.epochs.last() {
            hear(Event::Epoch(epoch));
        }
        Ok(())
    }

    /// One pass over the training part.
    fn train(&mut self, hear: &mut impl FnMut(Event)) -> Result<Epoch> {
        let recipe = self.job.recipe;
        let number = self.progress.epochs.len() + 1;
        // Every epoch draws from a seed of its own, so that a training that goes on needs to know its number only.
        let seed = recipe.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add((number as u64) << 32);
        let order = epoch_order(self.job.training, self.job.labels, recipe.balance, seed);
        let pass = Pass { examples: self.job.examples, order: &order, size: recipe.batch, seed: Some(seed) };
        let batches = Batches { count: order.len().div_ceil(recipe.batch) as u32, of_a_step: recipe.accumulate };
        let steps = batches.steps();
        let begin = Instant::now();
        let (mut losses, mut rate, mut taken) = (0.0, 0.0, 0);
        let mut random = Random::new(seed ^ 0x313);
        let Fitting { job, plan, stream, progress, .. } = self;
        stream.waited = Duration::ZERO;
        let varied = job.varied().map(|varied| (varied, seed));
        stream.run_varied(pass, varied, |batch| {
            let (micro_batch, micro_batches) = batches.place(taken);
            let done = (number - 1) as f32 + taken as f32 / batches.count as f32;
            if micro_batch == 0 {
                rate = recipe.learning_rate * recipe.schedule.factor(done, recipe.epochs);
            }
            let step = StepOptions { learning_rate: rate, seed: recipe.seed, micro_batches };
            let drawn = Random::new(seed ^ 0xD4A3 ^ u64::from(taken));
            let loss = if job.is_soft() {
                let (mixed, targets) = soft(&batch, job, recipe, drawn, &mut random)?;
                learn(plan, mixed.as_ref().unwrap_or(&batch.input), Targets::Probabilities(&targets), &step)?
            } else {
                learn(plan, &batch.input, Targets::Classes(&classes(&batch, job, drawn)), &step)?
            };
            if !loss.is_finite() {
                return Err(Error::Diverged { what: format!("the loss is {loss}") });
            }
            let unreadable = batch.unreadable.into_iter().map(|(example, error)| (example, error.to_string()));
            progress.unreadable.extend(unreadable);
            losses += f64::from(loss);
            taken += 1;
            if micro_batch + 1 == micro_batches {
                let done = (number - 1) * steps + taken.div_ceil(recipe.accumulate) as usize;
                hear(Event::Step { done, all: recipe.epochs * steps, loss });
            }
            Ok(())
        })?;
        let seconds = begin.elapsed().as_secs_f64();
        Ok(Epoch {
            number,
            learning_rate: rate,
            loss: (losses / f64::from(batches.count)) as f32,
            validation: None,
            seconds,
            pictures_per_second: order.len() as f64 / seconds,
            waited: stream.waited.as_secs_f64() / seconds,
        })
    }

    /// Whether every class that was to be learned had something to learn from.
    fn check_readable(&self) -> Result<()> {
        let Some(reason) = self.progress.unreadable.values().next() else { return Ok(()) };
        let mut seen = vec![None; self.job.classes.len()];
        for &index in self.job.training {
            let readable = !self.progress.unreadable.contains_key(&index);
            let seen = &mut seen[self.job.labels[index]];
            *seen = Some(seen.unwrap_or(false) || readable);
        }
        match seen.iter().position(|seen| *seen == Some(false)) {
            Some(class) => {
                let name = &self.job.classes[class];
                Err(Error::invalid("training", format!("no picture of the class {name:?} can be read: {reason}")))
            }
            None => Ok(()),
        }
    }

    fn judge_by(&mut self, parameters: &Parameters) -> Result<Option<Judgement>> {
        if self.job.validation.is_empty() {
            return Ok(None);
        }
        self.judge.set_parameters(parameters)?;
        let answers = self.judge.answers(&mut self.stream, self.job.examples, self.job.validation)?;
        // Where none can be read, there is nothing to judge by.
        Ok((!answers.is_empty()).then(|| Judgement::of(&answers, self.job.labels)))
    }

    fn trained_parameters(&self) -> Result<Parameters> {
        let mut all = self.model.parameters()?;
        all.retain(|name, _| self.names.contains(name));
        Ok(all)
    }

    /// The averages over the parameters, where the training keeps them.
    fn averages(&mut self) -> Result<Parameters> {
        if self.job.recipe.ema.is_none() { Ok(Parameters::new()) } else { self.plan.averages() }
    }

    fn write_checkpoint(&mut self, file: &Path, parameters: Parameters) -> Result<()> {
        let TrainingState { steps, memory } = self.plan.state()?;
        let progress = Progress { steps, ..self.progress.clone() };
        Checkpoint { progress, parameters, optimizer: memory, best: self.best.clone() }.write(file)
    }

    fn finish(self) -> Result<Trained> {
        let Some(best) = best_epoch(&self.progress.epochs) else {
            return Err(Error::invalid("training", "there was no epoch"));
        };
        let Progress { epochs, unreadable, .. } = self.progress;
        Ok(Trained { parameters: self.best, epochs, best, unreadable })
    }
}

/// The number of the best epoch.
fn best_epoch(epochs: &[Epoch]) -> Option<usize> {
    let accuracy = |epoch: &Epoch| epoch.validation.as_ref().map_or(0.0, |judgement| judgement.accuracy);
    epochs.iter().max_by(|a, b| accuracy(a).total_cmp(&accuracy(b))).map(|epoch| epoch.number)
}

/// A ReLU can hide a NaN of its layer from the loss.
fn check_finite(parameters: &Parameters) -> Result<()> {
    let finite = |tensor: &Tensor| tensor.data().iter().all(|value| value.is_finite());
    match parameters.iter().find(|(_, tensor)| !finite(tensor)) {
        Some((name, _)) => Err(Error::Diverged { what: format!("{name} is not finite any more") }),
        None => Ok(()),
    }
}
