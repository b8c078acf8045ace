//! A device that offers little: bindings of 1 MiB, buffers of 16 MiB, no optional feature. What fits is cut into parts
//! that nobody notices; what does not is refused with the name of the limit.

mod compare;

use std::sync::OnceLock;

use compare::twins::{self, Twins};
use compare::{Comparison, adapter, largest, run_op, with_matrix_units};
use vultus::gpu::{Gpu, GpuOptions};
use vultus::nn::{Network, Optimizer, Training, vgg16};
use vultus::ops::augment::AugmentCase;
use vultus::ops::{
    Activation, ActivationBackward, Adam, AdaptiveAvgPool2d, AdaptiveAvgPool2dBackward, AvgPool2d, AvgPool2dBackward,
    Concat, Conv2d, Conv2dBackwardInput, Conv2dBackwardWeight, CrossEntropy, Dense, Dropout, Ema, Interpolation,
    MaxPool2d, MaxPool2dBackward, MulReduce, Normalization, Op, Pad, ReduceMean, ReduceMeanBackward, RunState, Sgd,
    Slice, Softmax, SoftmaxBackward, StochasticDepth, Transpose, Upsample, UpsampleBackward, Variation,
};
use vultus::{Device, Error, Options, Precision, Random, StepOptions, Targets, Tensor, wgpu};

const MIB: u64 = 1 << 20;

/// WebGPU's default limits, which allow 256 invocations per workgroup, with less memory.
fn small_limits() -> wgpu::Limits {
    let limits = wgpu::Limits::default();
    assert_eq!(limits.max_compute_invocations_per_workgroup, 256);
    wgpu::Limits { max_storage_buffer_binding_size: MIB, max_buffer_size: 16 * MIB, ..limits }
}

fn small() -> Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    // With runtime checks, too: the other tests run without.
    let options = GpuOptions { runtime_checks: true, ..GpuOptions::default() };
    let open = || adapter().open_with(wgpu::Features::empty(), small_limits(), options);
    GPU.get_or_init(|| with_matrix_units(open().expect("every device offers this"))).clone()
}

/// Random values of this shape.
fn normal(random: &mut Random, shape: &[usize], deviation: f32) -> Tensor {
    Tensor::from_fn(shape, |_| random.normal() * deviation)
}

fn state() -> RunState {
    RunState { step: 2, learning_rate: 0.1, seed: 9, ..RunState::default() }
}

/// Runs an operation on both backends; sums may be added up in another order.
fn check(op: &Op, inputs: &[Tensor], comparison: &mut Comparison) {
    let run = |device: Device| run_op(&device, op, inputs, &state(), &Options::default()).unwrap();
    let (found, wanted) = (run(Device::Gpu(small())), run(Device::Cpu));
    for (index, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
        let shapes: Vec<_> = inputs.iter().map(Tensor::shape).collect();
        comparison.check(format!("{} of {shapes:?}, output {index}", op.name()), found, wanted, 2e-5);
    }
}

#[test]
fn the_twins_agree_on_a_small_device() {
    let mut comparison = Comparison::default();
    let mut random = Random::new(77);
    for (_, twins) in Twins::all() {
        let random_cases: Vec<_> = (0..2).map(|_| (twins.random_case)(&mut random)).collect();
        // More is the business of the next test.
        let fitting = |case: &&vultus::ops::Case| {
            let shapes = case.shapes();
            let outputs = case.op.output_shapes(&shapes).unwrap();
            let values = |shape: &[usize]| shape.iter().product::<usize>();
            shapes.iter().map(|shape| values(shape)).chain(outputs.iter().map(|shape| values(shape))).max()
                < Some(1 << 20)
        };
        for (seed, case) in (twins.cases)().iter().chain(&random_cases).filter(fitting).enumerate() {
            // Where work is cut does not depend on the precision: one of the two that matrix units compute in is enough.
            let is_wanted = |kernel: &str| !kernel.ends_with("by matrix units in f16");
            twins::check_with(&small(), case, seed as u64, is_wanted, &mut comparison);
        }
    }
    comparison.finish();
}

