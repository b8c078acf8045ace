//! Both backends against values that PyTorch computed in f64.
#![cfg(feature = "files")]

mod compare;

use compare::{Comparison, Golden, checked, devices, golden_path, photo, run_op};
use serde_json::Value;
use vultus::nn::{Network, Optimizer, Training, vgg16};
use vultus::ops::{
    Activation, ActivationBackward, Adam, AdaptiveAvgPool2d, AdaptiveAvgPool2dBackward, Conv2d, Conv2dBackwardInput,
    Conv2dBackwardWeight, Crop, CrossEntropy, Dense, Filter, MaxPool2d, MaxPool2dBackward, Normalization, Op, RunState,
    Sgd, Softmax, SoftmaxBackward,
};
use vultus::weights::safetensors;
use vultus::{Device, Options, Parameters, StepOptions, Targets, Tensor};

/// f32 keeps 24 bits; sums of up to a few thousand products of both signs lose two digits of these seven at most.
const FORWARD: f32 = 1e-5;

/// Gradients are sums over whole batches and images, and differences of nearly equal values.
const GRADIENT: f32 = 1e-4;

/// Runs an operation of a golden case on both backends and compares its outputs with the tensors of these names.
fn check(golden: &Golden, case: &str, op: &Op, inputs: &[&str], outputs: &[&str], comparison: &mut Comparison) {
    let inputs: Vec<Tensor> = inputs.iter().map(|name| golden.get(&format!("{case}.{name}"))).collect();
    for device in devices() {
        let found = run_op(&device, op, &inputs, &RunState::default(), &checked()).unwrap();
        assert_eq!(found.len(), outputs.len());
        for (name, found) in outputs.iter().zip(found) {
            let tolerance = if name.starts_with('d') { GRADIENT } else { FORWARD };
            let wanted = golden.get(&format!("{case}.{name}"));
            comparison.check(format!("{} {case} {name} on {device}", op.name()), &found, &wanted, tolerance);
        }
    }
}

fn number(parameters: &Value, name: &str) -> usize {
    parameters[name].as_u64().unwrap_or_else(|| panic!("no {name} in {parameters}")) as usize
}

fn rate(parameters: &Value, name: &str) -> f32 {
    parameters[name].as_f64().unwrap_or_default() as f32
}

/// Height and width.
fn size(x: &Tensor) -> [usize; 2] {
    [x.shape()[2], x.shape()[3]]
}

#[test]
fn conv2d() {
    let (golden, mut comparison) = (Golden::read("conv2d"), Comparison::default());
    for (case, parameters) in golden.cases() {
        let x = golden.get(&format!("{case}.x"));
        let kernel = golden.get(&format!("{case}.weight")).shape()[2];
        let conv = Conv2d::square(kernel, number(parameters, "stride"), number(parameters, "padding"));
        check(&golden, case, &Op::Conv2d(conv), &["x", "weight", "bias"], &["y"], &mut comparison);
        let backward_input = Op::Conv2dBackwardInput(Conv2dBackwardInput::new(conv, size(&x)));
        check(&golden, case, &backward_input, &["dy", "weight"], &["dx"], &mut comparison);
        let backward_weight = Op::Conv2dBackwardWeight(Conv2dBackwardWeight(conv));
        check(&golden, case, &backward_weight, &["x", "dy"], &["dweight", "dbias"], &mut comparison);
    }
    comparison.finish();
}

/// A function and its derivative.
fn both(function: Activation) -> (Op, Op) {
    (function.into(), ActivationBackward(function).into())
}

