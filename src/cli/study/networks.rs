//! The networks of a study: how each is made, trained and asked.

use std::path::PathBuf;
use std::time::Instant;

use vultus::data::{Dataset, Split};
use vultus::face::{Architecture, ModelCard, TestTimeAugmentation, assemble};
use vultus::metrics::Predictions;
use vultus::nn::Trainable;
use vultus::nn::vgg16::Pooling;
use vultus::ops::Normalization;
use vultus::prepare::Augmentation;
use vultus::train::{Course, Event, Labels, Pictures, Predictor, Recipe, Rule, Schedule, adapt, start};
use vultus::weights::WeightFile;
use vultus::{Device, Options, Parameters, Tensor};

use super::outcome::{Choice, Outcome};
use super::{Arguments, Failure, Global, Protocol, Trial};
use crate::cli::models;
use crate::cli::train::{fine_tuning_rate, successor};

/// The share of the training part that chooses the best epoch.
const VALIDATION: f64 = 0.1;

/// The side of what is cut out around a face, relative to its box: the same for all methods that have not learnt another.
const MARGIN: f32 = 1.0;

/// What all networks of a study have in common.
pub struct Networks<'a> {
    pub device: Device,
    pub data: &'a Dataset,
    arguments: &'a Arguments,
    protocol: Protocol,
    global: &'a Global,
    known: Known,
    cache: Option<PathBuf>,
}

/// What networks start from.
pub struct Known {
    base: WeightFile,
    /// The model that expressions are adapted from, where it is needed: its card and all parameters.
    expert: Option<(ModelCard, Parameters)>,
}

impl Known {
    /// Reads what the methods need.
    pub fn load(arguments: &Arguments, global: &Global) -> Result<Self, Failure> {
        let base = global.vgg16_base()?;
        if !arguments.methods.contains(&Choice::Adapted) {
            return Ok(Known { base, expert: None });
        }
        let expert = assemble(Some(base.clone()), models::load(arguments.start.as_deref(), global)?)?;
        if let Some(map) = &arguments.classes {
            map.check_model(&expert.0.classes)?;
        }
        Ok(Known { base, expert: Some(expert) })
    }

    /// The classes of the model that is adapted, where one is.
    pub fn classes(&self) -> Option<&[String]> {
        self.expert.as_ref().map(|(card, _)| card.classes.as_slice())
    }
}

/// One network's way from the start to the end.
struct Way {
    card: ModelCard,
    known: Parameters,
    trainable: Trainable,
    augmentation: Augmentation,
    recipe: Recipe,
}

impl<'a> Networks<'a> {
    pub fn new(
        arguments: &'a Arguments,
        device: Device,
        data: &'a Dataset,
        protocol: Protocol,
        known: Known,
        global: &'a Global,
    ) -> Self {
        Networks {
            device,
            data,
            arguments,
            protocol,
            global,
            known,
            cache: arguments.cache.clone().or_else(crate::cli::global::cache_folder),
        }
    }

    pub fn side(&self) -> usize {
        self.arguments.input
    }

    pub fn seed(&self) -> u64 {
        self.arguments.seed
    }

