//! `vultus bench`: how fast are the networks?

use std::io::Write;
use std::time::Instant;

use clap::builder::RangedU64ValueParser;
use serde::Serialize;
use vultus::nn::{Network, mtcnn, vgg16};
use vultus::ops::RunState;
use vultus::weights::DefaultFile;
use vultus::{Device, Error, LayerTime, Options, Parameters, Plan, Random, Tensor};

use super::failure::Failure;
use super::global::Global;
use super::table::{Align, Table, widest};

/// Time a network, whole and layer by layer
///
/// After a warm-up the whole network is run several times, each time until the device has finished; then every layer is
/// timed on its own, by the device's clock where it has one. Layers run apart from each other take longer together than
/// the whole network.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus bench
  vultus bench --network vgg16 --batch 8 --runs 20
  vultus bench --network mtcnn --device cpu --json

vgg16 is the base and the dense layers of the original, these with random weights; vgg16-base ends before them.
mtcnn is one picture of 640x480: P-Net at its largest scale, R-Net on 64 proposals, O-Net on 16.")]
pub struct Arguments {
    /// Which network
    #[arg(long, value_enum, default_value_t = Choice::Vgg16Base)]
    network: Choice,
    /// Images per batch, for vgg16 and vgg16-base [default: 1]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    batch: Option<usize>,
    /// Height and width of the images, for vgg16 and vgg16-base [default: 224]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(32..=2048))]
    input: Option<usize>,
    /// How often the network is run and the layers are timed, after the warm-up
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    runs: usize,
    /// Print one JSON object: {"device", "network", "batch", "input", "median_ms", "min_ms", "layers": [{"name",
    /// "kernel", "ms", "gflops"}]}
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Choice {
    Vgg16,
    Vgg16Base,
    Mtcnn,
}

impl Choice {
    fn name(self) -> &'static str {
        match self {
            Choice::Vgg16 => "vgg16",
            Choice::Vgg16Base => "vgg16-base",
            Choice::Mtcnn => "mtcnn",
        }
    }
}

/// Runs before the first that counts: kernels are compiled and caches filled.
const WARM_UP: usize = 2;
/// Classes of the whole VGG16: those of ImageNet.
const CLASSES: usize = 1000;
const SEED: u64 = 0;

#[derive(Serialize)]
struct Measurement {
    device: String,
    network: &'static str,
    /// `null` for MTCNN, whose networks have a batch and an input of their own.
    batch: Option<usize>,
    input: Option<usize>,
    median_ms: f64,
    min_ms: f64,
    layers: Vec<Layer>,
    #[serde(skip)]
    flops: u64,
}

#[derive(Serialize)]
struct Layer {
    name: String,
    kernel: String,
    ms: f64,
    /// `null` where the device's clock did not tick.
    gflops: Option<f64>,
}

/// A network that is run, and what its layers' names begin with.
struct Part {
    prefix: &'static str,
    plan: Plan,
}

/// Times the network.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let choice = arguments.network;
    if choice == Choice::Mtcnn && (arguments.batch.is_some() || arguments.input.is_some()) {
        return Err(Failure::Usage(
            "mtcnn has batches and inputs of its own: leave --batch and --input out".to_owned(),
        ));
    }
    let device = global.device()?;
    let size =
        (choice != Choice::Mtcnn).then(|| (arguments.batch.unwrap_or(1), arguments.input.unwrap_or(vgg16::INPUT)));
    let mut parts = match size {
        Some((batch, input)) => vec![vgg(&device, global, choice, batch, input)?],
        None => detector(&device, global)?,
    };
    for _ in 0..WARM_UP {
        pass(&mut parts)?;
    }
    let passes = (0..arguments.runs).map(|_| pass(&mut parts)).collect::<Result<Vec<f64>, Error>>()?;
    let layers = profile(&mut parts, arguments.runs)?;
    let measurement = Measurement {
        device: device.to_string(),
        network: choice.name(),
        batch: size.map(|(batch, _)| batch),
        input: size.map(|(_, input)| input),
        min_ms: passes.iter().copied().fold(f64::INFINITY, f64::min),
        median_ms: median(passes),
        flops: layers.iter().map(|layer| layer.flops).sum(),
        layers: layers.into_iter().map(Layer::from).collect(),
    };
    if arguments.json {
        serde_json::to_writer(&mut *out, &measurement)?;
        writeln!(out)?;
    } else {
        measurement.write(out, arguments.runs)?;
    }
    Ok(())
}

/// VGG16 or its base. There are no weights for the original's dense layers: random ones take as long.
fn vgg(device: &Device, global: &Global, choice: Choice, batch: usize, input: usize) -> Result<Part, Error> {
    let mut parameters = global.vgg16_base()?.parameters;
    let network = match choice {
        Choice::Vgg16 => {
            let head = vgg16::head([512, 7, 7], vgg16::Pooling::Flatten, &[4096, 4096], 0.5, CLASSES);
            parameters.extend(head.initialize(SEED)?);
            vgg16::whole(input, CLASSES)?
        }
        _ => vgg16::base(input),
    };
    Part::new(device, &network, &parameters, batch, "")
}

