//! One case on both backends, and how far apart they may be.

use half::f16;
use vultus::gpu::{Gpu, candidates};
use vultus::nn::Network;
use vultus::ops::augment::AugmentCase;
use vultus::ops::resize::{PixelSource, ResizeCase};
use vultus::ops::{
    self, Activation, ActivationBackward, Case, Conv2d, Dense, Filter, MaxPool2d, Op, RunState, Unary, UnaryBackward,
    Variation,
};
use vultus::{Device, Options, Parameters, Picture, Precision, Random, Result, Tensor, wgpu};

use super::{Comparison, checked, largest, run_op};

/// The distance between 1 and the next f32.
const EPSILON: f32 = f32::EPSILON;

/// The cases of one operation in all of its directions.
pub struct Twins {
    pub cases: fn() -> Vec<Case>,
    pub random_case: fn(&mut Random) -> Case,
}

impl Twins {
    /// By the name of the operation's module.
    pub fn of(op: &str) -> Self {
        let (_, twins) = Twins::all().into_iter().find(|(name, _)| *name == op).expect("there is such an operation");
        twins
    }

    /// All of them, with the names of the operations' modules.
    pub fn all() -> Vec<(&'static str, Self)> {
        macro_rules! by_name {
            ($($op:ident),+) => {
                vec![$((stringify!($op), Twins { cases: ops::$op::cases, random_case: ops::$op::random_case })),+]
            };
        }
        by_name!(
            accumulate,
            activation,
            adam,
            adaptive_avg_pool2d,
            add,
            avg_pool2d,
            batch_norm2d,
            binary_cross_entropy,
            concat,
            conv2d,
            cross_entropy,
            dense,
            dropout,
            ema,
            layer_norm,
            masked_fill,
            matmul,
            max_pool2d,
            mse_loss,
            mul,
            mul_reduce,
            pad,
            prelu,
            reduce_mean,
            reduce_sum,
            relative_position_bias,
            sgd,
            slice,
            softmax,
            stochastic_depth,
            transpose,
            unary,
            upsample
        )
    }
}

/// Runs a case on the CPU, and on the GPU with every kernel that suits it; the kernels that were used.
pub fn check(gpu: &Gpu, case: &Case, seed: u64, comparison: &mut Comparison) -> Vec<String> {
    check_with(gpu, case, seed, |_| true, comparison)
}

/// The same with those kernels only whose names, as failures give them, are wanted.
pub fn check_with(
    gpu: &Gpu,
    case: &Case,
    seed: u64,
    is_wanted: impl Fn(&str) -> bool,
    comparison: &mut Comparison,
) -> Vec<String> {
    // A step far from the first, its last micro-batch, and a rate at which updates are not lost beside the parameters.
    let state = RunState { step: 3, learning_rate: 0.5, seed, micro_batch: 2, micro_batches: 3 };
    let inputs = case.inputs(seed);
    // Minimal filtering rounds differently; the matrix product is what the tolerances are made for.
    let exact = Options { kernel: Some("conv2d/direct".to_owned()), ..checked() };
    let wanted = match run_op(&Device::Cpu, &case.op, &inputs, &state, &exact) {
        Ok(wanted) => wanted,
        Err(error) => {
            comparison.fail(case.name(), format!("CPU: {error}"));
            return Vec::new();
        }
    };
    let mut used = Vec::new();
    for kernel in choices(&case.op) {
        let label = kernel.unwrap_or("the default");
        if !is_wanted(label) {
            continue;
        }
        let name = format!("{} with {label}", case.name());
        let options = Options { kernel: kernel.map(str::to_owned), ..checked() };
        let plan = Device::Gpu(gpu.clone()).compile_op(&case.op, &case.shapes(), &options);
        let run = plan.and_then(|mut plan| {
            let found = plan.run_in(&inputs, &state)?;
            Ok((found, plan.profile()?))
        });
        match run {
            Err(error) => comparison.fail(name, error),
            Ok((found, times)) => {
                used.extend(times.iter().flat_map(|time| time.kernel.split(" + ").map(str::to_owned)));
                for (index, (found, wanted)) in found.iter().zip(&wanted).enumerate() {
                    let allowed = growth(kernel) * allowed(case, index, wanted);
                    comparison.check_within(format!("{name}, output {index}"), found, wanted, allowed);
                }
            }
        }
    }
    used.extend(check_f16_weights(gpu, case, [&inputs, &wanted], &is_wanted, comparison));
    used.extend(check_matrix_units(gpu, case, [&inputs, &wanted], &is_wanted, comparison));
    used
}

