//! Networks and plans: what training leaves alone, what a batch that is not full costs, and what is refused.

mod compare;

use compare::{Comparison, checked, devices, fresh_gpu, gpu, photo};
use vultus::gpu::{Gpu, shader_source};
use vultus::nn::{Network, Trainable, Training};
use vultus::ops::{Activation, Conv2d, Crop, CrossEntropy, Filter, MaxPool2d, Normalization, Op, Softmax};
use vultus::{Device, Error, Model, Options, Plan, Random, Result, StepOptions, Targets, Tensor, TrainingPlan};

fn network() -> Network {
    Network::new("small", [3, 8, 8])
        .conv2d("conv1", "conv1", 4, Conv2d::square(3, 1, 1))
        .relu()
        .max_pool2d("pool1", MaxPool2d::new(2, 2))
        .conv2d("conv2", "conv2", 5, Conv2d::square(3, 2, 1))
        .prelu("prelu2", "prelu2")
        .flatten()
        .dense("fc1", "fc1", 6)
        .relu()
        .dense("fc2", "fc2", 3)
        .softmax()
}

fn model(device: &Device) -> Model {
    device.load(&network(), &network().initialize(2).unwrap()).unwrap()
}

fn training(trainable: Trainable) -> Training {
    let loss = CrossEntropy { label_smoothing: 0.2 }.into();
    Training { loss, class_weights: vec![1.0, 2.0, 3.0], trainable, ..Training::default() }
}

fn input(batch: usize) -> Tensor {
    Tensor::from_fn([batch, 3, 8, 8], |i| (i as f32 * 1.7).sin())
}

const STEP: StepOptions = StepOptions { learning_rate: 0.1, seed: 0, micro_batches: 1 };

#[test]
fn layers_before_the_first_trained_one_stay_as_they_are() {
    let before = network().initialize(2).unwrap();
    for device in devices() {
        let run = |trainable: Trainable| {
            let model = model(&device);
            let mut plan = model.compile_training(2, &training(trainable), &Options::default()).unwrap();
            plan.train(&input(2), Targets::Classes(&[Some(0), Some(2)]), &STEP).unwrap();
            model.parameters().unwrap()
        };
        let all = run(Trainable::All);
        for (first, frozen) in [("conv1", vec![]), ("conv2", vec!["conv1"]), ("fc1", vec!["conv1", "conv2", "prelu2"])]
        {
            for (name, tensor) in run(Trainable::From(first.to_owned())) {
                let is_frozen = frozen.iter().any(|layer| name.starts_with(layer));
                let wanted = if is_frozen { &before[&name] } else { &all[&name] };
                assert_eq!(&tensor, wanted, "{name} with {first} as the first on {device}");
                assert!(is_frozen || tensor != before[&name], "{name} was not trained on {device}");
            }
        }
    }
}

#[test]
fn what_fills_up_a_batch_counts_for_nothing() {
    let mut comparison = Comparison::default();
    for device in devices() {
        let train = |batch: usize, targets: &[Option<usize>]| {
            let model = model(&device);
            let mut plan = model.compile_training(batch, &training(Trainable::All), &Options::default()).unwrap();
            let loss = plan.train(&input(batch), Targets::Classes(targets), &STEP).unwrap();
            (Tensor::filled([1], loss), model.parameters().unwrap())
        };
        let (wanted, full) = train(2, &[Some(1), Some(0)]);
        let (found, filled) = train(5, &[Some(1), Some(0), None, None, None]);
        // The same sums, over zeros too, and so perhaps in another order; gradients cancel to a few digits less.
        comparison.check(format!("loss on {device}"), &found, &wanted, 1e-6);
        for (name, wanted) in &full {
            comparison.check(format!("{name} on {device}"), &filled[name], wanted, 1e-5);
        }
        // Nothing but filling: no loss, and nothing moves.
        let (loss, unmoved) = train(2, &[None, None]);
        assert_eq!((loss.data(), unmoved), ([0.0].as_slice(), network().initialize(2).unwrap()), "{device}");
    }
    comparison.finish();
}

/// The text of a refusal, which must be one of what was given.
#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    match result {
        Err(error @ (Error::Shape { .. } | Error::InvalidArgument { .. } | Error::UnknownName { .. })) => {
            error.to_string()
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("was not refused"),
    }
}