/// MTCNN's networks at the sizes that a picture of 640×480 with faces of 20 pixels gives: P-Net's cells are 12 pixels
/// wide, so the largest scale is 12/20.
fn detector(device: &Device, global: &Global) -> Result<Vec<Part>, Error> {
    let all = mtcnn::reordered(global.store()?.load(DefaultFile::Mtcnn)?.parameters)?;
    let part = |network: Network, batch: usize, prefix: &'static str| {
        let own = all.iter().filter(|(name, _)| name.starts_with(prefix));
        let parameters = own.map(|(name, tensor)| (name.clone(), tensor.clone())).collect();
        Part::new(device, &network, &parameters, batch, prefix)
    };
    Ok(vec![
        part(mtcnn::pnet(480 * 12 / 20, 640 * 12 / 20)?, 1, "pnet.")?,
        part(mtcnn::rnet()?, 64, "rnet.")?,
        part(mtcnn::onet()?, 16, "onet.")?,
    ])
}

impl Part {
    /// The network on random numbers in −1 … 1.
    fn new(
        device: &Device,
        network: &Network,
        parameters: &Parameters,
        batch: usize,
        prefix: &'static str,
    ) -> Result<Self, Error> {
        let mut plan = device.load(network, parameters)?.compile(batch, &Options::default())?;
        let mut random = Random::new(SEED);
        let shape = [&[batch], network.input()].concat();
        plan.set_input(0, &Tensor::from_fn(shape, |_| 2.0 * random.uniform() - 1.0))?;
        Ok(Part { prefix, plan })
    }
}

/// Runs all networks once, until the device has finished; the milliseconds.
fn pass(parts: &mut [Part]) -> Result<f64, Error> {
    let start = Instant::now();
    parts.iter_mut().try_for_each(|part| part.plan.execute(&RunState::default()))?;
    parts.iter().try_for_each(|part| part.plan.wait())?;
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

/// The median time of every layer, after one run that does not count.
fn profile(parts: &mut [Part], runs: usize) -> Result<Vec<LayerTime>, Error> {
    let mut layers = Vec::new();
    for Part { prefix, plan } in parts {
        plan.profile()?;
        let profiles = (0..runs).map(|_| plan.profile()).collect::<Result<Vec<_>, Error>>()?;
        layers.extend(profiles[0].iter().enumerate().map(|(i, layer)| LayerTime {
            name: format!("{prefix}{}", layer.name),
            milliseconds: median(profiles.iter().map(|profile| profile[i].milliseconds).collect()),
            ..layer.clone()
        }));
    }
    Ok(layers)
}

/// The value in the middle; of an even number, the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { (values[middle - 1] + values[middle]) / 2.0 }
}

impl From<LayerTime> for Layer {
    fn from(layer: LayerTime) -> Self {
        let LayerTime { name, kernel, milliseconds: ms, flops } = layer;
        Layer { name, kernel, ms, gflops: (ms > 0.0).then(|| flops as f64 / ms / 1e6) }
    }
}

impl Measurement {
    fn write(&self, out: &mut dyn Write, runs: usize) -> Result<(), Failure> {
        let of = match (self.batch, self.input) {
            (Some(batch), Some(input)) => format!(", batch {batch}, {input}x{input}"),
            _ => String::new(),
        };
        let rate = self.flops as f64 / self.median_ms / 1e6;
        writeln!(out, "{} on {}{of}", self.network, self.device)?;
        writeln!(
            out,
            "median {:.3} ms, minimum {:.3} ms of {runs} runs, {rate:.1} GFLOP/s\n",
            self.median_ms, self.min_ms
        )?;

        let table = Table::new([
            ("layer", Align::Left, widest(self.layers.iter().map(|layer| layer.name.as_str()))),
            ("kernel", Align::Left, widest(self.layers.iter().map(|layer| layer.kernel.as_str()))),
            ("ms", Align::Right, 9),
            ("GFLOP/s", Align::Right, 8),
            ("share", Align::Right, 6),
        ]);
        table.head(out)?;
        let total: f64 = self.layers.iter().map(|layer| layer.ms).sum();
        for Layer { name, kernel, ms, gflops } in &self.layers {
            let gflops = gflops.map_or("-".to_owned(), |gflops| format!("{gflops:.1}"));
            let share = if total > 0.0 { format!("{:.1}%", 100.0 * ms / total) } else { "-".to_owned() };
            table.row(out, [name.clone(), kernel.clone(), format!("{ms:.3}"), gflops, share])?;
        }
        Ok(())
    }
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
