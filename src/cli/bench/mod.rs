//! `vultus bench`: how fast are the networks?

mod report;
mod trace;
mod workload;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::ValueEnum;
use clap::builder::{PossibleValue, RangedU64ValueParser};
use vultus::nn::Published;
use vultus::weights::safetensors;
use vultus::{Device, Error, LayerTime, Precision};

use super::failure::Failure;
use super::global::Global;
use super::imported::ImportArguments;
use super::network::{and_published, published_value};
use report::{Layer, Measurement};
use workload::Part;

/// Time a network, whole and layer by layer
///
/// After a warm-up (on a GPU of half a second at least) the network is run several times as a whole, each time until the
/// device has finished. Then every layer is timed on its own, by the device's clock where it has one, and set against what
/// the device reaches at most: the rates of multiply-adds and of a copy, measured just before. Layers run apart from each
/// other take longer together than the whole network.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus bench
  vultus bench --network vgg16 --batch 8 --runs 20
  vultus bench --network mtcnn --device cpu --json
  vultus bench --network mobilenet_v2 --weights mobilenet_v2.pth
  vultus bench --train head --batch 32 --trace trace.json
  vultus bench --network resnet18 --train all --batch 8
  vultus bench model.onnx --batch 8

vgg16 is the base and the dense layers of the original; vgg16-base ends before them. yunet and mtcnn are one picture of
640x480, mtcnn with P-Net at its largest scale, R-Net on 64 proposals and O-Net on 16. The networks of the literature
have ImageNet's 1000 classes. An ONNX model is run on random numbers. With --train, a run is a step on VGG16's base with
dense layers of 256 and 7, or on a network of the literature with 7 classes: forward, cross entropy, backward, SGD with
momentum. Parameters that --weights does not give have random values, but for VGG16's base.

Of a layer, GFLOP/s counts the operations of its definition (a multiply-add is two), GB/s its inputs, parameters and
outputs once each, FLOP/byte is the first over the second, and limit is the share of what the device could reach:
the lesser of its peak and of FLOP/byte times the rate of a copy. What comes from a cache can exceed it.")]
pub struct Arguments {
    /// An ONNX model to time instead of a network that is known by name
    #[arg(value_name = "MODEL.onnx", conflicts_with_all = ["network", "train", "input"])]
    model: Option<PathBuf>,
    #[command(flatten)]
    import: ImportArguments,
    /// Which network [default: vgg16-base]
    #[arg(long, value_enum, hide_default_value = true)]
    network: Option<Choice>,
    /// Time training steps of the head alone (VGG16's on features of the base), of VGG16's last block or last two blocks and
    /// the head, or of all
    #[arg(long, value_enum, value_name = "WHAT")]
    train: Option<Train>,
    /// Images per batch [default: 1]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    batch: Option<usize>,
    /// Height and width of the images [default: 224]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(32..=2048))]
    input: Option<usize>,
    /// How a GPU computes; detectors always do in f32
    #[arg(long, default_value = "f32", value_parser = super::precision::parser())]
    precision: Precision,
    /// How often the network is run and the layers are timed, after the warm-up
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    runs: usize,
    /// Time the whole only
    #[arg(long, conflicts_with_all = ["trace", "markdown"])]
    no_layers: bool,
    /// Print one JSON object: {"device", "network", "train", "batch", "input", "load_ms", "first_ms", "median_ms",
    /// "min_ms", "pictures_per_second", "peak": {"gflops", "gb_per_s"}, "layers": [{"name", "operation", "kernel", "ms", "gflops", "gb_per_s",
    /// "flop_per_byte", "limit"}]}
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print the layers as a Markdown table
    #[arg(long)]
    markdown: bool,
    /// Write when every layer ran as a trace for chrome://tracing or ui.perfetto.dev
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// A .safetensors file whose tensor "input" the network is run on, instead of random numbers; for an ONNX model, also
    /// .npy or .npz, whose arrays are called as its inputs
    #[arg(long, value_name = "FILE")]
    feed: Option<PathBuf>,
    /// Write what the network gives (output; of an ONNX model its outputs; of a training step loss, logits and all gradients)
    /// as .safetensors
    #[arg(long, value_name = "FILE")]
    dump: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Choice {
    Vgg16,
    Vgg16Base,
    Yunet,
    Mtcnn,
    Published(Published),
}

impl Choice {
    /// Whether it finds faces, and so has a batch and an input of its own.
    fn is_detector(self) -> bool {
        matches!(self, Choice::Yunet | Choice::Mtcnn)
    }

