//! How fast a training gets its pictures: `cargo bench --bench feeding -- [--side 96] [--pictures 512] [--device cpu|gpu]`.
//! `gpu` is the first adapter, even one in software; without it the best device is taken. On the processor both ways are one.
//!
//! A network of next to no work is trained on pictures that need next to no decoding. Said are pictures in a second, varied
//! by the device and by threads on the host, and the share of the time in which the device waited; each is the median of
//! epochs of both in turns. What one thread of the host makes ready in a second bounds what a fast device can be given.

use std::path::Path;
use std::time::Instant;

use vultus::data::Dataset;
use vultus::face::{Architecture, ModelCard};
use vultus::gpu::Adapter;
use vultus::image::RgbImage;
use vultus::nn::{Network, Trainable};
use vultus::ops::Normalization;
use vultus::prepare::{Augmentation, Preparation};
use vultus::train::{Epoch, Event, Examples, Job, Pictures, Recipe, Varied, fit};
use vultus::{Device, Random, Result};

/// Epochs of each training, of which the first is not counted, and trainings of each way.
const EPOCHS: usize = 4;
const ROUNDS: usize = 3;

/// The same pictures, without their bytes: a device must be given numbers.
struct Numbers<'a>(&'a Pictures<'a>);

impl Examples for Numbers<'_> {
    fn shape(&self) -> [usize; 3] {
        self.0.shape()
    }

    fn write(&self, index: usize, random: Option<&mut Random>, out: &mut [f32]) -> Result<()> {
        self.0.write(index, random, out)
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let after = |name: &str| std::env::args().skip_while(|argument| argument != name).nth(1);
    let number = |name: &str, default| after(name).and_then(|number| number.parse().ok()).unwrap_or(default);
    let (side, count) = (number("--side", 96), number("--pictures", 512));
    let device = match (after("--device").as_deref(), Adapter::all().first()) {
        (Some("cpu"), _) => Device::Cpu,
        (Some("gpu"), Some(adapter)) => Device::Gpu(adapter.open()?),
        _ => Device::best(),
    };
    let folder = tempfile::tempdir()?;
    write(folder.path(), side, count)?;
    let data = Dataset::open(folder.path())?;
    let card = ModelCard::new(Architecture::Light, data.classes.clone(), side, Normalization::TORCHVISION);
    let pictures = Pictures { preparation: Preparation::NONE, ..Pictures::new(&data, &card, Augmentation::standard()) };
    println!("{device}: {count} pictures of {side}×{side}, everything that `standard` varies");
    let mut ways: [(&str, &dyn Examples, Vec<Epoch>); 2] =
        [("on the device", &pictures, Vec::new()), ("on the host", &Numbers(&pictures), Vec::new())];
    for _ in 0..ROUNDS {
        for (_, examples, epochs) in &mut ways {
            epochs.extend(train(&device, *examples, count)?);
        }
    }
    for (way, _, epochs) in ways {
        let rate = median(epochs.iter().map(|epoch| epoch.pictures_per_second));
        let waited = median(epochs.iter().map(|epoch| epoch.waited));
        println!("varied {way:13} {rate:9.0} pictures/s, the device waits {:3.0} % of the time", 100.0 * waited);
    }
    let mut out = vec![0.0; 3 * side * side];
    let bytes = per_second(count, |index, random| pictures.draw(index, random).map(drop))?;
    let numbers = per_second(count, |index, random| pictures.write(index, Some(random), &mut out))?;
    println!("one thread makes ready {bytes:.0} pictures/s as bytes, {numbers:.0} varied and normalised");
    Ok(())
}

/// How many pictures in a second this makes ready: the median of passes over all.
fn per_second(count: usize, mut make: impl FnMut(usize, &mut Random) -> Result<()>) -> Result<f64> {
    let mut pass = || {
        let begin = Instant::now();
        (0..count).try_for_each(|index| make(index, &mut Random::new(index as u64)))?;
        Ok(count as f64 / begin.elapsed().as_secs_f64())
    };
    Ok(median((0..5).map(|_| pass()).collect::<Result<Vec<f64>>>()?.into_iter()))
}

/// Pictures of two classes, in a format without compression.
fn write(folder: &Path, side: usize, count: usize) -> Result<()> {
    for number in 0..count as u32 {
        let class = folder.join(["a", "b"][number as usize % 2]);
        let pixel = |x: u32, y: u32| image::Rgb([(3 * x + number) as u8, (5 * y) as u8, (x ^ y) as u8]);
        let file = class.join(format!("{number}.bmp"));
        std::fs::create_dir_all(&class)
            .map_err(image::ImageError::from)
            .and_then(|()| RgbImage::from_fn(side as u32, side as u32, pixel).save(&file))
            .map_err(|error| vultus::Error::Image { file, reason: error.to_string() })?;
    }
    Ok(())
}

/// The epochs of one training but for the first.
fn train(device: &Device, examples: &dyn Examples, count: usize) -> Result<Vec<Epoch>> {
    let shape = examples.shape();
    let network =
        Network::new("mean", shape).adaptive_avg_pool2d("pool", [1, 1]).flatten().dense("fc", "fc", 2).softmax();
    let (labels, all): (Vec<usize>, Vec<usize>) = (0..count).map(|index| (index % 2, index)).unzip();
    let job = Job {
        device,
        network: &network,
        start: network.initialize(1)?,
        trainable: Trainable::All,
        examples,
        classes: &["a", "b"].map(str::to_owned),
        labels: &labels,
        probabilities: None,
        training: &all,
        validation: &[],
        recipe: &Recipe { epochs: EPOCHS, batch: 64, ..Recipe::default() },
        checkpoint: None,
    };
    let mut epochs = Vec::new();
    fit(job, |event| {
        if let Event::Epoch(epoch) = event {
            epochs.push(epoch.clone());
        }
    })?;
    Ok(epochs.split_off(1))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
