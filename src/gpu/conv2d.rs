//! 2-D convolution and its gradients: which kernels make them.

mod direct;
mod geometry;
mod product;

use std::sync::Arc;

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::conv2d_winograd::{self, Job, Winograd};
use super::kernel::Kernel;
use crate::error::Result;
use crate::ops::{Conv2d, Op};
use direct::{BIAS_GRADIENT, DIRECT, DIRECT_3X3, DIRECT_3X3_RELU, DIRECT_RELU, Params, direct_groups, dispatch};
use geometry::Geometry;
use product::{GEMM_64, GEMM_128, GEMM_WEIGHT_64, GEMM_WEIGHT_128, PACK, Product, SUM_PARTS, Views};

pub(super) static KERNELS: &[&Kernel] = &[
    &DIRECT,
    &DIRECT_RELU,
    &DIRECT_3X3,
    &DIRECT_3X3_RELU,
    &GEMM_128,
    &GEMM_64,
    &GEMM_WEIGHT_128,
    &GEMM_WEIGHT_64,
    &PACK,
    &SUM_PARTS,
    &BIAS_GRADIENT,
];

/// Up to this many channels, a product's inner dimension is too short for tiles in workgroup memory.
const FEW_CHANNELS: usize = 4;

/// From this many channels and filters on, Winograd's transforms cost less than they save.
const MANY_CHANNELS: usize = 16;

fn nchw(shape: &[usize]) -> [usize; 4] {
    [shape[0], shape[1], shape[2], shape[3]]
}

/// The kernels and algorithms that an operation on convolutions may be done by.
pub(super) fn candidates(op: &Op) -> Vec<&'static str> {
    let winograd = |conv: &Conv2d| {
        let fits = conv.kernel == [3, 3] && conv.stride == [1, 1] && conv.padding.iter().all(|&padding| padding <= 2);
        conv2d_winograd::ALGORITHMS.iter().filter(move |_| fits).map(|algorithm| algorithm.name)
    };
    match op {
        Op::Conv2d(conv) => {
            let direct = if conv.has_relu() { [&DIRECT_RELU, &DIRECT_3X3_RELU] } else { [&DIRECT, &DIRECT_3X3] };
            let direct = direct.into_iter().take(if conv.kernel == [3, 3] { 2 } else { 1 });
            direct.chain([&GEMM_128, &GEMM_64]).map(|kernel| kernel.name).chain(winograd(conv)).collect()
        }
        Op::Conv2dBackwardInput(op) => [GEMM_128.name, GEMM_64.name].into_iter().chain(winograd(&op.conv)).collect(),
        Op::Conv2dBackwardWeight(_) => vec![GEMM_WEIGHT_128.name, GEMM_WEIGHT_64.name],
        _ => Vec::new(),
    }
}

/// The four forms of one kernel, by whether the filters are 3×3 and whether a ReLU follows.
fn form(forms: [&'static Kernel; 4], square: bool, relu: bool) -> &'static Kernel {
    forms[usize::from(square) * 2 + usize::from(relu)]
}

/// The Winograd algorithm for this job: the one that is forced, or else the cheapest where the rules want one.
fn winograd(compiler: &Compiler, op: &Conv2d, job: &Job) -> Option<&'static Winograd> {
    if op.kernel != [3, 3] || op.stride != [1, 1] || job.padding.iter().any(|&padding| padding > 2) {
        return None;
    }
    let mut algorithms = conv2d_winograd::ALGORITHMS.iter().filter(|algorithm| algorithm.suits(compiler, job));
    match compiler.requested_kernel() {
        Some(name) if name.starts_with("conv2d/") => algorithms.find(|algorithm| algorithm.name == name),
        _ if job.inner < MANY_CHANNELS || job.outer < MANY_CHANNELS => None,
        _ => algorithms
            .filter(|algorithm| algorithm.is_blocked() == compiler.is_software())
            .min_by_key(|algorithm| algorithm.cost(job)),
    }
}

/// The kernel that makes y: of those that can, the one that is forced, or else chosen by the shape.
fn choose_forward(compiler: &Compiler, geometry: &Geometry) -> &'static Kernel {
    let (square, relu) = (geometry.is_3x3(), geometry.op.has_relu());
    let direct = [&DIRECT, &DIRECT_RELU, &DIRECT_3X3, &DIRECT_3X3_RELU];
    let gemm = Product::forward(geometry, geometry.images, geometry.filters).choose(compiler, &GEMM_128, &GEMM_64);
    let candidates = [form(direct, square, relu), form(direct, false, relu), &GEMM_128, &GEMM_64];
    // On a software adapter workgroup memory is as slow as any.
    let is_direct = compiler.is_software() || geometry.channels <= FEW_CHANNELS;
    let default = if is_direct { candidates[0] } else { gemm };
    compiler.choose(&candidates, default)
}

