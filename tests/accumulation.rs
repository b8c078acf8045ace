//! Steps of several micro-batches against steps of one large batch.

mod compare;

use compare::{Comparison, checked, devices, fresh_gpu};
use vultus::nn::{Network, Optimizer, Training};
use vultus::ops::{Adam, Conv2d, CrossEntropy, MaxPool2d, Sgd};
use vultus::{
    Device, Error, Model, Options, Parameters, Result, StepOptions, Targets, Tensor, TrainingPlan, TrainingState,
};

/// Samples of a micro-batch, and micro-batches of a step.
const SAMPLES: usize = 3;
const PARTS: usize = 4;

/// With dropout, whose values of a micro-batch are a multiple of 4.
fn network() -> Network {
    Network::new("net", [3, 8, 8])
        .conv2d("conv1", "conv1", 4, Conv2d::square(3, 1, 1))
        .relu()
        .max_pool2d("pool1", MaxPool2d::new(2, 2))
        .conv2d("conv2", "conv2", 5, Conv2d::square(3, 1, 1))
        .prelu("prelu2", "prelu2")
        .flatten()
        .dense("fc1", "fc1", 8)
        .relu()
        .dropout(0.25)
        .dense("fc2", "fc2", 3)
        .softmax()
}

fn model(device: &Device) -> Model {
    device.load(&network(), &network().initialize(2).unwrap()).unwrap()
}

fn training(optimizer: Optimizer, accumulate: usize) -> Training {
    Training {
        loss: CrossEntropy { label_smoothing: 0.1 }.into(),
        class_weights: vec![0.5, 1.0, 3.0],
        optimizer,
        ema: Some(0.5),
        accumulate,
        ..Training::default()
    }
}

fn optimizers() -> [Optimizer; 2] {
    // Where a gradient is nearly 0, Adam without an epsilon makes of its rounding what it makes of a gradient.
    let adam = Adam { epsilon: 1e-2, weight_decay: 0.01, ..Adam::default() };
    [Optimizer::Sgd(Sgd { momentum: 0.9, weight_decay: 1e-3, ..Sgd::default() }), Optimizer::Adam(adam)]
}

/// All samples of a step, with classes of different weights; one in four only fills up the batch.
fn samples(step: u32) -> (Tensor, Vec<Option<usize>>) {
    let images = Tensor::from_fn([SAMPLES * PARTS, 3, 8, 8], |i| (i as f32 * 1.7 + step as f32).sin());
    let targets = (0..SAMPLES * PARTS).map(|i| (i % 4 != 2).then_some((i * i + step as usize) % 3)).collect();
    (images, targets)
}

/// Some of the samples of a batch.
fn part(images: &Tensor, first: usize, count: usize) -> Tensor {
    let length = images.len() / images.shape()[0];
    let values = images.data()[first * length..(first + count) * length].to_vec();
    Tensor::new([&[count], &images.shape()[1..]].concat(), values).unwrap()
}

fn options(micro_batches: usize) -> StepOptions {
    StepOptions { learning_rate: 0.05, seed: 3, micro_batches: micro_batches as u32 }
}

/// The next micro-batch, which has the samples of this one.
fn train_part(plan: &mut TrainingPlan, step: u32, number: usize, all: usize) -> Result<f32> {
    let (images, targets) = samples(step);
    let first = number % PARTS * SAMPLES;
    plan.train(&part(&images, first, SAMPLES), Targets::Classes(&targets[first..first + SAMPLES]), &options(all))
}

/// What a training has made: parameters, gradients of the last step, and all that is kept for the next.
fn results(model: &Model, plan: &mut TrainingPlan) -> Parameters {
    let mut all = model.parameters().unwrap();
    let names: Vec<String> = all.keys().cloned().collect();
    all.extend(names.into_iter().map(|name| (format!("gradient of {name}"), plan.gradient(&name).unwrap())));
    all.extend(plan.state().unwrap().memory);
    all
}

#[test]
fn micro_batches_train_as_one_large_batch() {
    let mut comparison = Comparison::default();
    for device in devices() {
        for optimizer in optimizers() {
            let large_model = model(&device);
            let mut large = large_model.compile_training(SAMPLES * PARTS, &training(optimizer, 1), &checked()).unwrap();
            let small_model = model(&device);
            let mut small = small_model.compile_training(SAMPLES, &training(optimizer, PARTS), &checked()).unwrap();
            // The last step has fewer of them.
            for (step, parts) in [(1, PARTS), (2, PARTS), (3, 1), (4, 2)] {
                let (images, mut targets) = samples(step);
                targets[parts * SAMPLES..].fill(None);
                let wanted = large.train(&images, Targets::Classes(&targets), &options(1)).unwrap();
                let losses: Vec<f32> =
                    (0..parts).map(|number| train_part(&mut small, step, number, parts).unwrap()).collect();
                let weight = |targets: &[Option<usize>]| -> f32 {
                    targets.iter().flatten().map(|&class| [0.5, 1.0, 3.0][class]).sum()
                };
                let weights: Vec<f32> = targets.chunks(SAMPLES).map(weight).collect();
                let sum: f32 = losses.iter().zip(&weights).map(|(loss, weight)| loss * weight).sum();
                assert_eq!((small.steps(), large.steps()), (step, step));
                let case = format!("step {step} by {optimizer:?} on {device}");
                let [found, wanted] =
                    [sum / weight(&targets), wanted].map(|loss| Tensor::new([1], vec![loss]).unwrap());
                comparison.check(format!("loss of {case}"), &found, &wanted, 1e-5);
                let (found, wanted) = (results(&small_model, &mut small), results(&large_model, &mut large));
                assert!(found.keys().eq(wanted.keys()));
                for (name, wanted) in &wanted {
                    // The same sums in another order; squares of gradients double their relative errors.
                    comparison.check(format!("{name} after {case}"), &found[name], wanted, 2e-5);
                }
            }
        }
    }
    comparison.finish();
}

