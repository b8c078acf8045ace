//! Networks that together have every kind of layer, with what they compute.

use std::path::Path;

use vultus::face::assemble;
use vultus::nn::{
    Network, attention, efficientnet_lite0, light, mobilenet_v1, mobilenet_v2, mtcnn, resnet, vgg16, yunet,
};
use vultus::onnx::{Export, Precision};
use vultus::ops::{
    Activation, AvgPool2d, BatchNorm2d, Conv2d, Crop, Filter, Interpolation, MatMul, MaxPool2d, Normalization, Unary,
    Upsample,
};
use vultus::weights::{DefaultFile, Store};
use vultus::{Device, Options, Parameters, Random, Tensor};

/// A network to write, and an input for it.
pub struct Case {
    pub name: String,
    pub network: Network,
    pub parameters: Parameters,
    pub export: Export,
    pub input: Tensor,
}

/// The size of the batches.
const BATCH: usize = 3;

/// All of them.
pub fn cases() -> Vec<Case> {
    let network = |shape: &[usize]| Network::new("small", shape);
    let pool = |kernel, stride, padding, ceil_mode| MaxPool2d {
        padding: [padding; 2],
        ceil_mode,
        ..MaxPool2d::new(kernel, stride)
    };
    let conv = Conv2d { kernel: [3, 2], stride: [2, 1], ..Conv2d::square(1, 1, 0).padded(1, 0, 1, 0) };
    let mut cases = vec![
        plain("conv2d", network(&[3, 9, 7]).conv2d("conv", "a", 5, conv)),
        plain("relu", network(&[3, 4, 5]).conv2d("conv", "a", 4, Conv2d::square(1, 1, 0)).relu()),
        plain("prelu", network(&[3, 4, 5]).prelu("prelu", "a").flatten().dense("fc", "b", 6).prelu("rows", "c")),
        plain("relu6", network(&[3, 4, 5]).activation(Activation::RELU6)),
        plain("clip", network(&[3, 4, 5]).activation(Activation::Clip { min: -0.5, max: 1.5 })),
        plain("leaky_relu", network(&[3, 4, 5]).activation(Activation::LeakyRelu { negative_slope: 0.1 })),
        plain("hardswish", network(&[3, 4, 5]).activation(Activation::Hardswish)),
        plain("silu", network(&[3, 4, 5]).activation(Activation::Silu)),
        plain("gelu", network(&[3, 4, 5]).activation(Activation::Gelu)),
        plain("gelu_tanh", network(&[3, 4, 5]).activation(Activation::GeluTanh)),
        plain(
            "sigmoid",
            network(&[3, 4, 5]).conv2d("conv", "a", 4, Conv2d::square(1, 1, 0)).activation(Activation::Sigmoid),
        ),
        plain(
            "batch_norm2d",
            network(&[3, 4, 5]).conv2d_without_bias("conv", "a", 4, Conv2d::square(3, 2, 1)).batch_norm2d(
                "norm",
                "b",
                BatchNorm2d { eps: 1e-3, ..BatchNorm2d::default() },
            ),
        ),
        plain("gate", gate(network(&[4, 5, 3]))),
        plain("dense_of_rows", network(&[5, 3]).dense("fc", "a", 4).relu().dense_without_bias("last", "b", 6)),
        plain("transformer", attention::vit_head(network(&[9, 8]), 8, 2, 2, 2, 3).unwrap()),
        plain("cross_attention", cross_attention(network(&[8, 4, 6]))),
        plain("residual", residual(network(&[3, 6, 5]))),
        plain("shuffled", shuffled(network(&[4, 6, 6]))),
        plain("masked_fill", masked(network(&[3, 4, 5]))),
        plain("softmax", network(&[3, 4, 5]).softmax()),
        plain("softmax_rows", network(&[5]).dense("fc", "a", 4).softmax()),
        plain("flatten", network(&[2, 3, 4]).flatten().relu().dropout(0.5).dense("fc", "a", 3)),
        plain("dense_of_maps", network(&[2, 3, 4]).flatten().dense("fc", "a", 3)),
        plain("dropout_only", network(&[4]).dropout(0.5)),
        plain("same_output_twice", network(&[4]).dense("fc", "a", 2).output().dropout(0.5).output()),
    ];
    for (name, function) in [
        ("abs", Unary::Abs),
        ("sin", Unary::Sin),
        ("tanh", Unary::Tanh),
        ("erf", Unary::Erf),
        ("round", Unary::Round),
        ("elu", Unary::Elu { alpha: 1.5 }),
        ("softplus", Unary::Softplus),
        ("cubes", Unary::Pow { exponent: 3.0 }),
    ] {
        cases.push(plain(name, network(&[3, 4, 5]).unary("function", function)));
    }
    let positive = |name: &str, function| {
        plain(name, network(&[3, 4, 5]).activation(Activation::Sigmoid).unary("function", function))
    };
    cases.extend([
        positive("sqrt", Unary::Sqrt),
        positive("reciprocal", Unary::Reciprocal),
        positive("log", Unary::Log),
        positive("root_of_cubes", Unary::Pow { exponent: 1.5 }),
    ]);
    for (name, shape, pool) in [
        ("max_pool2d", [2, 8, 7], pool(2, 2, 0, false)),
        ("max_pool2d_ceil", [2, 8, 7], pool(3, 2, 0, true)),
        ("max_pool2d_padding", [2, 5, 4], pool(3, 1, 1, false)),
        ("max_pool2d_padding_ceil", [2, 8, 7], pool(2, 3, 1, true)),
        ("max_pool2d_gaps", [2, 13, 12], pool(2, 5, 0, false)),
        ("max_pool2d_gaps_ceil", [2, 13, 12], pool(2, 5, 0, true)),
        ("max_pool2d_one", [1, 1, 1], pool(3, 2, 0, true)),
        ("max_pool2d_lines", [2, 8, 7], MaxPool2d { kernel: [1, 3], stride: [1, 2], padding: [0, 1], ceil_mode: true }),
    ] {
        cases.push(plain(name, network(&shape).max_pool2d("pool", pool)));
    }
    for (name, shape, output) in [
        ("adaptive_avg_pool2d_whole", [3, 6, 5], [1, 1]),
        ("adaptive_avg_pool2d_even", [3, 14, 10], [7, 5]),
        ("adaptive_avg_pool2d_uneven", [3, 10, 13], [7, 5]),
        ("adaptive_avg_pool2d_enlarging", [3, 3, 2], [7, 7]),
    ] {
        cases.push(plain(name, network(&shape).adaptive_avg_pool2d("pool", output)));
    }
    cases.push(plain("pnet", mtcnn::pnet(21, 16).unwrap()));
    cases.push(plain("rnet", mtcnn::rnet().unwrap()));
    cases.push(plain("onet", mtcnn::onet().unwrap()));
    cases.push(detector());
    let widths: [&[usize]; 5] = [&[4, 4], &[6, 6], &[8, 8, 8], &[8, 8, 8], &[8, 8, 8]];
    let vgg = vgg16::whole_with_widths(96, &widths, &[16, 16], 7).unwrap();
    cases.push(with("vgg16_f16", vgg.clone(), None, Precision::F16));
    cases.push(with("vgg16_bgr", vgg.clone(), Some(Normalization::CAFFE), Precision::F32));
    cases.push(with("vgg16_rgb", vgg, Some(Normalization::TORCHVISION), Precision::F32));
    cases.push(unscaled("resnet18", resnet::resnet18(32, 0.2, 7).unwrap()));
    cases.push(plain("se_resnet18", resnet::se_resnet18(32, 0.2, 7).unwrap()));
    cases.push(plain("mobilenet_v1", mobilenet_v1::mobilenet_v1(32, 16, 0.2, 7).unwrap()));
    cases.push(plain("mobilenet_v2", mobilenet_v2::mobilenet_v2(32, 0.2, 7).unwrap()));
    cases.push(plain("efficientnet_lite0", efficientnet_lite0::efficientnet_lite0(33, 0.2, 0.2, 7).unwrap()));
    cases.push(plain("light", light::network(48, 0.5, 7)));
    cases.push(vgg16_model());
    cases
}

