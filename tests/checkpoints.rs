//! What a checkpoint of training needs: parameters and the optimiser's memory, taken out and put back.

mod compare;

use compare::{Comparison, devices, fresh_gpu};
use vultus::nn::{Network, Optimizer, Trainable, Training};
use vultus::ops::{Adam, Conv2d, CrossEntropy, Sgd};
use vultus::{
    Device, Error, Model, Options, Parameters, Plan, Precision, Result, StepOptions, Targets, Tensor, TrainingPlan,
    TrainingState,
};

/// Convolutions and a dense layer of which some kernels pack the weights, a PReLU, and dropout.
fn network() -> Network {
    let conv = Conv2d::square(3, 1, 1);
    Network::new("net", [16, 8, 8])
        .conv2d("conv1", "conv1", 24, conv)
        .relu()
        .conv2d("conv2", "conv2", 16, conv)
        .prelu("prelu2", "prelu2")
        .flatten()
        .dense("fc1", "fc1", 32)
        .relu()
        .dropout(0.3)
        .dense("fc2", "fc2", 5)
        .softmax()
}

fn model(device: &Device, seed: u64) -> Model {
    device.load(&network(), &network().initialize(seed).unwrap()).unwrap()
}

fn training(optimizer: Optimizer, trainable: Trainable) -> Training {
    let loss = CrossEntropy { label_smoothing: 0.1 }.into();
    Training { loss, class_weights: vec![1.0, 2.0, 0.5, 1.0, 3.0], optimizer, trainable, ..Training::default() }
}

fn optimizers() -> [Optimizer; 2] {
    [
        Optimizer::Sgd(Sgd { momentum: 0.9, weight_decay: 1e-3, ..Sgd::default() }),
        Optimizer::Adam(Adam { weight_decay: 0.01, decoupled: true, ..Adam::default() }),
    ]
}

fn input(step: u32) -> Tensor {
    Tensor::from_fn([3, 16, 8, 8], |i| (i as f32 * 0.37 + step as f32).sin())
}

/// The next step, which is this one.
fn train(plan: &mut TrainingPlan, step: u32) -> f32 {
    assert_eq!(plan.steps(), step - 1);
    let targets = [Some(step as usize % 5), None, Some(3)];
    let options = StepOptions { learning_rate: 0.01, seed: 9, ..StepOptions::default() };
    let loss = plan.train(&input(step), Targets::Classes(&targets), &options).unwrap();
    assert_eq!(plan.steps(), step);
    loss
}

