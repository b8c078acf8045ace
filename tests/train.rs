//! Training a head on features: that it learns, that it is the same at each run, and what it refuses.

mod compare;

use compare::devices;
use vultus::data::stratified_split;
use vultus::train::{Epoch, Features, HeadTraining, TrainedHead, evaluate, train_head};
use vultus::{Device, Random, Result, Tensor};

const CLASSES: usize = 3;
const SHAPE: [usize; 3] = [6, 2, 2];

/// Features of 40 pictures per class: a random centre for each class, with normal noise around it.
fn features(noise: f32) -> Features {
    let mut random = Random::new(11);
    let length: usize = SHAPE.iter().product();
    let centres: Vec<f32> = (0..CLASSES * length).map(|_| 20.0 * random.normal()).collect();
    let labels: Vec<usize> = (0..40 * CLASSES).map(|i| i % CLASSES).collect();
    let value = |i: usize| centres[labels[i / length] * length + i % length] + 20.0 * noise * random.normal();
    let tensor = Tensor::from_fn([&[labels.len()], &SHAPE[..]].concat(), value);
    Features { tensor, labels, unreadable: Vec::new() }
}

/// Batches of which the last is not full, and a quarter of the pictures for validation.
fn settings() -> HeadTraining {
    HeadTraining {
        hidden: vec![16],
        dropout: 0.25,
        epochs: 12,
        batch: 16,
        learning_rate: 1e-2,
        validation: 0.25,
        seed: 3,
        ..HeadTraining::default()
    }
}

fn train(device: &Device, features: &Features, settings: &HeadTraining) -> Result<TrainedHead> {
    train_head(device, features, CLASSES, settings, |_, _| {}, |_| {})
}

/// The part of the features that training keeps for validation.
fn validation_part(features: &Features, settings: &HeadTraining) -> Features {
    let (indices, _) = stratified_split(&features.labels, settings.validation, settings.seed);
    let length: usize = SHAPE.iter().product();
    let values = indices.iter().flat_map(|i| features.tensor.data()[i * length..][..length].iter().copied());
    let tensor = Tensor::new([&[indices.len()], &SHAPE[..]].concat(), values.collect()).unwrap();
    Features { tensor, labels: indices.iter().map(|&i| features.labels[i]).collect(), unreadable: Vec::new() }
}

#[test]
fn separable_classes_are_learnt_and_every_step_and_epoch_is_reported() {
    let (features, settings) = (features(0.3), settings());
    for device in devices() {
        let (mut epochs, mut steps): (Vec<Epoch>, _) = (Vec::new(), Vec::new());
        let step = |done, all| steps.push((done, all));
        let head = train_head(&device, &features, CLASSES, &settings, step, |epoch| epochs.push(*epoch)).unwrap();
        assert!(head.best.accuracy > 0.95, "{device}: {epochs:?}");
        assert!(epochs[11].loss < 0.6 * epochs[0].loss, "{device}: {epochs:?}");
        assert_eq!(epochs.iter().map(|epoch| epoch.number).collect::<Vec<_>>(), (1..=12).collect::<Vec<_>>());
        // The best one, and of equal ones the last.
        let best = epochs.iter().max_by(|a, b| a.accuracy.total_cmp(&b.accuracy)).unwrap();
        assert_eq!(head.best, *best, "{device}");
        // 90 pictures in batches of 16.
        assert_eq!(steps, (1..=72).map(|done| (done, 72)).collect::<Vec<_>>());
    }
}

#[test]
fn the_same_seed_gives_the_same_bits_and_another_one_does_not() {
    let (features, settings) = (features(1.0), HeadTraining { epochs: 3, ..settings() });
    for device in devices() {
        let head = train(&device, &features, &settings).unwrap();
        let again = train(&device, &features, &settings).unwrap();
        assert_eq!((&again.parameters, again.best), (&head.parameters, head.best), "{device}");
        let other = train(&device, &features, &HeadTraining { seed: 4, ..settings.clone() }).unwrap();
        assert_ne!(other.parameters, head.parameters, "{device}");
    }
}

