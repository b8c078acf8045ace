//! From pictures and a model card to a trained network: what is frozen is computed once where pictures do not change.

use std::path::{Path, PathBuf};

use super::decoded::{Decoded, Hearer};
use super::head::{first_of, head};
use super::{Event, Examples, Features, Frozen, Job, Labels, Pictures, Recipe, Trained, fit};
use crate::engine::{Device, Options};
use crate::error::{Error, Result};
use crate::face::ModelCard;
use crate::nn::{Network, Trainable};
use crate::ops::Op;
use crate::tensor::{Parameters, Tensor};

/// Examples by which the magnitude of features is measured.
const PROBED: usize = 64;

/// What is trained, and on what.
///
/// ```
/// use vultus::Device;
/// use vultus::data::Dataset;
/// use vultus::face::{Architecture, ModelCard};
/// use vultus::nn::Trainable;
/// use vultus::ops::Normalization;
/// use vultus::prepare::Augmentation;
/// use vultus::train::{Course, Labels, Pictures, Recipe};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let data = Dataset::open(folder.path())?;
/// let card = ModelCard::new(Architecture::Light, data.classes.clone(), 32, Normalization::TORCHVISION);
/// let course = Course {
///     device: &Device::Cpu,
///     card: &card,
///     dropout: 0.0,
///     start: card.network()?.initialize(1)?,
///     trainable: Trainable::All,
///     pictures: &Pictures::new(&data, &card, Augmentation::light()),
///     labels: &Labels::own(&data),
///     training: &[0, 1, 2],
///     validation: &[3],
///     recipe: &Recipe { epochs: 1, batch: 2, ..Recipe::default() },
///     cache: None,
///     checkpoint: None,
/// };
/// assert_eq!(course.run(&mut |_| (), |_| ())?.epochs.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Course<'a> {
    /// Where to compute.
    pub device: &'a Device,
    /// What the trained model will be.
    pub card: &'a ModelCard,
    /// The probability of dropout in its head.
    pub dropout: f32,
    /// All of its parameters at the start.
    pub start: Parameters,
    /// Which of its layers are trained.
    pub trainable: Trainable,
    /// The pictures.
    pub pictures: &'a Pictures<'a>,
    /// What is to be learned of each picture.
    pub labels: &'a Labels,
    /// The numbers of the pictures to train on.
    pub training: &'a [usize],
    /// The numbers of the pictures to judge each epoch by; may be empty.
    pub validation: &'a [usize],
    /// How it is trained.
    pub recipe: &'a Recipe,
    /// The folder for what is made once: decoded pictures, or what the frozen layers make of pictures that are not
    /// varied. Without one it is made in every epoch.
    pub cache: Option<&'a Path>,
    /// Where the state is kept after each epoch.
    pub checkpoint: Option<PathBuf>,
}

/// What a course reports before its epochs begin: how many pictures have been decoded, or have gone through the frozen
/// layers.
///
/// ```
/// use vultus::train::Prepared;
///
/// let mut last = 0;
/// let prepared: Prepared = &mut |done| last = done;
/// prepared(64);
/// prepared(100);
/// assert_eq!(last, 100);
/// ```
pub type Prepared<'a> = &'a mut dyn FnMut(usize);

impl Course<'_> {
    /// Trains: the parameters that were trained and how it went.
    ///
    /// # Errors
    /// As [`fit`]; [`Error::Precision`] if the device does not compute in the recipe's precision; [`Error::Io`] if features
    /// cannot be written into the cache.
    pub fn run(mut self, prepared: Prepared, mut hear: impl FnMut(Event)) -> Result<Trained> {
        // Before features are computed.
        self.device.check_precision(self.recipe.precision)?;
        let network = self.card.training_network(self.dropout)?;
        let (frozen, rest) = network.split(&self.trainable)?;
        // Features are kept as maps; behind the mean over them there are none.
        let has_maps = !frozen.layers().is_empty() && frozen.output_shapes()?[0].len() == 3;
        let cache = self.cache.filter(|_| self.pictures.is_fixed() && has_maps);
        let features = cache.map(|cache| self.features(&frozen, cache, prepared)).transpose()?;
        let job = Job {
            device: self.device,
            network: &network,
            start: std::mem::take(&mut self.start),
            trainable: self.trainable.clone(),
            examples: self.pictures,
            classes: &self.card.classes,
            labels: self.labels.classes(),
            probabilities: self.labels.rows(),
            training: self.training,
            validation: self.validation,
            recipe: self.recipe,
            checkpoint: self.checkpoint,
        };
        match features {
            Some(features) => fit_on_features(job, features, &rest, self.pictures, hear),
            None => {
                let hearer = Hearer { progress: prepared, warn: &mut |text| hear(Event::Warning(text)) };
                let decoded = Decoded::new(self.pictures, [self.training, self.validation], self.cache, hearer);
                fit(Job { examples: &decoded, ..job }, hear)
            }
        }
    }

    fn features(&self, frozen: &Network, cache: &Path, progress: Prepared) -> Result<Features> {
        let parameters = part(&self.start, frozen)?;
        let frozen = Frozen { device: self.device, network: frozen, parameters: &parameters };
        let pictures = self.pictures;
        frozen.features(pictures, pictures.data.samples.len(), &pictures.fingerprint(), cache, progress)
    }
}

