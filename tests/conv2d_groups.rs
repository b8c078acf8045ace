//! Convolutions with groups, dilation and padding of each side against what PyTorch computed in f64, and every algorithm of
//! the CPU for depthwise ones against the product of matrices.
#![cfg(feature = "files")]

use safetensors::tensor::SafeTensors;
use serde_json::Value;
use vultus::gpu::{Adapter, candidates};
use vultus::ops::{Conv2d, Conv2dBackwardInput, Conv2dBackwardWeight, Op, conv2d};
use vultus::{Device, Options, Random, Tensor};

/// f32 keeps 24 bits; sums of up to a few thousand products of both signs lose two digits of these seven at most.
const FORWARD: f32 = 1e-5;

/// Gradients are sums over whole batches and images, and differences of nearly equal values.
const GRADIENT: f32 = 1e-4;

struct Golden {
    bytes: Vec<u8>,
}

impl Golden {
    fn read() -> Self {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/conv2d_groups.safetensors");
        Golden { bytes: std::fs::read(path).unwrap() }
    }

    fn cases(&self) -> serde_json::Map<String, Value> {
        let (_, header) = SafeTensors::read_metadata(&self.bytes).unwrap();
        serde_json::from_str(&header.metadata().as_ref().unwrap()["cases"]).unwrap()
    }

    fn get(&self, name: &str) -> Option<Tensor> {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let view = tensors.tensor(name).ok()?;
        let values = view.data().as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect();
        Some(Tensor::new(view.shape(), values).unwrap())
    }
}

fn sizes<const N: usize>(parameters: &Value, name: &str) -> [usize; N] {
    let numbers: Vec<usize> = serde_json::from_value(parameters[name].clone()).unwrap();
    numbers.try_into().unwrap()
}

/// Memory full of NaN before each run, guards around every buffer.
fn checked(kernel: Option<&str>) -> Options {
    Options { checked: true, kernel: kernel.map(str::to_owned), ..Options::default() }
}

fn run(device: &Device, op: &Op, inputs: &[Tensor], kernel: Option<&str>) -> Vec<Tensor> {
    let shapes: Vec<&[usize]> = inputs.iter().map(Tensor::shape).collect();
    device.compile_op(op, &shapes, &checked(kernel)).unwrap().run_all(inputs).unwrap()
}

/// Panics where two tensors differ by more than `tolerance` times the largest magnitude of the one that is wanted, but at
/// least `least`.
fn compare(what: &str, found: &Tensor, wanted: &Tensor, tolerance: f32, least: f32) {
    assert_eq!(found.shape(), wanted.shape(), "{what}");
    let largest = wanted.data().iter().fold(least, |most, value| value.abs().max(most));
    for (place, (found, wanted)) in found.data().iter().zip(wanted.data()).enumerate() {
        let near = (found - wanted).abs() <= tolerance * largest;
        assert!(near, "{what}: {found} instead of {wanted} at place {place}, the largest is {largest}");
    }
}

/// Every kernel that may do an operation on the device, and the rules' choice.
fn kernels(device: &Device, op: &Op) -> Vec<Option<&'static str>> {
    let names = match device {
        Device::Cpu => vec!["conv2d/direct", "conv2d/depthwise", "conv2d/winograd2"],
        _ => candidates(op),
    };
    names.into_iter().map(Some).chain([None]).collect()
}

fn check_golden(device: &Device) {
    let golden = Golden::read();
    for (case, parameters) in golden.cases() {
        let tensor = |name: &str| golden.get(&format!("{case}.{name}")).unwrap();
        let (x, weight, dy) = (tensor("x"), tensor("weight"), tensor("dy"));
        let conv = Conv2d {
            kernel: [weight.shape()[2], weight.shape()[3]],
            stride: sizes(&parameters, "stride"),
            padding: sizes(&parameters, "padding"),
            dilation: sizes(&parameters, "dilation"),
            groups: parameters["groups"].as_u64().unwrap() as usize,
            activation: None,
        };
        let bias = golden.get(&format!("{case}.bias")).unwrap_or_else(|| Tensor::zeros([weight.shape()[0]]));
        let size = [x.shape()[2], x.shape()[3]];
        let check = |op: Op, inputs: &[Tensor], names: [&str; 2], tolerance: f32| {
            for kernel in kernels(device, &op) {
                for (name, found) in names.iter().zip(run(device, &op, inputs, kernel)) {
                    // Not every convolution has a bias.
                    if let Some(wanted) = golden.get(&format!("{case}.{name}")) {
                        let what = format!("{case} {name} with {kernel:?} on {device}");
                        compare(&what, &found, &wanted, tolerance, 0.0);
                    }
                }
            }
        };
        check(conv.into(), &[x.clone(), weight.clone(), bias], ["y", ""], FORWARD);
        check(Conv2dBackwardInput::new(conv, size).into(), &[dy.clone(), weight], ["dx", ""], GRADIENT);
        check(Conv2dBackwardWeight(conv).into(), &[x, dy], ["dweight", "dbias"], GRADIENT);
    }
}

#[test]
fn golden_on_the_cpu() {
    check_golden(&Device::Cpu);
}

#[test]
fn golden_on_the_gpu() {
    let adapter = Adapter::all().into_iter().next().expect("no driver offers an adapter");
    check_golden(&Device::Gpu(adapter.open().unwrap()));
}

/// Sums of the same products in another order: a few units in the last place of the largest.
const ORDER: f32 = 1e-5;

#[test]
fn depthwise_convolutions_are_what_the_product_of_matrices_makes() {
    let mut random = Random::new(16);
    let cases = conv2d::cases().into_iter().chain((0..400).map(|_| conv2d::random_case(&mut random)));
    let mut count = 0;
    for (number, case) in cases.collect::<Vec<_>>().into_iter().enumerate() {
        let inputs = case.inputs(number as u64);
        let run = |kernel| run(&Device::Cpu, &case.op, &inputs, Some(kernel));
        let (found, wanted) = (run("conv2d/depthwise"), run("conv2d/direct"));
        for (found, wanted) in found.iter().zip(&wanted) {
            compare(&format!("{number}: {:?} {}", case.op, case.name()), found, wanted, ORDER, 1.0);
        }
        count += usize::from(found != wanted);
    }
    assert!(count > 20, "{count} depthwise cases");
}