/// What matrix units compute in f16 and in two parts of f16, with every kernel that they take the place of.
fn check_matrix_units(
    gpu: &Gpu,
    case: &Case,
    [inputs, wanted]: [&[Tensor]; 2],
    is_wanted: impl Fn(&str) -> bool,
    comparison: &mut Comparison,
) -> Vec<String> {
    let mut used = Vec::new();
    // Shaders that stand in for the units are slow.
    if case.op.flops(&case.shapes(), &[wanted[0].shape().to_vec()]) > 1 << 24 {
        return used;
    }
    let replaced = |name: &&str| MATRIX_UNITS_REPLACE.contains(name);
    for kernel in candidates(&case.op).into_iter().filter(replaced).filter(|_| gpu.has_matrix_units()) {
        for precision in [Precision::F16, Precision::Split] {
            let label = format!("{kernel} by matrix units in {precision}");
            if !is_wanted(&label) {
                continue;
            }
            let name = format!("{} with {label}", case.name());
            let options = Options { kernel: Some(kernel.to_owned()), precision, ..checked() };
            let plan = Device::Gpu(gpu.clone()).compile_op(&case.op, &case.shapes(), &options);
            let run = plan.and_then(|mut plan| {
                let found = plan.run_all(inputs)?;
                Ok((found, plan.profile()?))
            });
            let (found, times) = match run {
                Ok(run) => run,
                Err(error) => {
                    comparison.fail(name, error);
                    continue;
                }
            };
            let kernels: Vec<String> = times.iter().flat_map(|t| t.kernel.split(" + ").map(str::to_owned)).collect();
            // A kernel that does not suit the sizes gives way to one that does.
            let suits = kernels.iter().any(|kernel| kernel.contains("_matrix_"));
            let exact = allowed(case, 0, &wanted[0]);
            // Rounding both factors changes a product by an epsilon of it at most; the errors of many average out, but a
            // bias may hide how large few were, and the steepest activation has a slope of 1.13. Two parts leave 2⁻¹⁰ of
            // that.
            let rounding = 2.0 * F16_EPSILON * largest(&wanted[0]).max(1.0);
            let more = match (suits, precision) {
                (false, _) => 0.0,
                (_, Precision::Split) => rounding / 1024.0,
                _ => rounding,
            };
            comparison.check_within(&name, &found[0], &wanted[0], growth(Some(kernel)) * (exact + more));
            used.extend(kernels);
        }
    }
    used
}

/// The kernels and algorithms whose products are made by matrix units where a precision asks for these.
const MATRIX_UNITS_REPLACE: [&str; 5] =
    ["conv2d/winograd2", "conv2d/winograd4", "conv2d/gemm_64", "conv2d/gemm_weight_64", "dense/matmul_64"];

/// The distance between 1 and the next f16.
const F16_EPSILON: f32 = 1.0 / 1024.0;

