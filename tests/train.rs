//! Training: that it learns, gives the same numbers at each run and after an interruption, and what it refuses.
#![cfg(feature = "train")]

mod compare;

use std::fs;
use std::path::{Path, PathBuf};

use compare::devices;
use vultus::nn::{Network, Trainable};
use vultus::ops::{Conv2d, MaxPool2d};
use vultus::prepare::Mix;
use vultus::train::{Balance, Decay, Epoch, Event, Examples, Job, Recipe, Rule, Schedule, Trained, fit};
use vultus::{Device, Error, Random, Result};

const CLASSES: usize = 3;
const SIDE: usize = 8;
const COUNT: usize = 60;

/// Pictures of bars: across, down or both, with noise; number 7 cannot be read where `broken` is set.
struct Bars {
    noise: f32,
    broken: bool,
}

impl Examples for Bars {
    fn shape(&self) -> [usize; 3] {
        [1, SIDE, SIDE]
    }

    fn write(&self, index: usize, random: Option<&mut Random>, out: &mut [f32]) -> Result<()> {
        if self.broken && index == 7 {
            return Err(Error::Image { file: "bars/7".into(), reason: "is broken".into() });
        }
        let mut own = Random::new(index as u64);
        // A variation of its own in every epoch.
        let shift = random.map_or(0, |random| random.below(2));
        for (place, value) in out.iter_mut().enumerate() {
            let (y, x) = (place / SIDE, place % SIDE);
            let bright = match label(index) {
                0 => ((y + shift) / 2).is_multiple_of(2),
                1 => ((x + shift) / 2).is_multiple_of(2),
                _ => ((x + y + shift) / 2).is_multiple_of(2),
            };
            *value = f32::from(u8::from(bright)) - 0.5 + self.noise * own.normal();
        }
        Ok(())
    }
}

fn label(index: usize) -> usize {
    index % CLASSES
}

fn network() -> Network {
    Network::new("small", [1, SIDE, SIDE])
        .conv2d("conv1", "features.0", 6, Conv2d::square(3, 1, 1))
        .relu()
        .max_pool2d("pool1", MaxPool2d::new(2, 2))
        .conv2d("conv2", "features.3", 8, Conv2d::square(3, 1, 1))
        .relu()
        .flatten()
        .dropout(0.2)
        .dense("fc", "classifier.0", CLASSES)
        .softmax()
}

fn recipe() -> Recipe {
    Recipe {
        epochs: 8,
        batch: 16,
        learning_rate: 1e-2,
        schedule: Schedule { warm_up: 0.5, decay: Decay::Cosine },
        seed: 3,
        ..Recipe::default()
    }
}

/// A training of the network above on the bars, with every fifth picture for validation.
struct Setting<'a> {
    device: &'a Device,
    recipe: Recipe,
    bars: Bars,
    from: &'a str,
    checkpoint: Option<PathBuf>,
    probabilities: Option<Vec<f32>>,
}

impl<'a> Setting<'a> {
    fn new(device: &'a Device) -> Self {
        Setting {
            device,
            recipe: recipe(),
            bars: Bars { noise: 0.2, broken: false },
            from: "conv1",
            checkpoint: None,
            probabilities: None,
        }
    }

    fn fit(&self, hear: impl FnMut(Event)) -> Result<Trained> {
        let labels: Vec<usize> = (0..COUNT).map(label).collect();
        let (validation, training): (Vec<usize>, Vec<usize>) = (0..COUNT).partition(|index| index % 5 == 0);
        let (network, classes) = (network(), ["across", "down", "both"].map(str::to_owned));
        fit(
            Job {
                device: self.device,
                network: &network,
                start: network.initialize(1)?,
                trainable: Trainable::From(self.from.into()),
                examples: &self.bars,
                classes: &classes,
                labels: &labels,
                probabilities: self.probabilities.as_deref(),
                training: &training,
                validation: &validation,
                recipe: &self.recipe,
                checkpoint: self.checkpoint.clone(),
            },
            hear,
        )
    }

    fn trained(&self) -> Trained {
        self.fit(|_| {}).unwrap()
    }
}

/// The numbers of an epoch that do not depend on how fast the machine is.
fn numbers(epochs: &[Epoch]) -> Vec<Epoch> {
    let timeless = |epoch: &Epoch| Epoch { seconds: 0.0, pictures_per_second: 0.0, waited: 0.0, ..epoch.clone() };
    epochs.iter().map(timeless).collect()
}