#[test]
fn what_is_larger_than_a_binding_is_cut() {
    let (mut comparison, mut random) = (Comparison::default(), Random::new(3));
    let mut values = |shape: &[usize]| normal(&mut random, shape, 1.0);
    // Values of one buffer, cut anywhere, by planes, by samples or by images.
    let x = values(&[7, 50_001]);
    for function in [Activation::Relu, Activation::Silu] {
        check(&function.into(), std::slice::from_ref(&x), &mut comparison);
        check(&ActivationBackward(function).into(), &[x.clone(), values(x.shape())], &mut comparison);
    }
    check(&Op::Add, &[x.clone(), values(x.shape())], &mut comparison);
    check(&Op::Dropout(Dropout { probability: 0.4, layer: 5 }), &[x], &mut comparison);
    let x = values(&[9, 30, 40, 41]);
    let pool = MaxPool2d { padding: [1, 1], ceil_mode: true, ..MaxPool2d::new(3, 2) };
    let y = run_op(&Device::Cpu, &Op::MaxPool2d(pool), std::slice::from_ref(&x), &state(), &Options::default());
    let dy = values(y.unwrap()[0].shape());
    check(&Op::MaxPool2d(pool), std::slice::from_ref(&x), &mut comparison);
    check(&MaxPool2dBackward { pool, relu: false }.into(), &[x.clone(), dy], &mut comparison);
    let pool = AdaptiveAvgPool2d { output: [7, 6] };
    check(&Op::AdaptiveAvgPool2d(pool), std::slice::from_ref(&x), &mut comparison);
    let backward = AdaptiveAvgPool2dBackward { pool, size: [40, 41] };
    check(&backward.into(), &[values(&[9, 30, 7, 6])], &mut comparison);
    check(&Op::Prelu, &[x.clone(), values(&[30])], &mut comparison);
    check(&Op::PreluBackward, &[x.clone(), values(&[30]), values(x.shape())], &mut comparison);
    let gate = values(&[9, 30, 1, 1]);
    for op in [Op::Add, Op::Mul] {
        check(&op, &[x.clone(), gate.clone()], &mut comparison);
    }
    check(&MulReduce { shape: vec![9, 30, 1, 1] }.into(), &[x.clone(), values(x.shape())], &mut comparison);
    let mean = ReduceMean { dims: vec![2, 3], keepdim: true };
    check(&mean.clone().into(), std::slice::from_ref(&x), &mut comparison);
    check(&ReduceMeanBackward { mean, shape: x.shape().to_vec() }.into(), &[gate], &mut comparison);
    let pool = AvgPool2d::new(2, 2);
    check(&pool.into(), std::slice::from_ref(&x), &mut comparison);
    check(&AvgPool2dBackward { pool, size: [40, 41] }.into(), &[values(&[9, 30, 20, 20])], &mut comparison);
    check(&Concat { dim: 1 }.into(), &[x.clone(), values(&[9, 5, 40, 41])], &mut comparison);
    check(&Slice { ranges: vec![Some(1..9), Some(2..29)] }.into(), std::slice::from_ref(&x), &mut comparison);
    let padding = vec![[0, 0], [1, 0], [0, 2], [1, 1]];
    check(&Pad { padding, value: 0.5 }.into(), std::slice::from_ref(&x), &mut comparison);
    check(&Transpose { permutation: vec![0, 2, 3, 1] }.into(), std::slice::from_ref(&x), &mut comparison);
    let upsample = Upsample { size: [50, 61], interpolation: Interpolation::Bilinear { align_corners: false } };
    check(&upsample.into(), std::slice::from_ref(&x), &mut comparison);
    check(&UpsampleBackward { upsample, size: [40, 41] }.into(), &[values(&[9, 30, 50, 61])], &mut comparison);
    check(&StochasticDepth { probability: 0.4, layer: 5 }.into(), std::slice::from_ref(&x), &mut comparison);
    for x in [values(&[700, 1000]), values(&[40, 10, 33, 41])] {
        check(&Softmax::default().into(), std::slice::from_ref(&x), &mut comparison);
        check(&SoftmaxBackward(Softmax::default()).into(), &[x.clone(), values(x.shape())], &mut comparison);
    }
    comparison.finish();
}

#[test]
fn pictures_that_are_varied_are_cut_by_images() {
    let varied = Variation { x: [0.9, 0.1, 3.0], noise: 5.0, erased: [20, 30, 90, 100], seed: 4, ..Variation::none() };
    let case = AugmentCase {
        // Two of them fit a binding.
        size: [190, 210],
        gray: (0..5).map(|index| index % 2 == 1).collect(),
        variations: (0..5).map(|seed| Variation { seed, ..varied }).collect(),
        normalization: Normalization::TORCHVISION,
    };
    let mut comparison = Comparison::default();
    twins::check_augment(&small(), &case, 1, &mut comparison);
    comparison.finish();
}

