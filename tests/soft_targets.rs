//! Cross-entropy with a probability for each class, against its definition in f64.

mod compare;

use compare::{Comparison, checked, devices, run_op};
use vultus::nn::{Network, Optimizer, Training};
use vultus::ops::{CrossEntropy, Op, RunState, Sgd};
use vultus::{Device, Error, Model, Options, Random, Result, StepOptions, Targets, Tensor};

/// f32 keeps 24 bits, of which logits of this size leave 20 for their differences.
const TOLERANCE: f32 = 1e-5;

/// What one case of the loss is made of.
struct Case {
    logits: Vec<f64>,
    targets: Vec<f64>,
    weights: Vec<f64>,
    smoothing: f64,
}

impl Case {
    fn new(seed: u64, n: usize, classes: usize, smoothing: f64, weighted: bool) -> Self {
        let mut random = Random::new(seed);
        let mut draw = |count: usize, value: fn(&mut Random) -> f32| -> Vec<f64> {
            (0..count).map(|_| f64::from(value(&mut random))).collect()
        };
        let logits = draw(n * classes, |random| 3.0 * random.normal());
        let mut targets = draw(n * classes, |random| random.uniform().powi(4));
        for row in targets.chunks_mut(classes) {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|value| *value /= sum);
        }
        // One sample that only fills up the batch.
        targets[classes..2 * classes].fill(-1.0);
        let weights = if weighted { draw(classes, |random| 0.2 + 2.0 * random.uniform()) } else { vec![1.0; classes] };
        Case { logits, targets, weights, smoothing }
    }

    fn classes(&self) -> usize {
        self.weights.len()
    }

    /// The mean over the samples of −Σ w·y·ln softmax(x), with y mixed with 1/C.
    fn loss(&self, logits: &[f64]) -> f64 {
        let classes = self.classes();
        let rows = logits.chunks(classes).zip(self.targets.chunks(classes)).filter(|(_, target)| target[0] >= 0.0);
        let losses: Vec<f64> = rows
            .map(|(logits, target)| {
                let normalizer = logits.iter().map(|x| x.exp()).sum::<f64>().ln();
                let term = |c: usize| {
                    let target = (1.0 - self.smoothing) * target[c] + self.smoothing / classes as f64;
                    -self.weights[c] * target * (logits[c] - normalizer)
                };
                (0..classes).map(term).sum()
            })
            .collect();
        losses.iter().sum::<f64>() / losses.len() as f64
    }

    fn gradient(&self) -> Vec<f64> {
        let at = |i: usize, step: f64| {
            let mut logits = self.logits.clone();
            logits[i] += step;
            self.loss(&logits)
        };
        (0..self.logits.len()).map(|i| (at(i, 1e-5) - at(i, -1e-5)) / 2e-5).collect()
    }
}

fn tensor(shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::from_fn(shape, |i| values[i] as f32)
}

#[test]
fn loss_and_gradient_are_those_of_the_definition() {
    let mut comparison = Comparison::default();
    for (seed, (n, classes)) in [(2, 7), (33, 7), (300, 3), (5, 100)].into_iter().enumerate() {
        for (smoothing, weighted) in [(0.0, false), (0.1, false), (0.0, true), (0.3, true)] {
            let case = Case::new(seed as u64, n, classes, smoothing, weighted);
            let inputs = [
                tensor(&[n, classes], &case.logits),
                tensor(&[n, classes], &case.targets),
                tensor(&[classes], &case.weights),
            ];
            let op = Op::CrossEntropy(CrossEntropy { label_smoothing: smoothing as f32 });
            for device in devices() {
                let found = run_op(&device, &op, &inputs, &RunState::default(), &checked()).unwrap();
                let name = format!("{n} of {classes} classes, smoothing {smoothing}, weighted {weighted}, on {device}");
                comparison.check(
                    format!("{name}: loss"),
                    &found[0],
                    &tensor(&[1], &[case.loss(&case.logits)]),
                    TOLERANCE,
                );
                let wanted = tensor(&[n, classes], &case.gradient());
                comparison.check(format!("{name}: gradient"), &found[1], &wanted, TOLERANCE);
                assert!(found[1].data()[classes..2 * classes].iter().all(|&value| value == 0.0), "{name}");
            }
        }
    }
    comparison.finish();
}

#[test]
fn one_hot_targets_are_class_numbers() {
    let mut comparison = Comparison::default();
    let (n, classes) = (9, 5);
    let logits = Tensor::from_fn([n, classes], |i| (i as f32 * 1.3).sin() * 4.0);
    let class = |row: usize| if row == 4 { -1.0 } else { (row * 3 % classes) as f32 };
    let hard = Tensor::from_fn([n], class);
    let soft = Tensor::from_fn([n, classes], |i| match class(i / classes) {
        -1.0 => -1.0,
        class if class as usize == i % classes => 1.0,
        _ => 0.0,
    });
    let weights = Tensor::filled([classes], 1.0);
    for device in devices() {
        for label_smoothing in [0.0, 0.2] {
            let op = Op::CrossEntropy(CrossEntropy { label_smoothing });
            let [hard, soft] = [&hard, &soft].map(|target| {
                let inputs = [logits.clone(), target.clone(), weights.clone()];
                run_op(&device, &op, &inputs, &RunState::default(), &checked()).unwrap()
            });
            for (what, (soft, hard)) in ["loss", "gradient"].iter().zip(soft.iter().zip(&hard)) {
                // The same sums in another order.
                comparison.check(format!("{what} on {device}"), soft, hard, 1e-6);
            }
        }
    }
    comparison.finish();
}

