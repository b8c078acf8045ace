//! One work on burn: burn-peer NETWORK BATCH RUNS DEVICE WEIGHTS FEED DUMP
//!
//! NETWORK is `base`, `whole` (with the dense layers, to probabilities) or `head` (training steps of the dense layers).
//! Prints JSON with load_ms, first_ms and median_ms, and writes what the network gives.

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::loss::CrossEntropyLossConfig;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::optim::{GradientsParams, SgdConfig, momentum::MomentumConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::{DType, Device, DeviceKind, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors, tensor::TensorView};

type Outputs = BTreeMap<String, TensorData>;

/// VGG16's convolutions by block, and dense layers with ReLUs between.
#[derive(Module, Debug)]
struct Network {
    blocks: Vec<Vec<Conv2d>>,
    pool: MaxPool2d,
    dense: Vec<Linear>,
}

impl Network {
    fn load(name: &str, file: &SafeTensors, device: &Device) -> Result<Self, Box<dyn Error>> {
        let mut number = 0;
        let mut blocks = Vec::new();
        for convolutions in [2, 2, 3, 3, 3].into_iter().filter(|_| name != "head") {
            let mut block = Vec::new();
            for _ in 0..convolutions {
                let weight = data(file, &format!("features.{number}.weight"))?;
                let config = Conv2dConfig::new([weight.shape[1], weight.shape[0]], [3, 3]);
                let mut conv = config.with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1)).init(device);
                conv.weight = Param::from_data(weight, device);
                conv.bias = Some(Param::from_data(data(file, &format!("features.{number}.bias"))?, device));
                block.push(conv);
                number += 2;
            }
            number += 1;
            blocks.push(block);
        }
        let mut dense = Vec::new();
        let layers: &[usize] = match name {
            "whole" => &[0, 3, 6],
            "head" => &[0, 3],
            _ => &[],
        };
        for number in layers {
            let weight = data(file, &format!("classifier.{number}.weight"))?;
            let mut linear = LinearConfig::new(weight.shape[1], weight.shape[0]).init(device);
            linear.weight = Param::from_data(transposed(weight)?, device);
            linear.bias = Some(Param::from_data(data(file, &format!("classifier.{number}.bias"))?, device));
            dense.push(linear);
        }
        Ok(Network { blocks, pool: MaxPool2dConfig::new([2, 2]).with_strides([2, 2]).init(), dense })
    }

    fn features(&self, mut x: Tensor<4>) -> Tensor<4> {
        for block in &self.blocks {
            for conv in block {
                x = relu(conv.forward(x));
            }
            x = self.pool.forward(x);
        }
        x
    }

    fn logits(&self, x: Tensor<4>) -> Tensor<2> {
        let mut x: Tensor<2> = self.features(x).flatten(1, 3);
        for (i, dense) in self.dense.iter().enumerate() {
            x = dense.forward(x);
            if i + 1 < self.dense.len() {
                x = relu(x);
            }
        }
        x
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, batch, runs, device, weights, feed, dump] = arguments.as_slice() else {
        return Err("usage: burn-peer NETWORK BATCH RUNS DEVICE WEIGHTS FEED DUMP".into());
    };
    let (batch, runs): (usize, usize) = (batch.parse()?, runs.parse()?);
    let start = Instant::now();
    let device = match device.as_str() {
        "cpu" => Device::flex(),
        name if name.contains("llvmpipe") => Device::vulkan(DeviceKind::Cpu),
        _ => Device::vulkan(DeviceKind::DefaultDevice),
    };
    let device = if name == "head" { device.autodiff() } else { device };
    let weights = std::fs::read(weights)?;
    let network = Network::load(name, &SafeTensors::deserialize(&weights)?, &device)?;
    let feed = std::fs::read(feed)?;
    let input = Tensor::<4>::from_data(data(&SafeTensors::deserialize(&feed)?, "input")?, &device);
    let mut run = runner(name, batch, network, input, &device);
    let load_ms = milliseconds(start);

    let (mut times, mut outputs) = (Vec::new(), Outputs::new());
    for _ in 0..2 + runs {
        let start = Instant::now();
        let results = run();
        device.sync().map_err(|error| format!("{error:?}"))?;
        times.push(milliseconds(start));
        outputs = results();
    }
    let first_ms = times[0];
    let times = &mut times[2..];
    times.sort_by(f64::total_cmp);
    let median_ms = (times[times.len() / 2] + times[(times.len() - 1) / 2]) / 2.0;
    write(&outputs, dump)?;
    println!("{}", serde_json::json!({ "load_ms": load_ms, "first_ms": first_ms, "median_ms": median_ms }));
    Ok(())
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