    /// The pictures as most networks take them.
    pub fn pictures(&self, augmentation: &Augmentation) -> Pictures<'a> {
        let normalization = Normalization { gray: true, ..Normalization::CAFFE };
        Pictures {
            data: self.data,
            input: self.arguments.input,
            normalization,
            preparation: self.arguments.faces.preparation(false),
            augmentation: *augmentation,
            alignment: self.arguments.faces.alignment(),
            margin: MARGIN,
        }
    }

    /// Trains a network on one part of a split and asks it about the other.
    pub fn try_on(&self, outcome: &mut Outcome, trial: &Trial, fold: u64) -> Result<(), Failure> {
        let way = self.way(outcome.choice)?;
        let seed = self.seed().wrapping_add(fold);
        let aside = self.protocol.aside(self.data, &trial.training);
        let (training, validation) = Split::hold_out(self.data, &trial.training, aside, VALIDATION, seed)?;
        let pictures = Pictures::new(self.data, &way.card, way.augmentation);
        let mut parameters = start(&self.device, &way.card, &way.known, &pictures, &training, seed)?;
        let recipe = Recipe { seed, ..way.recipe.clone() };
        let course = Course {
            device: &self.device,
            card: &way.card,
            dropout: 0.5,
            start: parameters.clone(),
            trainable: way.trainable.clone(),
            pictures: &pictures,
            labels: &Labels::own(self.data),
            training: &training,
            validation: &validation,
            recipe: &recipe,
            cache: self.cache.as_deref(),
            checkpoint: None,
        };
        let bar = self.global.progress("training", recipe.epochs * training.len());
        let hear = |event: Event| {
            if let Event::Step { done, all, .. } = event {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
            }
        };
        let trained = course.run(&mut |_| {}, hear)?;
        bar.finish_and_clear();
        parameters.extend(trained.parameters);
        self.ask(outcome, &way.card, &parameters, &pictures, trial)?;
        if fold == 0 {
            outcome.milliseconds = Some(self.time(&way.card, &parameters)?);
            outcome.parameters = Some(parameters.values().map(|tensor| tensor.len() as u64).sum());
            outcome.settings = settings(&way);
            outcome.epochs = trained.epochs;
            outcome.model = Some((way.card, parameters));
        }
        Ok(())
    }

    fn ask(
        &self,
        outcome: &mut Outcome,
        card: &ModelCard,
        parameters: &Parameters,
        pictures: &Pictures,
        trial: &Trial,
    ) -> Result<(), Failure> {
        let plain = Pictures { augmentation: Augmentation::none(), ..pictures.clone() };
        let network = card.network()?;
        let flip = card.tta == TestTimeAugmentation::Flip;
        let predictor =
            Predictor { device: &self.device, network: &network, parameters, batch: self.arguments.batch, flip };
        let answers = predictor.predict(&plain, &trial.test)?;
        let (tested, probabilities): (Vec<usize>, Vec<Vec<f32>>) = answers.into_iter().unzip();
        let samples = || tested.iter().map(|&index| &self.data.samples[index]);
        let predictions = Predictions {
            classes: self.data.classes.clone(),
            labels: samples().map(|sample| sample.label).collect(),
            probabilities,
            subjects: samples().map(|sample| sample.subject.clone()).collect(),
        };
        outcome.add(predictions, tested)
    }

    /// Milliseconds for a picture at a time: the median of several runs.
    fn time(&self, card: &ModelCard, parameters: &Parameters) -> Result<f64, Failure> {
        let network = card.network()?;
        let mut plan = self.device.load(&network, parameters)?.compile(1, &Options::default())?;
        let input = Tensor::zeros([&[1], network.input()].concat());
        let mut times = Vec::new();
        for _ in 0..11 {
            let begin = Instant::now();
            plan.run(&input)?;
            times.push(begin.elapsed().as_secs_f64() * 1000.0);
        }
        // The first runs compile and fill caches.
        times.drain(..2);
        times.sort_by(f64::total_cmp);
        Ok(times[times.len() / 2])
    }

    fn way(&self, choice: Choice) -> Result<Way, Failure> {
        let Arguments { epochs, batch, input, augment, .. } = self.arguments;
        let classes = self.data.classes.clone();
        let recipe = Recipe { epochs: *epochs, batch: *batch, ..Recipe::default() };
        let deep = |architecture| Recipe {
            learning_rate: fine_tuning_rate(architecture),
            schedule: Schedule { warm_up: 1.0, ..recipe.schedule },
            ..recipe.clone()
        };
        let gray = |normalization| Normalization { gray: true, ..normalization };
        let vgg = |hidden| Architecture::Vgg16 {
            pooling: Pooling::Flatten,
            hidden,
            base_sha256: self.known.base.sha256.clone(),
        };
        let card = |architecture, normalization| ModelCard {
            margin: MARGIN,
            preparation: self.arguments.faces.preparation(false),
            alignment: self.arguments.faces.alignment(),
            ..ModelCard::new(architecture, classes.clone(), *input, gray(normalization))
        };
        let with_flip = |mut card: ModelCard| {
            card.tta = TestTimeAugmentation::Flip;
            card
        };
        let from = |layer: &str| Trainable::From(layer.to_owned());
        // Other networks are small enough to be trained as a whole.
        let deep_part = |card: &ModelCard| match (self.arguments.train_from.as_deref(), &card.architecture) {
            (Some("all"), _) => Trainable::All,
            (Some(layer), _) => from(layer),
            (None, Architecture::Vgg16 { .. }) => from("block4_conv1"),
            (None, _) => Trainable::All,
        };
        let none = Augmentation::none();
        Ok(match (choice, &self.known.expert) {
            (Choice::Light | Choice::Published(_), _) => Way {
                card: with_flip(match choice {
                    Choice::Published(network) => card(Architecture::Published(network), network.normalization()),
                    _ => card(Architecture::Light, Normalization::TORCHVISION),
                }),
                known: Parameters::new(),
                trainable: Trainable::All,
                augmentation: *augment,
                recipe: Recipe { epochs: 4 * epochs, schedule: Schedule { warm_up: 2.0, ..recipe.schedule }, ..recipe },
            },
            (Choice::Deep, _) => {
                let card = with_flip(card(vgg(vec![256]), self.known.base.preprocessing()?));
                Way {
                    trainable: deep_part(&card),
                    recipe: deep(&card.architecture),
                    card,
                    known: self.known.base.parameters.clone(),
                    augmentation: *augment,
                }
            }
            (Choice::Adapted, Some((expert, parameters))) => {
                // It sees faces as it has learnt to, and every answer of it counts.
                let card = ModelCard { uncertain_below: None, ..successor(expert, classes) };
                Way {
                    trainable: deep_part(&card),
                    card: with_flip(card),
                    known: adapt(expert, parameters.clone(), &self.data.classes)?,
                    augmentation: *augment,
                    recipe: deep(&expert.architecture),
                }
            }
            _ => Way {
                card: card(vgg(vec![256]), self.known.base.preprocessing()?),
                known: self.known.base.parameters.clone(),
                trainable: from("fc6"),
                augmentation: none,
                recipe: Recipe { epochs: 2 * epochs, ..recipe },
            },
        })
    }
}

