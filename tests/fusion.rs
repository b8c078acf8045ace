//! Steps that one kernel does together give what they give one after the other.

mod compare;

use compare::{Comparison, devices};
use vultus::nn::{Network, Training};
use vultus::ops::{Activation, Conv2d, MaxPool2d};
use vultus::{Device, Options, Parameters, Random, StepOptions, Targets, Tensor};

/// A block with a residual and one whose shortcut has a convolution of its own, with convolutions for all kernels.
fn network(function: Activation) -> Network {
    let square = Conv2d::square;
    let network = Network::new("blocks", [4, 9, 10])
        .conv2d("stem", "stem", 20, square(3, 1, 1))
        .activation_named("stem.act", function)
        .conv2d("depthwise", "depthwise", 20, square(3, 1, 1).groups(20))
        .activation_named("depthwise.act", function)
        .conv2d("pointwise", "pointwise", 20, square(1, 1, 0))
        .add("sum", "stem.act")
        .unwrap()
        .activation_named("sum.act", function)
        .branch_from("sum.act")
        .unwrap()
        .conv2d("shortcut", "shortcut", 24, square(1, 2, 0))
        .branch_from("sum.act")
        .unwrap()
        .conv2d("strided", "strided", 24, square(3, 2, 1))
        .activation_named("strided.act", function)
        .conv2d("last", "last", 24, square(3, 1, 1))
        .add("join", "shortcut")
        .unwrap();
    network.activation_named("join.act", function).flatten().dense("fc", "fc", 5)
}

const FUNCTIONS: [Activation; 4] =
    [Activation::Relu, Activation::RELU6, Activation::LeakyRelu { negative_slope: 0.1 }, Activation::Hardswish];

/// What is looked at afterwards is not fused.
fn apart() -> Options {
    Options { keep_activations: true, ..Options::default() }
}

fn input() -> Tensor {
    let mut random = Random::new(3);
    Tensor::from_fn([2, 4, 9, 10], |_| random.normal())
}

/// Devices may contract the additions that are now in one kernel: a few units in the last place, which three layers of some
/// 200 products spread.
const ROUNDING: f32 = 1e-5;

#[test]
fn residuals_and_activations_within_a_convolution_change_nothing() {
    let mut comparison = Comparison::default();
    for device in devices() {
        for function in FUNCTIONS {
            let network = network(function);
            let model = device.load(&network, &network.initialize(7).unwrap()).unwrap();
            let run = |options: &Options| {
                let mut plan = model.compile(2, options).unwrap();
                (plan.run(&input()).unwrap(), plan.profile().unwrap().len())
            };
            let ((fused, few), (wanted, many)) = (run(&Options::default()), run(&apart()));
            assert!(few < many, "{few} of {many} steps");
            if let Device::Cpu = device {
                assert_eq!(fused, wanted, "{function:?}");
            }
            comparison.check(format!("{function:?} on {device}"), &fused[0], &wanted[0], ROUNDING);
        }
    }
    comparison.finish();
}

#[test]
fn a_training_with_residuals_within_convolutions_is_the_same() {
    for function in FUNCTIONS {
        let network = network(function);
        let train = |options: &Options| {
            let model = Device::Cpu.load(&network, &network.initialize(7).unwrap()).unwrap();
            let mut plan = model.compile_training(2, &Training::default(), options).unwrap();
            let step = StepOptions { learning_rate: 0.1, ..StepOptions::default() };
            let losses = [0; 3].map(|_| plan.train(&input(), Targets::Classes(&[Some(1), Some(4)]), &step).unwrap());
            (losses, model.parameters().unwrap())
        };
        let (fused, wanted) = (train(&Options::default()), train(&apart()));
        assert!(fused.0[2] < fused.0[0], "{function:?}: {:?}", fused.0);
        assert_eq!(fused, wanted, "{function:?}");
    }
}

/// The parameters after three steps, and how many activations were gone back through in a step of their own.
fn train(device: &Device, network: &Network, options: &Options) -> (Parameters, usize) {
    let model = device.load(network, &network.initialize(7).unwrap()).unwrap();
    let mut plan = model.compile_training(2, &Training::default(), options).unwrap();
    let step = StepOptions { learning_rate: 0.1, ..StepOptions::default() };
    for _ in 0..3 {
        plan.train(&input(), Targets::Classes(&[Some(1), Some(4)]), &step).unwrap();
    }
    let layers = plan.profile().unwrap();
    let apart = layers.iter().filter(|layer| layer.operation == "activation_backward").count();
    (model.parameters().unwrap(), apart)
}

/// That a training is the same with fused steps and without, and how many activations each goes back through in a step.
fn check_training(device: &Device, network: &Network, counts: [usize; 2], what: &str, comparison: &mut Comparison) {
    let (fused, left) = train(device, network, &Options::default());
    let (wanted, all) = train(device, network, &apart());
    assert_eq!([left, all], counts, "{what}");
    for (name, tensor) in &fused {
        comparison.check(format!("{name}, {what}"), tensor, &wanted[name], ROUNDING);
    }
}

#[test]
fn a_convolution_takes_the_activation_before_it_along_on_the_way_back() {
    let mut comparison = Comparison::default();
    for device in devices() {
        for function in FUNCTIONS {
            let network = network(function);
            // Two are read by one convolution each; the others by several layers, and by a dense one.
            check_training(&device, &network, [3, 5], &format!("{function:?} on {device}"), &mut comparison);
        }
    }
    comparison.finish();
}

#[test]
fn a_max_pool_takes_the_relu_before_it_along_on_the_way_back() {
    let pools = [
        MaxPool2d::new(2, 2),
        MaxPool2d { ceil_mode: true, ..MaxPool2d::new(2, 2) },
        MaxPool2d { padding: [1, 1], ..MaxPool2d::new(3, 2) },
    ];
    let mut comparison = Comparison::default();
    for pool in pools {
        let square = Conv2d::square(3, 1, 1);
        let network = Network::new("pools", [4, 9, 10])
            .conv2d("conv1", "conv1", 20, square)
            .activation_named("relu1", Activation::Relu)
            .max_pool2d("pool1", pool)
            .conv2d("conv2", "conv2", 20, square)
            .activation_named("relu2", Activation::Relu)
            .max_pool2d("pool2", pool)
            .flatten()
            .dense("fc", "fc", 5);
        for device in devices() {
            check_training(&device, &network, [0, 2], &format!("{pool:?} on {device}"), &mut comparison);
        }
    }
    comparison.finish();
}