#[test]
fn soft_targets_count_by_samples() {
    let mut comparison = Comparison::default();
    let target = |i: usize| if i.is_multiple_of(5) { [-1.0; 3] } else { [0.25, 0.75, 0.0] };
    let targets: Vec<f32> = (0..SAMPLES * PARTS).flat_map(target).collect();
    let (images, _) = samples(1);
    for device in devices() {
        let [sgd, _] = optimizers();
        let train = |samples: usize| {
            let parts = SAMPLES * PARTS / samples;
            let model = model(&device);
            let training = Training { soft_targets: true, ..training(sgd, parts) };
            let mut plan = model.compile_training(samples, &training, &checked()).unwrap();
            for (number, targets) in targets.chunks(3 * samples).enumerate() {
                let targets = Tensor::new([samples, 3], targets.to_vec()).unwrap();
                let images = part(&images, number * samples, samples);
                plan.train(&images, Targets::Probabilities(&targets), &options(parts)).unwrap();
            }
            results(&model, &mut plan)
        };
        let (found, wanted) = (train(SAMPLES), train(SAMPLES * PARTS));
        for (name, wanted) in &wanted {
            comparison.check(format!("{name} on {device}"), &found[name], wanted, 2e-5);
        }
    }
    comparison.finish();
}

#[test]
fn only_the_last_micro_batch_takes_the_step() {
    for device in devices() {
        let [sgd, _] = optimizers();
        let model = model(&device);
        let mut plan = model.compile_training(SAMPLES, &training(sgd, PARTS), &Options::default()).unwrap();
        let steps = |plan: &mut TrainingPlan, step: u32, numbers: std::ops::Range<usize>| {
            numbers.for_each(|number| assert!(train_part(plan, step, number, PARTS).unwrap() > 0.0));
        };
        steps(&mut plan, 1, 0..PARTS);
        let before = (model.parameters().unwrap(), plan.state().unwrap());
        steps(&mut plan, 2, 0..PARTS - 1);
        assert_eq!((model.parameters().unwrap(), plan.state().unwrap()), before, "{device}");
        assert_eq!((before.1.steps, plan.steps()), (1, 1));
        steps(&mut plan, 2, PARTS - 1..PARTS);
        let after = (model.parameters().unwrap(), plan.state().unwrap());
        assert_ne!(after.0, before.0);
        assert_ne!(after.1.memory, before.1.memory);
        assert_eq!((after.1.steps, plan.steps()), (2, 2));
        // A step that is begun anew, after a part of it or after the last run of all, is the same step.
        for done in [0, 2] {
            steps(&mut plan, 2, 0..done);
            model.set_parameters(&before.0).unwrap();
            plan.set_state(&before.1).unwrap();
            steps(&mut plan, 2, 0..PARTS);
            assert_eq!((model.parameters().unwrap(), plan.state().unwrap()), after, "{device}");
        }
    }
}

