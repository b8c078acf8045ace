//! The operations of newer networks against values that PyTorch computed in f64, on both backends: forward, and the
//! gradients of all inputs by the operations of the backward pass.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use safetensors::tensor::SafeTensors;
use serde_json::Value;
use vultus::gpu::Adapter;
use vultus::nn::Network;
use vultus::ops::{
    Activation, AvgPool2d, AvgPool2dBackward, Concat, Conv2d, Interpolation, MaskedFill, MaxPool2d, MaxPool2dBackward,
    MulReduce, Op, Pad, ReduceMean, ReduceMeanBackward, ReduceSum, Slice, Softmax, SoftmaxBackward, Transpose, Unary,
    UnaryBackward, Upsample, UpsampleBackward,
};
use vultus::{Device, Options, Tensor};

/// f32 keeps 24 bits; sums of up to a few thousand products of both signs lose two digits of these seven at most.
const FORWARD: f32 = 1e-5;

/// Gradients are sums over whole batches and images, and differences of nearly equal values.
const GRADIENT: f32 = 1e-4;

fn devices() -> [Device; 2] {
    static GPU: OnceLock<Device> = OnceLock::new();
    let open = || {
        let adapter =
            Adapter::all().into_iter().next().expect("no driver offers an adapter: install one, such as Mesa's");
        Device::Gpu(adapter.open().expect("the adapter opens"))
    };
    [Device::Cpu, GPU.get_or_init(open).clone()]
}

/// A file of golden tensors, called `case.tensor`, with the parameters of its cases.
struct Golden {
    tensors: BTreeMap<String, Tensor>,
    cases: serde_json::Map<String, Value>,
}