    fn name(self) -> &'static str {
        match self {
            Choice::Vgg16 => "vgg16",
            Choice::Vgg16Base => "vgg16-base",
            Choice::Yunet => "yunet",
            Choice::Mtcnn => "mtcnn",
            Choice::Published(network) => network.name(),
        }
    }
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        and_published!(Choice: Vgg16, Vgg16Base, Yunet, Mtcnn)
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Choice::Published(network) => published_value(*network),
            own => PossibleValue::new(own.name()),
        })
    }
}

/// What is trained.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Train {
    Head,
    Block5,
    Block4,
    All,
}

impl Train {
    fn name(self) -> &'static str {
        match self {
            Train::Head => "head",
            Train::Block5 => "block5",
            Train::Block4 => "block4",
            Train::All => "all",
        }
    }
}

impl Arguments {
    /// Whether the network can be trained in this way.
    fn check_train(&self) -> Result<(), Failure> {
        match (self.network, self.train) {
            (None, _) | (_, None) | (Some(Choice::Published(_)), Some(Train::Head | Train::All)) => Ok(()),
            (Some(Choice::Published(_)), Some(train)) => Err(Failure::Usage(format!(
                "--train {} is for VGG16; a network of the literature takes head or all",
                train.name()
            ))),
            (Some(network), Some(_)) => Err(Failure::Usage(format!(
                "--train takes no --network {}: without --network it is VGG16 with a head of seven classes",
                network.name()
            ))),
        }
    }
}

/// Runs before the first that counts, at least: kernels are compiled and caches filled.
const WARM_UP: usize = 2;

/// How long runs that do not count go on upon a GPU: one that had nothing to do while weights were read lowers its clocks.
const AWAKE: Duration = Duration::from_millis(500);

/// Times the network.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let detector = arguments.network.filter(|network| network.is_detector());
    arguments.check_train()?;
    let sized = arguments.batch.is_some() || arguments.input.is_some();
    if let Some(detector) = detector
        && (sized || arguments.feed.is_some() || arguments.dump.is_some())
    {
        let reason = "has batches and inputs of its own: leave --batch, --input, --feed and --dump out";
        return Err(Failure::Usage(format!("{} {reason}", detector.name())));
    }
    if arguments.model.is_none() && arguments.import.is_given() {
        return Err(Failure::Usage("--dimension is for ONNX models: name the file of one".to_owned()));
    }
    let device = global.device()?;
    let start = Instant::now();
    let (mut parts, subject) = load(&device, global, arguments)?;
    let load_ms = milliseconds(start);
    let first_ms = warm_up(&mut parts, if device.gpu().is_some() { AWAKE } else { Duration::ZERO })?;
    let passes = (0..arguments.runs).map(|_| pass(&mut parts)).collect::<Result<Vec<f64>, Error>>()?;
    if let Some(path) = &arguments.dump {
        safetensors::write(path, &parts[0].results()?, &BTreeMap::new(), safetensors::Precision::F32)?;
    }
    let mut measurement = whole(arguments, subject, &device, [load_ms, first_ms], &passes);
    if !arguments.no_layers {
        let peak = device.peak()?;
        let profiles = profile(&mut parts, arguments.runs)?;
        if let Some(path) = &arguments.trace {
            trace::write(path, &measurement, &profiles)?;
        }
        measurement.layers = medians(&profiles).map(|time| Layer::new(time, &peak)).collect();
        measurement.peak = Some(peak.into());
    }
    match (arguments.json, arguments.markdown) {
        (true, _) => measurement.write_json(out),
        (_, true) => measurement.write_markdown(out),
        _ => measurement.write(out, arguments.runs),
    }
}

/// What is timed: its name, batch and side, and whether pictures per second can be counted.
struct Subject {
    name: String,
    batch: Option<usize>,
    input: Option<usize>,
    takes_pictures: bool,
}