/// Does what is left of a job behind the frozen layers, whose features are there.
fn fit_on_features(
    job: Job,
    mut features: Features,
    rest: &Network,
    pictures: &Pictures,
    hear: impl FnMut(Event),
) -> Result<Trained> {
    let mut start = part(&job.start, rest)?;
    let dense = first_dense(rest).filter(|_| starts_with_dense(rest));
    let scale = if dense.is_some() { features.normalize(job.training)? } else { 1.0 };
    let scaled = |parameters: &mut Parameters, factor: f32| {
        if let Some(weight) = dense.as_ref().and_then(|name| parameters.get_mut(name)) {
            weight.data_mut().iter_mut().for_each(|value| *value *= factor);
        }
    };
    scaled(&mut start, scale.recip());
    let job = Job { network: rest, start, trainable: Trainable::All, examples: &features, ..job };
    let mut trained = fit(job, hear)?;
    scaled(&mut trained.parameters, scale);
    // The file of features does not know why.
    for (&index, reason) in &mut trained.unreadable {
        if let Err(error) = pictures.picture(index, None) {
            *reason = error.to_string();
        }
    }
    Ok(trained)
}

/// Parameters to start from: the known ones, and random ones for layers that are not known or have another shape. A
/// first dense layer that is new is scaled by the magnitude of what goes into it, so that its outputs are as large as
/// they would be behind features around 1.
///
/// ```
/// use vultus::data::Dataset;
/// use vultus::face::{Architecture, ModelCard};
/// use vultus::ops::Normalization;
/// use vultus::prepare::Augmentation;
/// use vultus::train::{Pictures, start};
/// use vultus::{Device, Parameters, Tensor};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let data = Dataset::open(folder.path())?;
/// let card = ModelCard::new(Architecture::Light, data.classes.clone(), 32, Normalization::TORCHVISION);
/// let pictures = Pictures::new(&data, &card, Augmentation::none());
/// // The bias of the first convolution is known, everything else is new.
/// let known = Parameters::from([("features.0.bias".to_owned(), Tensor::filled([32], 0.5))]);
/// let parameters = start(&Device::Cpu, &card, &known, &pictures, &[0, 1, 2, 3], 1)?;
/// assert_eq!(parameters["features.0.bias"].data()[0], 0.5);
/// assert_eq!(parameters["classifier.0.weight"].shape(), [2, 192]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if the card's network cannot be; the device's own errors.
pub fn start(
    device: &Device,
    card: &ModelCard,
    known: &Parameters,
    examples: &dyn Examples,
    training: &[usize],
    seed: u64,
) -> Result<Parameters> {
    let network = card.network()?;
    let mut parameters = network.initialize(seed)?;
    let mut taken = 0;
    for (name, tensor) in &mut parameters {
        if let Some(known) = known.get(name).filter(|known| known.shape() == tensor.shape()) {
            *tensor = known.clone();
            taken += 1;
        }
    }
    if let Some(name) = first_dense(&network).filter(|name| taken > 0 && !known.contains_key(name)) {
        let magnitude = magnitude(device, &network, &parameters, examples, training)?;
        let weight = parameters.get_mut(&name).into_iter().flat_map(|weight| weight.data_mut());
        weight.for_each(|value| *value /= magnitude);
    }
    Ok(parameters)
}