/// A dense layer or a convolution once more, with weights that are parameters and may be stored in f16.
fn check_f16_weights(
    gpu: &Gpu,
    case: &Case,
    [inputs, wanted]: [&[Tensor]; 2],
    is_wanted: impl Fn(&str) -> bool,
    comparison: &mut Comparison,
) -> Vec<String> {
    let mut used = Vec::new();
    let algorithms = candidates(&case.op).into_iter().filter(|name| name.contains("winograd"));
    let forms: Vec<Option<&str>> = match &case.op {
        Op::Dense(_) => vec![None],
        // A network of one layer has no residual.
        Op::Conv2d(_) if inputs.len() == 3 => algorithms.map(Some).collect(),
        _ => Vec::new(),
    };
    for kernel in forms {
        let options = Options { kernel: kernel.map(str::to_owned), precision: Precision::F16Weights, ..checked() };
        let label = format!("{} in f16", kernel.unwrap_or("dense/rows_f16"));
        if !is_wanted(&label) {
            continue;
        }
        let name = format!("{} with {label}", case.name());
        match run_layer(&Device::Gpu(gpu.clone()), &case.op, inputs, &options) {
            Err(error) => comparison.fail(name, error),
            Ok((found, kernels)) => {
                let in_f16 = kernels.contains("_f16");
                let (wanted, allowed) = match (&case.op, in_f16) {
                    // What remains is f32's own rounding.
                    (Op::Dense(_), true) => {
                        let rounded = [inputs[0].clone(), rounded_to_f16(&inputs[1]), inputs[2].clone()];
                        let wanted = run_op(&Device::Cpu, &case.op, &rounded, &RunState::default(), &checked());
                        let wanted = wanted.expect("it has run before").swap_remove(0);
                        let allowed = allowed(case, 0, &wanted);
                        (wanted, allowed)
                    }
                    // Rounding a transformed weight leaves an error with a standard deviation of at most 0.29 epsilons,
                    // 0.2 on average. These grow as the errors of the arithmetic do, but no sum adds to them.
                    (_, true) => {
                        // Activations are at most 1.13 times as steep.
                        let error = 1.13 * 0.25 * F16_EPSILON * largest(&wanted[0]).max(1.0);
                        (wanted[0].clone(), growth(kernel) * error)
                    }
                    (_, false) => (wanted[0].clone(), growth(kernel) * allowed(case, 0, &wanted[0])),
                };
                let fits = rows(inputs[0].shape()) <= 8 && inputs[1].shape()[1].is_multiple_of(8);
                if kernel.is_none() && in_f16 != fits {
                    comparison.fail(&name, format!("done by {kernels}"));
                }
                comparison.check_within(&name, &found, &wanted, allowed);
                used.extend(kernels.split(" + ").map(str::to_owned));
                if in_f16 {
                    // Its weights were packed before the run that was profiled.
                    let packed = kernel.map_or("dense/pack", |name| name.trim_end_matches("_blocked"));
                    used.push(format!("{packed}{}_f16", if kernel.is_some() { "_weight" } else { "" }));
                }
            }
        }
    }
    used
}

/// The layer as a network of its own: its output and the kernels that made it.
fn run_layer(device: &Device, op: &Op, inputs: &[Tensor], options: &Options) -> vultus::Result<(Tensor, String)> {
    let network = Network::new("layer", &inputs[0].shape()[1..]);
    let (network, activation) = match op {
        Op::Conv2d(conv) => {
            let alone = Conv2d { activation: None, ..*conv };
            (network.conv2d("layer", "layer", inputs[1].shape()[0], alone), conv.activation)
        }
        Op::Dense(dense) => (network.dense("layer", "layer", inputs[1].shape()[0]), dense.activation),
        other => panic!("{} has no weights", other.name()),
    };
    let network = match activation {
        Some(activation) => network.activation(activation),
        None => network,
    };
    let named = [("layer.weight", &inputs[1]), ("layer.bias", &inputs[2])];
    let parameters = named.map(|(name, tensor)| (name.to_owned(), tensor.clone()));
    let mut plan = device.load(&network, &Parameters::from(parameters))?.compile(inputs[0].shape()[0], options)?;
    let found = plan.run(&inputs[0])?.swap_remove(0);
    let kernels: Vec<String> = plan.profile()?.into_iter().map(|layer| layer.kernel).collect();
    Ok((found, kernels.join(" + ")))
}

/// The values that f16 has for these, to the nearest, ties to even.
fn rounded_to_f16(tensor: &Tensor) -> Tensor {
    Tensor::from_fn(tensor.shape(), |i| f16::from_f32(tensor.data()[i]).to_f32())
}

/// How much more rounding errors may grow than in a plain sum. Winograd's transforms add and subtract what is larger
/// than the result: the sums of magnitudes along the rows of Aᵀ, G and Bᵀ multiply to 2 × 1.5 × 2 in each direction for
/// tiles of 2×2, and to some 6 × 1.2 × 5 for 4×4; the random signs of the errors leave about a root of that.
fn growth(kernel: Option<&str>) -> f32 {
    match kernel {
        Some(name) if name.starts_with("conv2d/winograd4") => 36.0,
        Some(name) if name.starts_with("conv2d/winograd2") => 6.0,
        _ => 1.0,
    }
}

/// The kernels that do this operation; `None` (the default) where there is no choice.
fn choices(op: &Op) -> Vec<Option<&'static str>> {
    let names: Vec<_> = candidates(op).into_iter().map(Some).collect();
    if names.is_empty() { vec![None] } else { names }
}