/// Feature maps of landmarks that ask those of an image, made from the same maps.
fn cross_attention(network: Network) -> Network {
    let one = Conv2d::square(1, 1, 0);
    let network = network.conv2d("landmark", "a", 8, one).branch_from("input").unwrap().conv2d("image", "b", 8, one);
    attention::cross_attention(network, ["landmark", "image"], [8, 4, 6], [2, 3], 2, 2).unwrap()
}

/// What is above 0 as ones, and something else in their places.
fn masked(network: Network) -> Network {
    let mask = network.unary("sign", Unary::Sign).relu().branch_from("input").unwrap();
    mask.masked_fill("filled", "sign.relu", -0.5).unwrap()
}

/// A gate for each channel.
fn gate(network: Network) -> Network {
    let (squeezed, wide) = (network.reduce_mean("mean", &[2, 3], true), Conv2d::square(1, 1, 0));
    squeezed.conv2d("gate", "a", 4, wide).activation(Activation::Sigmoid).mul("gated", "input").unwrap()
}

/// Operations that combine, move and resize values, one after the other.
fn shuffled(network: Network) -> Network {
    let pool = AvgPool2d { ceil_mode: true, count_include_pad: false, ..AvgPool2d::new(2, 2) };
    let larger = |interpolation| Upsample { size: [6, 9], interpolation };
    network
        .slice("slice", 1, 1..3)
        .pad("pad", &[[0, 0], [0, 0], [0, 1], [1, 0]], 0.5)
        .avg_pool2d("pool", pool)
        .upsample("nearest", larger(Interpolation::Nearest))
        .branch_from("pool")
        .unwrap()
        .upsample("bilinear", larger(Interpolation::Bilinear { align_corners: false }))
        .concat("both", &["nearest"], 1)
        .unwrap()
        .transpose("turned", &[0, 2, 3, 1])
        .reshape("rows", &[Some(18), None])
        .stochastic_depth(0.5)
        .softmax_over("shares", 2)
        .matmul("products", "rows", MatMul { transpose_a: true, alpha: 0.5, ..MatMul::default() })
        .unwrap()
}

