//! Gradients of logits with respect to what layers give, and of the loss with respect to parameters, against difference
//! quotients in f64 and against PyTorch. Networks may branch.

mod compare;

use std::collections::BTreeMap;

use compare::{Comparison, Golden, checked, devices};
use vultus::nn::{Layer, Network, Source, Trainable, Training, vgg16};
use vultus::ops::{Activation, Conv2d, MaxPool2d, Op, RunState};
use vultus::{Device, Error, Options, Parameters, Result, StepOptions, Targets, Tensor};

fn network() -> Network {
    Network::new("net", [3, 8, 8])
        .conv2d("conv1", "conv1", 4, Conv2d::square(3, 1, 1))
        .relu()
        .max_pool2d("pool1", MaxPool2d::new(2, 2))
        .conv2d("conv2", "conv2", 5, Conv2d::square(3, 1, 1))
        .prelu("prelu2", "prelu2")
        .max_pool2d("pool2", MaxPool2d::new(2, 2))
        .flatten()
        .dense("fc1", "fc1", 6)
        .relu()
        .dropout(0.5)
        .dense("fc2", "fc2", 3)
        .softmax()
}

/// A residual block, two paths that come together, and a flattening that two layers read: values are read once, twice,
/// across layers and as views.
fn branched() -> Network {
    let (conv, pool) = (Conv2d::square(3, 1, 1), MaxPool2d::new(2, 2));
    let build = || {
        Network::new("branched", [3, 8, 8])
            .conv2d("stem", "stem", 4, conv)
            .relu()
            .conv2d("conv1", "conv1", 4, conv)
            .relu()
            .conv2d("conv2", "conv2", 4, conv)
            .add("sum", "stem.relu")?
            .activation(Activation::Silu)
            .max_pool2d("left", pool)
            .conv2d("conv3", "conv3", 4, conv)
            .activation(Activation::Gelu)
            .branch_from("sum.silu")?
            .max_pool2d("right", pool)
            .prelu("prelu", "prelu")
            .add("join", "conv3.gelu")?
            .flatten()
            .dense("fc1", "fc1", 6)
            .activation(Activation::Sigmoid)
            .dense("fc2", "fc2", 3)
            .branch_from("join.flatten")?
            .dense("fc3", "fc3", 3)
            .add("logits", "fc2")
    };
    build().unwrap().softmax()
}

/// With biases that leave every window of a max-pool a value above 0: there are no ties.
fn parameters(network: &Network) -> Parameters {
    let mut parameters = network.initialize(2).unwrap();
    for name in ["conv1.bias", "fc1.bias"] {
        parameters.get_mut(name).unwrap().data_mut().fill(0.7);
    }
    parameters
}

fn input() -> Tensor {
    Tensor::from_fn([2, 3, 8, 8], |i| (i as f32 * 1.7).sin())
}

fn weights_of_logits() -> Tensor {
    Tensor::from_fn([2, 3], |i| [1.0, -0.5, 0.0, 0.0, 2.0, 0.25][i])
}

/// Feature maps or rows of one sample in f64, with channels first.
#[derive(Clone)]
struct Values {
    shape: Vec<usize>,
    data: Vec<f64>,
}

/// One sample of a batch.
fn sample(tensor: &Tensor, number: usize) -> Values {
    let length = tensor.len() / tensor.shape()[0];
    let data = tensor.data()[number * length..][..length].iter().map(|&value| f64::from(value)).collect();
    Values { shape: tensor.shape()[1..].to_vec(), data }
}

/// Parameters in f64, by their names.
type Exact = BTreeMap<String, Vec<f64>>;

fn exact(parameters: &Parameters) -> Exact {
    let values = |tensor: &Tensor| tensor.data().iter().map(|&value| f64::from(value)).collect();
    parameters.iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}

