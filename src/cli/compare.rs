//! `vultus compare`: does the GPU compute what the CPU computes?

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::builder::RangedU64ValueParser;
use serde::Serialize;
use vultus::gpu::{Adapter, Gpu};
use vultus::image::{self, RgbImage};
use vultus::nn::{Network, vgg16};
use vultus::ops::{Crop, Filter, Normalization};
use vultus::{Device, Error, Options, Parameters, Plan, Tensor};

use super::failure::Failure;
use super::global::Global;
use super::imported::{ImportArguments, is_onnx};
use super::inputs::Inputs;
use super::table::{Align, Table, widest};

/// Compare every layer of VGG16's base, or of an ONNX model, on the GPU with the CPU
///
/// Both run the whole base on the same picture, or the model on the same random numbers. A layer agrees if no value is
/// further from the CPU's than 1e-4 of the layer's largest magnitude: both sum up to 4608 products of f32 in another order.
/// Exit status 1 if a layer does not.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus compare                                the best GPU, a portrait that is built in
  vultus compare --device llvmpipe --input 64   a software adapter must be named
  vultus compare photo.jpg --weights vgg16.safetensors --json
  vultus compare model.onnx --feed x.npy        an ONNX model, on an array of NumPy")]
pub struct Arguments {
    /// The picture to run VGG16's base on [default: a portrait that is built in], or an ONNX model to run
    #[arg(value_name = "IMAGE|MODEL.onnx")]
    subject: Option<PathBuf>,
    /// Height and width that the picture is scaled to [default: 224]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(32..=2048))]
    input: Option<usize>,
    /// A .npy, .npz or .safetensors file whose arrays an ONNX model is run on, instead of random numbers
    #[arg(long, value_name = "FILE")]
    feed: Option<PathBuf>,
    #[command(flatten)]
    import: ImportArguments,
    /// The error that a layer may have, relative to its largest magnitude
    #[arg(long, value_name = "SHARE", default_value_t = TOLERANCE, value_parser = tolerance)]
    tolerance: f64,
    /// Print one JSON object: {"device", "layers": [{"name", "max_abs", "relative"}], "agree"}
    #[arg(long)]
    json: bool,
}

/// The error that a layer may have unless it is said, relative to its largest magnitude.
const TOLERANCE: f64 = 1e-4;

/// Seed of the random numbers.
const SEED: u64 = 0;

fn tolerance(text: &str) -> Result<f64, &'static str> {
    let value = text.parse().ok().filter(|value: &f64| value.is_finite() && *value >= 0.0);
    value.ok_or("it is a number from 0 on, such as 1e-4")
}

/// Eileen Collins, NASA, public domain.
const PORTRAIT: &[u8] = include_bytes!("../../tests/photos/astronaut_face_224.png");

#[derive(Serialize)]
struct Comparison {
    device: String,
    layers: Vec<Layer>,
    agree: bool,
    #[serde(skip)]
    tolerance: f64,
}

/// How far one layer's outputs are apart. A NaN on either side makes both numbers infinite (`null` in JSON).
#[derive(Serialize)]
struct Layer {
    name: String,
    /// The largest difference.
    max_abs: f64,
    /// The same, divided by the largest magnitude on the CPU.
    relative: f64,
}

/// Compares the layers.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let model = arguments.subject.as_deref().filter(|path| is_onnx(path));
    if model.is_some() && arguments.input.is_some() {
        return Err(Failure::Usage("--input is for pictures: an ONNX model says itself what it takes".to_owned()));
    }
    if model.is_none() && (arguments.feed.is_some() || arguments.import.is_given()) {
        return Err(Failure::Usage("--feed and --dimension are for ONNX models: name the file of one".to_owned()));
    }
    let gpu = gpu(global)?;
    let subject = match model {
        Some(path) => Subject::model(path, arguments)?,
        None => Subject::base(arguments, global)?,
    };
    let (mut on_gpu, mut on_cpu) = (subject.start(&gpu)?, subject.start(&Device::Cpu)?);
    let names: Vec<String> = on_cpu.layers().into_iter().map(str::to_owned).collect();
    let layers = names.into_iter().map(|name| Layer::compare(name, &mut on_gpu, &mut on_cpu));
    let layers: Vec<Layer> = layers.collect::<Result<_, _>>()?;
    let tolerance = arguments.tolerance;
    let agree = layers.iter().all(|layer| layer.agrees(tolerance));
    let comparison = Comparison { device: gpu.gpu().map_or("", Gpu::name).to_owned(), layers, agree, tolerance };

    if arguments.json {
        serde_json::to_writer(&mut *out, &comparison)?;
        writeln!(out)?;
    } else {
        comparison.write(out)?;
    }
    match comparison.first_apart() {
        None => Ok(()),
        Some(layer) => Err(Failure::Failed(format!("{gpu} and the CPU part at {}", layer.name))),
    }
}

/// The GPU that `--device` names, else the best hardware one.
fn gpu(global: &Global) -> Result<Device, Failure> {
    if global.device.is_none() && Gpu::new().is_err() {
        let names: Vec<String> = Adapter::all().iter().map(|adapter| adapter.info().name).collect();
        return Err(Failure::Usage(match names.as_slice() {
            [] => "there is no GPU to compare with the CPU: no driver offers an adapter".to_owned(),
            _ => format!("there is no hardware GPU; name a software adapter with --device: {}", names.join(", ")),
        }));
    }
    match global.device()? {
        Device::Cpu => Err(Failure::Usage("compare takes a GPU, and compares it with the CPU".to_owned())),
        gpu => Ok(gpu),
    }
}

/// A network that is compared, and what it is run on.
struct Subject {
    network: Network,
    parameters: Parameters,
    feed: Feed,
}

