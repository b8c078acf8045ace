//! The options of `vultus train`, and what they mean.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use vultus::Precision;
use vultus::data::Dataset;
use vultus::face::{Architecture, ModelCard, TestTimeAugmentation};
use vultus::nn::Trainable;
use vultus::nn::vgg16::Pooling;
use vultus::ops::Normalization;
use vultus::prepare::{Augmentation, Mix, Preparation};
use vultus::train::{Balance, Decay, Recipe, Rule, Schedule, Truth};

use super::beginning::{Beginning, Start, successor};
use crate::cli::faces::FaceArguments;
use crate::cli::failure::Failure;
use crate::cli::network::NetworkName;
use crate::cli::precision;
use crate::cli::stored::Stored;

/// Train a model on labelled faces
///
/// Starts from the expression model that comes with the program, or from a model of your own (--start): the new model has its
/// network, its input and its preparation. Where names of classes mean the same as the model's (anger, angry), it keeps
/// what it knows of them. --train-from says how much of it is trained; with --train-from head, which is the fastest, the
/// other layers' output is computed once for each picture and cached. After each epoch the state is kept beside the model;
/// an interrupted training continues with --resume and gives the same result. The epoch that does best on the pictures kept for
/// validation is saved, with class names and preprocessing. The same seed on the same device gives the same model.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus train faces --out my_model.safetensors
  vultus train faces --test other_faces --out my_model.safetensors
  vultus train faces --train-from all --augment standard --epochs 30 --ema 0.999 --out deep.safetensors
  vultus train faces --network light --augment standard --epochs 60 --learning-rate 1e-3 --out light.safetensors
  vultus train more_faces --start deep.safetensors --out adapted.safetensors
  vultus predict photo.jpg --model my_model.safetensors")]
pub struct Arguments {
    /// The data set: a folder with one sub-folder per class, a list or a table of pictures (see `vultus data --help`)
    pub data: PathBuf,
    /// The file to save the model in
    #[arg(long, value_name = "FILE", default_value = "model.safetensors")]
    pub out: PathBuf,
    /// Another data set to test the saved model on; may be given more than once
    #[arg(long, value_name = "PATH")]
    pub test: Vec<PathBuf>,
    /// Leave out pictures that are pixel for pixel in this data set; may be given more than once
    #[arg(long, value_name = "PATH")]
    pub dedup: Vec<PathBuf>,
    #[command(flatten)]
    pub faces: FaceArguments,

    /// Which network [default: that of the model to start from, vgg16 for --start imagenet]
    #[arg(long, value_enum, help_heading = "Network")]
    pub network: Option<NetworkName>,
    /// What to start from: default, light or vgg16 (the models that come with the program; a file that is called so is named by a path, ./light), imagenet (VGG16's convolutions), a
    /// trained model, or another program's file of weights with the network's names and shapes [default: default; with
    /// --network, imagenet for vgg16 and random numbers for the others]
    #[arg(long, value_name = "default|imagenet|FILE", value_parser = Start::parse, help_heading = "Network")]
    pub start: Option<Start>,
    /// The first layer that is trained: head, all, or the name of a layer such as block4_conv1 [default: block4_conv1 of a
    /// VGG16 that knows faces, the head of one from ImageNet, all of other networks]
    #[arg(long, value_name = "LAYER", help_heading = "Network")]
    pub train_from: Option<String>,
    /// Height and width that faces are scaled to [default: that of the model to start from, else 48]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(32..=1024), help_heading = "Network")]
    pub input: Option<usize>,
    /// Keep the colours instead of turning every face gray
    #[arg(long, help_heading = "Network")]
    pub color: bool,
    /// What stands between base and head of VGG16 [default: that of the model to start from, else flatten]
    #[arg(long, value_enum, help_heading = "Network")]
    pub pooling: Option<PoolingName>,
    /// Widths of VGG16's hidden dense layers, separated by commas; 0 for none [default: those of the model to start from,
    /// else 256]
    #[arg(long, value_name = "N,…", value_delimiter = ',', help_heading = "Network")]
    pub hidden: Option<Vec<usize>>,
    /// Probability of dropout in the head
    #[arg(long, value_name = "P", default_value_t = 0.5, help_heading = "Network")]
    pub dropout: f32,
    /// Type of the saved numbers
    #[arg(long, value_enum, default_value_t = Stored::F16, help_heading = "Network")]
    pub precision: Stored,
    /// Side of the crop around a found face when the model is used, relative to the face's box [default: that of the
    /// model to start from, else 0.9]
    #[arg(long, value_name = "SCALE", help_heading = "Network")]
    pub margin: Option<f32>,