/// What a layer makes of one sample, by its definition.
fn apply(layer: &Layer, inputs: &[&Values], parameters: &Exact) -> Values {
    let x = inputs[0];
    let parameter = |number: usize| &parameters[&layer.parameters[number]];
    let [c, h, w] = if let [c, h, w] = x.shape[..] { [c, h, w] } else { [x.data.len(), 1, 1] };
    let at = |c: usize, y: usize, z: usize| x.data[(c * h + y) * w + z];
    let each = |f: &dyn Fn(f64) -> f64| Values { data: x.data.iter().map(|&v| f(v)).collect(), ..x.clone() };
    match &layer.op {
        Op::Activation(Activation::Relu) => each(&|v| v.max(0.0)),
        Op::Activation(Activation::Sigmoid) => each(&|v| 1.0 / (1.0 + (-v).exp())),
        Op::Activation(Activation::Silu) => each(&|v| v / (1.0 + (-v).exp())),
        Op::Activation(Activation::Gelu) => each(&|v| v * normal(v)),
        Op::Dropout(_) => x.clone(),
        Op::Reshape(_) => Values { shape: vec![x.data.len()], data: x.data.clone() },
        Op::Add => Values { data: x.data.iter().zip(&inputs[1].data).map(|(a, b)| a + b).collect(), ..x.clone() },
        Op::Prelu => {
            let value = |(i, &v): (usize, &f64)| if v < 0.0 { v * parameter(0)[i / (h * w)] } else { v };
            Values { data: x.data.iter().enumerate().map(value).collect(), ..x.clone() }
        }
        // All pools are of 2×2 on an even size, the convolutions are 3×3 with a padding of 1.
        Op::MaxPool2d(_) => {
            let largest = |i: usize| {
                let (c, y, z) = (i / (h * w / 4), i / (w / 2) % (h / 2) * 2, i % (w / 2) * 2);
                at(c, y, z).max(at(c, y, z + 1)).max(at(c, y + 1, z)).max(at(c, y + 1, z + 1))
            };
            Values { shape: vec![c, h / 2, w / 2], data: (0..c * h * w / 4).map(largest).collect() }
        }
        Op::Conv2d(_) => {
            let (weight, bias) = (parameter(0), parameter(1));
            let sum = |i: usize| {
                let (f, y, z) = (i / (h * w), i / w % h, i % w);
                let taps = (0..c * 9).filter(|t| (1..=h).contains(&(y + t / 3 % 3)) && (1..=w).contains(&(z + t % 3)));
                let products = taps.map(|t| weight[f * c * 9 + t] * at(t / 9, y + t / 3 % 3 - 1, z + t % 3 - 1));
                bias[f] + products.sum::<f64>()
            };
            Values { shape: vec![layer.features, h, w], data: (0..layer.features * h * w).map(sum).collect() }
        }
        Op::Dense(_) => {
            let (n, weight, bias) = (x.data.len(), parameter(0), parameter(1));
            let sum = |o: usize| bias[o] + x.data.iter().enumerate().map(|(i, v)| v * weight[o * n + i]).sum::<f64>();
            Values { shape: vec![layer.features], data: (0..layer.features).map(sum).collect() }
        }
        other => panic!("{other:?} is not among the layers of this test"),
    }
}