/// Puts what is timed on the device.
fn load(device: &Device, global: &Global, arguments: &Arguments) -> Result<(Vec<Part>, Subject), Failure> {
    if let Some(path) = &arguments.model {
        let model = arguments.import.read(path)?;
        let (parts, batch) = workload::imported(&model, device, arguments)?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let takes_pictures = model.model.has_batch && model.inputs().iter().any(|(_, shape)| shape.len() == 3);
        return Ok((parts, Subject { name, batch: Some(batch), input: None, takes_pictures }));
    }
    let parts = match arguments.network {
        Some(Choice::Yunet) => workload::yunet(device, global)?,
        Some(Choice::Mtcnn) => workload::mtcnn(device, global)?,
        Some(Choice::Published(network)) => workload::published(network, device, global, arguments)?,
        _ => workload::vgg(device, global, arguments)?,
    };
    let name = match (arguments.network, arguments.train) {
        (Some(network), _) => network.name(),
        (None, None) => Choice::Vgg16Base.name(),
        (None, Some(Train::Head)) => "head",
        (None, Some(_)) => "vgg16-base + head",
    };
    let sized = !arguments.network.is_some_and(Choice::is_detector);
    let subject = Subject {
        name: name.to_owned(),
        batch: sized.then(|| workload::batch(arguments)),
        input: sized.then(|| workload::input(arguments)),
        takes_pictures: sized,
    };
    Ok((parts, subject))
}

/// What is known without the layers.
fn whole(
    arguments: &Arguments,
    subject: Subject,
    device: &Device,
    [load_ms, first_ms]: [f64; 2],
    passes: &[f64],
) -> Measurement {
    let median_ms = median(passes.to_vec());
    Measurement {
        device: device.to_string(),
        network: subject.name,
        train: arguments.train.map(Train::name),
        batch: subject.batch,
        input: subject.input,
        load_ms,
        first_ms,
        median_ms,
        min_ms: passes.iter().copied().fold(f64::INFINITY, f64::min),
        pictures_per_second: subject
            .batch
            .filter(|_| subject.takes_pictures)
            .map(|batch| 1e3 * batch as f64 / median_ms),
        peak: None,
        layers: Vec::new(),
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// Runs that do not count, for so long at least; the milliseconds of the first.
fn warm_up(parts: &mut [Part], time: Duration) -> Result<f64, Error> {
    let start = Instant::now();
    let first_ms = pass(parts)?;
    let mut runs = 1;
    while runs < WARM_UP || start.elapsed() < time {
        pass(parts)?;
        runs += 1;
    }
    Ok(first_ms)
}

/// Runs all networks once, until the device has finished; the milliseconds.
fn pass(parts: &mut [Part]) -> Result<f64, Error> {
    let start = Instant::now();
    parts.iter_mut().try_for_each(|part| part.plan().execute())?;
    parts.iter_mut().try_for_each(|part| part.plan().wait())?;
    Ok(milliseconds(start))
}

/// When each layer ran, for several runs of all networks one after the other, behind one run that does not count.
fn profile(parts: &mut [Part], runs: usize) -> Result<Vec<Vec<LayerTime>>, Error> {
    let mut profiles = Vec::new();
    for _ in 0..=runs {
        let mut layers: Vec<LayerTime> = Vec::new();
        for part in parts.iter_mut() {
            let begin = layers.last().map_or(0.0, |last| last.start + last.milliseconds);
            let prefix = part.prefix;
            layers.extend(part.plan().profile()?.into_iter().map(|layer| LayerTime {
                name: format!("{prefix}{}", layer.name),
                start: begin + layer.start,
                ..layer
            }));
        }
        profiles.push(layers);
    }
    Ok(profiles.split_off(1))
}

/// The layers of the first run, with their median times over all runs.
fn medians(profiles: &[Vec<LayerTime>]) -> impl Iterator<Item = LayerTime> {
    profiles[0].iter().enumerate().map(|(i, layer)| LayerTime {
        milliseconds: median(profiles.iter().map(|profile| profile[i].milliseconds).collect()),
        ..layer.clone()
    })
}

/// The value in the middle; of an even number, the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(vec![4.0, 1.0, 9.0, 2.0]), 3.0);
    }
}
