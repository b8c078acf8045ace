//! Weights in f16: what a plan that asks for them computes, what that costs, and when they stay in f32.
#![cfg(feature = "files")]

mod compare;

use std::path::Path;

use compare::{Comparison, fresh_gpu, gpu, largest, photo};
use vultus::face::Recognizer;
use vultus::nn::{Network, Optimizer, Trainable, Training, vgg16};
use vultus::ops::{Adam, Conv2d, Crop};
use vultus::weights::{DefaultFile, WeightFile, safetensors};
use vultus::{Device, Model, Options, Parameters, Plan, Precision, StepOptions, Targets, Tensor, TrainingPlan};

fn f16_weights() -> Options {
    Options { precision: Precision::F16Weights, ..Options::default() }
}

/// A classifier with two convolutions by Winograd's algorithms and a dense layer that are all made for f16.
fn network() -> Network {
    let conv = Conv2d::square(3, 1, 1);
    Network::new("small", [16, 8, 8])
        .conv2d("conv1", "conv1", 32, conv)
        .relu()
        .conv2d("conv2", "conv2", 32, conv)
        .flatten()
        .dense("fc", "fc", 64)
        .softmax()
}

fn training(trainable: Trainable) -> Training {
    Training { optimizer: Optimizer::Adam(Adam::default()), trainable, ..Training::default() }
}

fn input() -> Tensor {
    Tensor::from_fn([2, 16, 8, 8], |i| (i as f32 * 0.37).sin())
}

fn train(plan: &mut TrainingPlan) -> f32 {
    let options = StepOptions { learning_rate: 0.01, seed: 1, ..StepOptions::default() };
    plan.train(&input(), Targets::Classes(&[Some(3), Some(60)]), &options).unwrap()
}

fn kernels(plan: &mut Plan) -> Vec<String> {
    plan.profile().unwrap().into_iter().map(|layer| layer.kernel).filter(|kernel| kernel.contains("_f16")).collect()
}

fn run(model: &Model, options: &Options) -> Tensor {
    model.compile(2, options).unwrap().run(&input()).unwrap().swap_remove(0)
}

fn load(device: &Device, parameters: &Parameters) -> Model {
    device.load(&network(), parameters).unwrap()
}

#[test]
fn only_a_plan_that_asks_for_it_reads_weights_in_f16() {
    let parameters = network().initialize(1).unwrap();
    let model = load(&Device::Gpu(gpu()), &parameters);
    assert_eq!(kernels(&mut model.compile(2, &Options::default()).unwrap()), [""; 0]);
    let used = kernels(&mut model.compile(2, &f16_weights()).unwrap());
    assert_eq!(used.len(), 3, "{used:?}");
    assert_ne!(run(&model, &f16_weights()), run(&model, &Options::default()));
    // The processor always computes in f32.
    let cpu = load(&Device::Cpu, &parameters);
    assert_eq!(run(&cpu, &f16_weights()), run(&cpu, &Options::default()));
}

#[test]
fn weights_in_f16_take_half_the_memory_and_are_shared() {
    let gpu = fresh_gpu();
    let network = Network::new("dense", [4096]).dense("fc", "fc", 256);
    let model = Device::Gpu(gpu.clone()).load(&network, &network.initialize(1).unwrap()).unwrap();
    let added = |options: &Options| {
        let before = gpu.bytes_in_use();
        let plan = model.compile(1, options).unwrap();
        (gpu.bytes_in_use() - before, plan)
    };
    let (in_f32, _) = added(&Options::default());
    let (first, _plan) = added(&f16_weights());
    let (second, _other) = added(&f16_weights());
    // What else is added are the parameters of the kernel that packs, some hundred bytes.
    let packed = 2 * 4096 * 256;
    assert!((packed..packed + 1024).contains(&(first - in_f32)), "{in_f32} {first}");
    assert_eq!(second, in_f32);

    let model = load(&Device::Gpu(gpu.clone()), &self::network().initialize(1).unwrap());
    let added = |options: &Options| {
        let options = Options { kernel: Some("conv2d/winograd2".to_owned()), ..options.clone() };
        let before = gpu.bytes_in_use();
        let _plan = model.compile(2, &options).unwrap();
        gpu.bytes_in_use() - before
    };
    // 16 points of both convolutions, whose filters fill a block of 64; those of the dense layer come on top.
    let transformed = 16 * (16 + 32) * 64;
    let saved = added(&Options::default()) + 2 * 64 * 32 * 64 - added(&f16_weights());
    assert!((2 * transformed - 1024..=2 * transformed).contains(&saved), "{saved} of {transformed}");
}

#[test]
fn they_follow_what_another_plan_trains() {
    let device = Device::Gpu(fresh_gpu());
    let model = load(&device, &network().initialize(1).unwrap());
    let mut plan = model.compile(2, &f16_weights()).unwrap();
    let mut trained = model.compile_training(2, &training(Trainable::All), &Options::default()).unwrap();
    let mut before = plan.run(&input()).unwrap();
    for step in 1..=3 {
        train(&mut trained);
        let found = plan.run(&input()).unwrap();
        assert_ne!(found, before);
        assert_eq!(found[0], run(&load(&device, &model.parameters().unwrap()), &f16_weights()), "step {step}");
        before = found;
    }
}

