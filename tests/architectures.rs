//! Whole networks against PyTorch: logits, gradients of every parameter, and the losses of twenty steps of training.
//! Parameters and inputs come from a generator that counts (tests/golden/make_network_goldens.py), so that only what came
//! out is stored.
#![cfg(feature = "files")]

mod compare;

use compare::{Comparison, Golden, devices};
use serde_json::Value;
use vultus::nn::{Network, Optimizer, Training, attention, efficientnet_lite0, mobilenet_v1, mobilenet_v2, resnet};
use vultus::ops::{Adam, Sgd};
use vultus::{Device, Options, Parameters, StepOptions, Targets, Tensor};

/// Sums of up to 4608 products of both signs through some twenty layers.
const LOGITS: f32 = 1e-4;

/// How far all gradients together may be from PyTorch's, by norm.
const GRADIENTS: f64 = 1e-3;

/// How far a loss may be from PyTorch's.
const LOSSES: f32 = 1e-3;

/// FNV-1a.
fn seed(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01B3))
}

/// Number `index` of the sequence of this seed: splitmix64.
fn word(seed: u64, index: usize) -> u64 {
    let mut z = seed.wrapping_add((index as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ z >> 31
}

/// −1 to 1 (exclusive).
fn uniform(seed: u64, index: usize) -> f64 {
    (word(seed, index) >> 40) as f64 / f64::from(1 << 24) * 2.0 - 1.0
}

fn tensor(text: &str, shape: &[usize], value: impl Fn(f64) -> f64) -> Tensor {
    let seed = seed(text);
    Tensor::from_fn(shape, |index| value(uniform(seed, index)) as f32)
}

fn parameters(network: &Network) -> Parameters {
    let fill = |(name, shape): (String, Vec<usize>)| {
        let fan_in = shape[1..].iter().product::<usize>() as f64;
        let tensor = match shape.len() {
            4 => tensor(&name, &shape, |u| u * (6.0 / fan_in).sqrt()),
            2.. => tensor(&name, &shape, |u| u * (3.0 / fan_in).sqrt()),
            _ if name.ends_with("running_var") => tensor(&name, &shape, |u| 1.0 + 0.5 * u),
            _ if name.ends_with("weight") => tensor(&name, &shape, |u| 1.0 + 0.2 * u),
            _ => tensor(&name, &shape, |u| 0.1 * u),
        };
        (name, tensor)
    };
    network.parameter_shapes().unwrap().into_iter().map(fill).collect()
}

/// What of a network a software adapter computes. Its kernels are compared one by one in tests/twins.rs; here at least one
/// network with each kind of layer goes all the way.
#[derive(Clone, Copy, PartialEq)]
enum InSoftware {
    Inference,
    Gradients,
    /// Also a few steps by this optimiser.
    Training(&'static str),
    Everything,
}

/// One network's golden file.
struct Case {
    golden: Golden,
    settings: Value,
    network: Network,
    batch: usize,
    /// The batch that logits, loss and gradients are of.
    first: usize,
}

impl Case {
    fn new(name: &str, network: Network) -> Self {
        let golden = Golden::read(&format!("networks/{name}"));
        let settings = golden.cases().next().unwrap().1.clone();
        let batch = settings["inputs"].as_object().unwrap().values().next().unwrap()[0].as_u64().unwrap() as usize;
        let first = settings["first"].as_u64().unwrap_or(1) as usize;
        Case { golden, settings, network, batch, first }
    }

    /// One input, or several that lie side by side in dimension 1.
    fn input(&self, step: usize) -> Tensor {
        let parts = self.settings["inputs"].as_object().unwrap();
        let mut names: Vec<&str> = parts.keys().map(String::as_str).collect();
        // Landmarks come before the image.
        names.sort_unstable_by(|a, b| b.cmp(a));
        let tensors: Vec<Tensor> = names
            .into_iter()
            .map(|name| {
                let shape: Vec<usize> =
                    parts[name].as_array().unwrap().iter().map(|size| size.as_u64().unwrap() as usize).collect();
                tensor(&format!("{name} {step}"), &shape, |u| 1.5 * u)
            })
            .collect();
        let samples = (0..self.batch).flat_map(|sample| {
            tensors.iter().flat_map(move |part| {
                let length = part.len() / self.batch;
                part.data()[sample * length..][..length].to_vec()
            })
        });
        Tensor::new([&[self.batch], self.network.input()].concat(), samples.collect()).unwrap()
    }

    fn targets(&self, step: usize) -> Vec<Option<usize>> {
        let classes = self.settings["classes"].as_u64().unwrap();
        let seed = seed(&format!("target {step}"));
        (0..self.batch).map(|index| Some((word(seed, index) % classes) as usize)).collect()
    }

    /// Software adapters take minutes for what others do in a second: this much is enough for them.
    fn check(&self, in_software: InSoftware) {
        let mut comparison = Comparison::default();
        self.check_parameters(&mut comparison);
        for device in devices() {
            let wanted = if is_software(&device) { in_software } else { InSoftware::Everything };
            self.check_inference(&device, &mut comparison);
            if wanted != InSoftware::Inference {
                self.check_gradients(&device, &mut comparison);
            }
            for name in ["sgd", "adamw"] {
                if wanted == InSoftware::Everything || wanted == InSoftware::Training(name) {
                    self.check_training(&device, name, &mut comparison);
                }
            }
        }
        comparison.finish();
    }

    /// The names are PyTorch's.
    fn check_parameters(&self, comparison: &mut Comparison) {
        let wanted: Vec<&str> =
            self.settings["parameters"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let mut found: Vec<String> =
            self.network.parameter_shapes().unwrap().into_iter().map(|(name, _)| name).collect();
        found.retain(|name| !name.contains("running_"));
        found.sort();
        let mut sorted = wanted.clone();
        sorted.sort();
        if found != sorted {
            comparison.fail("parameters", format!("{found:?} instead of {sorted:?}"));
        }
    }

    fn check_inference(&self, device: &Device, comparison: &mut Comparison) {
        let options = Options { keep_activations: true, ..Options::default() };
        let model = device.load(&self.network, &parameters(&self.network)).unwrap();
        let wanted = self.golden.get("eval_logits");
        // With everything fused, the logits are found by undoing the softmax: up to a number for each row.
        let found = model
            .compile(self.batch, &Options::default())
            .unwrap()
            .run(&self.input(self.first))
            .unwrap()
            .swap_remove(0);
        comparison.check(format!("probabilities on {device}"), &found, &softmax(&wanted), LOGITS);
        let mut plan = model.compile(self.batch, &options).unwrap();
        plan.run(&self.input(self.first)).unwrap();
        let last = self.network.layers()[self.network.layers().len() - 2].name.clone();
        comparison.check(format!("logits on {device}"), &plan.activation(&last).unwrap(), &wanted, LOGITS);
    }

    /// An activation within rounding errors of a kink has its part of the gradient or not, so that minimal filtering, whose
    /// rounding errors are larger, would often change more than is allowed: gradients are compared by plain products.
    fn check_gradients(&self, device: &Device, comparison: &mut Comparison) {
        let model = device.load(&self.network, &parameters(&self.network)).unwrap();
        let kernel = if device.gpu().is_some() { "conv2d/gemm_64" } else { "conv2d/direct" };
        let options = Options { kernel: Some(kernel.to_owned()), ..Options::default() };
        let mut plan = model.compile_training(self.batch, &Training::default(), &options).unwrap();
        let loss = plan
            .train(&self.input(self.first), Targets::Classes(&self.targets(self.first)), &StepOptions::default())
            .unwrap();
        comparison.check(format!("loss on {device}"), &Tensor::filled([1], loss), &self.golden.get("loss"), LOGITS);
        comparison.check(
            format!("train logits on {device}"),
            &plan.outputs().unwrap()[1],
            &self.golden.get("logits"),
            LOGITS,
        );
        let (norms, sketches) = (self.golden.get("gradient_norms"), self.golden.get("gradient_sketches"));
        let width = sketches.shape()[1];
        let (mut error, mut all) = (0.0, 0.0);
        for (number, name) in self.settings["parameters"].as_array().unwrap().iter().enumerate() {
            let gradient = plan.gradient(name.as_str().unwrap()).unwrap();
            // Each entry of a sketch is a sum with random signs: the mean square of the differences is the square of the
            // distance, on average.
            let wanted = &sketches.data()[number * width..][..width];
            let squares: f64 =
                wanted.iter().zip(sketch(&gradient, width)).map(|(w, f)| (f - f64::from(*w)).powi(2)).sum();
            error += squares / width as f64;
            all += f64::from(norms.data()[number]).powi(2);
        }
        let distance = (error / all).sqrt();
        // Where PyTorch's own f32 is further away than that, it is what the kinks do.
        let own = self.settings["float32"]["gradient"].as_f64().unwrap();
        if distance.is_nan() || distance > GRADIENTS.max(2.0 * own) {
            comparison.fail(format!("gradients on {device}"), format!("differ by {distance:.2e} of their norm"));
        }
    }

    fn check_training(&self, device: &Device, name: &str, comparison: &mut Comparison) {
        let settings = &self.settings[name];
        let number = |key: &str| settings[key].as_f64().unwrap() as f32;
        let optimizer = match name {
            "sgd" => Optimizer::Sgd(Sgd {
                momentum: number("momentum"),
                weight_decay: number("weight_decay"),
                ..Sgd::default()
            }),
            _ => Optimizer::Adam(Adam { weight_decay: number("weight_decay"), decoupled: true, ..Adam::default() }),
        };
        let model = device.load(&self.network, &parameters(&self.network)).unwrap();
        let training = Training { optimizer, ..Training::default() };
        let mut plan = model.compile_training(self.batch, &training, &Options::default()).unwrap();
        let wanted = self.golden.get(&format!("losses_{name}"));
        for (step, &wanted) in wanted.data().iter().enumerate().take(steps(device)) {
            let batch = step % 4 + 1;
            let options = StepOptions { learning_rate: number("lr"), ..StepOptions::default() };
            let loss = plan.train(&self.input(batch), Targets::Classes(&self.targets(batch)), &options).unwrap();
            if loss.is_nan() || (loss - wanted).abs() > LOSSES {
                comparison.fail(format!("{name} step {} on {device}", step + 1), format!("{loss} instead of {wanted}"));
            }
        }
        // What the statistics are after one step from the start is stored; the model has gone twenty.
        if name == "sgd" {
            self.check_statistics(device, comparison);
        }
    }

    /// Running statistics after one step.
    fn check_statistics(&self, device: &Device, comparison: &mut Comparison) {
        let wanted = self.golden.with_prefix("after.");
        if wanted.is_empty() {
            return;
        }
        let model = device.load(&self.network, &parameters(&self.network)).unwrap();
        let mut plan = model.compile_training(self.batch, &Training::default(), &Options::default()).unwrap();
        plan.train(&self.input(self.first), Targets::Classes(&self.targets(self.first)), &StepOptions::default())
            .unwrap();
        let found = model.parameters().unwrap();
        for (name, wanted) in wanted {
            let first = Tensor::from_fn(wanted.shape(), |index| found[&name].data()[index]);
            comparison.check(format!("{name} on {device}"), &first, &wanted, LOGITS);
        }
    }
}

fn is_software(device: &Device) -> bool {
    device.gpu().is_some_and(|gpu| gpu.info().device_type == vultus::wgpu::DeviceType::Cpu)
}

/// How many steps are compared: all twenty, but a few on a software adapter, which takes seconds for each.
fn steps(device: &Device) -> usize {
    if is_software(device) { 2 } else { 20 }
}

fn sketch(gradient: &Tensor, width: usize) -> Vec<f64> {
    let sign = |seed: u64, index| if word(seed, index) >> 63 == 0 { 1.0 } else { -1.0 };
    let sum = |number: usize| {
        let seed = seed(&format!("sketch {number}"));
        gradient.data().iter().enumerate().map(|(index, &value)| sign(seed, index) * f64::from(value)).sum()
    };
    (0..width).map(sum).collect()
}

fn softmax(logits: &Tensor) -> Tensor {
    let rows = logits.data().chunks(logits.shape()[1]).flat_map(|row| {
        let most = row.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = row.iter().map(|x| (x - most).exp()).sum();
        row.iter().map(move |x| (x - most).exp() / sum)
    });
    Tensor::new(logits.shape(), rows.collect()).unwrap()
}

#[test]
fn the_generator_is_the_one_of_the_golden_files() {
    assert_eq!(seed("a"), 0xAF63_DC4C_8601_EC8C);
    assert_eq!([word(0, 0), word(0, 1)], [0xE220_A839_7B1D_CDAF, 0x6E78_9E6A_A1B9_65F4]);
    assert_eq!(uniform(seed("input 1"), 0) as f32, 0.610_618_1);
}

#[test]
fn resnet18() {
    Case::new("resnet18", resnet::resnet18(64, 0.0, 7).unwrap()).check(InSoftware::Training("sgd"));
}

#[test]
fn se_resnet18() {
    Case::new("se_resnet18", resnet::se_resnet18(64, 0.0, 7).unwrap()).check(InSoftware::Inference);
}

#[test]
fn mobilenet_v1() {
    Case::new("mobilenet_v1", mobilenet_v1::mobilenet_v1(64, 1024, 0.0, 7).unwrap()).check(InSoftware::Inference);
}

#[test]
fn mobilenet_v1_short() {
    Case::new("mobilenet_v1_short", mobilenet_v1::mobilenet_v1_short(64, 0.0, 7).unwrap()).check(InSoftware::Gradients);
}

#[test]
fn mobilenet_v2() {
    Case::new("mobilenet_v2", mobilenet_v2::mobilenet_v2(64, 0.0, 7).unwrap()).check(InSoftware::Inference);
}

#[test]
fn efficientnet_lite0() {
    Case::new("efficientnet_lite0", efficientnet_lite0::efficientnet_lite0(64, 0.0, 0.0, 7).unwrap())
        .check(InSoftware::Inference);
}

#[test]
fn vit_head() {
    let network = attention::vit_head(Network::new("vit", [49, 32]), 32, 4, 2, 2, 7).unwrap();
    Case::new("vit_head", network).check(InSoftware::Training("adamw"));
}

/// Landmarks and image are parts of one input.
#[test]
fn cross_attention() {
    let network = Network::new("cross_attention", [32, 14, 14]).slice("landmark", 1, 0..16);
    let network = network.branch_from("input").unwrap().slice("image", 1, 16..32);
    let network = attention::cross_attention(network, ["landmark", "image"], [16, 14, 14], [7, 7], 4, 4).unwrap();
    let network = network.reduce_mean("mean", &[2, 3], false).dense("classifier", "classifier", 7).softmax();
    Case::new("cross_attention", network).check(InSoftware::Training("sgd"));
}