#[test]
fn parameters_are_spread_over_several_bindings() {
    let (mut comparison, mut random) = (Comparison::default(), Random::new(4));
    // Weights of 4 MB and 3.2 MB; for the second x takes 2 MB too. In one sample and in a batch.
    for (batch, features, out) in [(2, 1024, 1000), (64, 8192, 100), (33, 1000, 1024)] {
        let weight = normal(&mut random, &[out, features], 1.0 / (features as f32).sqrt());
        let [x, dy] = [features, out].map(|n| normal(&mut random, &[batch, n], 1.0));
        let bias = normal(&mut random, &[out], 1.0);
        check(
            &Op::Dense(Dense { activation: Some(Activation::Relu) }),
            &[x.clone(), weight.clone(), bias],
            &mut comparison,
        );
        check(&Op::DenseBackwardInput, &[dy.clone(), weight.clone()], &mut comparison);
        check(&Op::DenseBackwardWeight, &[x, dy], &mut comparison);
        let like = |random: &mut Random| normal(random, &[out, features], 1.0);
        let (gradient, velocity) = (like(&mut random), like(&mut random));
        let sgd = Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.01, ..Sgd::default() };
        check(&Op::Sgd(sgd), &[weight.clone(), gradient.clone(), velocity.clone()], &mut comparison);
        let mut squares = velocity.clone();
        squares.data_mut().iter_mut().for_each(|value| *value *= *value);
        check(&Op::Accumulate, &[velocity.clone(), gradient.clone()], &mut comparison);
        check(&Op::Ema(Ema { decay: 0.05 }), &[velocity.clone(), weight.clone()], &mut comparison);
        check(&Op::Adam(Adam::default()), &[weight, gradient, velocity, squares], &mut comparison);
    }
    comparison.finish();
}

#[test]
fn weights_in_f16_are_cut_as_those_in_f32_are() {
    let mut random = Random::new(12);
    // 4.8 MB in f32 and 2.4 in f16; what f16 can hold, so that nothing is rounded.
    let network = Network::new("dense", [2000]).dense("fc", "fc", 603);
    let mut parameters = network.initialize(1).unwrap();
    let weight = Tensor::from_fn([603, 2000], |_| random.below(2001) as f32 / 1024.0 - 1.0);
    parameters.insert("fc.weight".to_owned(), weight);
    let x = normal(&mut random, &[3, 2000], 1.0);
    let run = |device: Device| {
        let options = Options { precision: Precision::F16Weights, ..Options::default() };
        let mut plan = device.load(&network, &parameters).unwrap().compile(3, &options).unwrap();
        (plan.run(&x).unwrap().swap_remove(0), plan.profile().unwrap().swap_remove(0).kernel)
    };
    let ((found, kernel), (wanted, _)) = (run(Device::Gpu(small())), run(Device::Cpu));
    assert_eq!(kernel, "dense/rows_f16");
    let mut comparison = Comparison::default();
    comparison.check("dense in f16", &found, &wanted, 2e-5);
    comparison.finish();
}

#[test]
fn convolutions_are_cut_by_images_and_by_filters() {
    let (mut comparison, mut random) = (Comparison::default(), Random::new(5));
    for ([n, c, h, w], filters, conv) in [
        // Weights of 2.4 MB.
        ([2, 256, 8, 8], 256, Conv2d::square(3, 1, 1)),
        // A batch of 64: y takes 4 MB, x 0.8 MB.
        ([64, 3, 32, 32], 16, Conv2d::square(3, 1, 1)),
        // One image of y takes 1.5 MB, more than a binding; x 0.15 MB.
        ([2, 4, 96, 96], 40, Conv2d::square(3, 1, 1)),
        // Both: weights of 1.1 MB, and images of x that fill a binding to its last byte.
        ([2, 256, 32, 32], 120, Conv2d { stride: [4, 5], ..Conv2d::square(3, 1, 1) }),
    ] {
        let [oh, ow] = conv.output_size([h, w]).unwrap();
        let x = normal(&mut random, &[n, c, h, w], 1.0);
        let dy = normal(&mut random, &[n, filters, oh, ow], 1.0);
        let [kh, kw] = conv.kernel;
        let weight = normal(&mut random, &[filters, c, kh, kw], (2.0 / (c * kh * kw) as f32).sqrt());
        let bias = normal(&mut random, &[filters], 1.0);
        for activation in [None, Some(Activation::Relu)] {
            let op = Op::Conv2d(Conv2d { activation, ..conv });
            check(&op, &[x.clone(), weight.clone(), bias.clone()], &mut comparison);
        }
        let backward = Conv2dBackwardInput::new(conv, [h, w]);
        check(&backward.into(), &[dy.clone(), weight.clone()], &mut comparison);
        let through = Conv2dBackwardInput { activation: Some(Activation::Relu), ..backward };
        check(&through.into(), &[dy.clone(), weight, x.clone()], &mut comparison);
        check(&Conv2dBackwardWeight(conv).into(), &[x, dy], &mut comparison);
    }
    comparison.finish();
}