#[test]
fn training_goes_on_from_a_checkpoint_as_if_it_had_not_ended() {
    for device in devices() {
        for trainable in [Trainable::All, Trainable::From("conv2".to_owned())] {
            for optimizer in optimizers() {
                let training = training(optimizer, trainable.clone());
                let first = model(&device, 1);
                let mut plan = first.compile_training(3, &training, &Options::default()).unwrap();
                (1..=3).for_each(|step| assert!(train(&mut plan, step) > 0.0));
                let checkpoint = (first.parameters().unwrap(), plan.state().unwrap());
                assert_eq!(checkpoint.1.steps, 3);
                let losses = [4, 5, 6].map(|step| train(&mut plan, step));

                let second = model(&device, 2);
                let mut plan = second.compile_training(3, &training, &Options::default()).unwrap();
                // What it has done before leaves no trace.
                train(&mut plan, 1);
                second.set_parameters(&checkpoint.0).unwrap();
                plan.set_state(&checkpoint.1).unwrap();
                assert_eq!(plan.state().unwrap(), checkpoint.1, "{device}, {optimizer:?}");
                assert_eq!([4, 5, 6].map(|step| train(&mut plan, step)), losses, "{device}, {optimizer:?}");
                assert_eq!(second.parameters().unwrap(), first.parameters().unwrap(), "{device}, {optimizer:?}");
                assert_ne!(first.parameters().unwrap(), checkpoint.0);

                // Without the optimiser's memory, or without the parameters, it is another training; and so it is
                // without the number of steps, by which dropout is drawn.
                let third = model(&device, 2);
                let mut plan = third.compile_training(3, &training, &Options::default()).unwrap();
                let memory = &checkpoint.1.memory;
                let empty = memory.iter().map(|(name, tensor)| (name.clone(), Tensor::zeros(tensor.shape()))).collect();
                let mut go_on = |steps: u32, memory: Parameters, parameters: &Parameters| {
                    third.set_parameters(parameters).unwrap();
                    plan.set_state(&TrainingState { steps, memory }).unwrap();
                    let step = |step: u32| {
                        let targets = [Some(step as usize % 5), None, Some(3)];
                        let options = StepOptions { learning_rate: 0.01, seed: 9, ..StepOptions::default() };
                        plan.train(&input(step), Targets::Classes(&targets), &options).unwrap()
                    };
                    [4, 5, 6].map(step)
                };
                assert_eq!(go_on(3, memory.clone(), &checkpoint.0), losses, "{device}, {optimizer:?}");
                assert_ne!(go_on(3, empty, &checkpoint.0), losses, "{device}, {optimizer:?}");
                assert_ne!(go_on(2, memory.clone(), &checkpoint.0), losses, "{device}, {optimizer:?}");
                assert_ne!(go_on(3, memory.clone(), &model(&device, 2).parameters().unwrap()), losses, "{device}");
            }
        }
    }
}

