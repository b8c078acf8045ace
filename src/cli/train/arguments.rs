//! The options of `vultus train`, and what they mean.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use vultus::Error;
use vultus::data::Dataset;
use vultus::face::{Architecture, ModelCard, TestTimeAugmentation};
use vultus::nn::Trainable;
use vultus::nn::vgg16::Pooling;
use vultus::ops::Normalization;
use vultus::prepare::{Augmentation, Mix};
use vultus::train::{Balance, Decay, Recipe, Rule, Schedule, Truth};
use vultus::weights::WeightFile;

use crate::cli::faces::FaceArguments;
use crate::cli::failure::Failure;
use crate::cli::models;
use crate::cli::network::NetworkName;
use crate::cli::stored::Stored;

/// Train a model on labelled faces
///
/// Starts from VGG16's convolutions trained on ImageNet, or from a model of your own. By default only a head is trained:
/// what the convolutions make of each picture is computed once and cached. With --train-from the convolutions from that
/// layer on learn too. After each epoch the state is kept beside the model, so that a training that was ended, however,
/// goes on with --resume as if nothing had happened. The epoch that does best on the pictures kept for validation is
/// saved, with its class names and preprocessing. The same seed on the same device gives the same model.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus train faces --out my_model.safetensors
  vultus train faces --train-from block4_conv1 --augment standard --epochs 30 --ema 0.999 --out deep.safetensors
  vultus train faces --network light --augment standard --epochs 60 --learning-rate 1e-3 --out light.safetensors
  vultus train more_faces --start deep.safetensors --train-from block5_conv1 --out adapted.safetensors
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

    /// Which network
    #[arg(long, value_enum, default_value_t = NetworkName::Vgg16, help_heading = "Network")]
    pub network: NetworkName,
    /// The first layer that is trained: head, all, or the name of a layer such as block4_conv1
    #[arg(long, value_name = "LAYER", help_heading = "Network")]
    pub train_from: Option<String>,
    /// What to start from: default, light or vgg16, the models that come with the program, the file of a model (./light, if
    /// it is called so), or one of weights of other programs whose names and shapes are the network's
    #[arg(long, value_name = models::VALUE, help_heading = "Network")]
    pub start: Option<PathBuf>,
    /// Height and width that faces are scaled to
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = RangedU64ValueParser::<usize>::new().range(32..=1024), help_heading = "Network")]
    pub input: usize,
    /// Keep the colours instead of turning every face gray
    #[arg(long, help_heading = "Network")]
    pub color: bool,
    /// What stands between base and head of VGG16
    #[arg(long, value_enum, default_value_t = PoolingName::Flatten, help_heading = "Network")]
    pub pooling: PoolingName,
    /// Widths of VGG16's hidden dense layers, separated by commas; 0 for none
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "256", help_heading = "Network")]
    pub hidden: Vec<usize>,
    /// Probability of dropout in the head
    #[arg(long, value_name = "P", default_value_t = 0.5, help_heading = "Network")]
    pub dropout: f32,
    /// Type of the saved numbers
    #[arg(long, value_enum, default_value_t = Stored::F16, help_heading = "Network")]
    pub precision: Stored,
    /// Side of the crop around a found face when the model is used, relative to the face's box
    #[arg(long, value_name = "SCALE", default_value_t = 0.9, help_heading = "Network")]
    pub margin: f32,

    /// How often every picture is seen
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000), help_heading = "Recipe")]
    pub epochs: usize,
    /// Pictures per batch
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096), help_heading = "Recipe")]
    pub batch: usize,
    /// Batches whose gradients make one step
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096), help_heading = "Recipe")]
    pub accumulate: u32,
    /// Rule of the optimiser
    #[arg(long, value_enum, default_value_t = RuleName::Adamw, help_heading = "Recipe")]
    pub optimizer: RuleName,
    /// Learning rate after the warm-up [default: 1e-3 for a head or a network that begins with random numbers, else 1e-4]
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
    /// Take the parts train and validation of this file, which `vultus data --split` or `vultus study` wrote
    #[arg(long, value_name = "FILE", conflicts_with_all = ["validation", "by_subject"], help_heading = "Recipe")]
    pub split: Option<PathBuf>,
    /// Keep whole people for validation, where it is known whom a picture shows
    #[arg(long, help_heading = "Recipe")]
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

    /// Go on with a training that was ended
    #[arg(long, help_heading = "Files")]
    pub resume: bool,
    /// Folder for what the frozen layers make of each picture [default: vultus in the user's cache folder]
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
        within("learning-rate", f64::from(self.learning_rate()), 0.0, 10.0)?;
        within("head-factor", f64::from(self.head_factor), 0.0, 1000.0)?;
        within("warm-up", f64::from(self.warm_up), 0.0, self.epochs as f64)?;
        within("weight-decay", f64::from(self.weight_decay), 0.0, 10.0)?;
        within("label-smoothing", f64::from(self.label_smoothing), 0.0, 0.99)?;
        within("own-share", f64::from(self.own_share), 0.0, 1.0)?;
        within("ema", f64::from(self.ema.unwrap_or(0.0)), 0.0, 0.999_999)?;
        within("validation", self.validation, 0.0, 0.9)?;
        within("margin", f64::from(self.margin), 0.5, 4.0)?;
        match self.schedule {
            Decay::Step { epochs, factor } if epochs == 0 || !(0.0..=1.0).contains(&factor) => Err(Failure::Usage(
                "--schedule step:EPOCHS:FACTOR takes 1 epoch or more, and a factor of 0 to 1".into(),
            )),
            _ => Ok(()),
        }
    }

    /// Which layers are trained.
    pub fn trainable(&self) -> Trainable {
        match (self.train_from.as_deref(), self.network) {
            (Some("all"), _) => Trainable::All,
            (None, NetworkName::Light | NetworkName::Published(_)) => Trainable::All,
            (None | Some("head"), _) => Trainable::From(self.architecture(String::new()).head().to_owned()),
            (Some(layer), _) => Trainable::From(layer.to_owned()),
        }
    }

    /// The network, for a base of this SHA-256.
    fn architecture(&self, base_sha256: String) -> Architecture {
        match self.network {
            NetworkName::Published(network) => Architecture::Published(network),
            NetworkName::Light => Architecture::Light,
            NetworkName::Vgg16 => Architecture::Vgg16 {
                pooling: match self.pooling {
                    PoolingName::Flatten => Pooling::Flatten,
                    PoolingName::Average => Pooling::Average,
                },
                hidden: self.hidden.iter().copied().filter(|&width| width > 0).collect(),
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

    fn learning_rate(&self) -> f32 {
        let is_head = self.trainable() != Trainable::All && matches!(self.train_from.as_deref(), None | Some("head"));
        // Convolutions that have learnt before move little.
        let knows = self.network == NetworkName::Vgg16 || self.start.is_some();
        let default = if is_head || !knows { 1e-3 } else { 1e-4 };
        self.learning_rate.unwrap_or(default)
    }

    /// What the model will be, for these classes and this base.
    pub fn card(&self, classes: Vec<String>, base: &WeightFile) -> Result<ModelCard, Error> {
        let architecture = self.architecture(base.sha256.clone());
        let normalization = match self.network {
            NetworkName::Published(network) => network.normalization(),
            NetworkName::Light => Normalization::TORCHVISION,
            NetworkName::Vgg16 => base.preprocessing()?,
        };
        let preprocessing = Normalization { gray: !self.color, ..normalization };
        let mut card = ModelCard::new(architecture, classes, self.input, preprocessing);
        card.margin = self.margin;
        card.alignment = self.faces.alignment();
        // Gray is what the network's normalisation does.
        card.preparation = self.faces.preparation(false);
        if self.augment.flip > 0.0 {
            card.tta = TestTimeAugmentation::Flip;
        }
        Ok(card)
    }

    /// How it is trained.
    pub fn recipe(&self) -> Recipe {
        Recipe {
            epochs: self.epochs,
            batch: self.batch,
            accumulate: self.accumulate,
            rule: match self.optimizer {
                RuleName::Sgd => Rule::Sgd,
                RuleName::Adam => Rule::Adam,
                RuleName::Adamw => Rule::AdamW,
            },
            learning_rate: self.learning_rate(),
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
