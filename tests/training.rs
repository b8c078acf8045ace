//! What training can be told besides its loss and optimiser, checked against the formulas in f64.

mod compare;

use compare::{Comparison, checked, devices};
use vultus::nn::{Group, Loss, Network, Optimizer, Trainable, Training};
use vultus::ops::{Adam, Conv2d, MaxPool2d, Sgd};
use vultus::{
    Device, Error, Model, Options, Parameters, Result, StepOptions, Targets, Tensor, TrainingPlan, TrainingState,
};

fn network() -> Network {
    Network::new("net", [3, 8, 8])
        .conv2d("conv1", "conv1", 4, Conv2d::square(3, 1, 1))
        .relu()
        .max_pool2d("pool1", MaxPool2d::new(2, 2))
        .conv2d("conv2", "conv2", 5, Conv2d::square(3, 1, 1))
        .prelu("prelu2", "prelu2")
        .flatten()
        .dense("fc1", "fc1", 6)
        .relu()
        .dense("fc2", "fc2", 3)
        .softmax()
}

/// Parameters none of which is 0, so that decay shows everywhere.
fn parameters() -> Parameters {
    let mut parameters = network().initialize(2).unwrap();
    for tensor in parameters.values_mut() {
        tensor.data_mut().iter_mut().enumerate().for_each(|(i, value)| *value += 0.1 * (i as f32 + 1.0).cos());
    }
    parameters
}

fn model(device: &Device) -> Model {
    device.load(&network(), &parameters()).unwrap()
}

fn input(batch: usize) -> Tensor {
    Tensor::from_fn([batch, 3, 8, 8], |i| (i as f32 * 1.7).sin())
}