/// How far an output may be from the CPU's, in units of the output.
fn allowed(case: &Case, output: usize, wanted: &Tensor) -> f32 {
    let shapes = case.shapes();
    let size = |shape: &[usize]| shape.iter().product::<usize>();
    let largest = largest(wanted);
    match &case.op {
        // One sum, or a choice.
        Op::Add
        | Op::MaxPool2d(_)
        | Op::Concat(_)
        | Op::Slice(_)
        | Op::Pad(_)
        | Op::Transpose(_)
        | Op::MaskedFill(_) => 0.0,
        Op::Activation(function) | Op::ActivationBackward(ActivationBackward(function)) if is_piecewise(*function) => {
            0.0
        }
        // WGSL allows exp(x) an error of 3 + 2|x| units in the last place and a quotient 2.5: what a sigmoid, Φ or tanh
        // makes of it is off by some units of 1, whatever x is.
        Op::Activation(_) => 4.0 * EPSILON * (1.0 + largest),
        // A derivative is such a number times x, of up to 12 in the cases; dy is about 1.
        Op::ActivationBackward(_) => 4.0 * EPSILON * (1.0 + 12.0) * largest.max(1.0),
        Op::Unary(function) | Op::UnaryBackward(UnaryBackward(function)) => unary(*function, largest),
        // One product, rounded once; devices may flush the smallest numbers to 0.
        Op::Prelu | Op::Dropout(_) | Op::StochasticDepth(_) | Op::Mul => EPSILON * largest,
        Op::ReduceSum(_) | Op::MulReduce(_) => {
            let terms = (case.op.flops(&shapes, &[wanted.shape().to_vec()]) as usize).div_ceil(size(wanted.shape()));
            sum(terms, (terms as f32).sqrt(), largest)
        }
        Op::ReduceMean(_) => {
            let terms = size(shapes[0]) / size(wanted.shape());
            sum(terms, 1.0 / (terms as f32).sqrt(), largest)
        }
        // A product with a rounded quotient.
        Op::ReduceMeanBackward(_) => 2.0 * EPSILON * largest,
        Op::AvgPool2d(pool) => sum(size(&pool.kernel), 1.0 / (size(&pool.kernel) as f32).sqrt(), largest),
        // Where windows overlap, an element is in as many as a window has elements, at most.
        Op::AvgPool2dBackward(op) => sum(size(&op.pool.kernel), 1.0, largest),
        // Four products, or in the backward pass one for each output between two neighbours, of weights up to 1.
        Op::Upsample(_) | Op::UpsampleBackward(_) => {
            let terms = 4 * shapes[0][2].div_ceil(wanted.shape()[2]) * shapes[0][3].div_ceil(wanted.shape()[3]);
            sum(terms, (terms as f32).sqrt(), largest)
        }
        Op::Conv2d(Conv2d { activation, .. }) | Op::Dense(Dense { activation }) => {
            let exact = sum(size(&shapes[1][1..]), 1.0, largest);
            match activation.filter(|function| !is_piecewise(*function)) {
                // The steepest of these functions has a slope of 1.13; then what its own arithmetic adds, as above.
                Some(_) => 1.13 * exact + 4.0 * EPSILON * (1.0 + largest),
                None => exact,
            }
        }
        Op::Conv2dBackwardInput(_) | Op::DenseBackwardInput => {
            let groups = if let Op::Conv2dBackwardInput(backward) = &case.op { backward.conv.groups } else { 1 };
            let (weight, filters) = (shapes[1], shapes[1][0] / groups);
            let terms = filters * size(&weight[1..]) / size(&weight[1..2]).max(1);
            let exact = sum(terms.max(filters), (2.0 * filters as f32 / size(&weight[1..]) as f32).sqrt(), largest);
            match &case.op {
                // As forward: other functions have slopes up to 1.13 and an arithmetic of their own.
                Op::Conv2dBackwardInput(op) if op.activation.is_some_and(|function| !is_piecewise(function)) => {
                    1.13 * exact + 8.0 * EPSILON * (1.0 + largest)
                }
                _ => exact,
            }
        }
        Op::Conv2dBackwardWeight(_) => per_batch(shapes[1], largest),
        Op::DenseBackwardWeight => per_batch(&[rows(shapes[1]), 1], largest),
        Op::PreluBackward if output == 0 => EPSILON * largest,
        Op::PreluBackward => per_batch(shapes[0], largest),
        Op::MaxPool2dBackward(backward) => sum(size(&backward.pool.kernel), 1.0, largest),
        Op::AdaptiveAvgPool2d(_) | Op::AdaptiveAvgPool2dBackward(_) => {
            let (from, to) = (size(&shapes[0][2..]), size(&wanted.shape()[2..]));
            sum(from.div_ceil(to) + 4, (to as f32 / from as f32).min(1.0).sqrt(), largest)
        }
        // WGSL allows exp(x) an error of 3 + 2|x| units in the last place: |x|·exp(x) is at most 0.4 below 0.
        Op::Softmax(softmax) => (16.0 + (shapes[0][softmax.dim] as f32).sqrt()) * EPSILON,
        Op::SoftmaxBackward(softmax) => sum(shapes[0][softmax.0.dim], 1.0, largest),
        // As softmax, then a logarithm; divided by the sum of the weights, about one per row.
        Op::CrossEntropy(_) if output == 0 => 64.0 * EPSILON * largest.max(1.0),
        Op::CrossEntropy(_) => (32.0 + (shapes[0][1] as f32).sqrt()) * EPSILON * largest.max(1.0 / shapes[0][0] as f32),
        // The mean of squares, none of which cancels another.
        Op::MseLoss if output == 0 => sum(size(shapes[0]), largest, largest),
        Op::MseLoss => 4.0 * EPSILON * largest,
        // As cross-entropy; logits of up to 200 lose some digits where the target nearly takes them away.
        Op::BinaryCrossEntropy if output == 0 => 128.0 * EPSILON * largest.max(1.0),
        Op::BinaryCrossEntropy => 16.0 * EPSILON * largest.max(1.0 / size(shapes[0]) as f32),
        Op::Sgd(_) => 8.0 * EPSILON * largest,
        // A quotient, and a mean of standard normal values that may cancel.
        Op::Ema(_) | Op::Accumulate => 8.0 * EPSILON * largest.max(1.0),
        // A root and two quotients, each exact to a few units in the last place.
        Op::Adam(_) => 32.0 * EPSILON * largest,
        // A difference, a root, a quotient and a sum; what is subtracted may be as large as x.
        Op::BatchNorm2d(_) | Op::LayerNorm(_) => 16.0 * EPSILON * largest.max(4.0),
        // The CPU adds in f64; the GPU in parts, of values of up to 3.
        Op::BatchNorm2dStatistics => sum(size(shapes[0]) / size(wanted.shape()), 3.0, largest),
        Op::BatchNorm2dRunning(_) => 8.0 * EPSILON * largest,
        Op::BatchNorm2dFold(_) => 8.0 * EPSILON * largest.max(1.0),
        // Differences of dy and means of it, scaled by weight over deviation; or sums over all of a channel.
        Op::BatchNorm2dBackward(_) if output == 0 => 32.0 * EPSILON * largest.max(1.0),
        Op::BatchNorm2dBackward(_) => per_batch(shapes[0], 2.0 * largest),
        Op::LayerNormBackward(_) if output == 0 => {
            let features = shapes[1][0];
            sum(features + 64, 4.0, largest)
        }
        Op::LayerNormBackward(_) => per_batch(&[rows(shapes[0]), 1], 2.0 * largest),
        Op::MatMul(product) => {
            let inner = shapes[0][shapes[0].len() - if product.transpose_a { 2 } else { 1 }];
            sum(inner, (inner as f32).sqrt(), largest)
        }
        Op::RelativePositionBias(_) => 0.0,
        Op::RelativePositionBiasBackward(_) => {
            let terms = size(shapes[0]) / shapes[0][shapes[0].len() - 3];
            sum(terms, (terms as f32).sqrt(), largest)
        }
        other => panic!("no tolerance for {}", other.name()),
    }
}