enum Feed {
    Picture(RgbImage, Normalization),
    Inputs(Inputs),
}

impl Subject {
    /// VGG16's base on a picture.
    fn base(arguments: &Arguments, global: &Global) -> Result<Self, Failure> {
        let picture = match &arguments.subject {
            Some(path) => image::decode_file(path)?,
            None => image::decode_bytes(Path::new("the built-in portrait"), PORTRAIT)?,
        };
        let weights = global.vgg16_base()?;
        let network = vgg16::base(arguments.input.unwrap_or(vgg16::INPUT));
        weights.check_shapes(&network.parameter_shapes()?)?;
        let feed = Feed::Picture(picture, weights.preprocessing()?);
        Ok(Subject { network, parameters: weights.parameters, feed })
    }

    /// An ONNX model on the arrays of a file, else on random numbers.
    fn model(path: &Path, arguments: &Arguments) -> Result<Self, Failure> {
        let model = arguments.import.read(path)?;
        let inputs = match &arguments.feed {
            Some(path) => Inputs::read(&model, "--feed", &[path.display().to_string()])?,
            None => Inputs::random(&model, 1, SEED),
        };
        let (network, parameters) = (model.model.network, model.model.parameters);
        Ok(Subject { network, parameters, feed: Feed::Inputs(inputs) })
    }

    /// Runs the network and keeps what every layer gives.
    fn start(&self, device: &Device) -> Result<Plan, Error> {
        let batch = match &self.feed {
            Feed::Picture(..) => 1,
            Feed::Inputs(inputs) => inputs.batch,
        };
        let model = device.load(&self.network, &self.parameters)?;
        let mut plan = model.compile(batch, &Options { keep_activations: true, ..Options::default() })?;
        match &self.feed {
            Feed::Inputs(inputs) => {
                for (index, input) in inputs.tensors.iter().enumerate() {
                    plan.set_input(index, input)?;
                }
            }
            Feed::Picture(picture, normalization) => {
                let (width, height) = (picture.width(), picture.height());
                let reduces = width.max(height) as usize > self.network.input()[1];
                let filter = if reduces { Filter::Area } else { Filter::Bilinear };
                let uploaded = device.upload(picture.as_raw(), width, height)?;
                plan.set_picture(&uploaded, &[Crop::whole(width, height)], filter, normalization)?;
            }
        }
        plan.execute()?;
        Ok(plan)
    }
}

impl Layer {
    fn compare(name: String, gpu: &mut Plan, cpu: &mut Plan) -> Result<Self, Error> {
        let (found, wanted) = (gpu.activation(&name)?, cpu.activation(&name)?);
        let (max_abs, relative) = distance(&found, &wanted);
        Ok(Layer { name, max_abs, relative })
    }

    fn agrees(&self, tolerance: f64) -> bool {
        self.relative <= tolerance
    }
}

/// The largest difference, as it is and relative to the largest magnitude of what is wanted.
fn distance(found: &Tensor, wanted: &Tensor) -> (f64, f64) {
    let (mut difference, mut magnitude) = (0f64, 0f64);
    for (&a, &b) in found.data().iter().zip(wanted.data()) {
        let (a, b) = (f64::from(a), f64::from(b));
        if !a.is_finite() || !b.is_finite() {
            return (f64::INFINITY, f64::INFINITY);
        }
        difference = difference.max((a - b).abs());
        magnitude = magnitude.max(b.abs());
    }
    (difference, if difference == 0.0 { 0.0 } else { difference / magnitude })
}

impl Comparison {
    fn write(&self, out: &mut dyn Write) -> Result<(), Failure> {
        let width = widest(self.layers.iter().map(|layer| layer.name.as_str()));
        let table = Table::new([
            ("layer", Align::Left, width),
            ("max abs error", Align::Right, 9),
            ("relative", Align::Right, 9),
        ]);
        table.head(out)?;
        for Layer { name, max_abs, relative } in &self.layers {
            table.row(out, [name.clone(), format!("{max_abs:.2e}"), format!("{relative:.2e}")])?;
        }
        let (device, tolerance) = (&self.device, self.tolerance);
        match self.first_apart() {
            None => writeln!(out, "{device} agrees with the CPU (tolerance {tolerance:e} relative)")?,
            Some(Layer { name, .. }) => {
                writeln!(out, "{device} parts from the CPU at {name} (tolerance {tolerance:e} relative)")?;
            }
        }
        Ok(())
    }

    /// The first layer that does not agree.
    fn first_apart(&self) -> Option<&Layer> {
        self.layers.iter().find(|layer| !layer.agrees(self.tolerance))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tensor(values: [f32; 3]) -> Tensor {
        Tensor::from_fn([3], |i| values[i])
    }

    #[test]
    fn the_distance_is_relative_to_the_largest_magnitude_on_the_cpu() {
        assert_eq!(distance(&tensor([1.0, -2.0, 0.5]), &tensor([1.0, -4.0, 0.0])), (2.0, 0.5));
        assert_eq!(distance(&tensor([0.0; 3]), &tensor([0.0; 3])), (0.0, 0.0));
        assert_eq!(distance(&tensor([0.1, 0.0, 0.0]), &tensor([0.0; 3])).1, f64::INFINITY);
    }

    #[test]
    fn a_nan_on_either_side_never_agrees() {
        for (found, wanted) in
            [([f32::NAN, 0.0, 0.0], [0.0; 3]), ([0.0; 3], [f32::NAN, 0.0, 0.0]), ([f32::NAN; 3], [f32::NAN; 3])]
        {
            let (max_abs, relative) = distance(&tensor(found), &tensor(wanted));
            assert!(!Layer { name: String::new(), max_abs, relative }.agrees(TOLERANCE));
        }
    }
}