/// A block around which its input goes, and a branch from within.
fn residual(network: Network) -> Network {
    let conv = Conv2d::square(3, 1, 1);
    let network =
        network.conv2d("stem", "a", 4, conv).relu().conv2d("conv", "b", 4, conv).add("sum", "stem.relu").unwrap();
    let network = network.relu().branch_from("sum").unwrap().conv2d("side", "c", 4, conv);
    network.add("join", "sum.relu").unwrap().flatten().dense("fc", "d", 3)
}

fn plain(name: &str, network: Network) -> Case {
    with(name, network, None, Precision::F32)
}

fn with(name: &str, network: Network, preprocessing: Option<Normalization>, precision: Precision) -> Case {
    let parameters = parameters(&network);
    let export = Export { preprocessing, precision, ..Export::default() };
    let input = input(&network, preprocessing.is_some());
    Case { name: name.to_owned(), network, parameters, export, input }
}

/// With batch normalisations that do not scale, so that nothing vanishes in the many layers.
fn unscaled(name: &str, network: Network) -> Case {
    let mut case = plain(name, network);
    let names: Vec<String> = case.parameters.keys().cloned().collect();
    for norm in names.iter().filter_map(|name| name.strip_suffix(".running_var")) {
        case.parameters.get_mut(&format!("{norm}.weight")).unwrap().data_mut().fill(1.0);
    }
    case
}