    /// How often every picture is seen [default: 5 where layers before the head of a trained model are trained, else 20]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000), help_heading = "Recipe")]
    pub epochs: Option<usize>,
    /// Pictures per batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096), help_heading = "Recipe")]
    pub batch: usize,
    /// Batches whose gradients make one step
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096), help_heading = "Recipe")]
    pub accumulate: u32,
    /// Precision that a GPU computes in; f16 and split need matrix units
    #[arg(long, value_name = "PRECISION", default_value = "f32", value_parser = precision::parser(), help_heading = "Recipe")]
    pub compute: Precision,
    /// Rule of the optimiser
    #[arg(long, value_enum, default_value_t = RuleName::Adamw, help_heading = "Recipe")]
    pub optimizer: RuleName,
    /// Learning rate after the warm-up [default: 1e-3 for a head or a network that begins with random numbers, 1e-4 for
    /// VGG16, else 5e-4]
    #[arg(long, value_name = "RATE", help_heading = "Recipe")]
    pub learning_rate: Option<f32>,
    /// Factor for the learning rate of the dense layers
    #[arg(long, value_name = "X", default_value_t = 1.0, help_heading = "Recipe")]
    pub head_factor: f32,
    /// How the learning rate falls: constant, cosine, or step:EPOCHS:FACTOR
    #[arg(long, value_name = "NAME", default_value = "cosine", value_parser = decay, help_heading = "Recipe")]
    pub schedule: Decay,
    /// Epochs, or parts of one, in which the learning rate rises
    #[arg(long, value_name = "EPOCHS", default_value_t = 0.0, help_heading = "Recipe")]
    pub warm_up: f32,
    /// Weight decay
    #[arg(long, value_name = "X", default_value_t = 0.01, help_heading = "Recipe")]
    pub weight_decay: f32,
    /// How much of each target goes evenly to all classes
    #[arg(long, value_name = "X", default_value_t = 0.1, help_heading = "Recipe")]
    pub label_smoothing: f32,
    /// What to do about classes of different sizes: none; under or over to take as many pictures of each as the smallest
    /// or the largest has; weights[:POWER] to let classes count in inverse proportion to a power of their size, 1 unless
    /// it is given
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = balance, help_heading = "Recipe")]
    pub balance: Balance,
    /// How frequent classes are expected to be where the model will be used, for its probabilities to be true: 0 as in the
    /// validation part, 1 all alike, or a share between [default: 0, with --balance weights the power, with under and over 1]
    #[arg(long, value_name = "SHARE", help_heading = "Recipe")]
    pub calibrate: Option<f32>,
    /// A table of what several people said of each picture, such as FER+'s fer2013new.csv: a column that names the
    /// picture, and one with the votes for each class
    #[arg(long, value_name = "FILE", help_heading = "Recipe")]
    pub votes: Option<PathBuf>,
    /// What is learned of pictures with votes: own, the data set's label; majority, the class of more than half of the
    /// votes; votes, the share of each class; drawn, a class drawn by the votes in each epoch [default: votes, if there
    /// are any]
    #[arg(long, value_enum, value_name = "NAME", help_heading = "Recipe")]
    pub truth: Option<TruthName>,
    /// How much of the votes is replaced by the data set's own label, where at least one person voted for it: it keeps up
    /// classes that majorities drown
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, help_heading = "Recipe")]
    pub own_share: f32,
    /// How pictures are varied: none, light, standard, and changes to it, as in standard,flip=0.5,rotation=20
    #[arg(long, value_name = "NAME[,X=V…]", default_value = "none", value_parser = augmentation, help_heading = "Recipe")]
    pub augment: Augmentation,
    /// Mix the pictures of a batch: mixup[:ALPHA] or cutmix[:ALPHA]
    #[arg(long, value_name = "NAME[:ALPHA]", value_parser = mix, help_heading = "Recipe")]
    pub mix: Option<(Mix, f32)>,
    /// Average the parameters: the share of the old average that is kept in each step, such as 0.999
    #[arg(long, value_name = "X", help_heading = "Recipe")]
    pub ema: Option<f32>,
    /// Take the parts train and validation of this file, which `vultus study` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["validation", "by_subject", "at_random"], help_heading = "Recipe")]
    pub split: Option<PathBuf>,
    /// Choose the pictures for validation one by one, even where it is known whom they show; otherwise nobody is in both
    /// training and validation
    #[arg(long, help_heading = "Recipe")]
    pub at_random: bool,
    /// Keep whole people for validation, which is the default where it is known whom a picture shows
    #[arg(long, hide = true, conflicts_with = "at_random")]
    pub by_subject: bool,
    /// Part of the pictures of each class that is kept for validation, where the data set has no part for it
    #[arg(long, value_name = "PART", default_value_t = 0.1, help_heading = "Recipe")]
    pub validation: f64,
    /// End the training when this many epochs were no better than the best before
    #[arg(long, value_name = "EPOCHS", help_heading = "Recipe")]
    pub patience: Option<usize>,
    /// Seed of everything that is drawn: split, start, order, variation and dropout
    #[arg(long, value_name = "N", default_value_t = 0, help_heading = "Recipe")]
    pub seed: u64,

    /// Continue an interrupted training
    #[arg(long, help_heading = "Files")]
    pub resume: bool,
    /// Overwrite an existing model
    #[arg(long, help_heading = "Files")]
    pub force: bool,
    /// Folder for decoded pictures, and what frozen layers make of them [default: vultus in the user's cache folder]
    #[arg(long, value_name = "DIR", help_heading = "Files")]
    pub cache: Option<PathBuf>,
    /// Write a row for each epoch into this CSV file, which has all rows so far after every epoch
    #[arg(long, value_name = "FILE", help_heading = "Files")]
    pub log: Option<PathBuf>,
    /// Write a picture of how faces are varied
    #[arg(long, value_name = "FILE.png", help_heading = "Files")]
    pub sheet: Option<PathBuf>,
}