#[test]
fn the_parameters_belong_to_features_as_they_were_given() {
    // So much noise that some pictures are not told apart: an accuracy of 1 would say little.
    let (features, settings) = (features(4.0), settings());
    let held_out = validation_part(&features, &settings);
    for device in devices() {
        let head = train(&device, &features, &settings).unwrap();
        let confusion = evaluate(&device, &held_out, &head.parameters, &settings, CLASSES).unwrap();
        let right: usize = (0..CLASSES).map(|class| confusion[class][class]).sum();
        assert_eq!(confusion.iter().flatten().sum::<usize>(), held_out.labels.len());
        let trained = head.best.accuracy * held_out.labels.len() as f32;
        assert!((0.4..0.95).contains(&head.best.accuracy), "{device}: {:?}", head.best);
        // The scale is folded in with a rounding of 2^-24: that may turn an answer between two equal scores.
        assert!((right as f32 - trained).abs() <= 1.0, "{device}: {right} and {trained} right");
    }
}

#[test]
fn a_factor_in_the_features_only_changes_the_first_weights() {
    let (small, settings) = (features(1.0), HeadTraining { epochs: 2, ..settings() });
    // A power of 2: all numbers of the training stay the same to the bit.
    let large = Tensor::from_fn(small.tensor.shape(), |i| 1024.0 * small.tensor.data()[i]);
    let large = Features { tensor: large, labels: small.labels.clone(), unreadable: Vec::new() };
    for device in devices() {
        let small = train(&device, &small, &settings).unwrap();
        let mut large = train(&device, &large, &settings).unwrap();
        let first = large.parameters.get_mut("classifier.0.weight").unwrap();
        first.data_mut().iter_mut().for_each(|weight| *weight *= 1024.0);
        assert_eq!(large.parameters, small.parameters, "{device}");
        assert_eq!(large.best, small.best, "{device}");
    }
}

#[test]
fn features_that_say_nothing_give_a_head_of_chance() {
    let mut features = features(1.0);
    features.tensor.data_mut().fill(0.0);
    for device in devices() {
        let head = train(&device, &features, &HeadTraining { epochs: 2, ..settings() }).unwrap();
        let values = head.parameters.values().flat_map(Tensor::data);
        // What `initialize` draws for 24 inputs (standard deviation 0.3) and a few steps: far below 10.
        assert!(values.into_iter().all(|value| value.abs() < 10.0), "{device}");
        assert_eq!(head.best.accuracy, 1.0 / CLASSES as f32);
    }
}

#[test]
fn what_is_no_number_gives_an_error_and_no_head() {
    let good = train(&Device::Cpu, &features(1.0), &settings()).unwrap().parameters;
    for bad in [f32::NAN, f32::INFINITY] {
        // Wherever it is, among the pictures to train on or to validate with.
        for place in [0, 100, 1000, 2000] {
            let mut features = features(1.0);
            features.tensor.data_mut()[place] = bad;
            let error = train(&Device::Cpu, &features, &settings()).unwrap_err().to_string();
            assert!(error.contains("a NaN or an infinity"), "{error}");
            assert!(evaluate(&Device::Cpu, &features, &good, &settings(), CLASSES).is_err());
        }
    }
    for device in devices() {
        let wild = HeadTraining { learning_rate: 1e38, ..settings() };
        let error = train(&device, &features(1.0), &wild).unwrap_err().to_string();
        assert!(error.contains("smaller learning rate"), "{device}: {error}");
    }
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let good = train(&Device::Cpu, &features(1.0), &settings()).unwrap().parameters;
    let refused = |features: &Features, settings: &HeadTraining| {
        let error = train(&Device::Cpu, features, settings).unwrap_err().to_string();
        assert!(evaluate(&Device::Cpu, features, &good, settings, CLASSES).is_err(), "{error}");
        error
    };
    let mut labels = features(1.0);
    labels.labels.pop();
    assert!(refused(&labels, &settings()).contains("119 labels"));
    let mut classes = features(1.0);
    classes.labels[5] = CLASSES;
    assert!(refused(&classes, &settings()).contains("the label 3"));
    let mut flat = features(1.0);
    flat.tensor = flat.tensor.reshape([120, 24]).unwrap();
    assert!(refused(&flat, &settings()).contains("[120, 24]"));
    let empty = Features { tensor: Tensor::zeros([0, 6, 2, 2]), labels: Vec::new(), unreadable: Vec::new() };
    assert!(refused(&empty, &settings()).contains("0 labels"));
    assert!(refused(&features(1.0), &HeadTraining { batch: 0, ..settings() }).contains("batches of 0"));
    let error = train(&Device::Cpu, &features(1.0), &HeadTraining { epochs: 0, ..settings() }).unwrap_err();
    assert!(error.to_string().contains("0 epochs"), "{error}");
}