fn options(learning_rate: f32) -> StepOptions {
    StepOptions { learning_rate, ..StepOptions::default() }
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

/// What f32 keeps of a parameter after a few operations.
const ROUNDING: f32 = 1e-6;

fn group(from: &str, learning_rate_factor: f32, weight_decay: Option<f32>) -> Group {
    Group { from: from.to_owned(), learning_rate_factor, weight_decay }
}

/// Factor and decay of a parameter under the groups of the next test.
fn factor_and_decay(name: &str) -> (f64, f64) {
    match name.split_once('.').unwrap().0 {
        "conv1" => (1.0, 0.05),
        "conv2" | "prelu2" => (0.25, 0.0),
        "fc1" => (3.0, 0.05),
        "fc2" => (0.0, 0.2),
        other => panic!("there is no layer {other}"),
    }
}

#[test]
fn each_group_has_its_learning_rate_and_decay() {
    let mut comparison = Comparison::default();
    let sgd = Optimizer::Sgd(Sgd { weight_decay: 0.05, ..Sgd::default() });
    let adam = Optimizer::Adam(Adam { weight_decay: 0.05, decoupled: true, epsilon: 1e-3, ..Adam::default() });
    for (optimizer, decay_biases) in [(sgd, true), (sgd, false), (adam, true), (adam, false)] {
        let training = Training {
            optimizer,
            decay_biases,
            groups: vec![group("fc2", 0.0, Some(0.2)), group("pool1", 0.25, Some(0.0)), group("fc1", 3.0, None)],
            ..Training::default()
        };
        for device in devices() {
            let model = model(&device);
            let mut plan = model.compile_training(2, &training, &checked()).unwrap();
            let options = options(0.1);
            plan.train(&input(2), Targets::Classes(&[Some(0), Some(2)]), &options).unwrap();
            let trained = model.parameters().unwrap();
            for (name, before) in parameters() {
                let (factor, decay) = factor_and_decay(&name);
                let decay = if before.shape().len() > 1 || decay_biases { decay } else { 0.0 };
                let gradient = plan.gradient(&name).unwrap();
                let rate = f64::from(options.learning_rate) * factor;
                let wanted = Tensor::from_fn(before.shape(), |i| {
                    let [p, g] = [&before, &gradient].map(|tensor| f64::from(tensor.data()[i]));
                    (match optimizer {
                        Optimizer::Sgd(_) => p - rate * (g + decay * p),
                        // In the first step the bias corrections leave the gradient and its magnitude.
                        Optimizer::Adam(_) => p - rate * (decay * p + g / (g.abs() + 1e-3)),
                    }) as f32
                });
                let case = format!("{name} by {optimizer:?}, decay of biases: {decay_biases}, on {device}");
                // A root and a quotient of what may be smaller than epsilon.
                let tolerance = if matches!(optimizer, Optimizer::Adam(_)) { 10.0 * ROUNDING } else { ROUNDING };
                comparison.check(&case, &trained[&name], &wanted, tolerance);
                assert_eq!(trained[&name] == before, factor == 0.0, "{case}");
            }
        }
    }
    comparison.finish();
}

#[test]
fn a_group_of_all_layers_is_the_optimiser_itself() {
    let optimizer = Optimizer::Sgd(Sgd { momentum: 0.9, weight_decay: 0.05, ..Sgd::default() });
    for device in devices() {
        let run = |groups: Vec<Group>, optimizer: Optimizer, rate: f32| {
            let training = Training { optimizer, groups, ..Training::default() };
            let model = model(&device);
            let mut plan = model.compile_training(2, &training, &Options::default()).unwrap();
            for _ in 1..=3 {
                plan.train(&input(2), Targets::Classes(&[Some(0), Some(2)]), &options(rate)).unwrap();
            }
            model.parameters().unwrap()
        };
        let wanted = run(Vec::new(), optimizer, 0.1);
        assert_eq!(run(vec![group("conv1", 1.0, None)], optimizer, 0.1), wanted, "{device}");
        // A power of 2 changes no digit of a product.
        assert_eq!(run(vec![group("conv1", 0.5, Some(0.05))], optimizer, 0.2), wanted, "{device}");
        let slower = Sgd { momentum: 0.9, weight_decay: 0.05, learning_rate_factor: 0.5, ..Sgd::default() };
        assert_eq!(run(Vec::new(), Optimizer::Sgd(slower), 0.2), wanted, "{device}");
        // The layers before a group keep the rate of the step.
        assert_ne!(run(vec![group("fc1", 0.5, None)], optimizer, 0.2), wanted, "{device}");
    }
}

#[test]
fn groups_that_mean_nothing_are_refused() {
    for device in devices() {
        let compile = |groups: Vec<Group>| {
            let training = Training { groups, trainable: Trainable::From("conv2".to_owned()), ..Training::default() };
            model(&device).compile_training(2, &training, &Options::default()).map(drop)
        };
        compile(vec![group("conv1", 0.5, None)]).unwrap();
        assert!(refusal(compile(vec![group("none", 0.5, None)])).contains("there is no layer \"none\""));
        let twice = vec![group("fc1", 0.5, None), group("fc1", 0.5, None)];
        assert!(refusal(compile(twice)).contains("two groups begin with layer \"fc1\""));
        for factor in [-1.0, f32::NAN, f32::INFINITY] {
            assert!(refusal(compile(vec![group("conv1", factor, None)])).contains("on the learning rate"));
        }
        for decay in [-1.0, f32::NAN] {
            assert!(refusal(compile(vec![group("fc1", 1.0, Some(decay))])).contains("is negative"));
        }
    }
}

/// The next step of a training with moving averages.
fn step(plan: &mut TrainingPlan) -> Result<f32> {
    let class = (plan.steps() as usize + 1) % 3;
    plan.train(&input(2), Targets::Classes(&[Some(class), Some(2)]), &options(0.1))
}

fn averaging(decay: f32, trainable: Trainable) -> Training {
    let optimizer = Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() });
    Training { optimizer, trainable, ema: Some(decay), ..Training::default() }
}

#[test]
fn averages_follow_the_parameters() {
    let mut comparison = Comparison::default();
    for device in devices() {
        // Reached in step 3 (2/11 is more than 0.15), and never in these steps.
        for decay in [0.0, 0.15, 0.999] {
            let model = model(&device);
            let mut plan = model.compile_training(2, &averaging(decay, Trainable::All), &checked()).unwrap();
            let mut wanted = vec![0.0f64; parameters().values().map(Tensor::len).sum()];
            for t in 1..=12 {
                step(&mut plan).unwrap();
                assert_eq!(plan.steps(), t);
                let kept = f64::from(decay).min(f64::from(t - 1) / f64::from(t + 8));
                let now = model.parameters().unwrap();
                let values = now.values().flat_map(Tensor::data);
                wanted.iter_mut().zip(values).for_each(|(w, &p)| *w = kept * *w + (1.0 - kept) * f64::from(p));
                let mut rest = wanted.iter();
                let averages = plan.averages().unwrap();
                assert!(averages.keys().eq(now.keys()));
                for (name, found) in averages {
                    let wanted = Tensor::from_fn(found.shape(), |_| *rest.next().unwrap() as f32);
                    comparison.check(format!("{name} after {t} on {device}"), &found, &wanted, ROUNDING);
                }
            }
            let last = model.parameters().unwrap();
            assert_eq!(plan.averages().unwrap() == last, decay == 0.0, "{device}");
        }
    }
    comparison.finish();
}