/// VGG16's structure; its activations and its first dense layer take more than one binding.
fn tiny_vgg16() -> Network {
    vgg16::whole_with_widths(64, &[&[8, 8], &[12, 12], &[16, 16, 16], &[24, 24, 24], &[32, 32, 32]], &[256, 64], 7)
        .unwrap()
}

#[test]
fn a_vgg16_runs_and_trains_on_a_small_device() {
    let (network, mut comparison) = (tiny_vgg16(), Comparison::default());
    let parameters = network.initialize(8).unwrap();
    // A seed at which no ReLU or maximum is so near to a tie that rounding decides it.
    let x = normal(&mut Random::new(9), &[16, 3, 64, 64], 1.0);
    let targets: Vec<_> = (0..16).map(|i| (i != 5).then_some(i % 7)).collect();
    let training = Training {
        loss: CrossEntropy { label_smoothing: 0.1 }.into(),
        class_weights: vec![1.0, 2.0, 0.5, 1.0, 1.0, 3.0, 1.0],
        optimizer: Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() }),
        ..Training::default()
    };
    let [cpu, gpu] = [Device::Cpu, Device::Gpu(small())].map(|device| {
        let model = device.load(&network, &parameters).unwrap();
        let probabilities = model.compile(16, &Options::default()).unwrap().run(&x).unwrap();
        let mut plan = model.compile_training(16, &training, &Options::default()).unwrap();
        let step = StepOptions { learning_rate: 0.1, ..StepOptions::default() };
        let losses = [(); 2].map(|()| plan.train(&x, Targets::Classes(&targets), &step).unwrap());
        let gradients: Vec<_> =
            parameters.keys().map(|name| (format!("gradient of {name}"), plan.gradient(name).unwrap())).collect();
        (probabilities, losses, gradients, model.parameters().unwrap())
    });
    comparison.check("probabilities", &gpu.0[0], &cpu.0[0], 2e-5);
    comparison.check(
        "losses",
        &Tensor::new([2], gpu.1.into()).unwrap(),
        &Tensor::new([2], cpu.1.into()).unwrap(),
        2e-5,
    );
    // The second step's gradients carry the rounding of the first step through sixteen layers.
    for ((name, found), (_, wanted)) in gpu.2.iter().zip(&cpu.2) {
        assert!(largest(wanted) > 0.0, "{name}");
        comparison.check(name, found, wanted, 1e-3);
    }
    for (name, wanted) in &cpu.3 {
        assert_ne!(wanted, &parameters[name], "{name} was not trained");
        comparison.check(name, &gpu.3[name], wanted, 1e-3);
    }
    comparison.finish();
}

/// The limit that an operation on zeros of these shapes is refused with.
fn refused(op: &Op, shapes: &[&[usize]]) -> (&'static str, u64, u64) {
    match Device::Gpu(small()).compile_op(op, shapes, &Options::default()).map(drop) {
        Err(Error::Limit { limit, needed, available, what, advice }) => {
            assert!(needed > available && !what.is_empty() && !advice.is_empty());
            (limit, needed, available)
        }
        other => panic!("{} of {shapes:?}: {other:?}", op.name()),
    }
}

#[test]
fn what_cannot_be_cut_is_refused_by_the_name_of_the_limit() {
    let binding = |needed: usize| ("max_storage_buffer_binding_size", 4 * needed as u64, MIB);
    // One image of x, one row of weights, and the logits of a loss are needed as a whole.
    let conv = Op::Conv2d(Conv2d::square(3, 1, 1));
    assert_eq!(refused(&conv, &[&[2, 64, 80, 80], &[4, 64, 3, 3], &[4]]), binding(64 * 80 * 80));
    let dense = Op::Dense(Dense::default());
    assert_eq!(refused(&dense, &[&[1, 300_000], &[2, 300_000], &[2]]), binding(300_000));
    let loss = Op::CrossEntropy(CrossEntropy::default());
    assert_eq!(refused(&loss, &[&[1000, 1000], &[1000], &[1000]]), binding(1_000_000));
    let buffer = ("max_buffer_size", 4 * 5_000_000, 16 * MIB);
    assert_eq!(refused(&Activation::Relu.into(), &[&[5_000_000]]), buffer);
    let picture = Device::Gpu(small()).upload(&vec![0; 3 * 700 * 600], 700, 600).map(drop);
    let Err(Error::Limit { limit, .. }) = picture else { panic!("{picture:?}") };
    assert_eq!(limit, "max_storage_buffer_binding_size");
    // The device goes on.
    check(&Activation::Relu.into(), &[Tensor::filled([5], -1.0)], &mut Comparison::default());
}

