//! Products by matrix units, in f16 and in two parts of f16: where they are refused, what they cost in exactness, and that
//! units which multiply wrongly are not used. Where the device has none, shaders stand in for them.
#![cfg(feature = "files")]

mod compare;

use compare::{Comparison, Golden, adapter, checked, fresh_gpu, gpu, largest, photo, run_op};
use half::f16;
use vultus::gpu::{Gpu, GpuOptions, shader_source};
use vultus::nn::{Network, Optimizer, Trainable, Training, resnet, vgg16};
use vultus::ops::{Adam, Conv2d, Conv2dBackwardInput, Conv2dBackwardWeight, Dense, Op, RunState};
use vultus::weights::{DefaultFile, safetensors};
use vultus::{Device, Error, Options, Parameters, Plan, Precision, Random, StepOptions, Targets, Tensor, wgpu};

const BOTH: [Precision; 2] = [Precision::F16, Precision::Split];

fn options(precision: Precision) -> Options {
    Options { precision, ..Options::default() }
}

/// A classifier with two convolutions by Winograd's algorithms, one as a product of matrices, and a dense layer.
fn network() -> Network {
    Network::new("small", [16, 8, 8])
        .conv2d("conv1", "conv1", 32, Conv2d::square(3, 1, 1))
        .relu()
        .conv2d("conv2", "conv2", 32, Conv2d::square(3, 1, 1))
        .conv2d("conv3", "conv3", 24, Conv2d::square(3, 2, 1))
        .flatten()
        .dense("fc", "fc", 64)
        .softmax()
}

fn input(batch: usize) -> Tensor {
    Tensor::from_fn([batch, 16, 8, 8], |i| (i as f32 * 0.37).sin())
}

/// The kernels for matrix units that a plan runs.
fn kernels(plan: &mut Plan) -> Vec<String> {
    let layers = plan.profile().unwrap().into_iter();
    let all = layers.flat_map(|layer| layer.kernel.split(" + ").map(str::to_owned).collect::<Vec<_>>());
    all.filter(|kernel| kernel.contains("_matrix_")).collect()
}

fn run(device: &Device, network: &Network, parameters: &Parameters, x: &Tensor, options: &Options) -> Tensor {
    let mut plan = device.load(network, parameters).unwrap().compile(x.shape()[0], options).unwrap();
    plan.run(x).unwrap().swap_remove(0)
}