#[test]
fn activations() {
    let mut comparison = Comparison::default();
    let golden = Golden::read("relu");
    for (case, _) in golden.cases() {
        let (forward, backward) = both(Activation::Relu);
        check(&golden, case, &forward, &["x"], &["y"], &mut comparison);
        check(&golden, case, &backward, &["y", "dy"], &["dx"], &mut comparison);
    }
    let golden = Golden::read("activation");
    for (case, parameters) in golden.cases() {
        // What the backward pass reads, as its documentation has it.
        let (function, seen) = match parameters["function"].as_str().unwrap() {
            "relu" => (Activation::Relu, "y"),
            "relu6" => (Activation::RELU6, "y"),
            "clip" => (Activation::Clip { min: rate(parameters, "min"), max: rate(parameters, "max") }, "y"),
            "leaky_relu" => (Activation::LeakyRelu { negative_slope: rate(parameters, "slope") }, "y"),
            "sigmoid" => (Activation::Sigmoid, "y"),
            "hardswish" => (Activation::Hardswish, "x"),
            "silu" => (Activation::Silu, "x"),
            "gelu" => (Activation::Gelu, "x"),
            "gelu_tanh" => (Activation::GeluTanh, "x"),
            other => panic!("{other} is not among the functions"),
        };
        let (forward, backward) = both(function);
        check(&golden, case, &forward, &["x"], &["y"], &mut comparison);
        check(&golden, case, &backward, &[seen, "dy"], &["dx"], &mut comparison);
    }
    let golden = Golden::read("prelu");
    for (case, _) in golden.cases() {
        check(&golden, case, &Op::Prelu, &["x", "slope"], &["y"], &mut comparison);
        check(&golden, case, &Op::PreluBackward, &["x", "slope", "dy"], &["dx", "dslope"], &mut comparison);
    }
    comparison.finish();
}

#[test]
fn sums() {
    let (golden, mut comparison) = (Golden::read("add"), Comparison::default());
    // Those of equal shapes; no operation here repeats one along a dimension of the other.
    let shape = |case: &str, name: &str| golden.get(&format!("{case}.{name}")).shape().to_vec();
    let cases = golden.cases().filter(|(case, _)| shape(case, "a") == shape(case, "b"));
    for (case, _) in cases {
        check(&golden, case, &Op::Add, &["a", "b"], &["y"], &mut comparison);
    }
    comparison.finish();
}

#[test]
fn pools() {
    let mut comparison = Comparison::default();
    let golden = Golden::read("max_pool2d");
    for (case, parameters) in golden.cases() {
        let pool = MaxPool2d {
            ceil_mode: parameters["ceil_mode"] == true,
            ..MaxPool2d::new(number(parameters, "kernel"), number(parameters, "stride"))
        };
        check(&golden, case, &Op::MaxPool2d(pool), &["x"], &["y"], &mut comparison);
        check(&golden, case, &MaxPool2dBackward { pool, relu: false }.into(), &["x", "dy"], &["dx"], &mut comparison);
    }
    let golden = Golden::read("adaptive_avg_pool2d");
    for (case, parameters) in golden.cases() {
        let pool = AdaptiveAvgPool2d { output: [number(parameters, "output"); 2] };
        let x = golden.get(&format!("{case}.x"));
        check(&golden, case, &Op::AdaptiveAvgPool2d(pool), &["x"], &["y"], &mut comparison);
        let backward = Op::AdaptiveAvgPool2dBackward(AdaptiveAvgPool2dBackward { pool, size: size(&x) });
        check(&golden, case, &backward, &["dy"], &["dx"], &mut comparison);
    }
    comparison.finish();
}

#[test]
fn dense() {
    let (golden, mut comparison) = (Golden::read("dense"), Comparison::default());
    for (case, _) in golden.cases() {
        check(&golden, case, &Dense::default().into(), &["x", "weight", "bias"], &["y"], &mut comparison);
        check(&golden, case, &Op::DenseBackwardInput, &["dy", "weight"], &["dx"], &mut comparison);
        check(&golden, case, &Op::DenseBackwardWeight, &["x", "dy"], &["dweight", "dbias"], &mut comparison);
    }
    comparison.finish();
}