#[test]
fn a_micro_batch_that_only_fills_up_changes_nothing() {
    for device in devices() {
        let [sgd, _] = optimizers();
        let run = |empty: &[usize]| {
            let model = model(&device);
            let mut plan = model.compile_training(SAMPLES, &training(sgd, PARTS), &Options::default()).unwrap();
            for number in 0..3 {
                let (images, mut targets) = samples(1);
                if empty.contains(&number) {
                    targets.fill(None);
                }
                let targets = Targets::Classes(&targets[..SAMPLES]);
                plan.train(&part(&images, 0, SAMPLES), targets, &options(3)).unwrap();
            }
            (model.parameters().unwrap(), plan.state().unwrap())
        };
        // Dropout is another one in each micro-batch, so that it counts which of them has the samples.
        assert_ne!(run(&[0, 1]), run(&[1, 2]), "{device}");
        let [sgd, _] = optimizers();
        let model = model(&device);
        let mut plan = model.compile_training(SAMPLES, &training(sgd, PARTS), &Options::default()).unwrap();
        train_part(&mut plan, 1, 0, 1).unwrap();
        assert_eq!(run(&[1, 2]), (model.parameters().unwrap(), plan.state().unwrap()), "{device}");
        let (unmoved, _) = run(&[0, 1, 2]);
        let decayed = |value: &f32| value * (1.0 - 0.05 * 1e-3);
        for (name, before) in network().initialize(2).unwrap() {
            let pairs = unmoved[&name].data().iter().zip(before.data());
            let most = pairs.map(|(found, before)| (found - decayed(before)).abs()).fold(0.0, f32::max);
            // Only weight decay, within a unit in the last place of parameters of up to 4.
            assert!(most <= 5e-7, "{name} on {device}: {most}");
        }
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
fn a_step_has_as_many_micro_batches_as_it_began_with() {
    for device in devices() {
        let [sgd, _] = optimizers();
        let model = model(&device);
        let compile = |accumulate| model.compile_training(SAMPLES, &training(sgd, accumulate), &Options::default());
        assert!(refusal(compile(0)).contains("0 micro-batches"));
        let mut one = compile(1).unwrap();
        assert!(refusal(train_part(&mut one, 1, 0, 2)).contains("it has 1 to 1"));
        let mut plan = compile(PARTS).unwrap();
        for all in [PARTS + 1, 0] {
            assert!(refusal(train_part(&mut plan, 1, 0, all)).contains("it has 1 to 4"));
        }
        train_part(&mut plan, 1, 0, PARTS).unwrap();
        for all in [PARTS - 1, 1, 0, PARTS + 1] {
            let text = refusal(train_part(&mut plan, 1, 1, all));
            assert!(text.contains("1 of the step's 4 micro-batches have run"), "{text}");
        }
        train_part(&mut plan, 1, 1, PARTS).unwrap();
        assert!(refusal(train_part(&mut plan, 1, 2, 2)).contains("2 of the step's 4 micro-batches have run"));
        assert_eq!(plan.steps(), 0);
        (2..PARTS).for_each(|number| assert!(train_part(&mut plan, 1, number, PARTS).is_ok()));
        assert_eq!(plan.steps(), 1);
        // Another step may have others.
        train_part(&mut plan, 2, 0, 1).unwrap();
        assert_eq!(plan.steps(), 2);
    }
}

/// What is refused changes nothing: not what the step has gathered, and not which micro-batch is the next.
#[test]
fn a_step_goes_on_after_a_refusal() {
    for device in devices() {
        let run = |interrupt: fn(&mut TrainingPlan)| {
            let [sgd, _] = optimizers();
            let model = model(&device);
            let mut plan = model.compile_training(SAMPLES, &training(sgd, PARTS), &Options::default()).unwrap();
            for step in 1..=2 {
                for number in 0..PARTS {
                    train_part(&mut plan, step, number, PARTS).unwrap();
                    interrupt(&mut plan);
                }
            }
            (model.parameters().unwrap(), plan.state().unwrap())
        };
        let interrupted = run(|plan| {
            refusal(train_part(plan, 5, 3, PARTS + 1));
            let (images, _) = samples(9);
            let images = part(&images, 0, SAMPLES);
            refusal(plan.train(&images, Targets::Classes(&[Some(3); SAMPLES]), &options(PARTS)));
            refusal(plan.train(&images, Targets::Classes(&[Some(0)]), &options(PARTS)));
            refusal(plan.train(&Tensor::zeros([1, 3, 8, 8]), Targets::Classes(&[Some(0); SAMPLES]), &options(PARTS)));
            refusal(plan.set_state(&TrainingState::default()));
        });
        assert_eq!(interrupted, run(|_| ()), "{device}");
    }
}

#[test]
fn what_moves_the_memory_begins_the_step_anew() {
    for device in devices() {
        let [sgd, _] = optimizers();
        let model = model(&device);
        let mut plan = model.compile_training(SAMPLES, &training(sgd, PARTS), &Options::default()).unwrap();
        for by_profile in [true, false] {
            train_part(&mut plan, 1, 0, PARTS).unwrap();
            if by_profile {
                plan.profile().unwrap();
            } else {
                let state = plan.state().unwrap();
                plan.set_state(&state).unwrap();
            }
            let steps = plan.steps();
            // A whole step of another number follows, where the one under way would have been refused it.
            train_part(&mut plan, 1, 0, 2).unwrap();
            assert_eq!(plan.steps(), steps);
            train_part(&mut plan, 1, 1, 2).unwrap();
            assert_eq!(plan.steps(), steps + 1);
        }
    }
}

#[test]
fn later_micro_batches_create_nothing() {
    let gpu = fresh_gpu();
    let model = model(&Device::Gpu(gpu.clone()));
    let [sgd, _] = optimizers();
    let mut plan = model.compile_training(SAMPLES, &training(sgd, PARTS), &Options::default()).unwrap();
    let mut step = |step| (0..PARTS).for_each(|number| assert!(train_part(&mut plan, step, number, PARTS).is_ok()));
    step(1);
    let before = (gpu.counts(), gpu.bytes_in_use());
    (2..20).for_each(step);
    assert_eq!((gpu.counts(), gpu.bytes_in_use()), before);
}