/// Whether a function is made of pieces that are at most one product.
fn is_piecewise(function: Activation) -> bool {
    matches!(function, Activation::Relu | Activation::Clip { .. } | Activation::LeakyRelu { .. })
}

/// How far an elementary function, or its derivative times dy, may be.
fn unary(function: Unary, largest: f32) -> f32 {
    match function {
        Unary::Abs | Unary::Floor | Unary::Ceil | Unary::Round | Unary::Sign => 0.0,
        // The exponential of a rounded product: a half unit of an exponent of up to 10.
        Unary::Pow { .. } => 16.0 * EPSILON * largest.max(1.0),
        // A polynomial, and a root or a quotient or two, each exact to 2.5 units in the last place.
        _ => 8.0 * EPSILON * largest.max(1.0),
    }
}

/// How many rows of the last dimension a shape has.
fn rows(shape: &[usize]) -> usize {
    shape[..shape.len() - 1].iter().product()
}

/// Sums of this many products of standard deviation `scale/√terms`, added up in another order: rounding errors grow
/// with the root of their number; four standard deviations of each side.
fn sum(terms: usize, scale: f32, largest: f32) -> f32 {
    (8.0 + (terms as f32).sqrt()) * EPSILON * largest.max(scale)
}

/// Sums over batch and pixels of products of two standard normal values.
fn per_batch(shape: &[usize], largest: f32) -> f32 {
    let terms = shape[0] * shape[2..].iter().product::<usize>();
    sum(terms, (terms as f32).sqrt(), largest)
}