/// What stands between base and head.
#[derive(Clone, Copy, ValueEnum)]
pub enum PoolingName {
    /// Every place of the last feature maps counts on its own
    Flatten,
    /// The mean of each feature map
    Average,
}

/// Rule of the optimiser.
#[derive(Clone, Copy, ValueEnum)]
pub enum RuleName {
    /// Gradient descent with Nesterov's momentum of 0.9
    Sgd,
    /// Adam
    Adam,
    /// Adam with decoupled weight decay
    Adamw,
}

/// What is learned of pictures with votes.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub enum TruthName {
    /// The data set's own label
    Own,
    /// The class that more than half of the votes are for
    Majority,
    /// The share of each class in the votes
    Votes,
    /// A class drawn by the votes in each epoch
    Drawn,
}

fn balance(text: &str) -> Result<Balance, String> {
    match text {
        "none" => Ok(Balance::None),
        "under" => Ok(Balance::Under),
        "over" => Ok(Balance::Over),
        "weights" => Ok(Balance::Weights(1.0)),
        _ => {
            let power = text.strip_prefix("weights:").ok_or("it is none, under, over, weights or weights:POWER")?;
            let number = power.parse().ok().filter(|power| (0.0..=2.0).contains(power));
            number.map(Balance::Weights).ok_or_else(|| format!("the power {power:?} is not within 0 and 2"))
        }
    }
}

fn decay(text: &str) -> Result<Decay, String> {
    let wrong = || "it is constant, cosine, or step:EPOCHS:FACTOR such as step:10:0.1".to_owned();
    match text {
        "constant" => Ok(Decay::Constant),
        "cosine" => Ok(Decay::Cosine),
        _ => {
            let (epochs, factor) =
                text.strip_prefix("step:").and_then(|rest| rest.split_once(':')).ok_or_else(wrong)?;
            let epochs = epochs.parse().map_err(|_| wrong())?;
            Ok(Decay::Step { epochs, factor: factor.parse().map_err(|_| wrong())? })
        }
    }
}

fn mix(text: &str) -> Result<(Mix, f32), String> {
    let (name, alpha) = text.split_once(':').map_or((text, None), |(name, alpha)| (name, Some(alpha)));
    // The usual values of the papers.
    let (kind, usual) = match name {
        "mixup" => (Mix::Mixup, 0.2),
        "cutmix" => (Mix::CutMix, 1.0),
        _ => return Err("it is mixup or cutmix".to_owned()),
    };
    let alpha = alpha.map_or(Ok(usual), |alpha| alpha.parse().map_err(|_| format!("{alpha:?} is not a number")))?;
    if !(0.05..=100.0).contains(&alpha) {
        return Err(format!("{alpha} is not within 0.05 and 100"));
    }
    Ok((kind, alpha))
}