/// The convolution as Winograd's algorithms see it. With `pool`, y is the output of a pooling of 2×2 that follows.
fn forward_job<'a>(
    op: &Conv2d,
    geometry: &Geometry,
    [x, weight, bias]: [&'a Storage; 3],
    y: &'a Storage,
    pool: bool,
) -> Job<'a> {
    Job {
        x,
        weight,
        bias: Some(bias),
        y,
        images: geometry.images,
        inner: geometry.channels,
        outer: geometry.filters,
        input: geometry.input,
        output: geometry.output,
        padding: op.padding_before(),
        relu: op.has_relu(),
        pool,
    }
}

/// The convolution and a pooling of 2×2 in one, where an algorithm can do that; whether it was done.
pub(super) fn forward_pooled(
    compiler: &mut Compiler,
    op: &Conv2d,
    unpooled: &[usize],
    operands: &Operands,
) -> Result<bool> {
    let geometry = Geometry::new(op, nchw(operands.shapes[0]), unpooled);
    let [y] = operands.outputs()?;
    let job = forward_job(op, &geometry, operands.inputs()?, y, true);
    let Some(algorithm) = winograd(compiler, op, &job) else { return Ok(false) };
    // The memory of x may have been given to y, which then must not be written before all of x was read.
    if Arc::ptr_eq(&job.x.chunks[0].buffer, &job.y.chunks[0].buffer) && !algorithm.reads_first(compiler, &job) {
        return Ok(false);
    }
    algorithm.convolve(compiler, &job)?;
    Ok(true)
}

pub(super) fn forward(compiler: &mut Compiler, op: &Conv2d, operands: &Operands) -> Result<()> {
    let ([x, weight, bias], [y]) = (operands.inputs()?, operands.outputs()?);
    let geometry = Geometry::new(op, nchw(operands.shapes[0]), operands.output_shapes[0]);
    let job = forward_job(op, &geometry, [x, weight, bias], y, false);
    if let Some(algorithm) = winograd(compiler, op, &job) {
        return algorithm.convolve(compiler, &job);
    }
    let kernel = choose_forward(compiler, &geometry);
    for (images, filters) in geometry.parts(compiler, weight) {
        let x = geometry.x_view(compiler, x, &images)?;
        let weight = geometry.weight_view(compiler, weight, &filters)?;
        let bias = compiler.gpu.view(bias, filters.clone())?;
        let y = geometry.y_view(compiler, y, &images, &filters)?;
        if kernel.entry == "gemm" {
            let product = Product {
                x_offset: x.offset,
                weight_offset: weight.offset,
                bias_offset: bias.offset,
                y_offset: y.offset,
                ..Product::forward(&geometry, images.len(), filters.len())
            };
            product.dispatch(compiler, kernel, &Views { x: &x, weight: &weight, bias: &bias, y: &y })?;
            continue;
        }
        let params = Params {
            x_offset: x.offset,
            weight_offset: weight.offset,
            bias_offset: bias.offset,
            y_offset: y.offset,
            ..Params::new(&geometry, images.len(), filters.len())
        };
        let groups = direct_groups(&geometry, images.len(), filters.len());
        let flops = geometry.flops(images.len(), filters.len());
        dispatch(compiler, kernel, params, &[&x, &weight, &bias, &y], groups, flops)?;
    }
    Ok(())
}

