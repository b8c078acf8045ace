//! The head: trained by backpropagation on stored features.

use crate::data::stratified_split;
use crate::device::Device;
use crate::error::{Error, Result};
use crate::nn::vgg16::{self, Pooling};
use crate::nn::{Optimizer, Training};
use crate::ops::{Adam, CrossEntropy, RunState};
use crate::plan::{Options, Plan};
use crate::random::Random;
use crate::tensor::{Parameters, Tensor};

use super::Features;

/// How a head is built and trained.
#[derive(Clone, Debug, PartialEq)]
pub struct HeadTraining {
    /// What stands between the base and the dense layers.
    pub pooling: Pooling,
    /// Widths of the hidden dense layers.
    pub hidden: Vec<usize>,
    /// The probability of dropout behind each hidden layer.
    pub dropout: f32,
    /// How often every picture is seen.
    pub epochs: usize,
    /// Pictures per step.
    pub batch: usize,
    /// The learning rate of AdamW at the start; it falls to 0 along a cosine.
    pub learning_rate: f32,
    /// The weight decay of AdamW.
    pub weight_decay: f32,
    /// How much of each target goes evenly to all classes.
    pub label_smoothing: f32,
    /// The part of the pictures that is kept for validation, of each class.
    pub validation: f64,
    /// The seed of the split, the start, the order and the dropout.
    pub seed: u64,
}

impl Default for HeadTraining {
    fn default() -> Self {
        HeadTraining {
            pooling: Pooling::Flatten,
            hidden: vec![256],
            dropout: 0.5,
            epochs: 20,
            batch: 64,
            learning_rate: 1e-3,
            weight_decay: 0.01,
            label_smoothing: 0.1,
            validation: 0.1,
            seed: 0,
        }
    }
}

/// What one pass over the pictures gave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Epoch {
    /// 1 for the first.
    pub number: usize,
    /// The mean loss of its steps.
    pub loss: f32,
    /// The share of the validation pictures that the head gets right after it; NaN where none are kept for that.
    pub accuracy: f32,
}

/// A trained head.
#[derive(Clone, Debug)]
pub struct TrainedHead {
    /// Its parameters (`classifier.0.weight`, …) after the best epoch.
    pub parameters: Parameters,
    /// The best epoch by validation accuracy; the last where there is no validation.
    pub best: Epoch,
}

/// Trains a head on features. `report` hears of every step (done and in all) and of every epoch at its end; the same
/// features, settings and device give the same head.
///
/// # Errors
/// [`Error::Shape`] for settings out of range, too few pictures for a step, or features that are not finite or do not
/// belong to their labels and classes; the device's own errors; the training is given up if the loss or a parameter is
/// no number any more.
pub fn train_head(
    device: &Device,
    features: &Features,
    classes: usize,
    settings: &HeadTraining,
    mut step_done: impl FnMut(usize, usize),
    mut epoch_done: impl FnMut(&Epoch),
) -> Result<TrainedHead> {
    check(features, classes)?;
    let (validation, mut training) = stratified_split(&features.labels, settings.validation, settings.seed);
    if training.is_empty() || settings.batch == 0 || settings.epochs == 0 {
        let reason = format!("{} pictures, batches of {}, {} epochs", training.len(), settings.batch, settings.epochs);
        return Err(Error::shape("training", reason));
    }
    // Features of any magnitude start from the same point: they are scaled to a mean square of 1, and the first
    // layer's weights take the scale over in the end.
    let magnitude = root_mean_square(features, &training);
    let scale = if magnitude > 0.0 { magnitude.recip() } else { 1.0 };
    let network = network(features, settings, classes);
    let model = device.load(&network, &network.initialize(settings.seed)?)?;
    let plan_settings = Training {
        loss: CrossEntropy { label_smoothing: settings.label_smoothing },
        optimizer: Optimizer::Adam(Adam { weight_decay: settings.weight_decay, decoupled: true, ..Adam::default() }),
        ..Training::default()
    };
    let mut plan = model.compile_training(settings.batch, &plan_settings, &Options::default())?;
    let mut judge = model.compile(settings.batch, &Options::default())?;
    let mut random = Random::new(settings.seed ^ 0x5EED);
    let steps = training.len().div_ceil(settings.batch);
    let mut step = 0;
    let mut best: Option<TrainedHead> = None;
    for number in 1..=settings.epochs {
        random.shuffle(&mut training);
        let mut losses = 0.0;
        for indices in training.chunks(settings.batch) {
            let progress = step as f32 / (steps * settings.epochs) as f32;
            let state = RunState {
                step: step as u32 + 1,
                learning_rate: settings.learning_rate * 0.5 * (1.0 + (std::f32::consts::PI * progress).cos()),
                seed: settings.seed,
                ..RunState::default()
            };
            let (input, targets) = batch(features, indices, settings.batch, scale)?;
            let loss = plan.train(&input, &targets, &state)?;
            if !loss.is_finite() {
                return Err(Error::shape("training", format!("the loss is {loss}: take a smaller learning rate")));
            }
            losses += loss;
            step += 1;
            step_done(step, steps * settings.epochs);
        }
        let accuracy = accuracy(&mut judge, features, &validation, scale)?;
        let epoch = Epoch { number, loss: losses / steps as f32, accuracy };
        epoch_done(&epoch);
        if best.as_ref().is_none_or(|best| best.best.accuracy.is_nan() || accuracy >= best.best.accuracy) {
            best = Some(TrainedHead { parameters: model.parameters()?, best: epoch });
        }
    }
    let mut best = best.ok_or_else(|| Error::shape("training", "there was no epoch"))?;
    if let Some(weight) = best.parameters.get_mut("classifier.0.weight") {
        weight.data_mut().iter_mut().for_each(|w| *w *= scale);
    }
    // A ReLU can hide a NaN of its layer from the loss.
    if let Some((name, _)) = best.parameters.iter().find(|(_, tensor)| !all_finite(tensor)) {
        return Err(Error::shape("training", format!("{name} is not finite any more: take a smaller learning rate")));
    }
    Ok(best)
}