/// Reads how pictures are varied: a name, and changes to it.
pub fn augmentation(text: &str) -> Result<Augmentation, String> {
    let mut words = text.split(',');
    let base = match words.next() {
        Some("none") => Augmentation::none(),
        Some("light") => Augmentation::light(),
        Some("standard") => Augmentation::standard(),
        _ => return Err("it begins with none, light or standard".to_owned()),
    };
    let mut values = serde_json::to_value(base).map_err(|error| error.to_string())?;
    for word in words {
        let (name, value) = word.split_once('=').ok_or_else(|| format!("{word:?} is not NAME=VALUE"))?;
        let value: f32 = value.parse().map_err(|_| format!("{value:?} is not a number"))?;
        match values.get_mut(name) {
            Some(old) if old.is_number() => *old = value.into(),
            _ => return Err(format!("pictures have no {name:?} to vary")),
        }
    }
    let augmentation: Augmentation = serde_json::from_value(values).map_err(|error| error.to_string())?;
    augmentation.check().map_err(|error| error.to_string())?;
    Ok(augmentation)
}

impl Arguments {
    /// Whether the numbers are within their ranges.
    pub fn check(&self) -> Result<(), Failure> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            let wrong = || Failure::Usage(format!("--{name} {value} is not within {low} and {high}"));
            (low..=high).contains(&value).then_some(()).ok_or_else(wrong)
        };
        within("dropout", f64::from(self.dropout), 0.0, 0.99)?;
        within("learning-rate", f64::from(self.learning_rate.unwrap_or(0.0)), 0.0, 10.0)?;
        within("head-factor", f64::from(self.head_factor), 0.0, 1000.0)?;
        within("warm-up", f64::from(self.warm_up), 0.0, self.epochs.unwrap_or(20) as f64)?;
        within("weight-decay", f64::from(self.weight_decay), 0.0, 10.0)?;
        within("label-smoothing", f64::from(self.label_smoothing), 0.0, 0.99)?;
        within("calibrate", f64::from(self.calibrate.unwrap_or(0.0)), 0.0, 1.0)?;
        within("own-share", f64::from(self.own_share), 0.0, 1.0)?;
        within("ema", f64::from(self.ema.unwrap_or(0.0)), 0.0, 0.999_999)?;
        within("validation", self.validation, 0.0, 0.9)?;
        within("margin", f64::from(self.margin.unwrap_or(1.0)), 0.5, 4.0)?;
        match self.schedule {
            Decay::Step { epochs, factor } if epochs == 0 || !(0.0..=1.0).contains(&factor) => Err(Failure::Usage(
                "--schedule step:EPOCHS:FACTOR takes 1 epoch or more, and a factor of 0 to 1".into(),
            )),
            _ => Ok(()),
        }
    }

    /// Which layers are trained.
    pub fn trainable(&self, card: &ModelCard, beginning: &Beginning) -> Trainable {
        let from = |layer: &str| Trainable::From(layer.to_owned());
        let is_vgg16 = matches!(card.architecture, Architecture::Vgg16 { .. });
        match self.train_from.as_deref() {
            Some("all") => Trainable::All,
            Some("head") => from(card.architecture.head()),
            Some(layer) => from(layer),
            None if !is_vgg16 => Trainable::All,
            None if beginning.model().is_some() => from("block4_conv1"),
            None => from(card.architecture.head()),
        }
    }

    /// The network that is asked for or, without a model to start from, VGG16.
    fn architecture(&self, base_sha256: String) -> Architecture {
        match self.network.unwrap_or(NetworkName::Vgg16) {
            NetworkName::Published(network) => Architecture::Published(network),
            NetworkName::Light => Architecture::Light,
            NetworkName::Vgg16 => Architecture::Vgg16 {
                pooling: self.pooling.map_or(Pooling::Flatten, Pooling::from),
                hidden: self.hidden.as_deref().map_or_else(|| vec![256], without_zeros),
                base_sha256,
            },
        }
    }

    /// What is learned of each picture.
    pub fn truth(&self, data: &Dataset) -> Truth {
        let voted = data.samples.iter().any(|sample| sample.votes.is_some());
        match self.truth {
            Some(TruthName::Own) => Truth::Own,
            Some(TruthName::Majority) => Truth::Majority,
            None if !voted => Truth::Own,
            Some(TruthName::Votes | TruthName::Drawn) | None => Truth::Votes { own: self.own_share },
        }
    }

    /// What the model will be, for these classes: as the model that it starts from, unless another network is asked for.
    pub fn card(&self, classes: Vec<String>, beginning: &Beginning) -> Result<ModelCard, Failure> {
        let mut card = match beginning.model().filter(|_| self.network.is_none()) {
            Some(model) => self.like(model, classes),
            None => self.anew(classes, beginning)?,
        };
        if let Some(margin) = self.margin {
            card.margin = margin;
        }
        // Gray is what the network's normalisation does.
        let preparation = self.faces.preparation(false);
        if preparation != Preparation::NONE {
            card.preparation = preparation;
        }
        if let Some(alignment) = self.faces.alignment() {
            card.alignment = Some(alignment);
        }
        if self.augment.flip > 0.0 {
            card.tta = TestTimeAugmentation::Flip;
        }
        Ok(card)
    }

    fn like(&self, model: &ModelCard, classes: Vec<String>) -> ModelCard {
        let mut card = successor(model, classes);
        if let Architecture::Vgg16 { pooling, hidden, .. } = &mut card.architecture {
            *pooling = self.pooling.map_or(*pooling, Pooling::from);
            if let Some(widths) = &self.hidden {
                *hidden = without_zeros(widths);
            }
        }
        card.input = self.input.unwrap_or(card.input);
        card.preprocessing.gray &= !self.color;
        card
    }

    fn anew(&self, classes: Vec<String>, beginning: &Beginning) -> Result<ModelCard, Failure> {
        let base = beginning.base.as_ref();
        let architecture = self.architecture(base.map(|base| base.sha256.clone()).unwrap_or_default());
        let normalization = match (self.network, base) {
            (Some(NetworkName::Published(network)), _) => network.normalization(),
            (_, Some(base)) => base.preprocessing()?,
            _ => Normalization::TORCHVISION,
        };
        let preprocessing = Normalization { gray: !self.color, ..normalization };
        Ok(ModelCard::new(architecture, classes, self.input.unwrap_or(48), preprocessing))
    }

    /// The files and folders that are read.
    pub fn reads(&self) -> impl Iterator<Item = &Path> {
        let start = self.start.as_ref().and_then(|start| if let Start::File(file) = start { Some(file) } else { None });
        [Some(&self.data), self.votes.as_ref(), start].into_iter().flatten().chain(&self.test).map(PathBuf::as_path)
    }

    /// How it is trained.
    pub fn recipe(&self, card: &ModelCard, beginning: &Beginning) -> Recipe {
        let is_head = self.trainable(card, beginning) == Trainable::From(card.architecture.head().to_owned());
        let rate = if is_head || !beginning.knows() { 1e-3 } else { fine_tuning_rate(&card.architecture) };
        // What knows faces is soon there.
        let epochs = if is_head || beginning.model().is_none() { 20 } else { 5 };
        Recipe {
            epochs: self.epochs.unwrap_or(epochs),
            batch: self.batch,
            accumulate: self.accumulate,
            precision: self.compute,
            rule: match self.optimizer {
                RuleName::Sgd => Rule::Sgd,
                RuleName::Adam => Rule::Adam,
                RuleName::Adamw => Rule::AdamW,
            },
            learning_rate: self.learning_rate.unwrap_or(rate),
            head_factor: self.head_factor,
            schedule: Schedule { warm_up: self.warm_up, decay: self.schedule },
            weight_decay: self.weight_decay,
            label_smoothing: self.label_smoothing,
            mix: self.mix,
            balance: self.balance,
            draw: self.truth == Some(TruthName::Drawn),
            ema: self.ema,
            patience: self.patience,
            seed: self.seed,
        }
    }
}