#[test]
fn networks_that_do_not_fit_together_are_refused() {
    let conv = || Network::new("net", [3, 8, 8]).conv2d("conv", "conv", 4, Conv2d::square(3, 1, 1));
    for (network, part) in [
        (conv().relu(), "ends with classes"),
        // Rows of the last dimension, as PyTorch's Linear takes them.
        (conv().dense("fc", "fc", 2), "ends with classes"),
        (conv().flatten().conv2d("again", "again", 4, Conv2d::square(1, 1, 0)), "NCHW"),
        (conv().conv2d("again", "conv", 4, Conv2d::square(3, 1, 1)), "the parameter conv.weight is used twice"),
        (conv().max_pool2d("pool", MaxPool2d::new(9, 1)), "layer pool"),
        (conv().flatten().dense("fc", "fc", 2).max_pool2d("pool", MaxPool2d::new(2, 2)), "NCHW"),
        (conv().dropout(1.0), "dropout"),
        (Network::new("net", [3, 0, 8]).relu(), "holds nothing"),
        (Network::new("net", [3, 8, 8]), "0 layers"),
        (conv().max_pool2d("pool", MaxPool2d::new(2, 2)).add("sum", "conv").unwrap(), "layer sum"),
        (conv().activation(Activation::Clip { min: 1.0, max: 0.0 }), "nothing lies between 1 and 0"),
        (conv().activation(Activation::LeakyRelu { negative_slope: 0.0 }), "a negative slope of 0"),
    ] {
        // Dropout does nothing unless it is trained.
        let training = Training { class_weights: Vec::new(), ..training(Trainable::All) };
        let result = network.output_shapes().and_then(|_| {
            let model = Device::Cpu.load(&network, &network.initialize(1)?)?;
            model.compile_training(1, &training, &Options::default()).map(drop)
        });
        let text = refusal(result);
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
    assert!(refusal(conv().branch_from("none")).contains("there are conv"));
    assert!(refusal(conv().add("sum", "none")).contains("there are conv"));
    assert!(refusal(conv().followed_by(Network::new("tail", [5]).dense("fc", "fc", 2))).contains("[4, 8, 8]"));
}

/// A flattening is a view: at the end, before a softmax, before and after what works value by value, and read by several.
#[test]
fn a_flattening_may_stand_anywhere() {
    let conv = || Network::new("net", [3, 4, 4]).conv2d("conv", "conv", 4, Conv2d::square(3, 1, 1));
    let (x, mut comparison) = (Tensor::from_fn([2, 3, 4, 4], |i| (i as f32 * 1.7).sin()), Comparison::default());
    let parameters = conv().initialize(3).unwrap();
    let maps = Device::Cpu.load(&conv(), &parameters).unwrap().compile(2, &checked()).unwrap().run(&x).unwrap();
    let maps = maps[0].clone().reshape([2, 64]).unwrap();
    let relu = Tensor::from_fn([2, 64], |i| maps.data()[i].max(0.0));
    let twice = Tensor::from_fn([2, 64], |i| maps.data()[i] + relu.data()[i]);
    let prelu = Tensor::from_fn([2, 64], |i| maps.data()[i].max(0.25 * maps.data()[i]));
    let softmax =
        Device::Cpu.compile_op(&Op::Softmax(Softmax::default()), &[&[2, 64]], &checked()).unwrap().run(&maps).unwrap();
    for (what, network, wanted) in [
        ("at the end", conv().flatten(), &maps),
        ("before a softmax", conv().flatten().softmax(), &softmax[0]),
        ("before a ReLU", conv().flatten().relu(), &relu),
        ("after a ReLU", conv().relu().flatten(), &relu),
        ("before a dropout", conv().flatten().relu().dropout(0.5), &relu),
        ("read twice", conv().flatten().relu().add("sum", "conv.flatten").unwrap(), &twice),
        ("of a flattening", conv().flatten().flatten(), &maps),
        ("before a PReLU", conv().flatten().prelu("prelu", "prelu"), &prelu),
    ] {
        // The convolution's parameters are the first that are drawn.
        let parameters = network.initialize(3).unwrap();
        for device in devices() {
            for keep_activations in [false, true] {
                let options = Options { keep_activations, ..checked() };
                let mut plan = device.load(&network, &parameters).unwrap().compile(2, &options).unwrap();
                let found = plan.run(&x).unwrap().swap_remove(0);
                comparison.check(format!("{what} on {device}"), &found, wanted, 1e-5);
            }
            // Its values are classes like any other.
            let model = device.load(&network, &parameters).unwrap();
            let mut plan = model.compile_training(2, &Training::default(), &checked()).unwrap();
            let targets = Targets::Classes(&[Some(0), Some(63)]);
            let losses = [(); 5].map(|()| plan.train(&x, targets, &STEP).unwrap());
            assert!(losses[4] < losses[0], "{what} on {device}: {losses:?}");
        }
    }
    comparison.finish();
}

/// A residual block and two paths that come together, with a head.
fn residual() -> Network {
    let conv = Conv2d::square(3, 1, 1);
    let build = || {
        Network::new("residual", [3, 8, 8])
            .conv2d("stem", "stem", 4, conv)
            .relu()
            .conv2d("conv1", "conv1", 4, conv)
            .activation(Activation::Silu)
            .conv2d("conv2", "conv2", 4, conv)
            .add("sum", "stem.relu")?
            .relu()
            .max_pool2d("left", MaxPool2d::new(2, 2))
            .branch_from("sum.relu")?
            .conv2d("right", "right", 4, Conv2d::square(3, 2, 1))
            .add("join", "left")
    };
    build().unwrap().flatten().dropout(0.25).dense("fc", "fc", 3).softmax()
}

#[test]
fn branched_networks_train() {
    let mut comparison = Comparison::default();
    let parameters = residual().initialize(4).unwrap();
    let run = |device: &Device, options: &Options, first: &str| {
        let model = device.load(&residual(), &parameters).unwrap();
        let training = training(Trainable::From(first.to_owned()));
        let mut plan = model.compile_training(4, &training, options).unwrap();
        let targets = Targets::Classes(&[Some(0), Some(2), Some(1), None]);
        let losses: Vec<f32> = (0..30).map(|_| plan.train(&input(4), targets, &STEP).unwrap()).collect();
        let probabilities = model.compile(4, options).unwrap().run(&input(4)).unwrap().swap_remove(0);
        (Tensor::new([30], losses).unwrap(), probabilities, model.parameters().unwrap())
    };
    for first in ["stem", "conv2", "right"] {
        let wanted = run(&Device::Cpu, &checked(), first);
        assert!(wanted.0.data()[29] < 0.8 * wanted.0.data()[0], "{:?}", wanted.0);
        for device in devices() {
            // Once with memory that values share, once without.
            let keep = Options { keep_activations: true, ..Options::default() };
            for (how, options) in [("shared", Options::default()), ("kept", keep), ("checked", checked())] {
                let found = run(&device, &options, first);
                let case = format!("from {first} on {device}, {how}");
                // Thirty steps of rounding.
                comparison.check(format!("losses {case}"), &found.0, &wanted.0, 1e-3);
                comparison.check(format!("probabilities {case}"), &found.1, &wanted.1, 1e-3);
                for (name, wanted) in &wanted.2 {
                    comparison.check(format!("{name} {case}"), &found.2[name], wanted, 1e-3);
                    let is_frozen =
                        !residual().parameters_from(&Trainable::From(first.to_owned())).unwrap().contains(name);
                    assert_eq!(found.2[name] == parameters[name], is_frozen, "{name} {case}");
                }
            }
        }
    }
    comparison.finish();
}

#[test]
fn a_branched_network_is_cut_where_one_value_passes() {
    let network = residual();
    let parameters = network.initialize(4).unwrap();
    let run = |network: &Network, x: &Tensor| {
        let own: Vec<String> = network.parameter_shapes().unwrap().into_iter().map(|(name, _)| name).collect();
        let own = own.into_iter().map(|name| (name.clone(), parameters[&name].clone())).collect();
        let mut plan = Device::Cpu.load(network, &own).unwrap().compile(2, &Options::default()).unwrap();
        plan.run(x).unwrap().swap_remove(0)
    };
    let wanted = run(&network, &input(2));
    for (first, last_frozen) in [
        ("stem", None),
        ("conv1", Some("stem.relu")),
        ("conv2", Some("stem.relu")),
        ("sum", Some("stem.relu")),
        ("left", Some("sum.relu")),
        ("right", Some("sum.relu")),
        ("join", Some("sum.relu")),
        ("fc", Some("join")),
    ] {
        let (frozen, rest) = network.split(&Trainable::From(first.to_owned())).unwrap();
        assert_eq!(frozen.layers().last().map(|layer| layer.name.as_str()), last_frozen, "{first}");
        assert_eq!(frozen.layers().len() + rest.layers().len(), network.layers().len());
        let between = if last_frozen.is_some() { run(&frozen, &input(2)) } else { input(2) };
        assert_eq!(run(&rest, &between), wanted, "{first}");
        if last_frozen.is_some() {
            assert_eq!(run(&frozen.followed_by(rest).unwrap(), &input(2)), wanted, "{first}");
        }
    }
}

#[test]
fn a_dense_layer_works_on_the_last_dimension() {
    let network = Network::new("rows", [5, 6]).dense("fc", "fc", 4).relu().flatten().dense("out", "out", 3);
    let parameters = network.initialize(6).unwrap();
    let rows = Network::new("rows", [6]).dense("fc", "fc", 4).relu();
    let own = ["fc.weight", "fc.bias"].map(|name| (name.to_owned(), parameters[name].clone())).into();
    let x = Tensor::from_fn([2, 5, 6], |i| (i as f32 * 1.3).sin());
    let mut comparison = Comparison::default();
    let as_rows = x.clone().reshape([10, 6]).unwrap();
    let wanted = Device::Cpu.load(&rows, &own).unwrap().compile(10, &checked()).unwrap().run(&as_rows).unwrap();
    let options = Options { keep_activations: true, ..checked() };
    let train = |device: &Device| {
        let model = device.load(&network, &parameters).unwrap();
        let mut plan = model.compile_training(2, &Training::default(), &options).unwrap();
        plan.train(&x, Targets::Classes(&[Some(0), Some(2)]), &STEP).unwrap();
        (plan.activation("fc").unwrap(), parameters.keys().map(|name| plan.gradient(name).unwrap()).collect::<Vec<_>>())
    };
    let gradients = train(&Device::Cpu).1;
    for device in devices() {
        let found = train(&device);
        assert_eq!(found.0.shape(), [2, 5, 4]);
        comparison.check(format!("rows on {device}"), &found.0.reshape([10, 4]).unwrap(), &wanted[0], 1e-5);
        for ((name, found), wanted) in parameters.keys().zip(&found.1).zip(&gradients) {
            comparison.check(format!("gradient of {name} on {device}"), found, wanted, 1e-5);
        }
    }
    comparison.finish();
}

#[test]
fn a_flattening_before_a_dense_layer_keeps_the_order_of_the_values() {
    let network = Network::new("net", [2, 2, 2]).flatten().relu().dropout(0.5).dense("fc", "fc", 8);
    let identity = Tensor::from_fn([8, 8], |i| if i % 9 == 0 { 1.0 } else { 0.0 });
    let parameters = [("fc.weight".to_owned(), identity), ("fc.bias".to_owned(), Tensor::zeros([8]))].into();
    let x = Tensor::from_fn([1, 2, 2, 2], |i| i as f32 - 2.0);
    for device in devices() {
        let mut plan = device.load(&network, &parameters).unwrap().compile(1, &Options::default()).unwrap();
        assert_eq!(plan.run(&x).unwrap()[0].data(), [0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0], "{device}");
    }
}

/// Both plans of the small network.
fn plans(device: &Device) -> (Plan, TrainingPlan) {
    let model = model(device);
    let trained = model.compile_training(2, &training(Trainable::All), &Options::default()).unwrap();
    (model.compile(2, &Options::default()).unwrap(), trained)
}

#[test]
fn plans_refuse_what_does_not_fit() {
    for device in devices() {
        let (mut plan, mut trained) = plans(&device);
        let good = plan.run(&input(2)).unwrap();
        refusal(plan.run(&input(3)));
        refusal(plan.run_all(&[]));
        refusal(plan.set_input(1, &input(2)));
        refusal(plan.activation("fc1"));
        refusal(plan.activation("none"));
        refusal(trained.gradient("none"));
        for targets in [&[Some(0)][..], &[Some(0), Some(3)], &[]] {
            refusal(trained.train(&input(2), Targets::Classes(targets), &STEP));
        }
        let (rgb, width, height) = photo();
        refusal(device.upload(&rgb, width + 1, height));
        refusal(device.upload(&[], 0, 0));
        let picture = device.upload(&rgb, width, height).unwrap();
        let whole = Crop::whole(width, height);
        for crops in [
            vec![],
            vec![whole; 3],
            vec![Crop { x: 1, ..whole }],
            vec![Crop { height: 0, ..whole }],
            vec![Crop { y: u32::MAX, ..whole }],
        ] {
            refusal(plan.set_picture(&picture, &crops, Filter::Area, &Normalization::MTCNN));
        }
        let model = model(&device);
        refusal(model.compile(0, &Options::default()));
        for class_weights in [vec![1.0], vec![1.0, -1.0, 1.0], vec![1.0, f32::NAN, 1.0]] {
            let training = Training { class_weights, ..training(Trainable::All) };
            refusal(model.compile_training(2, &training, &Options::default()));
        }
        refusal(model.compile_training(2, &training(Trainable::From("none".to_owned())), &Options::default()));
        // None of this has left a trace.
        assert_eq!(plan.run(&input(2)).unwrap(), good, "{device}");
    }
}

#[test]
fn training_without_anything_to_train_is_refused() {
    let compile = |network: &Network, trainable: Trainable| {
        let model = Device::Cpu.load(network, &network.initialize(1)?)?;
        model.compile_training(2, &training(trainable), &Options::default()).map(drop)
    };
    let bare = Network::new("bare", [7]).softmax();
    assert!(refusal(compile(&bare, Trainable::All)).contains("no layer before the softmax"));
    let dense = Network::new("one", [5]).dense("fc", "fc", 3).softmax();
    compile(&dense, Trainable::From("fc".to_owned())).unwrap();
    assert!(refusal(compile(&dense, Trainable::From("fc.softmax".to_owned()))).contains("none of the layers"));
    let twice = Network::new("twice", [5]).dense("fc", "a", 5).dense("fc", "b", 3);
    assert!(refusal(compile(&twice, Trainable::All)).contains("two layers are called \"fc\""));
}

#[test]
fn only_gradients_of_parameters_are_given_out() {
    for device in devices() {
        let network = Network::new("two", [5]).dense("a", "a", 4).relu().dense("b", "b", 3);
        let model = device.load(&network, &network.initialize(1).unwrap()).unwrap();
        let mut plan = model.compile_training(2, &training(Trainable::All), &Options::default()).unwrap();
        plan.train(&Tensor::filled([2, 5], 1.0), Targets::Classes(&[Some(0), Some(1)]), &StepOptions::default())
            .unwrap();
        assert_eq!(plan.gradient("a.weight").unwrap().shape(), [4, 5]);
        assert!(refusal(plan.gradient("logits")).contains("no trained parameter \"logits\""));
        assert!(pollster::block_on(plan.as_plan().run_async(&Tensor::zeros([2, 5]))).is_err());
    }
}

/// A convolution, ReLU and max-pool of 2×2, which some kernels do in one, run on the GPU and on the CPU.
fn check_pooled(gpu: &Gpu, comparison: &mut Comparison) {
    let mut random = Random::new(41);
    for [images, channels, filters, height, width] in
        [[1, 16, 20, 12, 16], [3, 17, 33, 9, 7], [2, 40, 16, 2, 3], [1, 64, 64, 14, 14], [2, 16, 16, 1 + 8, 10]]
    {
        for (relu, padding) in [(true, 1), (false, 1), (true, 0), (false, 2)] {
            if height + 2 * padding < 4 {
                continue;
            }
            let network = Network::new("pooled", [channels, height, width]);
            let network = network.conv2d("conv", "conv", filters, Conv2d::square(3, 1, padding));
            let network = if relu { network.relu() } else { network };
            let network = network.max_pool2d("pool", MaxPool2d::new(2, 2));
            let parameters = network.initialize(7).unwrap();
            let x = Tensor::from_fn([images, channels, height, width], |_| random.normal());
            let run = |device: Device, kernel: Option<&str>| {
                let options = Options { kernel: kernel.map(str::to_owned), ..checked() };
                let mut plan = device.load(&network, &parameters).unwrap().compile(images, &options).unwrap();
                (plan.run(&x), plan.profile().unwrap().last().unwrap().kernel.clone())
            };
            let wanted = run(Device::Cpu, None).0.unwrap();
            for kernel in ["conv2d/winograd2", "conv2d/winograd4", "conv2d/winograd4_blocked", "conv2d/gemm_64"] {
                let name = format!("{images}x{channels}x{height}x{width}, relu {relu}, padding {padding}, {kernel}");
                let (found, pool) = run(Device::Gpu(gpu.clone()), Some(kernel));
                assert_eq!(pool == "with the step before", kernel.contains("winograd"), "{name}: {pool}");
                match found {
                    Ok(found) => comparison.check(name, &found[0], &wanted[0], 2e-5),
                    Err(error) => comparison.fail(name, error),
                }
            }
        }
    }
}

#[test]
fn convolutions_with_their_pools_are_those_of_the_cpu() {
    let mut comparison = Comparison::default();
    check_pooled(&gpu(), &mut comparison);
    comparison.finish();
}

#[test]
fn wrong_pools_are_noticed() {
    for (shader, from, to) in [
        ("conv2d_winograd2", "larger(values[1].x, values[1].y)", "values[1].x"),
        ("conv2d_winograd4", "larger(b.z, b.w)", "b.z"),
        ("conv2d_winograd4", "tile / 2u, 1u, first", "tile / 2u, 0u, first"),
        ("conv2d_winograd4", "select(1u, 2u, POOL)", "1u"),
    ] {
        let gpu = fresh_gpu();
        let source = shader_source(shader).unwrap();
        assert!(source.contains(from), "{shader}: {from}");
        gpu.replace_shader(shader, source.replace(from, to)).unwrap();
        let mut comparison = Comparison::default();
        check_pooled(&gpu, &mut comparison);
        assert!(!comparison.failures().is_empty(), "{shader}: {from} -> {to}");
    }
}

#[test]
fn a_value_that_is_looked_at_is_not_pooled_away() {
    let network = Network::new("kept", [16, 8, 8]).conv2d("conv", "conv", 16, Conv2d::square(3, 1, 1)).relu();
    let network = network.max_pool2d("pool", MaxPool2d::new(2, 2));
    let model = Device::Gpu(gpu()).load(&network, &network.initialize(1).unwrap()).unwrap();
    let options = Options { keep_activations: true, ..Options::default() };
    let mut plan = model.compile(1, &options).unwrap();
    plan.run(&Tensor::filled([1, 16, 8, 8], 1.0)).unwrap();
    let kernels: Vec<String> = plan.profile().unwrap().into_iter().map(|layer| layer.kernel).collect();
    assert!(kernels.iter().all(|kernel| kernel != "with the step before"), "{kernels:?}");
}

#[test]
fn networks_with_several_inputs_know_them_by_name() {
    let pair = |second: &str| {
        let network = Network::new("pair", [2]).with_input(second, [3]).dense("fc", "fc", 3);
        network.add("sum", second).unwrap()
    };
    let network = pair("offset");
    let inputs: Vec<(&str, &[usize])> = network.inputs().collect();
    assert_eq!((inputs.as_slice(), network.input()), (&[("input", &[2][..]), ("offset", &[3])][..], &[2][..]));
    let model = Device::Cpu.load(&network, &network.initialize(1).unwrap()).unwrap();
    let mut plan = model.compile(2, &Options::default()).unwrap();
    assert_eq!(plan.input_shapes(), [&[2, 2][..], &[2, 3]]);
    let offset = Tensor::from_fn([2, 3], |place| place as f32);
    assert_eq!(plan.run_all(&[Tensor::zeros([2, 2]), offset.clone()]).unwrap()[0], offset);
    assert!(matches!(plan.run(&offset), Err(Error::Shape { .. })));

    let refused = |result: vultus::Result<()>, reason: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(reason), "{error}");
    };
    let training = model.compile_training(2, &Training::default(), &Options::default());
    refused(training.map(|_| ()), "several inputs has no backward pass");
    refused(pair("input").output_shapes().map(|_| ()), "two inputs are called \"input\"");
    let before = Network::new("before", [2]).relu();
    refused(before.followed_by(network).map(|_| ()), "takes [[2], [3]]");
}
