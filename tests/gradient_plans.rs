//! Gradients of logits with respect to what layers give, against difference quotients in f64 and against PyTorch.

mod compare;

use compare::{Comparison, Golden, checked, devices};
use vultus::nn::{Kind, Network, Training, vgg16};
use vultus::ops::{Conv2d, MaxPool2d, RunState};
use vultus::{Device, Error, Options, Parameters, Result, Tensor};

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

/// With biases that leave every window of a max-pool a value above 0: there are no ties.
fn parameters() -> Parameters {
    let mut parameters = network().initialize(2).unwrap();
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

/// What a layer makes of one sample, by its definition.
fn apply(kind: &Kind, x: &Values, weight: Option<&Tensor>, bias: Option<&Tensor>) -> Values {
    let number = |tensor: Option<&Tensor>, i: usize| f64::from(tensor.unwrap().data()[i]);
    let [c, h, w] = if let [c, h, w] = x.shape[..] { [c, h, w] } else { [x.data.len(), 1, 1] };
    let at = |c: usize, y: usize, z: usize| x.data[(c * h + y) * w + z];
    match kind {
        Kind::Relu => Values { data: x.data.iter().map(|v| v.max(0.0)).collect(), ..x.clone() },
        Kind::Flatten | Kind::Dropout(_) => x.clone(),
        Kind::Prelu => {
            let value = |(i, &v): (usize, &f64)| if v < 0.0 { v * number(weight, i / (h * w)) } else { v };
            Values { data: x.data.iter().enumerate().map(value).collect(), ..x.clone() }
        }
        // Both pools are of 2×2 on an even size, the convolution is 3×3 with a padding of 1.
        Kind::MaxPool2d(_) => {
            let largest = |i: usize| {
                let (c, y, z) = (i / (h * w / 4), i / (w / 2) % (h / 2) * 2, i % (w / 2) * 2);
                at(c, y, z).max(at(c, y, z + 1)).max(at(c, y + 1, z)).max(at(c, y + 1, z + 1))
            };
            Values { shape: vec![c, h / 2, w / 2], data: (0..c * h * w / 4).map(largest).collect() }
        }
        Kind::Conv2d(filters, _) => {
            let sum = |i: usize| {
                let (f, y, z) = (i / (h * w), i / w % h, i % w);
                let taps = (0..c * 9).filter(|t| (1..=h).contains(&(y + t / 3 % 3)) && (1..=w).contains(&(z + t % 3)));
                let products =
                    taps.map(|t| number(weight, f * c * 9 + t) * at(t / 9, y + t / 3 % 3 - 1, z + t % 3 - 1));
                number(bias, f) + products.sum::<f64>()
            };
            Values { shape: vec![*filters, h, w], data: (0..filters * h * w).map(sum).collect() }
        }
        Kind::Dense(out) => {
            let n = x.data.len();
            let sum = |o: usize| {
                number(bias, o) + x.data.iter().enumerate().map(|(i, v)| v * number(weight, o * n + i)).sum::<f64>()
            };
            Values { shape: vec![*out], data: (0..*out).map(sum).collect() }
        }
        other => panic!("{other:?} is not among the layers of this test"),
    }
}

/// The logits for what this layer gives for one sample.
fn logits_after(layer: usize, x: &Values) -> Vec<f64> {
    let (network, parameters) = (network(), parameters());
    let rest = network.layers()[layer + 1..].iter().filter(|layer| layer.kind != Kind::Softmax);
    let values = rest.fold(x.clone(), |x, layer| {
        let [weight, bias] = ["weight", "bias"].map(|suffix| parameters.get(&format!("{}.{suffix}", layer.parameters)));
        apply(&layer.kind, &x, weight, bias)
    });
    values.data
}

#[test]
fn gradients_are_the_limits_of_difference_quotients() {
    let mut comparison = Comparison::default();
    let (network, weights) = (network(), weights_of_logits());
    for device in devices() {
        let model = device.load(&network, &parameters()).unwrap();
        for (index, layer) in network.layers().iter().enumerate().filter(|(_, layer)| layer.kind != Kind::Softmax) {
            let mut plan = model.compile_gradient(2, &layer.name, &checked()).unwrap();
            let found = plan.run_all(&[input(), weights.clone()]).unwrap();
            let [logits, activation, gradient] = found.as_slice() else { panic!("{} outputs", found.len()) };
            assert_eq!(*activation, plan.activation(&layer.name).unwrap_or(activation.clone()));
            // A convolution or dense layer has the ReLU behind it done.
            let behind = network.layers().get(index + 1).is_some_and(|next| next.kind == Kind::Relu);
            let behind = index + usize::from(behind);
            let length = activation.len() / 2;
            let (mut wanted_logits, mut wanted) = (Vec::new(), Vec::new());
            for sample in 0..2 {
                let data = activation.data()[sample * length..][..length].iter().map(|&v| f64::from(v)).collect();
                let x = Values { shape: activation.shape()[1..].to_vec(), data };
                wanted_logits.extend(logits_after(behind, &x).into_iter().map(|logit| logit as f32));
                let sum = |i: usize, step: f64| {
                    let mut x = x.clone();
                    x.data[i] += step;
                    let logits = logits_after(behind, &x);
                    let weights = weights.data()[sample * 3..][..3].iter().map(|&weight| f64::from(weight));
                    logits.iter().zip(weights).map(|(logit, weight)| logit * weight).sum::<f64>()
                };
                // The network is piecewise linear: the quotient is exact but for rounding, far from a kink.
                wanted.extend((0..length).map(|i| ((sum(i, 1e-6) - sum(i, -1e-6)) / 2e-6) as f32));
            }
            let case = format!("{} on {device}", layer.name);
            let tensor = |like: &Tensor, values| Tensor::new(like.shape(), values).unwrap();
            comparison.check(format!("logits behind {case}"), logits, &tensor(logits, wanted_logits), 1e-5);
            comparison.check(format!("gradient of {case}"), gradient, &tensor(gradient, wanted), 1e-5);
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
        let model = device.load(&network(), &parameters()).unwrap();
        let mut plan = model.compile_gradient(2, "pool1", &Options::default()).unwrap();
        assert_eq!(plan.input_shapes(), [&[2, 3, 8, 8][..], &[2, 3]]);
        assert_eq!(plan.output_shapes(), [&[2, 3][..], &[2, 4, 4, 4], &[2, 4, 4, 4]]);
        let first = plan.run_all(&[input(), weights_of_logits()]).unwrap();
        let operations: Vec<&str> = plan.profile().unwrap().iter().map(|layer| layer.operation).collect();
        assert!(operations.contains(&"conv2d_backward_input"), "{operations:?}");
        assert!(!operations.iter().any(|op| op.contains("weight") || *op == "dropout"), "{operations:?}");
        refusal(plan.gradient("fc1.weight"));
        assert_eq!(model.parameters().unwrap(), parameters());
        assert_eq!(plan.state().unwrap(), Parameters::new());
        // The step of training means nothing, and what other plans do neither.
        let mut trained = model.compile_training(2, &Training::default(), &Options::default()).unwrap();
        let state = RunState { step: 7, learning_rate: 0.0, ..RunState::default() };
        trained.train(&input(), &[Some(0), Some(1)], &state).unwrap();
        assert_eq!(plan.run_all(&[input(), weights_of_logits()], &state).unwrap(), first, "{device}");
        // All that is kept can be looked at.
        let options = Options { keep_activations: true, ..Options::default() };
        let mut kept = model.compile_gradient(2, "pool1", &options).unwrap();
        assert_eq!(kept.run_all(&[input(), weights_of_logits()], &state).unwrap(), first, "{device}");
        assert_eq!(kept.activation("pool1").unwrap(), first[1]);
    }
}

/// The text of a refusal, which must be one of shape.
#[track_caller]
fn refusal<T>(result: Result<T>) -> String {
    match result {
        Err(error @ Error::Shape { .. }) => error.to_string(),
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
    assert!(refusal(compile(&network(), "fc2.softmax")).contains("comes behind the logits"));
    let maps = Network::new("maps", [3, 8, 8]).conv2d("conv", "conv", 4, Conv2d::square(3, 1, 1)).relu();
    assert!(refusal(compile(&maps, "conv")).contains("ends with classes"));
    assert!(refusal(compile(&Network::new("bare", [7]).softmax(), "input.softmax")).contains("before the softmax"));
    let branched = |tail: &str| {
        let network = Network::new("two", [5]).dense("a", "a", 4).dense("b", "b", 3).output();
        network.branch_from("a").unwrap().dense(tail, "c", 3).output()
    };
    assert!(refusal(compile(&branched("c"), "a")).contains("layer a is read by several"));
    assert!(refusal(compile(&branched("c"), "b")).contains("does not lead to the logits"));
    let mut plan = compile(&network(), "fc2").unwrap();
    assert!(refusal(plan.train(&input(), &[Some(0), Some(1)], &RunState::default())).contains("for training"));
    assert!(refusal(plan.run(&input())).contains("takes 2 inputs"));
}