#[test]
fn large_work_is_submitted_in_pieces() {
    let options = GpuOptions { flops_per_submit: Some(100_000), ..GpuOptions::default() };
    let gpu = adapter().open_with(wgpu::Features::empty(), small_limits(), options).unwrap();
    let (mut comparison, mut random) = (Comparison::default(), Random::new(6));
    for case in (Twins::of("conv2d").cases)().iter().chain(&(Twins::of("dense").cases)()) {
        twins::check(&gpu, case, random.bits().into(), &mut comparison);
    }
    comparison.finish();
}

#[test]
fn where_a_run_is_cut_into_submissions_changes_no_bit() {
    let network = vgg16::base(64);
    let parameters = network.initialize(3).unwrap();
    let x = Tensor::from_fn([1, 3, 64, 64], |i| (i as f32 * 0.37).sin());
    let run = |flops_per_submit| {
        let options = GpuOptions { flops_per_submit, ..GpuOptions::default() };
        let gpu = adapter().open_with(wgpu::Features::empty(), wgpu::Limits::default(), options).unwrap();
        let model = Device::Gpu(gpu.clone()).load(&network, &parameters).unwrap();
        let mut plan = model.compile(1, &Options::default()).unwrap();
        // Weights are packed in the first run.
        plan.run(&x).unwrap();
        let before = gpu.submissions();
        let outputs = plan.run(&x).unwrap();
        let submissions = gpu.submissions() - before;
        (outputs, submissions, plan.profile().unwrap().iter().map(|layer| layer.flops).max().unwrap())
    };
    let (whole, submissions, largest) = run(None);
    assert_eq!(submissions, 1, "a run, with the copy of what it gives");
    // No single layer is cut.
    let (cut, submissions, _) = run(Some(2 * largest));
    assert!(submissions > 2, "{submissions}");
    assert_eq!(cut, whole);
}

#[test]
fn a_run_of_the_whole_vgg16_is_one_submission_of_few_dispatches() {
    let widths: [&[usize]; 5] = [&[16; 2], &[16; 2], &[16; 3], &[16; 3], &[16; 3]];
    let network = vgg16::whole_with_widths(224, &widths, &[32, 32], 10).unwrap();
    let gpu = adapter().open_with(wgpu::Features::empty(), wgpu::Limits::default(), GpuOptions::default()).unwrap();
    let model = Device::Gpu(gpu.clone()).load(&network, &network.initialize(3).unwrap()).unwrap();
    let mut plan = model.compile(1, &Options::default()).unwrap();
    let x = Tensor::filled([1, 3, 224, 224], 0.5);
    plan.run(&x).unwrap();
    let (submissions, counts) = (gpu.submissions(), gpu.counts());
    plan.run(&x).unwrap();
    assert_eq!((gpu.submissions() - submissions, gpu.counts()), (1, counts));
    // One for the first convolution, three for each by Winograd's algorithm with its activation and pooling, one each for
    // the last pooling, three dense layers and the softmax.
    let dispatches = plan.gpu().unwrap().dispatches();
    assert!(dispatches <= 1 + 3 * 12 + 5, "{dispatches}");
}

#[test]
fn the_first_dense_layer_of_vgg16_fits_the_default_limits() {
    let (features, out) = (25_088, 4_096);
    let limits = wgpu::Limits::default();
    // 411 MB of weights in bindings of 128 MiB.
    assert!((features * out * 4) as u64 > 3 * limits.max_storage_buffer_binding_size);
    let gpu = adapter().open_with(wgpu::Features::empty(), limits, GpuOptions::default()).unwrap();
    let mut random = Random::new(25_088);
    let mut uniform = |shape: &[usize], most: f32| Tensor::from_fn(shape, |_| (2.0 * random.uniform() - 1.0) * most);
    let (x, bias) = (uniform(&[1, features], 1.0), uniform(&[out], 1.0));
    let inputs = [x, uniform(&[out, features], 3.0 / (features as f32).sqrt()), bias];
    let run = |device| run_op(&device, &Op::Dense(Dense::default()), &inputs, &state(), &Options::default()).unwrap();
    let (found, wanted) = (run(Device::Gpu(gpu)), run(Device::Cpu));
    let mut comparison = Comparison::default();
    comparison.check("fc6", &found[0], &wanted[0], 2e-5);
    comparison.finish();
}