/// A network that gives back its input, so that the step before it shows.
pub fn identity(height: usize, width: usize) -> Network {
    Network::new("identity", [3, height, width]).max_pool2d("identity", MaxPool2d::new(1, 1))
}

/// What the GPU and the CPU give, where both give something; else the comparison fails.
fn on_both(
    gpu: &Gpu,
    name: &str,
    run: impl Fn(Device) -> vultus::Result<Vec<Tensor>>,
    comparison: &mut Comparison,
) -> Option<[Vec<Tensor>; 2]> {
    match [Device::Gpu(gpu.clone()), Device::Cpu].map(run) {
        [Ok(found), Ok(wanted)] => Some([found, wanted]),
        outcomes => {
            let errors = outcomes.map(|outcome| outcome.err().map(|error| error.to_string()).unwrap_or_default());
            comparison.fail(name, errors.join(" "));
            None
        }
    }
}

/// Varies the same pictures in the same way on both backends.
pub fn check_augment(gpu: &Gpu, case: &AugmentCase, seed: u64, comparison: &mut Comparison) {
    let [height, width] = case.size;
    let pictures = case.pictures(seed);
    let pictures: Vec<&[u8]> = pictures.iter().map(Vec::as_slice).collect();
    let run = |device: Device| {
        let model = device.load(&identity(height, width), &Parameters::new())?;
        // One image is left as it was.
        let mut plan = model.compile(pictures.len() + 1, &checked())?;
        plan.set_input(0, &Tensor::filled([pictures.len() + 1, 3, height, width], 7.0))?;
        plan.set_varied(&pictures, &case.variations, &case.normalization)?;
        plan.execute()?;
        plan.outputs()
    };
    let name = format!("{seed}: {case:?}");
    let Some([found, wanted]) = on_both(gpu, &name, run, comparison) else { return };
    let largest = case.normalization.std.iter().fold(f32::INFINITY, |least, &deviation| least.min(deviation)).recip();
    comparison.check_within(name, &found[0], &wanted[0], largest * augmented(case));
}

/// How far pixel values may be apart. Draws are the same, and nothing is rounded to whole values. A place is a sum of three
/// terms, of which a device may round fewer by fused multiply-adds: three half units of the largest on either side. A
/// pixel's place is worth up to 255 on each axis. What light makes of that is rounded three times at up to 600, and
/// normalising takes a few more units.
fn augmented(case: &AugmentCase) -> f32 {
    let within = |row: &[f32; 3]| {
        let [height, width] = case.size.map(|side| side as f32);
        row[0].abs() * width + row[1].abs() * height + row[2].abs()
    };
    let of = |variation: &Variation| {
        let place = within(&variation.x) + within(&variation.y);
        let is_still = (variation.x, variation.y) == (Variation::none().x, Variation::none().y);
        let moved = if is_still { 0.0 } else { 3.0 * 255.0 * place + 8.0 * 255.0 };
        EPSILON * (variation.gain.abs().max(1.0) * moved + 3.0 * 600.0 + 8.0 * 255.0)
    };
    case.variations.iter().map(of).fold(0.0, f32::max)
}