#[test]
fn the_state_is_the_memory_of_what_is_trained() {
    for device in devices() {
        let names = |optimizer: Optimizer, first: &str| {
            let training = training(optimizer, Trainable::From(first.to_owned()));
            let mut plan = model(&device, 1).compile_training(3, &training, &Options::default()).unwrap();
            let state = plan.state().unwrap();
            assert_eq!(state.steps, 0);
            assert!(state.memory.values().flat_map(Tensor::data).all(|&value| value == 0.0), "{device}");
            train(&mut plan, 1);
            let changed = plan.state().unwrap();
            assert_eq!(changed.steps, 1);
            assert!(changed.memory.iter().all(|(name, value)| *value != state.memory[name]), "{device}");
            state.memory.into_iter().map(|(name, tensor)| (name, tensor.shape().to_vec())).collect::<Vec<_>>()
        };
        let [sgd, adam] = optimizers();
        let fc2 = ["velocity of fc2.bias", "velocity of fc2.weight"].map(str::to_owned);
        assert_eq!(names(sgd, "fc2"), [(fc2[0].clone(), vec![5]), (fc2[1].clone(), vec![5, 32])]);
        let found: Vec<String> = names(adam, "fc2").into_iter().map(|(name, _)| name).collect();
        assert_eq!(found, ["m of fc2.bias", "m of fc2.weight", "v of fc2.bias", "v of fc2.weight"]);
        assert_eq!(names(sgd, "conv1").len(), 9);
    }
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
fn what_belongs_to_something_else_is_refused_and_changes_nothing() {
    for device in devices() {
        let [sgd, adam] = optimizers();
        let model = model(&device, 1);
        let mut plan = model.compile_training(3, &training(sgd, Trainable::All), &Options::default()).unwrap();
        train(&mut plan, 1);
        let (parameters, state) = (model.parameters().unwrap(), plan.state().unwrap());
        let change = |all: &Parameters, name: &str, tensor: Option<Tensor>| {
            let mut changed: Parameters =
                all.iter().map(|(name, tensor)| (name.clone(), Tensor::zeros(tensor.shape()))).collect();
            changed.remove(name);
            changed.extend(tensor.map(|tensor| (name.to_owned(), tensor)));
            changed
        };
        for (name, tensor, reason) in [
            ("velocity of fc2.bias", None, "the training state velocity of fc2.bias is missing"),
            ("velocity of fc2.bias", Some(Tensor::zeros([6])), "has the shape [6] where [5] is needed"),
            ("velocity of fc2.weight", Some(Tensor::zeros([160])), "[5, 32] is needed"),
            ("velocity of fc3.bias", Some(Tensor::zeros([5])), "there is no training state \"velocity of fc3.bias\""),
        ] {
            let memory = change(&state.memory, name, tensor);
            let text = refusal(plan.set_state(&TrainingState { steps: 7, memory }));
            assert!(text.contains(reason), "{text}");
        }
        for (name, tensor, reason) in [
            ("fc2.bias", None, "the parameter fc2.bias is missing"),
            ("fc2.bias", Some(Tensor::zeros([6])), "has the shape [6] where [5] is needed"),
            ("fc3.bias", Some(Tensor::zeros([5])), "there is no parameter \"fc3.bias\""),
        ] {
            let text = refusal(model.set_parameters(&change(&parameters, name, tensor)));
            assert!(text.contains(reason), "{text}");
        }
        let mut other = model.compile_training(3, &training(adam, Trainable::All), &Options::default()).unwrap();
        assert!(refusal(plan.set_state(&other.state().unwrap())).contains("velocity of"));
        let mut part =
            model.compile_training(3, &training(sgd, Trainable::From("fc2".to_owned())), &Options::default()).unwrap();
        assert!(refusal(part.set_state(&state)).contains("there is no training state \"velocity of conv1.bias\""));
        assert_eq!((model.parameters().unwrap(), plan.state().unwrap()), (parameters, state), "{device}");
    }
}

#[test]
fn plans_that_are_there_compute_with_the_new_parameters() {
    let mut comparison = Comparison::default();
    let (one, two) = (network().initialize(1).unwrap(), network().initialize(2).unwrap());
    for device in devices() {
        for precision in [Precision::F32, Precision::F16Weights] {
            let options = Options { precision, ..Options::default() };
            let run = |plan: &mut Plan| plan.run(&input(1)).unwrap().swap_remove(0);
            let load = |parameters: &Parameters| device.load(&network(), parameters).unwrap();
            let [first, second] = [&one, &two].map(|it| run(&mut load(it).compile(3, &options).unwrap()));
            let model = load(&one);
            let mut plan = model.compile(3, &options).unwrap();
            assert_eq!(run(&mut plan), first);
            model.set_parameters(&two).unwrap();
            // The same kernels on the same numbers.
            comparison.check_within(format!("{precision:?} on {device}"), &run(&mut plan), &second, 0.0);
            model.set_parameters(&one).unwrap();
            assert_eq!(run(&mut plan), first);
            assert_eq!(model.parameters().unwrap(), one);
        }
    }
    comparison.finish();
}

#[test]
fn what_f16_does_not_hold_is_refused_while_a_plan_stores_it_so() {
    let device = Device::Gpu(fresh_gpu());
    let network = Network::new("dense", [64]).dense("fc", "fc", 8);
    let model = device.load(&network, &network.initialize(1).unwrap()).unwrap();
    let huge: Parameters = network
        .initialize(1)
        .unwrap()
        .into_iter()
        .map(|(name, tensor)| (name, Tensor::filled(tensor.shape(), 70_000.0)))
        .collect();
    let x = Tensor::filled([1, 64], 1.0);
    let options = Options { precision: Precision::F16Weights, ..Options::default() };
    let mut plan = model.compile(1, &options).unwrap();
    let before = plan.run(&x).unwrap();
    assert!(refusal(model.set_parameters(&huge)).contains("stores it in f16"));
    assert_eq!(plan.run(&x).unwrap(), before);
    drop(plan);
    model.set_parameters(&huge).unwrap();
    // From now on in f32: 64 times 70,000, and the bias.
    let found = model.compile(1, &options).unwrap().run(&x).unwrap();
    assert_eq!(found[0].data(), [65.0 * 70_000.0; 8]);
}