#[test]
fn averages_change_nothing_else_and_are_part_of_a_checkpoint() {
    for device in devices() {
        let model = model(&device);
        let run = |training: &Training, from: Option<&(Parameters, TrainingState)>, steps: u32| {
            model.set_parameters(from.map_or(&parameters(), |from| &from.0)).unwrap();
            let mut plan = model.compile_training(2, training, &Options::default()).unwrap();
            from.iter().for_each(|from| plan.set_state(&from.1).unwrap());
            (0..steps).for_each(|_| assert!(step(&mut plan).unwrap() > 0.0));
            (model.parameters().unwrap(), plan.state().unwrap())
        };
        let training = averaging(0.9, Trainable::From("fc1".to_owned()));
        let plain = run(&Training { ema: None, ..training.clone() }, None, 6);
        let whole = run(&training, None, 6);
        assert_eq!(whole.0, plain.0, "{device}");
        assert_eq!((plain.1.steps, whole.1.steps), (6, 6));
        let (plain, whole_memory) = (plain.1.memory, &whole.1.memory);
        assert!(plain.iter().all(|(name, tensor)| whole_memory[name] == *tensor));
        let averages: Vec<&String> = whole_memory.keys().filter(|name| !plain.contains_key(*name)).collect();
        let names = ["fc1.bias", "fc1.weight", "fc2.bias", "fc2.weight"].map(|name| format!("average of {name}"));
        assert!(averages.into_iter().eq(&names));
        let half = run(&training, None, 3);
        assert_eq!(run(&training, Some(&half), 3), whole, "{device}");
    }
}

#[test]
fn averages_of_nothing_are_refused() {
    for device in devices() {
        let model = model(&device);
        for decay in [-0.1, 1.0, f32::NAN] {
            let compiled = model.compile_training(2, &averaging(decay, Trainable::All), &Options::default());
            assert!(refusal(compiled.map(drop)).contains("a decay of"));
        }
        let mut plain = model.compile_training(2, &Training::default(), &Options::default()).unwrap();
        step(&mut plain).unwrap();
        assert!(refusal(plain.averages()).contains("there are no moving averages"));
        let mut plan = model.compile_training(2, &averaging(0.9, Trainable::All), &Options::default()).unwrap();
        assert!(refusal(plan.averages()).contains("there are no moving averages"));
        // They begin with the first step that the plan takes, and again with the first after it was set back.
        let start = plan.state().unwrap();
        for _ in 0..2 {
            step(&mut plan).unwrap();
            assert_eq!(plan.averages().unwrap(), model.parameters().unwrap(), "{device}");
            step(&mut plan).unwrap();
            assert_ne!(plan.averages().unwrap(), model.parameters().unwrap(), "{device}");
            plan.set_state(&start).unwrap();
            assert!(refusal(plan.averages()).contains("there are no moving averages"));
        }
    }
}

/// A loss of a linear network with two outputs, and what it gives on four samples: the loss, and the gradient of the weights.
fn of_values(loss: Loss, outputs: &[[f64; 2]; 4], targets: &[[f64; 2]; 4], x: &[[f64; 3]; 4]) -> (f64, Vec<f64>) {
    let counted = targets.iter().flatten().filter(|target| loss == Loss::Mse || **target >= 0.0).count() as f64;
    let (mut sum, mut gradient) = (0.0, vec![0.0; 6]);
    for sample in 0..4 {
        for o in 0..2 {
            let (y, t) = (outputs[sample][o], targets[sample][o]);
            let (part, slope) = match loss {
                Loss::Mse => ((y - t).powi(2), 2.0 * (y - t)),
                _ if t < 0.0 => (0.0, 0.0),
                _ => (y.max(0.0) - y * t + (-y.abs()).exp().ln_1p(), 1.0 / (1.0 + (-y).exp()) - t),
            };
            sum += part / counted;
            (0..3).for_each(|i| gradient[3 * o + i] += slope * x[sample][i] / counted);
        }
    }
    (sum, gradient)
}