/// Cuts the same crops out of the same picture on both backends.
pub fn check_resize(gpu: &Gpu, case: &ResizeCase, seed: u64, comparison: &mut Comparison) {
    let [width, height] = case.picture;
    let pixels = Pixels::random(case.source, 3 * (width * height) as usize, &mut Random::new(seed));
    let run = |device: Device| {
        let model = device.load(&identity(case.size[0], case.size[1]), &Parameters::new())?;
        let mut plan = model.compile(case.crops.len(), &checked())?;
        let picture = match &device {
            Device::Gpu(gpu) => pixels.picture(gpu, case.source, case.picture)?,
            _ => pixels.upload(&device, case.picture)?,
        };
        let picture = if case.linear { picture.linear()? } else { picture };
        plan.set_picture(&picture, &case.crops, case.filter, &case.normalization)?;
        plan.execute()?;
        plan.outputs()
    };
    let name = format!("{seed}: {case:?}");
    let Some([found, wanted]) = on_both(gpu, &name, run, comparison) else { return };
    // Bytes are summed exactly. A quotient may be 2.5 units in the last place off; with the bilinear filter one is a
    // position of up to 60 pixels, and a pixel's place is worth up to 255 on each axis.
    let position = if case.filter == Filter::Bilinear { 2.0 * 60.0 * 3.0 } else { 0.0 };
    // Other numbers go up to 1.5, and sums of up to 60 × 60 of them are rounded. Encoding takes a power by a logarithm,
    // which WGSL allows to be 2⁻²¹ off.
    let is_exact = matches!(pixels, Pixels::Bytes(_)) && !case.linear;
    let (largest, rounding) = if is_exact { (255.0, 0.0) } else { (1.5 * 255.0, 60.0 + 16.0) };
    let deviation = case.normalization.std.iter().copied().fold(f32::INFINITY, f32::min);
    let allowed = largest * (8.0 + position + rounding) * EPSILON / deviation;
    comparison.check_within(name, &found[0], &wanted[0], allowed);
}

/// The RGB pixels of a picture.
enum Pixels {
    Bytes(Vec<u8>),
    Floats(Vec<f32>),
}

impl Pixels {
    /// So many numbers, also below 0 and above 1 where they are no bytes.
    fn random(source: PixelSource, count: usize, random: &mut Random) -> Self {
        let mut float = || 2.0 * random.uniform() - 0.5;
        match source {
            PixelSource::Bytes | PixelSource::Rgba8 | PixelSource::Bgra8 => {
                Pixels::Bytes((0..count).map(|_| random.bits() as u8).collect())
            }
            PixelSource::Floats | PixelSource::Rgba32Float => Pixels::Floats((0..count).map(|_| float()).collect()),
            PixelSource::Rgba16Float => Pixels::Floats((0..count).map(|_| f16::from_f32(float()).to_f32()).collect()),
        }
    }

    fn upload(&self, device: &Device, [width, height]: [u32; 2]) -> Result<Picture> {
        match self {
            Pixels::Bytes(rgb) => device.upload(rgb, width, height),
            Pixels::Floats(rgb) => device.upload_f32(rgb, width, height),
        }
    }

    /// On a GPU by this way: in a texture, say, as an application's camera would give it.
    fn picture(&self, gpu: &Gpu, source: PixelSource, size: [u32; 2]) -> Result<Picture> {
        use wgpu::TextureFormat::{Bgra8Unorm, Rgba8Unorm, Rgba16Float, Rgba32Float};
        let format = match source {
            PixelSource::Bytes | PixelSource::Floats => return self.upload(&Device::Gpu(gpu.clone()), size),
            PixelSource::Rgba8 => Rgba8Unorm,
            PixelSource::Bgra8 => Bgra8Unorm,
            PixelSource::Rgba16Float => Rgba16Float,
            PixelSource::Rgba32Float => Rgba32Float,
        };
        let bytes: Vec<u8> = match (self, format) {
            (Pixels::Bytes(rgb), Rgba8Unorm) => rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 7]).collect(),
            (Pixels::Bytes(rgb), _) => rgb.chunks(3).flat_map(|p| [p[2], p[1], p[0], 7]).collect(),
            (Pixels::Floats(rgb), Rgba16Float) => {
                let rgba = rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 7.0]);
                rgba.flat_map(|value| f16::from_f32(value).to_le_bytes()).collect()
            }
            (Pixels::Floats(rgb), _) => {
                rgb.chunks(3).flat_map(|p| [p[0], p[1], p[2], 7.0]).flat_map(f32::to_le_bytes).collect()
            }
        };
        let texture = super::texture(gpu.device(), size, |texture| texture.format = format);
        let row = bytes.len() as u32 / size[1];
        let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
        gpu.queue().write_texture(texture.as_image_copy(), &bytes, layout, texture.size());
        Picture::from_texture(gpu, &texture)
    }
}
