//! What is run: networks with their weights and inputs, ready on a device.

use std::path::Path;

use vultus::nn::vgg16::{self, Pooling};
use vultus::nn::{self, Network, Optimizer, Published, Trainable, Training};
use vultus::ops::Sgd;
use vultus::weights::{Catalog, DefaultFile, safetensors};
use vultus::{Device, Error, Model, Options, Parameters, Plan, Random, Tensor, TrainingPlan};

use super::super::failure::Failure;
use super::super::global::Global;
use super::super::imported::ImportedModel;
use super::super::inputs::{Inputs, uniform};
use super::super::network::parameters_of;
use super::{Arguments, Choice, Train};

/// Classes of the whole VGG16: those of ImageNet.
const CLASSES: usize = 1000;
/// The head that is trained, as `vultus train` makes it.
const TRAINED_HIDDEN: usize = 256;
const TRAINED_CLASSES: usize = 7;
const SEED: u64 = 0;
/// What the output of a network of the house is called.
const OUTPUT: &str = "output";

/// A network that is run, and what its layers' names begin with.
pub struct Part {
    pub prefix: &'static str,
    work: Work,
}

/// What a run of a network is.
enum Work {
    /// Its outputs, of these names.
    Inference(Plan, Vec<String>),
    /// A step of training these parameters.
    Training(Box<TrainingPlan>, Vec<String>),
}

/// An ONNX model on arrays of the file that is fed, else on random numbers; also its batch.
pub fn imported(model: &ImportedModel, device: &Device, arguments: &Arguments) -> Result<(Vec<Part>, usize), Failure> {
    let inputs = match &arguments.feed {
        Some(path) => Inputs::read(model, "--feed", &[path.display().to_string()])?,
        None => Inputs::random(model, batch(arguments), SEED),
    };
    if let Some(wanted) = arguments.batch.filter(|&wanted| wanted != inputs.batch) {
        let reason = format!("--batch {wanted}: the arrays that are fed are a batch of {}", inputs.batch);
        return Err(Failure::Usage(reason));
    }
    let network = device.load(&model.model.network, &model.model.parameters)?;
    let plan = network.compile(inputs.batch, &options(arguments))?;
    let mut part = Part { prefix: "", work: Work::Inference(plan, model.model.outputs.clone()) };
    part.set_inputs(inputs.tensors)?;
    Ok((vec![part], inputs.batch))
}

pub fn batch(arguments: &Arguments) -> usize {
    arguments.batch.unwrap_or(1)
}

fn options(arguments: &Arguments) -> Options {
    Options { precision: arguments.precision, ..Options::default() }
}

pub fn input(arguments: &Arguments) -> usize {
    arguments.input.unwrap_or(vgg16::INPUT)
}

/// VGG16, its base, or training steps of it.
pub fn vgg(device: &Device, global: &Global, arguments: &Arguments) -> Result<Vec<Part>, Error> {
    let input = input(arguments);
    let side = input / 32;
    let hidden: &[usize] = if arguments.train.is_some() { &[TRAINED_HIDDEN] } else { &[4096, 4096] };
    let (shape, classes) = match arguments.train {
        Some(_) => ([512, side, side], TRAINED_CLASSES),
        None => ([512, 7, 7], CLASSES),
    };
    let head = vgg16::head(shape, Pooling::Flatten, hidden, 0.0, classes);
    let network = match (arguments.train, arguments.network) {
        (Some(Train::Head), _) => head.clone(),
        (Some(_), _) => vgg16::base(input).followed_by(head.clone())?,
        (None, Some(Choice::Vgg16)) => vgg16::whole(input, classes)?,
        (None, _) => vgg16::base(input),
    };
    let model = device.load(&network, &parameters(global, &network, &head)?)?;
    let first = match arguments.train {
        Some(Train::Block5) => "block5_conv1",
        Some(Train::Block4) => "block4_conv1",
        Some(Train::Head | Train::All) | None => network.layers()[0].name.as_str(),
    };
    let trainable = arguments.train.map(|_| Trainable::From(first.to_owned()));
    Ok(vec![Part::new(&model, &network, trainable, arguments)?])
}

/// A network of the literature, or training steps of it.
pub fn published(
    choice: Published,
    device: &Device,
    global: &Global,
    arguments: &Arguments,
) -> Result<Vec<Part>, Failure> {
    let classes = if arguments.train.is_some() { TRAINED_CLASSES } else { CLASSES };
    let network = choice.network(input(arguments), 0.0, classes)?;
    let mut parameters = network.initialize(SEED)?;
    if let Some(file) = global.weights.as_deref().filter(|path| path.is_file()) {
        parameters.extend(parameters_of(&network, &Catalog::open(file)?, file)?);
    }
    let model = device.load(&network, &parameters)?;
    let trainable = arguments.train.map(|train| match train {
        Train::Head => Trainable::From(choice.classifier().to_owned()),
        _ => Trainable::All,
    });
    Ok(vec![Part::new(&model, &network, trainable, arguments)?])
}

