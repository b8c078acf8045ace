//! Pictures that are varied where the network is trained: every device makes the same of them as the host does, and learns
//! the same.
#![cfg(feature = "train")]

mod compare;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use compare::twins::identity;
use compare::{checked, devices, gpu};
use vultus::data::Dataset;
use vultus::face::{Architecture, ModelCard};
use vultus::image::RgbImage;
use vultus::nn::{Network, Trainable};
use vultus::ops::{Conv2d, MaxPool2d, Normalization};
use vultus::prepare::{Augmentation, Mix, Preparation};
use vultus::train::{Event, Examples, Job, Pictures, Recipe, Rule, Trained, Varied, fit};
use vultus::{Device, Error, Parameters, Random, Result};

const SIDE: usize = 24;
const COUNT: usize = 20;

/// Faces of two classes, in colour and gray, of the network's size and of others; number 7 is no picture.
fn data(folder: &Path) -> Dataset {
    for number in 0..COUNT as u32 {
        let (side, bright) = ([24, 24, 31, 18][number as usize % 4], 120 * (number % 2));
        let pixel = |x: u32, y: u32| {
            let value = 20 + bright + (7 * x + 3 * y + 5 * number) % 90;
            let colour = if number % 3 == 0 { 0 } else { x };
            image::Rgb([value as u8, (value + colour) as u8, value as u8])
        };
        let class = folder.join(["dark", "light"][number as usize % 2]);
        std::fs::create_dir_all(&class).unwrap();
        let file = class.join(format!("{number:02}.png"));
        if number == 7 {
            std::fs::write(file, "none").unwrap();
        } else {
            RgbImage::from_fn(side, side, pixel).save(file).unwrap();
        }
    }
    Dataset::open(folder).unwrap()
}

/// Everything that can be done to a picture.
fn strong() -> Augmentation {
    Augmentation { erase: 0.5, ..Augmentation::standard() }
}

fn pictures(data: &Dataset, augmentation: Augmentation) -> Pictures<'_> {
    let card = ModelCard::new(Architecture::Light, data.classes.clone(), SIDE, Normalization::CAFFE);
    Pictures { preparation: Preparation::NONE, ..Pictures::new(data, &card, augmentation) }
}

/// The numbers of the pictures that are some.
fn readable(pictures: &Pictures) -> Vec<usize> {
    (0..COUNT).filter(|&index| pictures.picture(index, None).is_ok()).collect()
}

/// How far values of 0 to 255 may be apart from device to device. Nothing is rounded to whole values. A place in a picture of
/// 24 pixels is a sum of three terms below 64, of which a device may round fewer by fused multiply-adds; a pixel's place is
/// worth up to 255 on each axis, and contrast may add a quarter to that.
const APART: f32 = 2.0 * 3.0 * 64.0 * 255.0 * 1.25 * f32::EPSILON;

#[test]
fn devices_vary_pictures_alike() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let pictures = pictures(&data, strong());
    let examples = readable(&pictures);
    let length = 3 * SIDE * SIDE;
    let random = |index: usize| Random::new(1000 + index as u64);
    let mut wanted = vec![0.0; examples.len() * length];
    for (&index, out) in examples.iter().zip(wanted.chunks_exact_mut(length)) {
        pictures.write(index, Some(&mut random(index)), out).unwrap();
    }
    let drawn: Vec<_> = examples.iter().map(|&index| pictures.draw(index, &mut random(index)).unwrap()).collect();
    let bytes: Vec<&[u8]> = drawn.iter().map(|(bytes, _)| bytes.as_slice()).collect();
    let variations: Vec<_> = drawn.iter().map(|(_, variation)| *variation).collect();
    for device in devices() {
        let model = device.load(&identity(SIDE, SIDE), &Parameters::new()).unwrap();
        let mut plan = model.compile(examples.len(), &checked()).unwrap();
        plan.set_varied(&bytes, &variations, &pictures.normalization).unwrap();
        plan.execute().unwrap();
        let found = plan.outputs().unwrap().swap_remove(0);
        let apart = found.data().iter().zip(&wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let allowed = if matches!(device, Device::Cpu) { 0.0 } else { APART };
        assert!(apart <= allowed, "{device}: {apart}, more than {allowed}");
    }
    // What a sheet shows is that, rounded. CAFFE's values are BGR less a mean.
    for (&index, values) in examples.iter().zip(wanted.chunks_exact(length)) {
        let shown = pictures.picture(index, Some(&mut random(index))).unwrap();
        for (place, pixel) in shown.pixels().enumerate() {
            for channel in 0..3 {
                let value = values[(2 - channel) * SIDE * SIDE + place] + Normalization::CAFFE.mean[2 - channel];
                let rounded = f32::from(pixel[channel]);
                // A half, and what subtracting a mean and adding it costs.
                assert!((value - rounded).abs() <= 0.5 + 1e-4, "picture {index}: {value} is shown as {rounded}");
            }
        }
    }
}