#[test]
fn softmax_and_cross_entropy() {
    let mut comparison = Comparison::default();
    let golden = Golden::read("softmax");
    for (case, _) in golden.cases() {
        check(&golden, case, &Softmax::default().into(), &["x"], &["y"], &mut comparison);
        check(&golden, case, &SoftmaxBackward(Softmax::default()).into(), &["y", "dy"], &["dx"], &mut comparison);
    }
    let golden = Golden::read("cross_entropy");
    for (case, parameters) in golden.cases() {
        let op = Op::CrossEntropy(CrossEntropy { label_smoothing: rate(parameters, "label_smoothing") });
        let [logits, target, mut weight] =
            ["logits", "target", "class_weight"].map(|name| golden.get(&format!("{case}.{name}")));
        if parameters["weighted"] == false {
            weight.data_mut().fill(1.0);
        }
        let inputs = [logits, target, weight];
        for device in devices() {
            let found = run_op(&device, &op, &inputs, &RunState::default(), &checked()).unwrap();
            let wanted = ["loss", "dlogits"].map(|name| golden.get(&format!("{case}.{name}")));
            comparison.check(format!("{case} loss on {device}"), &found[0], &wanted[0], FORWARD);
            comparison.check(format!("{case} dlogits on {device}"), &found[1], &wanted[1], GRADIENT);
        }
    }
    comparison.finish();
}

#[test]
fn optimizers() {
    let (golden, mut comparison) = (Golden::read("optimizers"), Comparison::default());
    for (case, parameters) in golden.cases() {
        let weight_decay = rate(parameters, "weight_decay");
        let op = if case.starts_with("sgd") {
            let nesterov = parameters["nesterov"] == true;
            Op::Sgd(Sgd { momentum: rate(parameters, "momentum"), nesterov, weight_decay, ..Sgd::default() })
        } else {
            let betas = [0, 1].map(|i| parameters["betas"][i].as_f64().unwrap() as f32);
            let (epsilon, decoupled) = (rate(parameters, "eps"), case == "adamw");
            Op::Adam(Adam { betas, epsilon, weight_decay, decoupled, ..Adam::default() })
        };
        for device in devices() {
            let mut parameter = golden.get(&format!("{case}.p0"));
            let mut memory = vec![Tensor::zeros(parameter.shape()); op.in_place().len() - 1];
            let shapes = vec![parameter.shape().to_vec(); 2 + memory.len()];
            let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
            let mut plan = device.compile_op(&op, &shapes, &checked()).unwrap();
            for step in 1..=5 {
                let gradient = golden.get(&format!("{case}.grad{step}"));
                let inputs = [vec![parameter, gradient], memory].concat();
                let state = RunState { step, learning_rate: rate(parameters, "lr"), ..RunState::default() };
                memory = plan.run_in(&inputs, &state).unwrap();
                parameter = memory.remove(0);
                let wanted = golden.get(&format!("{case}.p{step}"));
                comparison.check(format!("{case} step {step} on {device}"), &parameter, &wanted, FORWARD);
            }
        }
    }
    comparison.finish();
}

/// Filters of the small VGG16 that the golden files hold.
const WIDTHS: [&[usize]; 5] = [&[8, 8], &[12, 12], &[16, 16, 16], &[24, 24, 24], &[32, 32, 32]];

/// The logits of the small VGG16 for a part of the photo, seen as torchvision or as Caffe sees it.
fn logits(device: &Device, parameters: &Parameters, side: u32, normalization: &Normalization) -> Tensor {
    let network = vgg16::whole_with_widths(side as usize, &WIDTHS, &[64, 64], 7).unwrap();
    let options = Options { keep_activations: true, checked: true, ..Options::default() };
    let mut plan = device.load(&network, parameters).unwrap().compile(1, &options).unwrap();
    let (rgb, width, height) = photo();
    let picture = device.upload(&rgb, width, height).unwrap();
    let corner = if side == width { 0 } else { 64 };
    let crop = Crop { x: corner, y: corner, width: side, height: side, mirror: false };
    plan.set_picture(&picture, &[crop], Filter::Bilinear, normalization).unwrap();
    plan.execute().unwrap();
    plan.activation("fc8").unwrap()
}