#[test]
fn what_can_be_told_apart_is_learnt_and_every_step_and_epoch_is_reported() {
    for device in devices() {
        let (mut steps, mut epochs) = (Vec::new(), Vec::new());
        let trained = Setting::new(&device).fit(|event| match event {
            Event::Step { done, all, loss } => steps.push((done, all, loss)),
            Event::Epoch(epoch) => epochs.push(epoch.clone()),
            Event::Resumed(_) | Event::Warning(_) => panic!("there was nothing to go on with, and nothing wrong"),
        });
        let trained = trained.unwrap();
        let best = trained.epochs[trained.best - 1].validation.unwrap();
        assert!(best.accuracy > 0.9 && best.macro_recall > 0.9, "{device}: {:?}", trained.epochs);
        assert!(trained.epochs[7].loss < 0.7 * trained.epochs[0].loss, "{device}: {:?}", trained.epochs);
        assert_eq!(trained.epochs, epochs);
        // 48 pictures in batches of 16.
        assert_eq!(
            steps.iter().map(|step| (step.0, step.1)).collect::<Vec<_>>(),
            (1..=24).map(|i| (i, 24)).collect::<Vec<_>>()
        );
        assert!(
            trained.epochs.iter().all(|epoch| epoch.pictures_per_second > 0.0 && (0.0..=1.0).contains(&epoch.waited))
        );
        assert!(trained.epochs[7].learning_rate < 0.05 * recipe().learning_rate);
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_one_does_not() {
    for device in devices() {
        let mut setting = Setting::new(&device);
        setting.recipe.epochs = 2;
        let (first, again) = (setting.trained(), setting.trained());
        assert_eq!(first.parameters, again.parameters, "{device}");
        assert_eq!(numbers(&first.epochs), numbers(&again.epochs), "{device}");
        setting.recipe.seed = 4;
        assert_ne!(setting.trained().parameters, first.parameters, "{device}");
    }
}

/// Each epoch's checkpoint is set aside; from each of them the training must end as if it had never been interrupted.
#[test]
fn a_training_that_goes_on_ends_with_the_same_bits() {
    for device in devices() {
        for (rule, ema) in [(Rule::Sgd, None), (Rule::AdamW, Some(0.9))] {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("checkpoint");
            let aside = |epoch: usize| folder.path().join(format!("checkpoint-{epoch}"));
            let mut setting = Setting::new(&device);
            setting.recipe.epochs = 4;
            setting.recipe.rule = rule;
            setting.recipe.ema = ema;
            setting.checkpoint = Some(file.clone());
            let whole = setting.fit(|event| {
                if let Event::Epoch(epoch) = event {
                    fs::copy(&file, aside(epoch.number)).unwrap();
                }
            });
            let whole = whole.unwrap();
            for epoch in 1..=4 {
                fs::copy(aside(epoch), &file).unwrap();
                let mut resumed = 0;
                let rest = setting.fit(|event| {
                    if let Event::Resumed(epochs) = event {
                        resumed = epochs.len();
                    }
                });
                let rest = rest.unwrap();
                assert_eq!(resumed, epoch);
                assert_eq!(rest.parameters, whole.parameters, "{device}, {rule:?}, epoch {epoch}");
                assert_eq!(numbers(&rest.epochs), numbers(&whole.epochs), "{device}, {rule:?}, epoch {epoch}");
                assert_eq!(rest.best, whole.best);
            }
        }
    }
}

#[test]
fn a_checkpoint_of_another_training_or_a_damaged_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("checkpoint");
    let mut setting = Setting::new(&Device::Cpu);
    setting.recipe.epochs = 2;
    setting.checkpoint = Some(file.clone());
    setting.trained();
    let refused = |setting: &Setting| setting.fit(|_| {}).unwrap_err().to_string();
    setting.recipe.seed += 1;
    assert!(refused(&setting).contains("another") || refused(&setting).contains("other settings"));
    setting.recipe.seed -= 1;
    let whole = fs::read(&file).unwrap();
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    assert!(refused(&setting).contains("cut short"), "{}", refused(&setting));
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("weights/mtcnn.safetensors"), &file).unwrap();
    assert!(refused(&setting).contains("no checkpoint"), "{}", refused(&setting));
}

#[test]
fn frozen_layers_stay_and_only_the_others_are_given_back() {
    for device in devices() {
        let mut setting = Setting::new(&device);
        setting.recipe.epochs = 1;
        setting.from = "conv2";
        let names: Vec<String> = setting.trained().parameters.into_keys().collect();
        assert_eq!(names, ["classifier.0.bias", "classifier.0.weight", "features.3.bias", "features.3.weight"]);
    }
}

#[test]
fn pictures_that_cannot_be_read_are_left_out_and_listed() {
    let mut setting = Setting::new(&Device::Cpu);
    setting.bars.broken = true;
    let trained = setting.trained();
    assert_eq!(trained.unreadable.len(), 1);
    assert!(trained.unreadable[&7].contains("is broken"));
    assert!(trained.epochs[7].validation.unwrap().accuracy > 0.9);
}

#[test]
fn a_training_ends_early_when_it_does_not_get_better() {
    let mut setting = Setting::new(&Device::Cpu);
    setting.recipe.learning_rate = 0.0;
    setting.recipe.epochs = 50;
    setting.recipe.patience = Some(3);
    // Nothing changes, and of equal epochs the last is the best.
    assert_eq!(setting.trained().epochs.len(), 50);
    setting.recipe.learning_rate = 0.02;
    setting.bars.noise = 5.0;
    let trained = setting.trained();
    assert!(trained.epochs.len() < 50 && trained.epochs.len() == trained.best + 4, "{:?}", trained.epochs);
}