/// What a trained model knows of the classes of another: its parameters, with the last layer's rows in the order of the
/// new classes. Classes that it does not know get rows of zeros; if it knows none, there is no last layer.
///
/// ```
/// use vultus::face::{Architecture, ModelCard};
/// use vultus::ops::Normalization;
/// use vultus::train::adapt;
///
/// let classes = |names: [&str; 2]| names.map(str::to_owned).to_vec();
/// let model = ModelCard::new(Architecture::Light, classes(["happy", "sad"]), 48, Normalization::TORCHVISION);
/// let parameters = model.network()?.initialize(1)?;
/// let adapted = adapt(&model, parameters.clone(), &classes(["fear", "happy"]))?;
/// let (old, new) = (&parameters["classifier.0.weight"], &adapted["classifier.0.weight"]);
/// assert_eq!(new.data()[192..], old.data()[..192]);
/// assert!(new.data()[..192].iter().all(|&value| value == 0.0));
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if the model's last layer is not that of its card.
pub fn adapt(model: &ModelCard, mut parameters: Parameters, classes: &[String]) -> Result<Parameters> {
    if model.classes == classes {
        return Ok(parameters);
    }
    let network = model.network()?;
    let last = network.layers().iter().rev().find(|layer| matches!(layer.op, Op::Dense(_)));
    let Some(last) = last else { return Ok(parameters) };
    let known: Vec<Option<usize>> =
        classes.iter().map(|class| model.classes.iter().position(|other| other == class)).collect();
    for name in &last.parameters {
        let Some(tensor) = parameters.remove(name).filter(|_| known.iter().any(Option::is_some)) else { continue };
        let width = tensor.len() / model.classes.len();
        let rows = known.iter().flat_map(|row| match row {
            Some(row) => tensor.data()[row * width..(row + 1) * width].to_vec(),
            None => vec![0.0; width],
        });
        let shape = [&[classes.len()], &tensor.shape()[1..]].concat();
        parameters.insert(name.clone(), Tensor::new(shape, rows.collect())?);
    }
    Ok(parameters)
}

/// The root mean square of what goes into the first dense layer, over some examples.
fn magnitude(
    device: &Device,
    network: &Network,
    parameters: &Parameters,
    examples: &dyn Examples,
    training: &[usize],
) -> Result<f32> {
    let Some(dense) = head(network) else { return Ok(1.0) };
    let (base, _) = network.split(&Trainable::From(dense.name.clone()))?;
    if base.layers().is_empty() {
        return Ok(1.0);
    }
    let shape = examples.shape();
    let length: usize = shape.iter().product();
    let step = (training.len() / PROBED).max(1);
    let mut values = vec![0.0; PROBED * length];
    let mut filled = 0;
    for &index in training.iter().step_by(step) {
        if filled == PROBED {
            break;
        }
        // One that cannot be read is found and listed later.
        filled += usize::from(examples.write(index, None, &mut values[filled * length..][..length]).is_ok());
    }
    let mut plan = device.load(&base, &part(parameters, &base)?)?.compile(PROBED, &Options::default())?;
    let features = plan.run(&Tensor::new([&[PROBED], &shape[..]].concat(), values)?)?.swap_remove(0);
    let used = &features.data()[..features.len() / PROBED * filled];
    let squares: f64 = used.iter().map(|value| f64::from(*value).powi(2)).sum();
    let magnitude = (squares / used.len().max(1) as f64).sqrt() as f32;
    Ok(if magnitude > 0.0 && magnitude.is_finite() { magnitude } else { 1.0 })
}

/// The parameters of a part of a network.
fn part(all: &Parameters, network: &Network) -> Result<Parameters> {
    let take = |(name, _): (String, Vec<usize>)| {
        let missing = || Error::invalid(network.name(), format!("the parameter {name} is missing"));
        let tensor = all.get(&name).cloned().ok_or_else(missing)?;
        Ok((name, tensor))
    };
    network.parameter_shapes()?.into_iter().map(take).collect()
}

/// The weight of the first dense layer.
fn first_dense(network: &Network) -> Option<String> {
    head(network)?.parameters.first().cloned()
}

/// Whether a factor in the input can be taken over by the first dense layer.
fn starts_with_dense(network: &Network) -> bool {
    first_of(network).is_some_and(|layer| matches!(layer.op, Op::Dense(_)))
}