fn rule(rule: Rule) -> &'static str {
    match rule {
        Rule::Sgd => "SGD",
        Rule::Adam => "Adam",
        Rule::AdamW => "AdamW",
    }
}

/// How pictures are varied, in words.
fn variation(augmentation: &Augmentation) -> String {
    let Augmentation { flip, shift, rotation, scale, crop, brightness, contrast, noise, erase, erase_area: _ } =
        *augmentation;
    let percent = |share: f32| format!("{} %", (1000.0 * share).round() / 10.0);
    let kinds = [
        (flip, format!("{} mirrored", percent(flip))),
        (shift, format!("shifted by up to {} of the side", percent(shift))),
        (rotation, format!("turned by up to {rotation}°")),
        (scale, format!("scaled by up to {}", percent(scale))),
        (crop, format!("up to {} of the sides cut away", percent(crop))),
        (brightness, format!("brightness changed by up to {}", percent(brightness))),
        (contrast, format!("contrast changed by up to {}", percent(contrast))),
        (noise, format!("noise with a standard deviation of {noise}")),
        (erase, format!("a part of {} erased", percent(erase))),
    ];
    let named: Vec<String> = kinds.into_iter().filter(|(amount, _)| *amount > 0.0).map(|(_, words)| words).collect();
    if named.is_empty() { "none".to_owned() } else { named.join(", ") }
}

fn settings(way: &Way) -> Vec<(String, String)> {
    let trainable = match &way.trainable {
        Trainable::All => "all layers".to_owned(),
        Trainable::From(layer) => format!("from {layer}"),
    };
    let recipe = &way.recipe;
    [
        ("trained", trainable),
        ("input", format!("{0}×{0}", way.card.input)),
        ("margin around a face's box", way.card.margin.to_string()),
        ("epochs", recipe.epochs.to_string()),
        ("batch", recipe.batch.to_string()),
        ("rule", rule(recipe.rule).to_owned()),
        ("learning rate", format!("{} with warm-up of {} epochs", recipe.learning_rate, recipe.schedule.warm_up)),
        ("weight decay", recipe.weight_decay.to_string()),
        ("label smoothing", recipe.label_smoothing.to_string()),
        ("variation", variation(&way.augmentation)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variation_is_said_in_words() {
        assert_eq!(variation(&Augmentation::none()), "none");
        let wanted = "50 % mirrored, shifted by up to 4 % of the side, turned by up to 5°, scaled by up to 5 %";
        assert_eq!(variation(&Augmentation::light()), wanted);
    }
}