impl Golden {
    fn read(name: &str) -> Self {
        let path = format!("{}/tests/golden/{name}.safetensors", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let (_, header) = SafeTensors::read_metadata(&bytes).unwrap();
        let cases = serde_json::from_str(&header.metadata().as_ref().unwrap()["cases"]).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap().tensors().into_iter();
        let tensors = tensors.map(|(name, view)| {
            let values = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
            // What has no dimensions is a tensor of one element here.
            let shape = if view.shape().is_empty() { vec![1] } else { view.shape().to_vec() };
            (name, Tensor::new(shape, values).unwrap())
        });
        Golden { tensors: tensors.collect(), cases }
    }

    fn get(&self, case: &str, name: &str) -> &Tensor {
        &self.tensors[&format!("{case}.{name}")]
    }

    fn shape(&self, case: &str, name: &str) -> Vec<usize> {
        self.get(case, name).shape().to_vec()
    }
}

/// Runs an operation of a case on both backends, with guards around its memory, and compares its outputs with the tensors of
/// these names.
fn check(golden: &Golden, case: &str, op: impl Into<Op>, inputs: &[&str], outputs: &[&str]) {
    let op = op.into();
    let inputs: Vec<Tensor> = inputs.iter().map(|name| golden.get(case, name).clone()).collect();
    let shapes: Vec<&[usize]> = inputs.iter().map(Tensor::shape).collect();
    for device in devices() {
        let options = Options { checked: true, ..Options::default() };
        let found = device.compile_op(&op, &shapes, &options).unwrap().run_all(&inputs).unwrap();
        assert_eq!(found.len(), outputs.len());
        for (name, found) in outputs.iter().zip(found) {
            let wanted = golden.get(case, name);
            assert_eq!(found.shape(), wanted.shape(), "{} {case} {name} on {device}", op.name());
            let largest = wanted.data().iter().fold(0f32, |most, value| most.max(value.abs()));
            let allowed = largest * if name.starts_with('d') { GRADIENT } else { FORWARD };
            for (found, wanted) in found.data().iter().zip(wanted.data()) {
                let near = (found - wanted).abs() <= allowed;
                assert!(near, "{} {case} {name} on {device}: {found} instead of {wanted}", op.name());
            }
        }
    }
}

/// Runs a check for every case of a file, of which there must be some.
fn for_each_case(file: &str, check: impl Fn(&Golden, &str, &Value)) {
    let golden = Golden::read(file);
    assert!(!golden.cases.is_empty());
    golden.cases.iter().for_each(|(case, parameters)| check(&golden, case, parameters));
}

fn numbers(parameters: &Value, name: &str) -> Vec<usize> {
    let list = parameters[name].as_array().unwrap_or_else(|| panic!("no list {name} in {parameters}"));
    list.iter().map(|number| number.as_u64().unwrap() as usize).collect()
}

#[test]
fn add() {
    for_each_case("add", |golden, case, _| {
        check(golden, case, Op::Add, &["a", "b"], &["y"]);
        for (input, gradient) in [("a", "da"), ("b", "db")] {
            check(golden, case, ReduceSum { shape: golden.shape(case, input) }, &["dy"], &[gradient]);
        }
    });
}

#[test]
fn mul() {
    for_each_case("mul", |golden, case, _| {
        check(golden, case, Op::Mul, &["a", "b"], &["y"]);
        for (input, other, gradient) in [("a", "b", "da"), ("b", "a", "db")] {
            check(golden, case, MulReduce { shape: golden.shape(case, input) }, &["dy", other], &[gradient]);
        }
    });
}

#[test]
fn masked_fill() {
    for_each_case("masked_fill", |golden, case, parameters| {
        let value = parameters["value"].as_f64().unwrap() as f32;
        check(golden, case, MaskedFill { value }, &["x", "mask"], &["y"]);
        check(golden, case, MaskedFill { value: 0.0 }, &["dy", "mask"], &["dx"]);
    });
    // What is not taken may be anything, and what is filled in infinite.
    for device in devices() {
        let op = MaskedFill { value: f32::NEG_INFINITY }.into();
        let mut plan = device.compile_op(&op, &[&[3], &[3]], &Options::default()).unwrap();
        let inputs = [vec![f32::NAN, f32::INFINITY, 2.0], vec![1.0, f32::INFINITY, f32::NAN]]
            .map(|x| Tensor::new([3], x).unwrap());
        let found = plan.run_all(&inputs).unwrap();
        assert_eq!(found[0].data(), [f32::NEG_INFINITY, f32::NEG_INFINITY, 2.0], "{device}");
    }
}

#[test]
fn reduce_mean() {
    for_each_case("reduce_mean", |golden, case, parameters| {
        let mean = ReduceMean { dims: numbers(parameters, "dims"), keepdim: parameters["keepdim"] == true };
        check(golden, case, mean.clone(), &["x"], &["y"]);
        let backward = ReduceMeanBackward { mean, shape: golden.shape(case, "x") };
        check(golden, case, backward, &["dy"], &["dx"]);
    });
}

fn number(parameters: &Value, name: &str) -> usize {
    parameters[name].as_u64().unwrap_or_else(|| panic!("no {name} in {parameters}")) as usize
}

/// Height and width.
fn pair(parameters: &Value, name: &str) -> [usize; 2] {
    numbers(parameters, name).try_into().unwrap()
}

fn size(golden: &Golden, case: &str) -> [usize; 2] {
    golden.shape(case, "x")[2..].try_into().unwrap()
}

#[test]
fn avg_pool2d() {
    for_each_case("avg_pool2d", |golden, case, parameters| {
        let pool = AvgPool2d {
            kernel: pair(parameters, "kernel"),
            stride: pair(parameters, "stride"),
            padding: pair(parameters, "padding"),
            ceil_mode: parameters["ceil_mode"] == true,
            count_include_pad: parameters["count_include_pad"] == true,
        };
        check(golden, case, pool, &["x"], &["y"]);
        check(golden, case, AvgPool2dBackward { pool, size: size(golden, case) }, &["dy"], &["dx"]);
    });
}

#[test]
fn max_pool2d_windows() {
    for_each_case("max_pool2d_windows", |golden, case, parameters| {
        let pool = MaxPool2d {
            kernel: pair(parameters, "kernel"),
            stride: pair(parameters, "stride"),
            padding: pair(parameters, "padding"),
            ceil_mode: parameters["ceil_mode"] == true,
        };
        check(golden, case, pool, &["x"], &["y"]);
        check(golden, case, MaxPool2dBackward { pool, relu: false }, &["x", "dy"], &["dx"]);
    });
}

#[test]
fn unary() {
    for_each_case("unary", |golden, case, parameters| {
        let number = |name: &str| parameters[name].as_f64().unwrap() as f32;
        let function = match parameters["function"].as_str().unwrap() {
            "abs" => Unary::Abs,
            "sqrt" => Unary::Sqrt,
            "reciprocal" => Unary::Reciprocal,
            "exp" => Unary::Exp,
            "log" => Unary::Log,
            "sin" => Unary::Sin,
            "cos" => Unary::Cos,
            "tanh" => Unary::Tanh,
            "erf" => Unary::Erf,
            "floor" => Unary::Floor,
            "ceil" => Unary::Ceil,
            "round" => Unary::Round,
            "sign" => Unary::Sign,
            "elu" => Unary::Elu { alpha: number("alpha") },
            "softplus" => Unary::Softplus,
            "softsign" => Unary::Softsign,
            "pow" => Unary::Pow { exponent: number("exponent") },
            other => panic!("{other} is not among the functions"),
        };
        check(golden, case, function, &["x"], &["y"]);
        check(golden, case, UnaryBackward(function), &["x", "dy"], &["dx"]);
    });
}

/// Far outside of where functions bend, they are what they tend to, on every device.
#[test]
fn functions_do_not_overflow() {
    let far = [-1e30, -1000.0, -90.0, 90.0, 1000.0, 1e30];
    for (function, wanted) in [
        (Unary::Tanh, [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]),
        (Unary::Erf, [-1.0, -1.0, -1.0, 1.0, 1.0, 1.0]),
        (Unary::Elu { alpha: 2.0 }, [-2.0, -2.0, -2.0, 90.0, 1000.0, 1e30]),
        (Unary::Softplus, [0.0, 0.0, 0.0, 90.0, 1000.0, 1e30]),
        (Unary::Softsign, [-1.0, -1000.0 / 1001.0, -90.0 / 91.0, 90.0 / 91.0, 1000.0 / 1001.0, 1.0]),
    ] {
        for device in devices() {
            let mut plan = device.compile_op(&function.into(), &[&[6]], &Options::default()).unwrap();
            let found = plan.run(&Tensor::new([6], far.to_vec()).unwrap()).unwrap();
            // A quotient of 2.5 units in the last place.
            let near =
                |(found, wanted): (&f32, f32)| (found - wanted).abs() <= 4.0 * f32::EPSILON * wanted.abs().max(1.0);
            assert!(found[0].data().iter().zip(wanted).all(near), "{function:?} on {device}: {found:?}");
        }
    }
    for device in devices() {
        let run = |function: Unary, x: [f32; 3]| {
            let mut plan = device.compile_op(&function.into(), &[&[3]], &Options::default()).unwrap();
            plan.run(&Tensor::new([3], x.to_vec()).unwrap()).unwrap()[0].data().to_vec()
        };
        let exp = run(Unary::Exp, [-1000.0, 88.0, 1000.0]);
        let is_near = (exp[1] / 1.651_636_3e38 - 1.0).abs() < 1e-5;
        assert!(exp[0] == 0.0 && is_near && exp[2] == f32::INFINITY, "{device}: {exp:?}");
        let log = run(Unary::Log, [0.0, -1.0, f32::INFINITY]);
        assert!(log[0] == f32::NEG_INFINITY && log[1].is_nan() && log[2] == f32::INFINITY, "{device}: {log:?}");
        let pow = run(Unary::Pow { exponent: 0.5 }, [0.0, -1.0, 1e30]);
        assert!(pow[0] == 0.0 && pow[1].is_nan() && (pow[2] / 1e15 - 1.0).abs() < 1e-5, "{device}: {pow:?}");
        for function in [Unary::Tanh, Unary::Erf, Unary::Exp, Unary::Log, Unary::Softplus, Unary::Sign, Unary::Abs] {
            assert!(run(function, [f32::NAN, 1.0, 1.0])[0].is_nan(), "{function:?} on {device}");
        }
    }
}

#[test]
fn upsample() {
    for_each_case("upsample", |golden, case, parameters| {
        let interpolation = match parameters["mode"].as_str() {
            Some("nearest") => Interpolation::Nearest,
            Some("bilinear") => Interpolation::Bilinear { align_corners: parameters["align_corners"] == true },
            other => panic!("{other:?}"),
        };
        let upsample = Upsample { size: pair(parameters, "size"), interpolation };
        check(golden, case, upsample, &["x"], &["y"]);
        check(golden, case, UpsampleBackward { upsample, size: size(golden, case) }, &["dy"], &["dx"]);
    });
}

#[test]
fn concat() {
    for_each_case("concat", |golden, case, parameters| {
        let dim = number(parameters, "dim");
        check(golden, case, Concat { dim }, &["a", "b", "c"], &["y"]);
        let mut start = 0;
        for (input, gradient) in [("a", "da"), ("b", "db"), ("c", "dc")] {
            let end = start + golden.shape(case, input)[dim];
            check(golden, case, Slice::along(dim, start..end), &["dy"], &[gradient]);
            start = end;
        }
    });
}

#[test]
fn slice() {
    for_each_case("slice", |golden, case, parameters| {
        let [dim, start, end] = ["dim", "start", "end"].map(|name| number(parameters, name));
        check(golden, case, Slice::along(dim, start..end), &["x"], &["y"]);
        let x = golden.shape(case, "x");
        let mut padding = vec![[0, 0]; x.len()];
        padding[dim] = [start, x[dim] - end];
        check(golden, case, Pad { padding, value: 0.0 }, &["dy"], &["dx"]);
    });
}

#[test]
fn pad() {
    for_each_case("pad", |golden, case, parameters| {
        let padding = parameters["padding"].as_array().unwrap().iter();
        let padding: Vec<[usize; 2]> = padding.map(|p| [0, 1].map(|i| p[i].as_u64().unwrap() as usize)).collect();
        let value = parameters["value"].as_f64().unwrap() as f32;
        check(golden, case, Pad { padding: padding.clone(), value }, &["x"], &["y"]);
        let ranges =
            golden.shape(case, "x").iter().zip(&padding).map(|(n, [before, _])| Some(*before..before + n)).collect();
        check(golden, case, Slice { ranges }, &["dy"], &["dx"]);
    });
}

#[test]
fn transpose() {
    for_each_case("transpose", |golden, case, parameters| {
        let permutation = numbers(parameters, "permutation");
        let inverse = (0..permutation.len()).map(|d| permutation.iter().position(|&p| p == d).unwrap()).collect();
        check(golden, case, Transpose { permutation }, &["x"], &["y"]);
        check(golden, case, Transpose { permutation: inverse }, &["dy"], &["dx"]);
    });
}

#[test]
fn softmax() {
    for_each_case("softmax_dim", |golden, case, parameters| {
        let softmax = Softmax { dim: number(parameters, "dim") };
        check(golden, case, softmax, &["x"], &["y"]);
        check(golden, case, SoftmaxBackward(softmax), &["y", "dy"], &["dx"]);
    });
}

#[test]
fn losses() {
    for_each_case("mse_loss", |golden, case, _| {
        check(golden, case, Op::MseLoss, &["pred", "target"], &["loss", "dpred"]);
    });
    for_each_case("binary_cross_entropy", |golden, case, _| {
        check(golden, case, Op::BinaryCrossEntropy, &["logits", "target"], &["loss", "dlogits"]);
    });
}

/// A network of all these layers on 4 channels of 6×6, after a convolution that changes nothing.
fn network() -> Network {
    let bilinear = Interpolation::Bilinear { align_corners: false };
    let gated = Network::new("all", [4, 6, 6])
        .conv2d("start", "start", 4, Conv2d::square(1, 1, 0))
        .reduce_mean("mean", &[2, 3], true)
        .activation(Activation::Sigmoid)
        .mul("gated", "start")
        .unwrap();
    let left = gated
        .slice("left", 1, 0..2)
        .upsample("bilinear", Upsample { size: [9, 7], interpolation: bilinear })
        .avg_pool2d("pool", AvgPool2d { padding: [1, 1], count_include_pad: false, ..AvgPool2d::new(2, 2) })
        .pad("pad", &[[0, 0], [0, 0], [0, 1], [1, 0]], 0.5);
    let both = left
        .branch_from("gated")
        .unwrap()
        .slice("right", 1, 1..4)
        .upsample("nearest", Upsample { size: [6, 5], interpolation: Interpolation::Nearest })
        .concat("both", &["pad"], 1)
        .unwrap();
    both.reduce_mean("rows", &[3], true)
        .stochastic_depth(0.5)
        .add("sum", "both")
        .unwrap()
        .softmax()
        .transpose("turned", &[0, 2, 3, 1])
        .reshape("flat", &[None])
        .dense("fc", "fc", 3)
}

/// Of weighted logits with respect to a layer, on both backends, against difference quotients.
#[test]
fn gradients_come_back_through_every_layer() {
    let network = network();
    let mut parameters = network.initialize(1).unwrap();
    let identity = Tensor::from_fn([4, 4, 1, 1], |i| f32::from(u8::from(i % 5 == 0)));
    parameters.insert("start.weight".into(), identity);
    let input = Tensor::from_fn([2, 4, 6, 6], |i| 2.0 * (i as f32 * 1.7).sin());
    let weights = Tensor::from_fn([2, 3], |i| [1.0, -0.5, 0.25, 0.5, 2.0, -1.0][i]);
    for device in devices() {
        let model = device.load(&network, &parameters).unwrap();
        let options = Options { checked: true, ..Options::default() };
        let mut plan = model.compile_gradient(2, "start", &options).unwrap();
        let gradient = plan.run_all(&[input.clone(), weights.clone()]).unwrap().swap_remove(2);
        let largest = gradient.data().iter().fold(0f32, |most, value| most.max(value.abs()));
        let mut plan = Device::Cpu.load(&network, &parameters).unwrap().compile(2, &Options::default()).unwrap();
        let mut weighted = |index: usize, change: f32| {
            let mut input = input.clone();
            input.data_mut()[index] += change;
            let logits = plan.run(&input).unwrap().swap_remove(0);
            logits.data().iter().zip(weights.data()).map(|(a, b)| f64::from(a * b)).sum::<f64>()
        };
        for index in (0..input.len()).step_by(7) {
            let change = 1.0 / 64.0;
            let wanted = ((weighted(index, change) - weighted(index, -change)) / f64::from(2.0 * change)) as f32;
            // Logits of about 1 err by some 1e-7, which the quotient makes 1e-5; its own error is the third derivative
            // times the square of the change.
            let near = (gradient.data()[index] - wanted).abs() <= 2e-3 * largest;
            assert!(near, "{device}, {index}: {} instead of {wanted}", gradient.data()[index]);
        }
    }
}

#[test]
fn a_layer_that_mixes_samples_is_refused() {
    let start = || Network::new("mixed", [4, 6, 6]).conv2d("start", "start", 4, Conv2d::square(1, 1, 0));
    for network in [
        start().reduce_mean("mean", &[0, 2], true),
        start().slice("slice", 0, 0..1),
        start().transpose("transpose", &[1, 0, 2, 3]),
        start().reduce_mean("mean", &[1], false).mul("product", "start").unwrap(),
        start().concat("concat", &["start"], 0).unwrap(),
    ] {
        let error = network.output_shapes().unwrap_err().to_string();
        assert!(error.contains("batch"), "{error}");
    }
}