#[test]
fn what_is_no_batch_of_pictures_is_refused() {
    let none = vultus::ops::Variation::none();
    let wild = vultus::ops::Variation { gain: f32::NAN, ..none };
    let (picture, short) = (vec![0; 3 * SIDE * SIDE], vec![0; 2 * SIDE * SIDE]);
    for device in devices() {
        let model = device.load(&identity(SIDE, SIDE), &Parameters::new()).unwrap();
        let mut plan = model.compile(2, &checked()).unwrap();
        let mut refused = |pictures: &[&[u8]], variations: &[vultus::ops::Variation]| {
            plan.set_varied(pictures, variations, &Normalization::CAFFE).unwrap_err()
        };
        for (count, variations) in [(0, 0), (1, 2), (3, 3)] {
            let error = refused(&vec![picture.as_slice(); count], &vec![none; variations]);
            assert!(matches!(error, Error::Shape { .. }), "{device}: {error}");
        }
        assert!(matches!(refused(&[&short], &[none]), Error::Shape { .. }));
        assert!(matches!(refused(&[&picture], &[wild]), Error::InvalidArgument { .. }));
        plan.set_varied(&[&picture], &[none], &Normalization::CAFFE).unwrap();
        let op = vultus::ops::Activation::Relu.into();
        let mut two = device.compile_op(&op, &[&[1, 2, SIDE, SIDE]], &checked()).unwrap();
        assert!(matches!(two.set_varied(&[&picture], &[none], &Normalization::CAFFE), Err(Error::Shape { .. })));
    }
}

/// The same pictures, counted where the host varies them; bytes for the device only where `bytes` is set.
struct Counted<'a> {
    pictures: Pictures<'a>,
    bytes: bool,
    on_host: AtomicUsize,
}

impl<'a> Counted<'a> {
    fn new(pictures: Pictures<'a>, bytes: bool) -> Self {
        Counted { pictures, bytes, on_host: AtomicUsize::new(0) }
    }
}

impl Examples for Counted<'_> {
    fn shape(&self) -> [usize; 3] {
        self.pictures.shape()
    }

    fn write(&self, index: usize, random: Option<&mut Random>, out: &mut [f32]) -> Result<()> {
        self.on_host.fetch_add(usize::from(random.is_some()), Ordering::Relaxed);
        self.pictures.write(index, random, out)
    }

    fn varied(&self) -> Option<&dyn Varied> {
        self.pictures.varied().filter(|_| self.bytes)
    }
}

/// The pictures as numbers around 0, so that steps are small.
fn to_learn(data: &Dataset) -> Pictures<'_> {
    Pictures { normalization: Normalization::TORCHVISION, ..pictures(data, strong()) }
}

fn recipe() -> Recipe {
    // 20 pictures: the last batch is not full.
    Recipe { epochs: 2, batch: 6, learning_rate: 2e-3, rule: Rule::Sgd, seed: 3, ..Recipe::default() }
}