/// The learning rate for convolutions that have learnt before: those of VGG16 move little, small networks more.
pub fn fine_tuning_rate(architecture: &Architecture) -> f32 {
    if matches!(architecture, Architecture::Vgg16 { .. }) { 1e-4 } else { 5e-4 }
}

impl From<PoolingName> for Pooling {
    fn from(name: PoolingName) -> Self {
        match name {
            PoolingName::Flatten => Pooling::Flatten,
            PoolingName::Average => Pooling::Average,
        }
    }
}

fn without_zeros(widths: &[usize]) -> Vec<usize> {
    widths.iter().copied().filter(|&width| width > 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_and_variations_are_read() {
        assert_eq!(decay("step:10:0.1"), Ok(Decay::Step { epochs: 10, factor: 0.1 }));
        assert!(["step", "step:x:1", "linear", ""].iter().all(|text| decay(text).is_err()));
        let varied = augmentation("light,rotation=20,noise=2").unwrap();
        assert_eq!(varied, Augmentation { rotation: 20.0, noise: 2.0, ..Augmentation::light() });
        for wrong in ["", "heavy", "none,turn=1", "none,flip", "none,flip=x", "none,flip=2", "none,erase_area=1"] {
            assert!(augmentation(wrong).is_err(), "{wrong}");
        }
    }
}