#[test]
fn losses_of_values_are_those_of_the_formulas() {
    let network = Network::new("linear", [3]).dense("fc", "fc", 2);
    let weight = [[0.5, -1.0, 0.25], [1.5, 0.75, -0.5]];
    let x = [[1.0, 2.0, -1.0], [0.5, -0.5, 3.0], [-2.0, 0.25, 0.0], [0.0, 1.0, 1.0]];
    // Of the yes or no, one is ignored.
    let targets = [[1.0, 0.0], [0.25, 1.0], [0.0, -1.0], [1.0, 0.5]];
    let outputs = x.map(|x| weight.map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()));
    let flat = |rows: &[[f64; 3]]| rows.iter().flatten().map(|&value| value as f32).collect::<Vec<f32>>();
    let parameters = Parameters::from([
        ("fc.weight".to_owned(), Tensor::new([2, 3], flat(&weight)).unwrap()),
        ("fc.bias".to_owned(), Tensor::zeros([2])),
    ]);
    let part = |from: usize, count: usize| {
        let wanted = targets[from..from + count].iter().flatten().map(|&target| target as f32).collect();
        (Tensor::new([count, 3], flat(&x[from..from + count])).unwrap(), Tensor::new([count, 2], wanted).unwrap())
    };
    let mut comparison = Comparison::default();
    for device in devices() {
        for loss in [Loss::Mse, Loss::BinaryCrossEntropy] {
            let (wanted, gradient) = of_values(loss, &outputs, &targets, &x);
            let gradient: Vec<f32> = gradient.iter().map(|&value| value as f32).collect();
            let moved: Vec<f32> = flat(&weight).iter().zip(&gradient).map(|(w, g)| w - 0.5 * g).collect();
            for (batch, parts) in [(4, 1), (2, 2)] {
                let name = format!("{device}, {loss:?}, {parts} parts");
                let model = device.load(&network, &parameters).unwrap();
                let training = Training { loss, accumulate: parts, ..Training::default() };
                let mut plan = model.compile_training(batch, &training, &checked()).unwrap();
                let step = StepOptions { micro_batches: parts as u32, ..options(0.5) };
                let losses: Vec<f32> = (0..parts)
                    .map(|number| {
                        let (x, targets) = part(number * batch, batch);
                        plan.train(&x, Targets::Values(&targets), &step).unwrap()
                    })
                    .collect();
                if parts == 1 {
                    assert!((f64::from(losses[0]) - wanted).abs() < 1e-6, "{name}: {losses:?}, not {wanted}");
                }
                let wanted = Tensor::new([2, 3], gradient.clone()).unwrap();
                comparison.check(&name, &plan.gradient("fc.weight").unwrap(), &wanted, ROUNDING);
                let wanted = Tensor::new([2, 3], moved.clone()).unwrap();
                comparison.check(&name, &model.parameters().unwrap()["fc.weight"], &wanted, ROUNDING);
            }
        }
    }
    comparison.finish();
}

#[test]
fn targets_that_a_loss_does_not_take_are_refused() {
    let network = Network::new("linear", [3]).dense("fc", "fc", 2);
    let model = Device::Cpu.load(&network, &network.initialize(1).unwrap()).unwrap();
    let plan = |loss| {
        let training = Training { loss, ..Training::default() };
        model.compile_training(1, &training, &Options::default()).unwrap()
    };
    let train = |loss, targets: Targets| refusal(plan(loss).train(&Tensor::zeros([1, 3]), targets, &options(0.1)));
    let values = |values: [f32; 2]| Tensor::new([1, 2], values.to_vec()).unwrap();
    assert!(train(Loss::default(), Targets::Values(&values([0.0; 2]))).contains("classes or probabilities"));
    for loss in [Loss::Mse, Loss::BinaryCrossEntropy] {
        assert!(train(loss, Targets::Classes(&[Some(1)])).contains("takes values as targets"));
        assert!(train(loss, Targets::Probabilities(&values([0.5; 2]))).contains("takes values as targets"));
        assert!(train(loss, Targets::Values(&Tensor::zeros([2, 1]))).contains("shape [1, 2]"));
        assert!(train(loss, Targets::Values(&values([0.5, f32::NAN]))).contains("NaN"));
        let weighted = Training { loss, class_weights: vec![1.0; 2], ..Training::default() };
        let refused = refusal(model.compile_training(1, &weighted, &Options::default()));
        assert!(refused.contains("belong to the cross entropy"), "{refused}");
    }
    assert!(train(Loss::BinaryCrossEntropy, Targets::Values(&values([0.5, 1.5]))).contains("1.5"));
}