/// One run of a work; it gives what reads the results back.
type Run = Box<dyn FnMut() -> Box<dyn FnOnce() -> Outputs>>;

fn runner(name: &str, batch: usize, mut network: Network, input: Tensor<4>, device: &Device) -> Run {
    let read = |output: TensorData| Outputs::from([("output".to_owned(), output)]);
    match name {
        "base" => Box::new(move || {
            let output = network.features(input.clone()).into_data();
            Box::new(move || read(output))
        }),
        "whole" => Box::new(move || {
            let output = softmax(network.logits(input.clone()), 1).into_data();
            Box::new(move || read(output))
        }),
        _ => {
            let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
            let mut optimizer = SgdConfig::new().with_momentum(Some(momentum)).init();
            let classes: Vec<i64> = (0..batch as i64).map(|i| i % 7).collect();
            let target = Tensor::<1, Int>::from_data(TensorData::new(classes, [batch]), device);
            let loss = CrossEntropyLossConfig::new().init(device);
            Box::new(move || {
                let logits = network.logits(input.clone());
                let loss = loss.forward(logits.clone(), target.clone());
                let all = loss.backward();
                let layers = network.dense.iter().zip([0, 3]);
                let gradients: Vec<_> = layers
                    .map(|(dense, number)| {
                        let bias = dense.bias.as_ref().and_then(|bias| bias.val().grad(&all));
                        (number, dense.weight.val().grad(&all), bias)
                    })
                    .collect();
                let step = GradientsParams::from_grads(all, &network);
                network = optimizer.step(0.0, network.clone(), step);
                let (loss, logits) = (loss.into_data(), logits.into_data());
                Box::new(move || {
                    let mut outputs = Outputs::from([("loss".to_owned(), loss), ("logits".to_owned(), logits)]);
                    for (number, weight, bias) in gradients {
                        let weight = weight.expect("it is trained").transpose().into_data();
                        outputs.insert(format!("gradient.classifier.{number}.weight"), weight);
                        let bias = bias.expect("it is trained").into_data();
                        outputs.insert(format!("gradient.classifier.{number}.bias"), bias);
                    }
                    outputs
                })
            })
        }
    }
}

/// A tensor of a file as f32.
fn data(file: &SafeTensors, name: &str) -> Result<TensorData, Box<dyn Error>> {
    let tensor = file.tensor(name)?;
    let dtype = if tensor.dtype() == Dtype::F16 { DType::F16 } else { DType::F32 };
    Ok(TensorData::from_bytes_vec(tensor.data().to_vec(), tensor.shape().to_vec(), dtype).convert::<f32>())
}

/// burn's dense layers are `[in, out]`.
fn transposed(data: TensorData) -> Result<TensorData, Box<dyn Error>> {
    let (rows, columns) = (data.shape[0], data.shape[1]);
    let values = data.into_vec::<f32>().map_err(|error| format!("{error:?}"))?;
    let value = |i: usize| values[i % rows * columns + i / rows];
    Ok(TensorData::new((0..rows * columns).map(value).collect(), [columns, rows]))
}

fn write(outputs: &Outputs, path: &str) -> Result<(), Box<dyn Error>> {
    let mut values = Vec::new();
    for (name, data) in outputs {
        let floats = data.to_vec::<f32>().map_err(|error| format!("{error:?}"))?;
        let bytes: Vec<u8> = floats.iter().flat_map(|value| value.to_le_bytes()).collect();
        values.push((name, data.shape.to_vec(), bytes));
    }
    let views =
        values.iter().map(|(name, shape, bytes)| Ok((*name, TensorView::new(Dtype::F32, shape.clone(), bytes)?)));
    let views: Vec<_> = views.collect::<Result<_, safetensors::SafeTensorError>>()?;
    Ok(safetensors::serialize_to_file(views, None, path.as_ref())?)
}