/// The normal distribution's cumulative function, by the series of its integral.
fn normal(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > 1e-17 {
        n += 2.0;
        term *= x * x / n;
        sum += term;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// What a layer of these networks reads: the input, or another layer.
fn value_of<'a>(source: Source, x: &'a Values, values: &'a [Values]) -> &'a Values {
    if let Source::Layer(layer) = source { &values[layer] } else { x }
}

/// What every layer but a last softmax gives for one sample.
fn all_values(network: &Network, x: &Values, parameters: &Exact) -> Vec<Values> {
    go_on(network, x, &[], parameters)
}

/// The same, where those of the first layers are given.
fn go_on(network: &Network, x: &Values, given: &[Values], parameters: &Exact) -> Vec<Values> {
    let mut values = given.to_vec();
    let layers = network.layers().iter().filter(|layer| !matches!(layer.op, Op::Softmax(_)));
    for layer in layers.skip(given.len()) {
        let inputs: Vec<&Values> = layer.inputs.iter().map(|&source| value_of(source, x, &values)).collect();
        let value = apply(layer, &inputs, parameters);
        values.push(value);
    }
    values
}

/// The layer whose output counts as this one's.
fn with_activation(network: &Network, index: usize) -> usize {
    let mut readers =
        network.layers().iter().enumerate().filter(|(_, layer)| layer.inputs.contains(&Source::Layer(index)));
    let has_one = matches!(network.layers()[index].op, Op::Conv2d(_) | Op::Dense(_));
    match (readers.next(), readers.next()) {
        (Some((reader, layer)), None) if has_one && matches!(layer.op, Op::Activation(_)) => reader,
        _ => index,
    }
}

/// How far rounding in f32 and the approximation of GELU may be from sums of some dozens of values in f64.
const TOLERANCE: f32 = 1e-5;

#[test]
fn gradients_are_the_limits_of_difference_quotients() {
    let (mut comparison, weights) = (Comparison::default(), weights_of_logits());
    for network in [network(), branched()] {
        let (parameters, samples) = (parameters(&network), [0, 1].map(|number| sample(&input(), number)));
        let parameters_in_f64 = exact(&parameters);
        for device in devices() {
            let model = device.load(&network, &parameters).unwrap();
            for (index, layer) in
                network.layers().iter().enumerate().filter(|(_, layer)| !matches!(layer.op, Op::Softmax(_)))
            {
                let mut plan = model.compile_gradient(2, &layer.name, &checked()).unwrap();
                let found = plan.run_all(&[input(), weights.clone()]).unwrap();
                let [logits, activation, gradient] = found.as_slice() else { panic!("{} outputs", found.len()) };
                assert_eq!(*activation, plan.activation(&layer.name).unwrap_or(activation.clone()));
                assert_eq!(activation.shape(), gradient.shape());
                // A convolution or dense layer has the activation after it done.
                let taken = with_activation(&network, index);
                let length = activation.len() / 2;
                let (mut wanted_logits, mut wanted, mut values) = (Vec::new(), Vec::new(), Vec::new());
                for (number, x) in samples.iter().enumerate() {
                    let mut given = all_values(&network, x, &parameters_in_f64);
                    wanted_logits.extend(given.last().unwrap().data.iter().map(|&logit| logit as f32));
                    given.truncate(taken + 1);
                    values.extend(given[taken].data.iter().map(|&value| value as f32));
                    let row = &weights.data()[number * 3..][..3];
                    let mut sum = |i: usize, step: f64| {
                        let before = given[taken].data[i];
                        given[taken].data[i] += step;
                        let after = go_on(&network, x, &given, &parameters_in_f64);
                        given[taken].data[i] = before;
                        let logits = &after.last().unwrap().data;
                        logits.iter().zip(row).map(|(logit, &weight)| logit * f64::from(weight)).sum::<f64>()
                    };
                    // Far from a kink the quotient is exact but for rounding, and for the third derivative of what is
                    // not linear, times 1e-12.
                    wanted.extend((0..length).map(|i| ((sum(i, 1e-6) - sum(i, -1e-6)) / 2e-6) as f32));
                }
                let case = format!("{} of {} on {device}", layer.name, network.name());
                let tensor = |like: &Tensor, values| Tensor::new(like.shape(), values).unwrap();
                comparison.check(format!("logits after {case}"), logits, &tensor(logits, wanted_logits), TOLERANCE);
                comparison.check(&case, activation, &tensor(activation, values), TOLERANCE);
                comparison.check(format!("gradient of {case}"), gradient, &tensor(gradient, wanted), TOLERANCE);
            }
        }
    }
    comparison.finish();
}

/// The mean cross-entropy of both samples.
fn loss(network: &Network, parameters: &Exact, classes: [usize; 2]) -> f64 {
    let of_sample = |number: usize| {
        let values = all_values(network, &sample(&input(), number), parameters);
        let logits = &values.last().unwrap().data;
        logits.iter().map(|logit| logit.exp()).sum::<f64>().ln() - logits[classes[number]]
    };
    (of_sample(0) + of_sample(1)) / 2.0
}

#[test]
fn gradients_of_parameters_are_the_limits_of_difference_quotients() {
    let mut comparison = Comparison::default();
    // The path around the residual block leads to what is not trained, and must not be followed.
    for (network, first) in [(branched(), "stem"), (branched(), "conv2"), (branched(), "right")] {
        let parameters = parameters(&network);
        let training = Training { trainable: Trainable::From(first.to_owned()), ..Training::default() };
        let trained = network.parameters_from(&training.trainable).unwrap();
        let mut values = exact(&parameters);
        let mut quotient = |name: &str, i: usize| {
            let before = values[name][i];
            let [above, below] = [1e-6, -1e-6].map(|step| {
                values.get_mut(name).unwrap()[i] = before + step;
                loss(&network, &values, [2, 0])
            });
            values.get_mut(name).unwrap()[i] = before;
            ((above - below) / 2e-6) as f32
        };
        let mut wanted = Parameters::new();
        for name in &trained {
            wanted.insert(name.clone(), Tensor::from_fn(parameters[name].shape(), |i| quotient(name, i)));
        }
        for device in devices() {
            let model = device.load(&network, &parameters).unwrap();
            let mut plan = model.compile_training(2, &training, &checked()).unwrap();
            let targets = Targets::Classes(&[Some(2), Some(0)]);
            let found = plan.train(&input(), targets, &StepOptions::default()).unwrap();
            let case = format!("{first} and what follows, on {device}");
            let [found, exact] =
                [found, loss(&network, &exact(&parameters), [2, 0]) as f32].map(|loss| Tensor::filled([1], loss));
            comparison.check(format!("loss, {case}"), &found, &exact, TOLERANCE);
            for (name, wanted) in &wanted {
                comparison.check(format!("{name}, {case}"), &plan.gradient(name).unwrap(), wanted, 2.0 * TOLERANCE);
            }
            for name in parameters.keys().filter(|name| !trained.contains(name)) {
                refusal(plan.gradient(name));
            }
        }
    }
    comparison.finish();
}

#[test]
fn the_gradients_of_a_vgg16_are_those_of_pytorch() {
    let (golden, mut comparison) = (Golden::read("tiny_vgg16_training"), Comparison::default());
    let widths: [&[usize]; 5] = [&[8, 8], &[12, 12], &[16, 16, 16], &[24, 24, 24], &[32, 32, 32]];
    let head = Network::new("head", [32, 1, 1]).flatten().dense("fc1", "head.0", 16).relu().dense("fc2", "head.2", 7);
    let network = vgg16::base_with_widths(32, &widths).followed_by(head).unwrap();
    let x = golden.get("x");
    let images = Tensor::new([4, 3, 32, 32], x.data()[..4 * 3 * 32 * 32].to_vec()).unwrap();
    let classes = golden.get("y");
    for device in devices() {
        let model = device.load(&network, &golden.with_prefix("init.")).unwrap();
        for (layer, parameters) in [
            ("block1_conv1", "features.0"),
            ("block3_conv2", "features.12"),
            ("block5_conv3", "features.28"),
            ("fc1", "head.0"),
            ("fc2", "head.2"),
        ] {
            let mut plan = model.compile_gradient(4, layer, &checked()).unwrap();
            let mut run = |weights: Tensor| plan.run_all(&[images.clone(), weights]).unwrap();
            let nothing = run(Tensor::zeros([4, 7]));
            assert!(nothing[2].data().iter().all(|&value| value == 0.0), "{layer} on {device}");
            // The gradient of the loss: probabilities, less 1 for the right class, by the number of images.
            let logits = nothing[0].data();
            let of_loss = Tensor::from_fn([4, 7], |i| {
                let row = &logits[i / 7 * 7..][..7];
                let sum: f32 = row.iter().map(|logit| logit.exp()).sum();
                let right = if classes.data()[i / 7] as usize == i % 7 { 1.0 } else { 0.0 };
                (logits[i].exp() / sum - right) / 4.0
            });
            let found = run(of_loss);
            // A bias counts for each pixel at which the ReLU behind it lets something through.
            let (activation, gradient) = (&found[1], &found[2]);
            let (filters, plane) = (activation.shape()[1], activation.shape()[2..].iter().product::<usize>());
            let mut sums = vec![0.0; filters];
            for (i, (a, g)) in activation.data().iter().zip(gradient.data()).enumerate() {
                sums[i / plane % filters] += if *a > 0.0 || layer == "fc2" { *g } else { 0.0 };
            }
            let wanted = golden.get(&format!("grad0.{parameters}.bias"));
            let found = Tensor::new([filters], sums).unwrap();
            // As other gradients that are sums over batches and images.
            comparison.check(format!("{layer} on {device}"), &found, &wanted, 1e-4);
        }
    }
    comparison.finish();
}

#[test]
fn no_parameter_is_changed_and_none_has_a_gradient() {
    for device in devices() {
        let parameters = parameters(&network());
        let model = device.load(&network(), &parameters).unwrap();
        let mut plan = model.compile_gradient(2, "pool1", &Options::default()).unwrap();
        assert_eq!(plan.input_shapes(), [&[2, 3, 8, 8][..], &[2, 3]]);
        assert_eq!(plan.output_shapes(), [&[2, 3][..], &[2, 4, 4, 4], &[2, 4, 4, 4]]);
        let first = plan.run_all(&[input(), weights_of_logits()]).unwrap();
        let operations: Vec<&str> = plan.profile().unwrap().iter().map(|layer| layer.operation).collect();
        assert!(operations.contains(&"conv2d_backward_input"), "{operations:?}");
        assert!(!operations.iter().any(|op| op.contains("weight") || *op == "dropout"), "{operations:?}");
        assert_eq!(model.parameters().unwrap(), parameters);
        // The step of training means nothing, and what other plans do neither.
        let mut trained = model.compile_training(2, &Training::default(), &Options::default()).unwrap();
        trained.train(&input(), Targets::Classes(&[Some(0), Some(1)]), &StepOptions::default()).unwrap();
        let state = RunState { step: 7, learning_rate: 0.5, seed: 3, ..RunState::default() };
        assert_eq!(plan.run_in(&[input(), weights_of_logits()], &state).unwrap(), first, "{device}");
        assert_eq!(model.parameters().unwrap(), parameters);
        // All that is kept can be looked at.
        let options = Options { keep_activations: true, ..Options::default() };
        let mut kept = model.compile_gradient(2, "pool1", &options).unwrap();
        assert_eq!(kept.run_all(&[input(), weights_of_logits()]).unwrap(), first, "{device}");
        assert_eq!(kept.activation("pool1").unwrap(), first[1]);
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
fn what_has_no_gradient_is_refused() {
    let compile = |network: &Network, layer: &str| {
        let model = Device::Cpu.load(network, &network.initialize(1)?)?;
        model.compile_gradient(2, layer, &Options::default())
    };
    assert!(refusal(compile(&network(), "none")).contains("there is no layer \"none\""));
    assert!(refusal(compile(&network(), "fc2.softmax")).contains("comes after the logits"));
    let maps = Network::new("maps", [3, 8, 8]).conv2d("conv", "conv", 4, Conv2d::square(3, 1, 1)).relu();
    assert!(refusal(compile(&maps, "conv")).contains("ends with classes"));
    assert!(refusal(compile(&Network::new("bare", [7]).softmax(), "input.softmax")).contains("before the softmax"));
    let two = Network::new("two", [5]).dense("a", "a", 4).dense("b", "b", 3).output();
    let two = two.branch_from("a").unwrap().dense("c", "c", 3).output();
    compile(&two, "a").unwrap();
    assert!(refusal(compile(&two, "b")).contains("does not lead to the logits"));
    let mut plan = compile(&network(), "fc2").unwrap();
    assert!(refusal(plan.run(&input())).contains("takes 2 inputs"));
}