fn network() -> Network {
    Network::new("net", [6]).dense("fc1", "fc1", 8).relu().dense("fc2", "fc2", 3).softmax()
}

fn model(device: &Device) -> Model {
    device.load(&network(), &network().initialize(5).unwrap()).unwrap()
}

fn training(soft_targets: bool) -> Training {
    let optimizer = Optimizer::Sgd(Sgd { momentum: 0.9, ..Sgd::default() });
    let loss = CrossEntropy { label_smoothing: 0.1 }.into();
    Training { loss, optimizer, soft_targets, ..Training::default() }
}

fn input() -> Tensor {
    Tensor::from_fn([3, 6], |i| (i as f32 * 0.7).cos())
}

#[test]
fn a_plan_trains_on_soft_targets() {
    let mut comparison = Comparison::default();
    let step = StepOptions { learning_rate: 0.1, ..StepOptions::default() };
    for device in devices() {
        let run = |targets: &[f32; 9]| {
            let model = model(&device);
            let mut plan = model.compile_training(3, &training(true), &Options::default()).unwrap();
            assert_eq!(plan.as_plan().input_shapes(), [&[3, 6], &[3, 3]]);
            let targets = Tensor::new([3, 3], targets.to_vec()).unwrap();
            let losses = (1..=20).map(|_| plan.train(&input(), Targets::Probabilities(&targets), &step).unwrap());
            (Tensor::new([20], losses.collect()).unwrap(), model.parameters().unwrap())
        };
        let model = model(&device);
        let mut plan = model.compile_training(3, &training(false), &Options::default()).unwrap();
        let classes = Targets::Classes(&[Some(2), None, Some(0)]);
        let losses = (1..=20).map(|_| plan.train(&input(), classes, &step).unwrap());
        let hard = (Tensor::new([20], losses.collect()).unwrap(), model.parameters().unwrap());
        let soft = run(&[0.0, 0.0, 1.0, -1.0, -1.0, -1.0, 1.0, 0.0, 0.0]);
        // Twenty steps of rounding.
        comparison.check(format!("losses on {device}"), &soft.0, &hard.0, 1e-5);
        for (name, wanted) in &hard.1 {
            comparison.check(format!("{name} on {device}"), &soft.1[name], wanted, 1e-5);
        }
        // Half of each class: the loss cannot fall below the entropy of that.
        let mixed = run(&[0.5, 0.5, 0.0, 0.0, 0.5, 0.5, 0.5, 0.0, 0.5]).0;
        assert!(mixed.data()[19] < mixed.data()[0] && mixed.data()[19] > 0.693, "{device}: {mixed:?}");
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
fn what_is_no_soft_target_is_refused() {
    for device in devices() {
        let model = model(&device);
        let compile = |soft| model.compile_training(3, &training(soft), &Options::default()).unwrap();
        let (mut hard, mut soft) = (compile(false), compile(true));
        let before = model.parameters().unwrap();
        let step = StepOptions { learning_rate: 0.1, ..StepOptions::default() };
        let even = Tensor::filled([3, 3], 1.0 / 3.0);
        let classes = Targets::Classes(&[Some(0); 3]);
        assert!(refusal(soft.train(&input(), classes, &step)).contains("takes probabilities as targets"));
        let text = refusal(hard.train(&input(), Targets::Probabilities(&even), &step));
        assert!(text.contains("takes classes as targets"), "{text}");
        for shape in [vec![3], vec![9], vec![3, 2], vec![2, 3]] {
            let text = refusal(soft.train(&input(), Targets::Probabilities(&Tensor::zeros(shape)), &step));
            assert!(text.contains("[3, 3], not"), "{text}");
        }
        for row in [[0.5, 0.6, 0.0], [0.0; 3], [1.5, -0.5, 0.0], [f32::NAN, 1.0, 0.0], [-1.0, -1.0, 1.0], [1.0; 3]] {
            let mut targets = even.clone();
            targets.data_mut()[3..6].copy_from_slice(&row);
            let text = refusal(soft.train(&input(), Targets::Probabilities(&targets), &step));
            assert!(text.contains("of sample 1 are not probabilities"), "{text}");
        }
        refusal(soft.train(&Tensor::zeros([2, 6]), Targets::Probabilities(&even), &step));
        assert_eq!((model.parameters().unwrap(), soft.steps(), hard.steps()), (before, 0, 0), "{device}");
        soft.train(&input(), Targets::Probabilities(&even), &step).unwrap();
        let op = Op::CrossEntropy(CrossEntropy::default());
        for target in [&[2, 3][..], &[3, 2], &[4], &[3, 3, 1]] {
            refusal(device.compile_op(&op, &[&[3, 3], target, &[3]], &Options::default()).map(drop));
        }
    }
}