/// Trains a small network on the pictures; `hear` hears the number of each epoch that is done.
fn trained(
    device: &Device,
    examples: &dyn Examples,
    recipe: &Recipe,
    checkpoint: Option<&Path>,
    mut hear: impl FnMut(usize),
) -> Trained {
    let network = Network::new("small", [3, SIDE, SIDE])
        .conv2d("conv", "features.0", 4, Conv2d::square(3, 1, 1))
        .relu()
        .max_pool2d("pool", MaxPool2d::new(4, 4))
        .flatten()
        .dense("fc", "classifier.0", 2)
        .softmax();
    let labels: Vec<usize> = (0..COUNT).map(|index| index * 2 / COUNT).collect();
    let all: Vec<usize> = (0..COUNT).collect();
    let job = Job {
        device,
        network: &network,
        start: network.initialize(1).unwrap(),
        trainable: Trainable::All,
        examples,
        classes: &["dark", "light"].map(str::to_owned),
        labels: &labels,
        probabilities: None,
        training: &all,
        validation: &all[4..8],
        recipe,
        checkpoint: checkpoint.map(Into::into),
    };
    let hear = |event: Event| match event {
        Event::Epoch(epoch) => hear(epoch.number),
        Event::Warning(text) => panic!("{text}"),
        Event::Step { .. } | Event::Resumed(_) => {}
    };
    fit(job, hear).unwrap()
}

#[test]
fn the_device_learns_what_it_would_from_pictures_varied_on_the_host() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(folder.path());
    let train = |device: &Device, bytes, recipe: &Recipe| {
        let examples = Counted::new(to_learn(&data), bytes);
        let trained = trained(device, &examples, recipe, None, |_| {});
        assert_eq!(trained.unreadable.len(), 1);
        (trained, examples.on_host.into_inner())
    };
    let device = Device::Gpu(gpu());
    let ((by_device, none), (by_host, all)) = (train(&device, true, &recipe()), train(&device, false, &recipe()));
    assert_eq!((none, all), (0, 2 * COUNT), "pictures that the host has varied");
    for (name, tensor) in &by_host.parameters {
        let pairs = tensor.data().iter().zip(by_device.parameters[name].data());
        let apart = pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        // Inputs are a millionth of their range apart, weights are below 1, and steps are small.
        assert!(apart < 1e-4, "{name}: {apart}");
    }
    assert!((by_host.epochs[1].loss - by_device.epochs[1].loss).abs() < 1e-3);
    // The processor, and who mixes pictures, has the host's way.
    let mixed = Recipe { mix: Some((Mix::CutMix, 0.3)), ..recipe() };
    for (device, recipe) in [(&Device::Cpu, recipe()), (&device, mixed)] {
        let ((first, count), (second, _)) = (train(device, true, &recipe), train(device, false, &recipe));
        assert_eq!(count, 2 * COUNT, "{device}");
        assert_eq!(first.parameters, second.parameters, "{device}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_also_after_an_interruption() {
    let folder = tempfile::tempdir().unwrap();
    let data = data(&folder.path().join("faces"));
    let (pictures, file) = (to_learn(&data), folder.path().join("checkpoint"));
    for device in devices() {
        let (aside, recipe) = (file.with_extension("aside"), recipe());
        let train = |recipe: &Recipe| trained(&device, &pictures, recipe, None, |_| {}).parameters;
        let whole = train(&recipe);
        assert_eq!(train(&recipe), whole, "{device}");
        assert_ne!(train(&Recipe { seed: 4, ..recipe.clone() }), whole, "{device}");
        trained(&device, &pictures, &recipe, Some(&file), |epoch| {
            if epoch == 1 {
                std::fs::copy(&file, &aside).unwrap();
            }
        });
        std::fs::rename(&aside, &file).unwrap();
        let mut epochs = Vec::new();
        let rest = trained(&device, &pictures, &recipe, Some(&file), |epoch| epochs.push(epoch));
        assert_eq!((rest.parameters, epochs), (whole, vec![2]), "{device}");
        std::fs::remove_file(&file).unwrap();
    }
}