#[test]
fn tiny_vgg16_from_files_of_every_precision() {
    let (wanted, mut comparison) = (Golden::read("tiny_vgg16_outputs"), Comparison::default());
    // f16 rounds weights by up to 2^-11, bf16 by up to 2^-9, of their size: at most this much per layer, in 16 layers.
    for (file, tolerance) in [
        ("tiny_vgg16.safetensors", FORWARD),
        ("tiny_vgg16_f16.safetensors", 16.0 * 2f32.powi(-11)),
        ("tiny_vgg16_bf16.safetensors", 16.0 * 2f32.powi(-9)),
    ] {
        let parameters = safetensors::read(&golden_path(file)).unwrap().parameters;
        for device in devices() {
            for (name, side, normalization) in [
                ("logits_torch_input", 224, Normalization::TORCHVISION),
                ("logits_caffe_input", 224, Normalization::CAFFE),
                ("logits_torch_input_96", 96, Normalization::TORCHVISION),
            ] {
                let found = logits(&device, &parameters, side, &normalization);
                comparison.check(format!("{file} {name} on {device}"), &found, &wanted.get(name), tolerance);
            }
        }
    }
    comparison.finish();
}

/// A network that was trained in PyTorch: its golden file, its optimiser and its batches.
struct Run {
    golden: Golden,
    network: Network,
    optimizer: Sgd,
    learning_rate: f32,
    batch: usize,
}

impl Run {
    /// Trains on both backends; gradients after the first step, losses after each, parameters after the last.
    fn check(&self) {
        let mut comparison = Comparison::default();
        let (x, y, losses) = (self.golden.get("x"), self.golden.get("y"), self.golden.get("losses"));
        let training = Training { optimizer: Optimizer::Sgd(self.optimizer), ..Training::default() };
        let image = x.len() / x.shape()[0];
        let batches = x.shape()[0] / self.batch;
        for device in devices() {
            let model = device.load(&self.network, &self.golden.with_prefix("init.")).unwrap();
            let mut plan = model.compile_training(self.batch, &training, &checked()).unwrap();
            for (step, &wanted) in losses.data().iter().enumerate() {
                let first = step % batches * self.batch;
                let values = x.data()[first * image..(first + self.batch) * image].to_vec();
                let input = Tensor::new([&[self.batch], &x.shape()[1..]].concat(), values).unwrap();
                let targets: Vec<_> = y.data()[first..first + self.batch].iter().map(|&t| Some(t as usize)).collect();
                let options = StepOptions { learning_rate: self.learning_rate, ..StepOptions::default() };
                let loss = plan.train(&input, Targets::Classes(&targets), &options).unwrap();
                let [loss, wanted] = [loss, wanted].map(|loss| Tensor::filled([1], loss));
                comparison.check(format!("loss of step {step} on {device}"), &loss, &wanted, 1e-4);
                for (name, wanted) in self.golden.with_prefix("grad0.").iter().filter(|_| step == 0) {
                    let found = plan.gradient(name).unwrap();
                    comparison.check(format!("gradient of {name} on {device}"), &found, wanted, GRADIENT);
                }
            }
            let trained = model.parameters().unwrap();
            for (name, wanted) in self.golden.with_prefix("final.") {
                // A difference in one step's gradients goes on into all later ones.
                comparison.check(format!("final {name} on {device}"), &trained[&name], &wanted, 10.0 * GRADIENT);
            }
        }
        comparison.finish();
    }
}

#[test]
fn training_every_layer_of_a_tiny_vgg16() {
    let head = Network::new("head", [32, 1, 1]).flatten().dense("fc1", "head.0", 16).relu().dense("fc2", "head.2", 7);
    let network = vgg16::base_with_widths(32, &WIDTHS).followed_by(head).unwrap();
    let optimizer = Sgd { momentum: 0.9, ..Sgd::default() };
    Run { golden: Golden::read("tiny_vgg16_training"), network, optimizer, learning_rate: 0.01, batch: 4 }.check();
}

#[test]
fn training_a_head() {
    let network = Network::new("head", [512]).dense("fc1", "0", 32).relu().dense("fc2", "2", 7);
    let optimizer = Sgd { momentum: 0.9, weight_decay: 1e-3, ..Sgd::default() };
    Run { golden: Golden::read("head_training"), network, optimizer, learning_rate: 0.05, batch: 64 }.check();
}