/// The detector that comes with the program.
fn detector() -> Case {
    let store = Store::open(Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("weights"))).unwrap();
    let parameters = store.load(DefaultFile::Yunet).unwrap().parameters;
    Case { parameters, ..plain("yunet", yunet::network(64, 96).unwrap()) }
}

/// The model `vgg16` that comes with the program, from pictures to probabilities.
fn vgg16_model() -> Case {
    let store = Store::open(Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("weights"))).unwrap();
    let (base, model) = (DefaultFile::Vgg16Base, DefaultFile::Vgg16Model);
    let (card, parameters) = assemble(Some(store.load(base).unwrap()), store.load(model).unwrap()).unwrap();
    let preprocessing = Some(card.preprocessing);
    let export = Export { preprocessing, metadata: card.to_metadata().unwrap(), ..Export::default() };
    let network = card.network().unwrap();
    let input = input(&network, true);
    Case { name: "vgg16_model".to_owned(), network, parameters, export, input }
}

/// Parameters that are the same to the last bit on every machine: eighths or less, by He's rule about as large as the
/// signal needs.
pub fn parameters(network: &Network) -> Parameters {
    let shapes = network.parameter_shapes().unwrap();
    let tensor = |seed: usize, name: &str, shape: Vec<usize>| {
        let inputs: usize = shape.iter().skip(1).product();
        let scale = 1.0 / f32::from(1u16 << (4 + inputs.ilog2() / 2));
        // No variance is negative.
        let shift = if name.ends_with("running_var") { 1.0 } else { -30.0 * scale };
        Tensor::from_fn(shape, |i| ((i * i * 7 + i * 37 + seed * 11) % 61) as f32 * scale + shift)
    };
    let named = shapes.into_iter().enumerate();
    named.map(|(seed, (name, shape))| (name.clone(), tensor(seed, &name, shape))).collect()
}

/// A batch of values, or of pictures `[N, H, W, 3]` with whole numbers from 0 to 255.
fn input(network: &Network, are_pictures: bool) -> Tensor {
    let (mut random, shape) = (Random::new(5), network.input());
    if are_pictures {
        return Tensor::from_fn([BATCH, shape[1], shape[2], 3], |_| random.below(256) as f32);
    }
    Tensor::from_fn([&[BATCH], shape].concat(), |_| random.normal())
}

/// The input, and what the network makes of it on the CPU: `output.0`, `output.1`, …
pub fn example(network: &Network, parameters: &Parameters, export: &Export, input: Tensor) -> Parameters {
    let rounded = |tensor: &Tensor| {
        Tensor::from_fn(tensor.shape(), |i| match export.precision {
            Precision::F32 => tensor.data()[i],
            Precision::F16 => half::f16::from_f32(tensor.data()[i]).to_f32(),
        })
    };
    let parameters = parameters.iter().map(|(name, tensor)| (name.clone(), rounded(tensor))).collect();
    let mut plan = Device::Cpu.load(network, &parameters).unwrap().compile(BATCH, &Options::default()).unwrap();
    let outputs = match &export.preprocessing {
        None => plan.run(&input).unwrap(),
        Some(normalization) => {
            // The pictures of the batch below each other are one.
            let [height, width] = [network.input()[1] as u32, network.input()[2] as u32];
            let bytes: Vec<u8> = input.data().iter().map(|&value| value as u8).collect();
            let sheet = Device::Cpu.upload(&bytes, width, height * BATCH as u32).unwrap();
            let crop = |n: u32| Crop { y: n * height, ..Crop::whole(width, height) };
            let crops: Vec<Crop> = (0..BATCH as u32).map(crop).collect();
            plan.set_picture(&sheet, &crops, Filter::Area, normalization).unwrap();
            plan.execute().unwrap();
            plan.outputs().unwrap()
        }
    };
    let outputs = outputs.into_iter().enumerate().map(|(number, output)| (format!("output.{number}"), output));
    outputs.chain([("input".to_owned(), input)]).collect()
}