#[test]
fn what_a_plan_trains_stays_in_f32() {
    let device = Device::Gpu(gpu());
    let parameters = network().initialize(1).unwrap();
    let losses = |trainable: Trainable, options: &Options| {
        let model = load(&device, &parameters);
        let mut plan = model.compile_training(2, &training(trainable), options).unwrap();
        let losses: Vec<f32> = (1..=5).map(|_| train(&mut plan)).collect();
        (losses, model.parameters().unwrap(), kernels(plan.as_plan()))
    };
    let all = losses(Trainable::All, &f16_weights());
    assert_eq!(all, losses(Trainable::All, &Options::default()));
    // The convolutions before the trained head are frozen.
    let (head, _, used) = losses(Trainable::From("fc".to_owned()), &f16_weights());
    assert!(used.len() == 2 && used.iter().all(|kernel| kernel.contains("winograd")), "{used:?}");
    assert!(head[4] < head[0], "{head:?}");
}

#[test]
fn what_f16_does_not_suit_stays_in_f32() {
    let device = Device::Gpu(gpu());
    let good = network().initialize(1).unwrap();
    for value in [65_000.0, 1e9, f32::INFINITY, f32::NAN] {
        for name in ["conv1.weight", "conv2.weight", "fc.weight"] {
            let mut parameters = good.clone();
            let mut weight = good[name].clone().into_data();
            weight[17] = value;
            parameters.insert(name.to_owned(), Tensor::new(good[name].shape(), weight).unwrap());
            let used = kernels(&mut load(&device, &parameters).compile(2, &f16_weights()).unwrap());
            assert_eq!(used.len(), 2, "{value} in {name}: {used:?}");
        }
    }
    let tiny = good.iter().map(|(name, t)| (name.clone(), Tensor::from_fn(t.shape(), |i| t.data()[i] * 1e-6)));
    let tiny = load(&device, &tiny.collect());
    assert_eq!(kernels(&mut tiny.compile(2, &f16_weights()).unwrap()), [""; 0]);
    assert_eq!(run(&tiny, &f16_weights()), run(&tiny, &Options::default()));
}

fn weights(which: DefaultFile) -> WeightFile {
    safetensors::read(&Path::new("weights").join(which.file_name())).unwrap()
}

/// VGG16's base with its real weights on the middle of a photo. Those of the first three blocks are stored in f16, so that
/// of them the transformed ones alone are rounded; each weight by 2⁻¹¹ of itself at most, through thirteen layers.
#[test]
fn vgg16_errs_little_with_weights_in_f16() {
    let base = weights(DefaultFile::Vgg16Base).with_prefix("features.").unwrap();
    let (rgb, width, _) = photo();
    let x = Tensor::from_fn([1, 3, 96, 96], |i| {
        let (channel, y, x) = (i / (96 * 96), i / 96 % 96 + 64, i % 96 + 64);
        f32::from(rgb[3 * (y * width as usize + x) + 2 - channel]) - [103.939, 116.779, 123.68][channel]
    });
    let model = Device::Gpu(gpu()).load(&vgg16::base(96), &base.parameters).unwrap();
    let wanted = model.compile(1, &Options::default()).unwrap().run(&x).unwrap().swap_remove(0);
    let mut comparison = Comparison::default();
    for algorithm in [None, Some("winograd2"), Some("winograd4")] {
        let kernel = algorithm.map(|name| format!("conv2d/{name}_blocked"));
        let mut plan = model.compile(1, &Options { kernel, ..f16_weights() }).unwrap();
        let found = plan.run(&x).unwrap().swap_remove(0);
        let used = kernels(&mut plan);
        assert!(used.len() >= 12 && algorithm.is_none_or(|name| used[0].contains(name)), "{used:?}");
        let error = found.data().iter().zip(wanted.data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        println!("{algorithm:?}: {:e} of the largest", error / largest(&wanted));
        comparison.check(format!("{algorithm:?}"), &found, &wanted, 2e-3);
    }
    comparison.finish();
}

#[test]
fn a_face_keeps_its_expression_with_weights_in_f16() {
    let (rgb, width, height) = photo();
    let [wanted, found] =
        [(Device::Cpu, Options::default()), (Device::Gpu(gpu()), f16_weights())].map(|(device, options)| {
            let (base, head) = (weights(DefaultFile::Vgg16Base), weights(DefaultFile::Vgg16Model));
            let mut recognizer = Recognizer::with_options(&device, base, head, 1, &options).unwrap();
            let picture = device.upload(&rgb, width, height).unwrap();
            recognizer.recognize(&picture, &[Crop::whole(width, height)]).unwrap().swap_remove(0)
        });
    println!("{wanted:?}\n{found:?}");
    let best = |scores: &[f32]| scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert_eq!(best(&found), best(&wanted));
    assert_ne!(found, wanted);
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!((found - wanted).abs() < 0.005, "{found} instead of {wanted}");
    }
}