#[track_caller]
fn refusal<T>(result: vultus::Result<T>) -> String {
    match result {
        Err(error @ Error::Precision { .. }) => error.to_string(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("was not refused"),
    }
}

#[test]
fn devices_without_matrix_units_refuse_and_say_what_to_take() {
    let limits = wgpu::Limits::default();
    let plain = adapter().open_with(wgpu::Features::empty(), limits, GpuOptions::default()).unwrap();
    assert!(!plain.has_matrix_units());
    let parameters = network().initialize(1).unwrap();
    for device in [Device::Cpu, Device::Gpu(plain)] {
        let model = device.load(&network(), &parameters).unwrap();
        for precision in BOTH {
            let text = refusal(model.compile(1, &options(precision)).map(drop));
            for part in [precision.name(), "matrix units", "choose f32 or f16-weights"] {
                assert!(text.contains(part), "{part:?} is not in: {text}");
            }
        }
        assert!(model.compile(1, &Options::default()).is_ok());
    }
}

#[test]
fn an_application_must_say_that_its_device_has_matrix_units() {
    let adapter = adapter();
    let features = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX | wgpu::Features::SHADER_F16;
    let open = |options| adapter.open_with(features, wgpu::Limits::default(), options);
    let said = GpuOptions { matrix_units: true, ..GpuOptions::default() };
    if adapter.has_matrix_units() {
        assert!(open(said).unwrap().has_matrix_units());
        assert!(!open(GpuOptions::default()).unwrap().has_matrix_units());
    } else {
        // The driver has not got what is asked for.
        assert!(matches!(open(said).map(drop), Err(Error::NoDevice { .. })));
        assert!(!adapter.open().unwrap().has_matrix_units());
    }
    // Saying so is not enough.
    let plain = adapter.open_with(wgpu::Features::empty(), wgpu::Limits::default(), said).unwrap();
    assert!(!plain.has_matrix_units());
}

#[test]
fn only_a_plan_that_asks_for_them_uses_matrix_units() {
    let (device, parameters) = (Device::Gpu(gpu()), network().initialize(1).unwrap());
    let model = device.load(&network(), &parameters).unwrap();
    assert_eq!(kernels(&mut model.compile(9, &Options::default()).unwrap()), [""; 0]);
    let results = BOTH.map(|precision| {
        let mut plan = model.compile(9, &options(precision)).unwrap();
        let used = kernels(&mut plan);
        assert_eq!(used.len(), 4, "{used:?}");
        assert!(used.iter().all(|kernel| kernel.ends_with(precision.name())), "{used:?}");
        plan.run(&input(9)).unwrap()
    });
    assert_ne!(results[0], results[1]);
}

/// Devices on which the units multiply wrongly: as some drivers do, they lose sums from one round of a loop to the next,
/// or they take one tile for another, or leave out a part of a number.
#[test]
fn units_that_multiply_wrongly_are_not_used() {
    let lost = ("*s11 = multiply_add(a1, b1, *s11);", "*s11 = multiply_add(a1, b1, Sums(vec4<f32>(), vec4<f32>()));");
    let mistaken = ("load_left(row + TILE, lane)", "load_left(row, lane)");
    let remainder = ("*r10 = multiply_add(a1, b0_rest, *r10);", "");
    for (shader, precision, (from, to)) in [
        ("conv2d_winograd_matrix", Precision::F16, lost),
        ("conv2d_winograd_matrix", Precision::Split, remainder),
        ("conv2d_matrix", Precision::F16, mistaken),
        ("conv2d_matrix", Precision::Split, lost),
        ("conv2d_weight_matrix", Precision::F16, lost),
        ("conv2d_weight_matrix", Precision::Split, remainder),
        ("dense_matrix", Precision::F16, lost),
        ("dense_matrix", Precision::Split, remainder),
    ] {
        let (gpu, source) = (fresh_gpu(), shader_source(shader).unwrap());
        assert!(source.contains(from), "{shader} has no {from:?}");
        gpu.replace_shader(shader, source.replace(from, to)).unwrap();
        let compile = |precision| compile_for(shader, &gpu, precision);
        // What was found out once is told again.
        for _ in 0..2 {
            let text = refusal(compile(precision).map(drop));
            assert!(text.contains("instead of") && text.contains(precision.name()), "{text}");
        }
        assert!(compile(Precision::F32).is_ok());
        gpu.replace_shader(shader, source).unwrap();
        assert!(compile(precision).is_ok());
    }
}

/// A plan of a small operation that this shader makes the products of.
fn compile_for(shader: &str, gpu: &Gpu, precision: Precision) -> vultus::Result<Plan> {
    let conv = (Op::Conv2d(Conv2d::square(3, 1, 1)), vec![&[1, 16, 6, 6][..], &[16, 16, 3, 3], &[16]]);
    let gradient = Op::Conv2dBackwardWeight(Conv2dBackwardWeight(Conv2d::square(3, 1, 1)));
    let ((op, shapes), kernel) = match shader {
        "conv2d_winograd_matrix" => (conv, "conv2d/winograd2"),
        "conv2d_matrix" => (conv, "conv2d/gemm_64"),
        "conv2d_weight_matrix" => ((gradient, vec![&[1, 16, 6, 6][..]; 2]), "conv2d/gemm_weight_64"),
        _ => ((Op::Dense(Dense::default()), vec![&[9, 16][..], &[16, 16], &[16]]), "dense/matmul_64"),
    };
    let options = Options { kernel: Some(kernel.to_owned()), ..options(precision) };
    let mut plan = Device::Gpu(gpu.clone()).compile_op(&op, &shapes, &options)?;
    assert_eq!(kernels(&mut plan).len(), usize::from(precision != Precision::F32), "{shader}");
    Ok(plan)
}

/// Three steps of a training, with everything by matrix units that can be: the losses, the parameters, and the kernels.
fn train(trainable: Trainable, precision: Precision) -> (Vec<f32>, Parameters, Vec<String>) {
    let device = Device::Gpu(gpu());
    let model = device.load(&network(), &network().initialize(1).unwrap()).unwrap();
    let training = Training { optimizer: Optimizer::Adam(Adam::default()), trainable, ..Training::default() };
    let mut plan = model.compile_training(9, &training, &options(precision)).unwrap();
    let classes: Vec<Option<usize>> = (0..9).map(Some).collect();
    let step = StepOptions { learning_rate: 0.01, seed: 1, ..StepOptions::default() };
    let losses = (0..3).map(|_| plan.train(&input(9), Targets::Classes(&classes), &step).unwrap()).collect();
    let kernels = kernels(plan.as_plan());
    (losses, model.parameters().unwrap(), kernels)
}

/// After three steps that change each parameter by about 0.01, in the direction of its gradient: rounding may turn those that
/// are nearly 0.
#[test]
fn trainings_by_matrix_units_go_the_same_way() {
    let (wanted, parameters, none) = train(Trainable::All, Precision::F32);
    assert_eq!(none, [""; 0]);
    for (precision, of_loss, of_parameters) in [(Precision::F16, 1e-2, 2e-2), (Precision::Split, 1e-5, 1e-4)] {
        let (losses, found, used) = train(Trainable::All, precision);
        // Of each of four layers y and dweight, and dx but of the first: in four parts where the step is 2.
        assert_eq!(used.len(), 14, "{used:?}");
        for (loss, wanted) in losses.iter().zip(&wanted) {
            assert!((loss - wanted).abs() <= of_loss * wanted, "{precision}: {losses:?} instead of {wanted:?}");
        }
        assert!(losses[2] < losses[0], "{losses:?}");
        for (name, tensor) in &found {
            let pairs = tensor.data().iter().zip(parameters[name].data());
            let mean = pairs.map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / tensor.data().len() as f64;
            println!("{name} in {precision}: {mean:.1e} from f32's");
            assert!(mean <= 0.03 * of_parameters, "{name} in {precision}: {mean}");
        }
    }
    // Of the head alone, y of every layer and its own dweight.
    let (head, _, used) = train(Trainable::From("fc".to_owned()), Precision::F16);
    assert_eq!(used.len(), 5, "{used:?}");
    assert!(head[2] < head[0], "{head:?}");
}

/// Gradients have any size: f16 must not lose small ones, nor let large ones become infinite.
#[test]
fn gradients_are_brought_to_the_size_of_f16() {
    let conv = Conv2d::square(3, 1, 1);
    let (x, dy, weight) = ([2, 20, 9, 8], [2, 24, 9, 8], [24, 20, 3, 3]);
    let mut random = Random::new(5);
    let mut normal = |shape: &[usize]| Tensor::from_fn(shape, |_| random.normal());
    let (x, dy, weight) = (normal(&x), normal(&dy), normal(&weight));
    let (rows, dense_dy, dense_weight) = (normal(&[11, 30]), normal(&[11, 40]), normal(&[40, 30]));
    let through = |scale: f32, dy: &Tensor| Tensor::from_fn(dy.shape(), |i| scale * dy.data()[i]);
    let mut comparison = Comparison::default();
    for scale in [1e-15f32, 1e-7, 1.0, 1e9, 1e15] {
        let (dy, dense_dy) = (through(scale, &dy), through(scale, &dense_dy));
        let input = Op::from(Conv2dBackwardInput::new(conv, [9, 8]));
        let filters = Op::Conv2dBackwardWeight(Conv2dBackwardWeight(conv));
        for (op, inputs, kernel) in [
            (&input, vec![&dy, &weight], "conv2d/gemm_64"),
            (&input, vec![&dy, &weight], "conv2d/winograd4"),
            (&filters, vec![&x, &dy], "conv2d/gemm_weight_64"),
            (&filters, vec![&x, &dy], "conv2d/winograd4"),
            (&Op::DenseBackwardInput, vec![&dense_dy, &dense_weight], "dense/matmul_64"),
            (&Op::DenseBackwardWeight, vec![&rows, &dense_dy], "dense/matmul_64"),
        ] {
            let inputs: Vec<Tensor> = inputs.into_iter().cloned().collect();
            let run = |device: &Device, options: &Options| {
                run_op(device, op, &inputs, &RunState::default(), options).unwrap().swap_remove(0)
            };
            let wanted = run(&Device::Cpu, &Options { kernel: Some("conv2d/direct".to_owned()), ..checked() });
            for (precision, allowed) in [(Precision::F16, 5e-3), (Precision::Split, 1e-5)] {
                let options = Options { kernel: Some(kernel.to_owned()), precision, ..checked() };
                let found = run(&Device::Gpu(gpu()), &options);
                let name = format!("{} by {kernel} in {precision}, {scale:e}", op.name());
                // To the size of 1, where tolerances are.
                let (found, wanted) = (through(1.0 / scale, &found), through(1.0 / scale, &wanted));
                println!("{name}: {:.1e}", error(&found, &wanted));
                comparison.check(name, &found, &wanted, allowed);
            }
        }
    }
    comparison.finish();
}

/// NaN stays NaN, and zeros stay zeros.
#[test]
fn gradients_of_zeros_and_of_no_numbers() {
    let shapes = ([1, 16, 4, 4], [16, 16, 3, 3]);
    let op = Op::from(Conv2dBackwardInput::new(Conv2d::square(3, 1, 1), [4, 4]));
    let weight = Tensor::filled(shapes.1, 1.0);
    for precision in BOTH {
        let run = |value: f32| {
            let dy = Tensor::from_fn(shapes.0, |i| if i == 37 { value } else { 0.0 });
            let options = Options { kernel: Some("conv2d/gemm_64".to_owned()), precision, ..checked() };
            let inputs = [dy, weight.clone()];
            run_op(&Device::Gpu(gpu()), &op, &inputs, &RunState::default(), &options).unwrap().swap_remove(0)
        };
        assert!(run(0.0).data().iter().all(|&value| value == 0.0), "{precision}");
        assert!(run(f32::NAN).data().iter().any(|value| value.is_nan()), "{precision}");
        assert!(run(f32::INFINITY).data().iter().any(|value| !value.is_finite()), "{precision}");
    }
}

#[test]
fn weights_that_f16_does_not_hold_are_refused_and_inputs_are_noticed() {
    let device = Device::Gpu(gpu());
    let good = network().initialize(1).unwrap();
    for name in ["conv1.weight", "conv3.weight", "fc.weight"] {
        let mut parameters = good.clone();
        let mut weight = good[name].clone().into_data();
        weight[17] = -451.0;
        parameters.insert(name.to_owned(), Tensor::new(good[name].shape(), weight).unwrap());
        let model = device.load(&network(), &parameters).unwrap();
        for precision in BOTH {
            let text = refusal(model.compile(9, &options(precision)).map(drop));
            assert!(text.contains(name) && text.contains("451"), "{text}");
        }
    }
    let conv = Network::new("conv", [16, 8, 8]).conv2d("conv", "conv", 32, Conv2d::square(3, 1, 1));
    let parameters = conv.initialize(1).unwrap();
    for precision in BOTH {
        let run = |scale: f32| {
            let x = Tensor::from_fn([1, 16, 8, 8], |i| scale * (i as f32 * 0.37).sin());
            run(&device, &conv, &parameters, &x, &options(precision))
        };
        assert!(run(1e5).data().iter().all(|value| value.is_finite()), "{precision}");
        assert!(run(1e8).data().iter().any(|value| !value.is_finite()), "{precision}");
    }
}

/// Products with 1 alone show how numbers are rounded: to the nearest f16 of a 64th, ties to even, and in two parts to 22
/// bits.
#[test]
fn numbers_are_rounded_to_the_nearest() {
    let conv = Network::new("conv", [16, 64, 64]).conv2d("conv", "conv", 16, Conv2d::square(1, 1, 0));
    let one = Tensor::from_fn([16, 16, 1, 1], |i| f32::from(u8::from(i / 16 == i % 16)));
    let named = [("conv.weight", one), ("conv.bias", Tensor::zeros([16]))];
    let parameters = Parameters::from(named.map(|(name, tensor)| (name.to_owned(), tensor)));
    // Numbers of all sizes, those between two neighbours in f16 among them, and small ones where f16 has few bits.
    let mut random = Random::new(3);
    let x = Tensor::from_fn([1, 16, 64, 64], |i| {
        let bits = random.bits();
        let size = 2f32.powi(i as i32 % 44 - 24);
        let tie = 1.0 + (2 * (bits % 1024) + 1) as f32 / 2048.0;
        64.0 * size * if i % 3 == 0 { tie } else { 2.0 * random.uniform() - 1.0 }
    });
    let x = Tensor::from_fn(x.shape(), |i| x.data()[i].clamp(-4e6, 4e6));
    let half = |value: f32| f16::from_f32(value).to_f32();
    let in_one = |value: f32| 64.0 * half(value / 64.0);
    let in_two = |value: f32| in_one(value) + 64.0 * half((value - in_one(value)) / 64.0 * 2048.0) / 2048.0;
    let device = Device::Gpu(gpu());
    for precision in BOTH {
        let options = Options { kernel: Some("conv2d/gemm_64".to_owned()), ..options(precision) };
        let found = run(&device, &conv, &parameters, &x, &options);
        for (at, (&found, &value)) in found.data().iter().zip(x.data()).enumerate() {
            let wanted = if precision == Precision::F16 { in_one(value) } else { in_two(value) };
            assert_eq!(found, wanted, "{precision}: {value:e} at place {at}");
        }
    }
}

/// The largest difference from what f32 computes, relative to the largest value.
fn error(found: &Tensor, wanted: &Tensor) -> f32 {
    let differences = found.data().iter().zip(wanted.data()).map(|(a, b)| (a - b).abs());
    differences.fold(0.0, f32::max) / largest(wanted)
}

/// Golden outputs of convolutions and dense layers: in two parts within f32's own tolerance; in f16 within 2⁻¹¹ for either
/// factor, times what Winograd's transforms make of it.
#[test]
fn golden_outputs() {
    let mut comparison = Comparison::default();
    let golden = Golden::read("conv2d");
    for (case, parameters) in golden.cases() {
        let get = |name: &str| golden.get(&format!("{case}.{name}"));
        let (inputs, wanted) = ([get("x"), get("weight"), get("bias")], get("y"));
        let number = |name: &str| parameters[name].as_u64().unwrap() as usize;
        let conv = Conv2d::square(inputs[1].shape()[2], number("stride"), number("padding"));
        for kernel in ["conv2d/gemm_64", "conv2d/winograd2", "conv2d/winograd4"] {
            for (precision, allowed) in [(Precision::F16, 4e-3), (Precision::Split, 1e-5)] {
                let options = Options { kernel: Some(kernel.to_owned()), precision, ..checked() };
                let device = Device::Gpu(gpu());
                let found = run_op(&device, &Op::Conv2d(conv), &inputs, &RunState::default(), &options).unwrap();
                println!("{case} {kernel} {precision}: {:.1e}", error(&found[0], &wanted));
                comparison.check(format!("{case} {kernel} {precision}"), &found[0], &wanted, allowed);
            }
        }
    }
    comparison.finish();
}

/// VGG16's base with its real weights on the middle of a photo.
#[test]
fn vgg16_errs_little() {
    let file = safetensors::read(&std::path::Path::new("weights").join(DefaultFile::Vgg16Base.file_name())).unwrap();
    let base = file.with_prefix("features.").unwrap();
    let (rgb, width, _) = photo();
    let x = Tensor::from_fn([1, 3, 48, 48], |i| {
        let (channel, y, x) = (i / (48 * 48), i / 48 % 48 + 88, i % 48 + 88);
        f32::from(rgb[3 * (y * width as usize + x) + 2 - channel]) - [103.939, 116.779, 123.68][channel]
    });
    check_network(&vgg16::base(48), &base.parameters, &x);
}

/// Batch normalisation, folded into the weights, residuals, and steps of 2.
#[test]
fn resnet18_errs_little() {
    // Without the dense layer: of what random weights make, softmax leaves one class.
    let whole = resnet::resnet18(48, 0.0, 7).unwrap();
    let (network, _) = whole.split(&Trainable::From("fc".to_owned())).unwrap();
    let x = Tensor::from_fn([1, 3, 48, 48], |i| (i as f32 * 0.11).sin());
    check_network(&network, &network.initialize(5).unwrap(), &x);
}

/// Prints how far each precision is from plain sums in f32, and holds what the documentation says of it.
fn check_network(network: &Network, parameters: &Parameters, x: &Tensor) {
    let (device, mut comparison) = (Device::Gpu(gpu()), Comparison::default());
    let plain = Options { kernel: Some("conv2d/direct".to_owned()), ..Options::default() };
    let wanted = run(&Device::Cpu, network, parameters, x, &plain);
    for (precision, allowed) in [(Precision::F32, 1e-5), (Precision::F16, 5e-3), (Precision::Split, 1e-5)] {
        let found = run(&device, network, parameters, x, &options(precision));
        let name = format!("{} in {precision}", network.name());
        println!("{name}: {:.1e} of the largest", error(&found, &wanted));
        comparison.check(name, &found, &wanted, allowed);
    }
    comparison.finish();
}