#[test]
fn batches_that_make_one_step_train_as_one_batch() {
    for device in devices() {
        let mut setting = Setting::new(&device);
        setting.recipe.epochs = 2;
        let whole = setting.trained();
        (setting.recipe.batch, setting.recipe.accumulate) = (4, 4);
        let mut steps = 0;
        let parts = setting.fit(|event| steps += usize::from(matches!(event, Event::Step { .. }))).unwrap();
        assert_eq!(steps, 6, "{device}");
        for (name, tensor) in &whole.parameters {
            let pairs = tensor.data().iter().zip(parts.parameters[name].data());
            let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // Gradients in another order of additions, behind which Adam divides by their root mean square.
            assert!(apart < 1e-3, "{device}, {name}: {apart}");
        }
    }
}

#[test]
fn mixed_pictures_are_learnt_from() {
    for kind in [Mix::Mixup, Mix::CutMix] {
        let mut setting = Setting::new(&Device::Cpu);
        setting.recipe.mix = Some((kind, 0.2));
        setting.recipe.epochs = 12;
        // The last batch is not full, and one picture cannot be read.
        setting.recipe.batch = 18;
        setting.bars.broken = true;
        let (first, again) = (setting.trained(), setting.trained());
        assert!(first.epochs[11].validation.unwrap().accuracy > 0.9, "{kind:?}: {:?}", first.epochs);
        assert_eq!(first.parameters, again.parameters);
    }
}

/// Rows in which each example's own class has most, and the next one the rest.
fn doubted(own: f32) -> Vec<f32> {
    let row = |index: usize| {
        let mut row = [0.0; 3];
        row[label(index)] = own;
        row[(label(index) + 1) % 3] += 1.0 - own;
        row
    };
    (0..COUNT).flat_map(row).collect()
}

#[test]
fn what_people_voted_is_learnt_whole_or_drawn() {
    let answered = |draw, probabilities| {
        let mut setting = Setting::new(&Device::Cpu);
        setting.recipe.draw = draw;
        setting.recipe.epochs = 24;
        setting.probabilities = probabilities;
        let trained = setting.trained();
        trained.epochs[23].validation.unwrap()
    };
    let (own, whole, drawn) =
        (answered(false, None), answered(false, Some(doubted(0.8))), answered(true, Some(doubted(0.8))));
    for judged in [own, whole, drawn] {
        assert!(judged.accuracy > 0.9, "{judged:?}");
    }
    // Who has learnt that two of ten see something else is never sure: −ln 0.8 = 0.22 is the best that can be.
    for judged in [whole, drawn] {
        assert!((0.15..0.5).contains(&judged.loss) && judged.loss > own.loss, "{judged:?}, {own:?}");
    }
}

#[test]
fn drawn_classes_are_the_same_with_the_same_seed() {
    let parameters = |seed| {
        let mut setting = Setting::new(&Device::Cpu);
        setting.recipe = Recipe { draw: true, epochs: 2, seed, ..setting.recipe };
        setting.probabilities = Some(doubted(0.6));
        setting.trained().parameters
    };
    assert_eq!(parameters(3), parameters(3));
    assert_ne!(parameters(3), parameters(4));
}

#[test]
fn classes_can_be_balanced() {
    for balance in [Balance::Under, Balance::Over, Balance::Weights(1.0), Balance::Weights(0.5)] {
        let mut setting = Setting::new(&Device::Cpu);
        setting.recipe.balance = balance;
        let trained = setting.trained();
        assert!(trained.epochs[7].validation.unwrap().accuracy > 0.9, "{balance:?}: {:?}", trained.epochs);
    }
}

#[test]
fn settings_out_of_range_and_what_is_no_number_are_refused() {
    let refused = |change: &dyn Fn(&mut Recipe)| {
        let mut setting = Setting::new(&Device::Cpu);
        change(&mut setting.recipe);
        setting.fit(|_| {}).unwrap_err().to_string()
    };
    assert!(refused(&|recipe| recipe.epochs = 0).contains("0 epochs"));
    assert!(refused(&|recipe| recipe.batch = 0).contains("batches of 0"));
    assert!(refused(&|recipe| recipe.learning_rate = f32::NAN).contains("out of range"));
    assert!(refused(&|recipe| recipe.ema = Some(1.0)).contains("less than 1"));
    assert!(refused(&|recipe| recipe.schedule.warm_up = -1.0).contains("warm-up"));
    assert!(refused(&|recipe| recipe.label_smoothing = 2.0).contains("smoothing"));
    for device in devices() {
        let mut wild = Setting::new(&device);
        wild.recipe.learning_rate = 1e6;
        wild.recipe.rule = Rule::Sgd;
        let error = wild.fit(|_| {}).unwrap_err();
        assert!(matches!(&error, Error::Diverged { .. }), "{device}: {error:?}");
        assert!(error.to_string().ends_with("take a smaller learning rate"), "{device}: {error}");
    }
}