/// The parameters that are there: the base's, and the file's own dense layers where they have the right shapes. Random
/// ones for the other dense layers; they take as long.
fn parameters(global: &Global, network: &Network, head: &Network) -> Result<Parameters, Error> {
    let wanted = network.parameter_shapes()?;
    let has_base = wanted.iter().any(|(name, _)| name.starts_with("features."));
    let mut parameters = match global.vgg16_file()? {
        Some(file) => file.parameters,
        None if has_base => global.vgg16_base()?.parameters,
        None => Parameters::new(),
    };
    parameters.retain(|name, tensor| match name.starts_with("classifier.") {
        true => wanted.iter().any(|(wanted, shape)| wanted == name && shape == tensor.shape()),
        false => has_base,
    });
    if wanted.iter().any(|(name, _)| name.starts_with("classifier.") && !parameters.contains_key(name)) {
        for (name, tensor) in head.initialize(SEED)? {
            parameters.entry(name).or_insert(tensor);
        }
    }
    Ok(parameters)
}

/// MTCNN's networks at the sizes that a picture of 640×480 with faces of 20 pixels gives: P-Net's cells are 12 pixels
/// wide, so the largest scale is 12/20.
pub fn mtcnn(device: &Device, global: &Global) -> Result<Vec<Part>, Error> {
    let all = nn::mtcnn::reordered(global.store()?.load(DefaultFile::Mtcnn)?.parameters)?;
    let part = |network: Network, batch: usize, prefix: &'static str| {
        let own = all.iter().filter(|(name, _)| name.starts_with(prefix));
        let parameters = own.map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
        Part::detector(device, &network, &parameters, batch, prefix)
    };
    Ok(vec![
        part(nn::mtcnn::pnet(480 * 12 / 20, 640 * 12 / 20)?, 1, "pnet.")?,
        part(nn::mtcnn::rnet()?, 64, "rnet.")?,
        part(nn::mtcnn::onet()?, 16, "onet.")?,
    ])
}

/// YuNet on a picture of 640×480.
pub fn yunet(device: &Device, global: &Global) -> Result<Vec<Part>, Error> {
    let parameters = global.store()?.load(DefaultFile::Yunet)?.parameters;
    Ok(vec![Part::detector(device, &nn::yunet::network(480, 640)?, &parameters, 1, "")?])
}

impl Part {
    /// A network of a detector, whose layers' names are to begin like this.
    fn detector(
        device: &Device,
        network: &Network,
        parameters: &Parameters,
        batch: usize,
        prefix: &'static str,
    ) -> Result<Self, Error> {
        let plan = device.load(network, parameters)?.compile(batch, &Options::default())?;
        let mut part = Part { prefix, work: Work::Inference(plan, vec![OUTPUT.to_owned()]) };
        part.set_inputs(Vec::new())?;
        Ok(part)
    }

    /// The outputs of a network, or a step of training these layers.
    fn new(
        model: &Model,
        network: &Network,
        trainable: Option<Trainable>,
        arguments: &Arguments,
    ) -> Result<Self, Error> {
        let (batch, options) = (batch(arguments), options(arguments));
        let work = match trainable {
            None => Work::Inference(model.compile(batch, &options)?, vec![OUTPUT.to_owned()]),
            Some(trainable) => {
                let mut trained = network.parameters_from(&trainable)?;
                // These follow the batches; they have no gradients.
                trained.retain(|name| !name.ends_with(".running_mean") && !name.ends_with(".running_var"));
                let optimizer = Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() });
                let training = Training { optimizer, trainable, ..Training::default() };
                Work::Training(Box::new(model.compile_training(batch, &training, &options)?), trained)
            }
        };
        let mut part = Part { prefix: "", work };
        part.set_inputs(arguments.feed.as_deref().map(fed).transpose()?.into_iter().collect())?;
        Ok(part)
    }

    /// What runs. A step of training runs with a learning rate of 0, so that all runs do the same.
    pub fn plan(&mut self) -> &mut Plan {
        match &mut self.work {
            Work::Inference(plan, _) => plan,
            Work::Training(plan, _) => plan.as_plan(),
        }
    }

    /// Sets these inputs, or random numbers in −1 … 1 where there are none, and, in training, the classes 0, 1, … over and
    /// over as targets.
    fn set_inputs(&mut self, given: Vec<Tensor>) -> Result<(), Error> {
        let trains = matches!(self.work, Work::Training(..));
        let plan = self.plan();
        let shapes: Vec<Vec<usize>> = plan.input_shapes().into_iter().map(<[usize]>::to_vec).collect();
        let (mut given, mut random) = (given.into_iter(), Random::new(SEED));
        for (index, shape) in shapes.into_iter().enumerate() {
            let input = match given.next() {
                Some(input) => input,
                None if trains && index > 0 => Tensor::from_fn(shape, |i| (i % TRAINED_CLASSES) as f32),
                None => uniform(shape, &mut random),
            };
            plan.set_input(index, &input)?;
        }
        Ok(())
    }

    /// What the last run gave, by name.
    pub fn results(&mut self) -> Result<Parameters, Error> {
        match &mut self.work {
            Work::Inference(plan, names) => Ok(names.iter().cloned().zip(plan.outputs()?).collect()),
            Work::Training(plan, trained) => {
                let names = ["loss", "logits"].map(str::to_owned).into_iter();
                let mut results: Parameters = names.zip(plan.outputs()?).collect();
                for name in trained {
                    results.insert(format!("gradient.{name}"), plan.gradient(name)?);
                }
                Ok(results)
            }
        }
    }
}

/// The tensor "input" of a file.
fn fed(path: &Path) -> Result<Tensor, Error> {
    safetensors::read(path)?.parameters.remove("input").ok_or_else(|| Error::Weights {
        file: path.to_path_buf(),
        tensor: Some("input".to_owned()),
        reason: "missing".to_owned(),
    })
}