pub(super) fn backward_input(
    compiler: &mut Compiler,
    op: &Conv2d,
    [height, width]: [usize; 2],
    operands: &Operands,
) -> Result<()> {
    let ([dy, weight], [dx]) = (operands.inputs()?, operands.outputs()?);
    let x = [operands.shapes[0][0], operands.shapes[1][1], height, width];
    let geometry = Geometry::new(op, x, operands.shapes[0]);
    let job = Job {
        x: dy,
        weight,
        bias: None,
        y: dx,
        images: geometry.images,
        inner: geometry.filters,
        outer: geometry.channels,
        input: geometry.output,
        output: geometry.input,
        // A window of dy reaches as far over its edge as one of x stays within.
        padding: op.padding_before().map(|padding| 2usize.saturating_sub(padding)),
        relu: false,
        pool: false,
    };
    if let Some(algorithm) = winograd(compiler, op, &job) {
        return algorithm.convolve(compiler, &job);
    }
    for (images, filters) in geometry.parts(compiler, weight) {
        let dy = geometry.y_view(compiler, dy, &images, &filters)?;
        let weight = geometry.weight_view(compiler, weight, &filters)?;
        let dx = geometry.x_view(compiler, dx, &images)?;
        for phase in Product::backward_input(&geometry, images.len(), filters.len()) {
            let product = Product {
                x_offset: dy.offset,
                weight_offset: weight.offset + phase.weight_offset,
                y_offset: dx.offset + phase.y_offset,
                accumulate: u32::from(filters.start > 0),
                ..phase
            };
            let kernel = compiler.choose(&[&GEMM_128, &GEMM_64], product.choose(compiler, &GEMM_128, &GEMM_64));
            // There is no bias here: the weights stand in for the binding, which is not read.
            product.dispatch(compiler, kernel, &Views { x: &dy, weight: &weight, bias: &weight, y: &dx })?;
        }
    }
    Ok(())
}

pub(super) fn backward_weight(compiler: &mut Compiler, op: &Conv2d, operands: &Operands) -> Result<()> {
    let ([x, dy], [dweight, dbias]) = (operands.inputs()?, operands.outputs()?);
    let geometry = Geometry::new(op, nchw(operands.shapes[0]), operands.shapes[1]);
    for (images, filters) in geometry.parts(compiler, dweight) {
        let x = geometry.x_view(compiler, x, &images)?;
        let dy = geometry.y_view(compiler, dy, &images, &filters)?;
        let dweight = geometry.weight_view(compiler, dweight, &filters)?;
        let dbias = compiler.gpu.view(dbias, filters.clone())?;
        let accumulate = u32::from(images.start > 0);
        let product = Product {
            x_offset: x.offset,
            weight_offset: dy.offset,
            y_offset: dweight.offset,
            accumulate,
            ..Product::backward_weight(&geometry, images.len(), filters.len())
        };
        let default = product.choose(compiler, &GEMM_WEIGHT_128, &GEMM_WEIGHT_64);
        let kernel = compiler.choose(&[&GEMM_WEIGHT_128, &GEMM_WEIGHT_64], default);
        product.dispatch(compiler, kernel, &Views { x: &x, weight: &dy, bias: &dy, y: &dweight })?;
        let params = Params {
            bias_offset: dbias.offset,
            y_offset: dy.offset,
            accumulate,
            ..Params::new(&geometry, images.len(), filters.len())
        };
        let flops = (images.len() * filters.len() * geometry.plane()) as u64;
        dispatch(compiler, &BIAS_GRADIENT, params, &[&dy, &dbias], [filters.len(), 1, 1], flops)?;
    }
    Ok(())
}