/// How often (in rows by true class, in columns by the head's answer) a head gives each answer on these features.
///
/// # Errors
/// [`Error::Shape`] if the features are not finite or do not belong to their labels and classes, or the parameters are
/// not those of this head; the device's own.
pub fn evaluate(
    device: &Device,
    features: &Features,
    parameters: &Parameters,
    settings: &HeadTraining,
    classes: usize,
) -> Result<Vec<Vec<usize>>> {
    check(features, classes)?;
    let model = device.load(&network(features, settings, classes), parameters)?;
    let all: Vec<usize> = (0..features.labels.len()).collect();
    let mut plan = model.compile(settings.batch, &Options::default())?;
    let answers = answers(&mut plan, features, &all, 1.0)?;
    let mut confusion = vec![vec![0; classes]; classes];
    for (&label, answer) in features.labels.iter().zip(answers) {
        confusion[label][answer] += 1;
    }
    Ok(confusion)
}

/// Whether the features are numbers and fit to their labels, and these to the classes.
fn check(features: &Features, classes: usize) -> Result<()> {
    let (shape, labels) = (features.tensor.shape(), &features.labels);
    let wrong = |reason: String| Err(Error::shape("features", reason));
    if shape.len() != 4 || shape[0] != labels.len() || features.tensor.is_empty() {
        return wrong(format!("{} labels do not belong to features of the shape {shape:?}", labels.len()));
    }
    if let Some(label) = labels.iter().find(|&&label| label >= classes) {
        return wrong(format!("there is the label {label}, but there are only {classes} classes"));
    }
    if !all_finite(&features.tensor) {
        return wrong("there is a NaN or an infinity among them".to_owned());
    }
    Ok(())
}

fn all_finite(tensor: &Tensor) -> bool {
    tensor.data().iter().all(|value| value.is_finite())
}

fn network(features: &Features, settings: &HeadTraining, classes: usize) -> crate::nn::Network {
    let shape = features.tensor.shape();
    let shape = [shape[1], shape[2], shape[3]];
    vgg16::head(shape, settings.pooling, &settings.hidden, settings.dropout, classes)
}

/// These pictures' features and targets, filled up to a whole batch with pictures that count for nothing.
fn batch(features: &Features, indices: &[usize], size: usize, scale: f32) -> Result<(Tensor, Vec<Option<usize>>)> {
    let shape = features.tensor.shape();
    let length = features.tensor.len() / shape[0];
    let mut values = Vec::with_capacity(size * length);
    for &index in indices {
        values.extend(features.tensor.data()[index * length..(index + 1) * length].iter().map(|v| v * scale));
    }
    values.resize(size * length, 0.0);
    let mut targets: Vec<Option<usize>> = indices.iter().map(|&index| Some(features.labels[index])).collect();
    targets.resize(size, None);
    Ok((Tensor::new([&[size], &shape[1..]].concat(), values)?, targets))
}

fn answers(plan: &mut Plan, features: &Features, indices: &[usize], scale: f32) -> Result<Vec<usize>> {
    let size = plan.input_shapes()[0][0];
    let mut answers = Vec::new();
    for indices in indices.chunks(size) {
        let (input, _) = batch(features, indices, size, scale)?;
        let scores = plan.run(&input)?.swap_remove(0);
        let classes = scores.shape()[1];
        let best = |row: &[f32]| (0..classes).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
        answers.extend(scores.data().chunks(classes).take(indices.len()).map(best));
    }
    Ok(answers)
}

fn accuracy(plan: &mut Plan, features: &Features, indices: &[usize], scale: f32) -> Result<f32> {
    let answers = answers(plan, features, indices, scale)?;
    let right = answers.iter().zip(indices).filter(|(answer, index)| **answer == features.labels[**index]).count();
    Ok(right as f32 / indices.len() as f32)
}

fn root_mean_square(features: &Features, indices: &[usize]) -> f32 {
    let length = features.tensor.len() / features.labels.len();
    let of_one = |&index: &usize| {
        let values = &features.tensor.data()[index * length..(index + 1) * length];
        values.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>()
    };
    (indices.iter().map(of_one).sum::<f64>() / (indices.len() * length) as f64).sqrt() as f32
}
