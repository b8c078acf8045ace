//! 2-D convolution and its gradients: which kernels make them.

mod depthwise;
mod depthwise_rows;
mod direct;
mod geometry;
mod pointwise;
mod product;

use std::sync::Arc;

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::conv2d_winograd::{self, Job, WeightJob, Winograd};
use super::finish::{Finish, limits};
use super::kernel::Kernel;
use super::residual::Residual;
use super::scale::Scales;
use crate::error::Result;
use crate::ops::{Conv2d, Conv2dBackwardInput, Op};
use depthwise_rows::ROWS;
use direct::{BIAS_GRADIENT, DIRECT, DIRECT_3X3, Params, direct_groups, dispatch};
use geometry::{Geometry, Piece};
use pointwise::POINTWISE;
use product::{
    GEMM_64, GEMM_128, GEMM_MATRIX, GEMM_WEIGHT_64, GEMM_WEIGHT_128, GEMM_WEIGHT_MATRIX, PACK, Product, SUM_PARTS,
    Views, is_gemm,
};

pub(super) static KERNELS: &[&Kernel] = &[
    &DIRECT,
    &DIRECT_3X3,
    &GEMM_128,
    &GEMM_64,
    &GEMM_MATRIX.f16,
    &GEMM_MATRIX.split,
    &GEMM_WEIGHT_128,
    &GEMM_WEIGHT_64,
    &GEMM_WEIGHT_MATRIX.f16,
    &GEMM_WEIGHT_MATRIX.split,
    &PACK,
    &SUM_PARTS,
    &BIAS_GRADIENT,
    &depthwise::DEPTHWISE,
    &depthwise::DEPTHWISE_3X3,
    &depthwise::DEPTHWISE_5X5,
    &depthwise::INPUT,
    &depthwise::INPUT_3X3,
    &depthwise::INPUT_5X5,
    &depthwise::WEIGHT,
    &depthwise_rows::ROWS,
    &pointwise::POINTWISE,
    &pointwise::PACK,
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
        let fits = conv.suits_winograd();
        conv2d_winograd::ALGORITHMS.iter().filter(move |_| fits).map(|algorithm| algorithm.name)
    };
    let depthwise = |forms, conv: &Conv2d| {
        let forms = if conv.groups > 1 { depthwise::forms(forms, conv.kernel) } else { Vec::new() };
        forms.into_iter().map(|kernel| kernel.name)
    };
    match op {
        Op::Conv2d(conv) => {
            let direct = [&DIRECT, &DIRECT_3X3].into_iter().take(if conv.kernel == [3, 3] { 2 } else { 1 });
            let any = direct.chain([&GEMM_128, &GEMM_64]).map(|kernel| kernel.name);
            let pointwise = (conv.is_pointwise() && conv.groups == 1).then_some(POINTWISE.name);
            let rows = (conv.groups > 1 && depthwise_rows::suits(conv)).then_some(ROWS.name);
            let depthwise = depthwise(depthwise::FORWARDS, conv).chain(rows);
            any.chain(winograd(conv)).chain(depthwise).chain(pointwise).collect()
        }
        Op::Conv2dBackwardInput(op) => {
            let any = [GEMM_128.name, GEMM_64.name].into_iter();
            any.chain(winograd(&op.conv)).chain(depthwise(depthwise::INPUTS, &op.conv)).collect()
        }
        Op::Conv2dBackwardWeight(op) => {
            let depthwise = (op.0.groups > 1).then_some(depthwise::WEIGHT.name);
            let any = [GEMM_WEIGHT_128.name, GEMM_WEIGHT_64.name].into_iter();
            any.chain(winograd(&op.0)).chain(depthwise).collect()
        }
        _ => Vec::new(),
    }
}

/// The Winograd algorithm for this job: the one that is forced, or else the cheapest where the rules want one.
fn winograd(compiler: &Compiler, op: &Conv2d, job: &Job) -> Option<&'static Winograd> {
    let suits = |algorithm: &Winograd| algorithm.suits(compiler, job);
    let cost = |algorithm: &Winograd| Some(algorithm.cost(job));
    choose_winograd(compiler, op, [job.inner, job.outer], suits, cost)
}

/// The same for the gradient of the weights. Its products must save more than the transforms of both factors cost.
fn winograd_weight(compiler: &Compiler, op: &Conv2d, job: &WeightJob) -> Option<&'static Winograd> {
    let suits = |algorithm: &Winograd| algorithm.suits_gradient(compiler, job);
    let cost =
        |algorithm: &Winograd| Some(algorithm.gradient_cost(job)).filter(|cost| 3 * cost <= 2 * job.multiplications());
    choose_winograd(compiler, op, [job.channels, job.filters], suits, cost)
}

/// Of the algorithms that suit, the one that is forced, or the cheapest in the device's form among those that are worth it.
fn choose_winograd(
    compiler: &Compiler,
    op: &Conv2d,
    channels: [usize; 2],
    suits: impl Fn(&Winograd) -> bool,
    cost: impl Fn(&Winograd) -> Option<usize>,
) -> Option<&'static Winograd> {
    if !op.suits_winograd() {
        return None;
    }
    // Matrix units take the place of products in workgroup memory.
    let by_units = conv2d_winograd::matrix_kernel(compiler).is_some();
    let is_blocked = compiler.is_software() && !by_units;
    let can = |algorithm: &&Winograd| suits(algorithm) && !(by_units && algorithm.is_blocked());
    let mut algorithms = conv2d_winograd::ALGORITHMS.iter().filter(can);
    match compiler.requested_kernel() {
        Some(name) if name.starts_with("conv2d/") => algorithms.find(|algorithm| algorithm.name == name),
        _ if channels.iter().any(|&channels| channels < MANY_CHANNELS) => None,
        _ => algorithms
            .filter(|algorithm| algorithm.is_blocked() == is_blocked)
            .filter_map(|algorithm| Some((cost(algorithm)?, algorithm)))
            .min_by_key(|(cost, _)| *cost)
            .map(|(_, algorithm)| algorithm),
    }
}

/// The kernel that makes y: of those that can, the one that is forced, or else chosen by the shape.
fn choose_forward(compiler: &Compiler, geometry: &Geometry, weight: &Storage) -> &'static Kernel {
    let filters = geometry.filters / geometry.op.groups;
    let gemm = Product::forward(geometry, geometry.images, filters, 0).choose(compiler, &GEMM_128, &GEMM_64);
    let mut candidates = vec![if geometry.is_3x3() { &DIRECT_3X3 } else { &DIRECT }, &DIRECT, &GEMM_128, &GEMM_64];
    if geometry.is_depthwise(weight) {
        candidates.extend(depthwise::forms(depthwise::FORWARDS, geometry.op.kernel));
        let mut default = candidates[4];
        if geometry.is_depthwise_by_rows(weight) {
            candidates.push(&ROWS);
            default = if compiler.is_software() { &ROWS } else { default };
        }
        return compiler.choose(&candidates, default);
    }
    if geometry.is_pointwise(compiler, weight) {
        candidates.push(&POINTWISE);
    }
    // On a software adapter workgroup memory is as slow as any. Each group is a product of its own.
    let few = if geometry.op.groups > 1 { MANY_CHANNELS } else { FEW_CHANNELS };
    let by_units = compiler.by_matrix_units(&GEMM_MATRIX);
    let default = match compiler.is_software() && by_units.is_none() {
        true if candidates.contains(&&POINTWISE) => &POINTWISE,
        false if geometry.group_channels() > few => gemm,
        _ => candidates[0],
    };
    let kernel = compiler.choose(&candidates, default);
    by_units.filter(|_| is_gemm(kernel)).unwrap_or(kernel)
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
        residual: None,
        activation: op.activation,
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
    let (inputs, [y]) = (operands.inputs()?, operands.outputs()?);
    let geometry = Geometry::new(op, nchw(operands.shapes[0]), unpooled);
    // The largest values are activated instead of all.
    if operands.inputs.len() > 3 || !op.activation.is_none_or(|function| function.is_monotonic()) {
        return Ok(false);
    }
    let job = forward_job(op, &geometry, inputs, y, true);
    let Some(algorithm) = winograd(compiler, op, &job) else { return Ok(false) };
    // The memory of x may have been given to y, which then must not be written before all of x was read.
    if Arc::ptr_eq(&job.x.chunks[0].buffer, &job.y.chunks[0].buffer) && !algorithm.reads_first(compiler, &job) {
        return Ok(false);
    }
    algorithm.convolve(compiler, &job)?;
    Ok(true)
}

pub(super) fn forward(compiler: &mut Compiler, op: &Conv2d, operands: &Operands) -> Result<()> {
    let [y] = operands.outputs()?;
    let ([x, weight, bias], residual) = operands.inputs_and_last()?;
    let geometry = Geometry::new(op, nchw(operands.shapes[0]), operands.output_shapes[0]);
    let job = Job { residual, ..forward_job(op, &geometry, [x, weight, bias], y, false) };
    if let Some(algorithm) = winograd(compiler, op, &job) {
        return algorithm.convolve(compiler, &job);
    }
    let kernel = choose_forward(compiler, &geometry, weight);
    if depthwise::FORWARDS.contains(&kernel) {
        return depthwise::forward(compiler, kernel, &geometry, [x, weight, bias], residual, y);
    }
    if kernel == &ROWS {
        return depthwise_rows::forward(compiler, &geometry, [x, weight, bias], residual, y);
    }
    if kernel == &POINTWISE {
        return pointwise::forward(compiler, &geometry, [x, weight, bias], residual, y);
    }
    if kernel.matrix_source.is_some() {
        compiler.check_for_matrix_units(weight)?;
    }
    for piece in geometry.pieces(compiler, weight, !is_gemm(kernel)) {
        let (images, filters) = (&piece.images, &piece.filters);
        let x = geometry.x_view(compiler, x, images)?;
        let weight = geometry.weight_view(compiler, weight, filters)?;
        let bias = compiler.gpu.view(bias, filters.clone())?;
        let y = geometry.y_view(compiler, y, images, filters)?;
        let residual = Residual::of(residual.map(|it| geometry.y_view(compiler, it, images, filters)), &y)?;
        let finish = Finish::new(op.activation, residual.exists());
        if is_gemm(kernel) {
            let product = Product::forward(&geometry, images.len(), filters.len(), piece.groups.start);
            let product = Product {
                x_offset: x.offset + product.x_offset,
                weight_offset: weight.offset,
                bias_offset: bias.offset,
                y_offset: y.offset,
                residual_shift: residual.shift,
                ..product
            };
            let residual = residual.or(&bias);
            let scales = &Scales::FORWARD;
            let views = Views { x: &x, weight: &weight, bias: &bias, y: &y, residual, finish, scales };
            product.dispatch(compiler, kernel, &views)?;
            continue;
        }
        let params = Params::new(&geometry, &piece);
        let params = Params {
            x_offset: x.offset + params.x_offset,
            weight_offset: weight.offset,
            bias_offset: bias.offset,
            y_offset: y.offset,
            residual_shift: residual.shift,
            ..params
        };
        let groups = direct_groups(&geometry, &piece);
        let flops = geometry.flops(images.len(), filters.len());
        let views = [&x, &weight, &bias, &y, residual.or(&bias)];
        dispatch(compiler, kernel.finishing(finish), params, &views, groups, flops)?;
    }
    Ok(())
}

pub(super) fn backward_input(
    compiler: &mut Compiler,
    Conv2dBackwardInput { conv: op, size: [height, width], activation }: &Conv2dBackwardInput,
    operands: &Operands,
) -> Result<()> {
    let [dx] = operands.outputs()?;
    let ([dy, weight], seen) = operands.inputs_and_last()?;
    let x = [operands.shapes[0][0], operands.shapes[1][1] * op.groups, *height, *width];
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
        residual: seen,
        activation: *activation,
        pool: false,
    };
    if let Some(algorithm) = winograd(compiler, op, &job) {
        return algorithm.convolve(compiler, &job);
    }
    if geometry.is_depthwise(weight) {
        let mut candidates = depthwise::forms(depthwise::INPUTS, op.kernel);
        let default = candidates[0];
        candidates.extend([&GEMM_128, &GEMM_64]);
        let kernel = compiler.choose(&candidates, default);
        if depthwise::INPUTS.contains(&kernel) {
            return depthwise::backward_input(compiler, kernel, &geometry, [dy, weight], (*activation, seen), dx);
        }
    }
    let ([low, high], finish) = (limits(*activation), Finish::backward(*activation));
    let by_units = compiler.by_matrix_units(&GEMM_MATRIX);
    let scales = Scales::of_input(compiler, by_units, weight, dy)?;
    for Piece { images, filters, groups } in geometry.pieces(compiler, weight, false) {
        let dy = geometry.y_view(compiler, dy, &images, &filters)?;
        let weight = geometry.weight_view(compiler, weight, &filters)?;
        let dx = geometry.x_view(compiler, dx, &images)?;
        let seen = Residual::of(seen.map(|it| geometry.x_view(compiler, it, &images)), &dx)?;
        let is_first = filters.start == groups.start * (geometry.filters / op.groups);
        for phase in Product::backward_input(&geometry, images.len(), filters.len(), groups.start) {
            let product = Product {
                x_offset: dy.offset,
                weight_offset: weight.offset + phase.weight_offset,
                y_offset: dx.offset + phase.y_offset,
                accumulate: u32::from(!is_first),
                low,
                high,
                residual_shift: seen.shift,
                ..phase
            };
            let ordinary = compiler.choose(&[&GEMM_128, &GEMM_64], product.choose(compiler, &GEMM_128, &GEMM_64));
            let kernel = by_units.unwrap_or(ordinary);
            // There is no bias here: the weights stand in for the binding, which is not read.
            let residual = seen.or(&weight);
            let views = Views { x: &dy, weight: &weight, bias: &weight, y: &dx, residual, finish, scales: &scales };
            product.dispatch(compiler, kernel, &views)?;
        }
    }
    Ok(())
}

pub(super) fn backward_weight(compiler: &mut Compiler, op: &Conv2d, operands: &Operands) -> Result<()> {
    let ([x, dy], [dweight, dbias]) = (operands.inputs()?, operands.outputs()?);
    let geometry = Geometry::new(op, nchw(operands.shapes[0]), operands.shapes[1]);
    let job = WeightJob {
        x,
        dy,
        dweight,
        images: geometry.images,
        channels: geometry.channels,
        filters: geometry.filters,
        input: geometry.input,
        output: geometry.output,
        padding: op.padding_before(),
    };
    if let Some(algorithm) = winograd_weight(compiler, op, &job) {
        algorithm.weight_gradient(compiler, &job)?;
        return bias_gradient(compiler, &geometry, dweight, dy, dbias);
    }
    let candidates = [&depthwise::WEIGHT, &GEMM_WEIGHT_128, &GEMM_WEIGHT_64];
    if geometry.is_depthwise(dweight) && compiler.choose(&candidates, candidates[0]) == candidates[0] {
        depthwise::backward_weight(compiler, &geometry, [x, dy], &compiler.gpu.whole(dweight)?)?;
        return bias_gradient(compiler, &geometry, dweight, dy, dbias);
    }
    let by_units = compiler.by_matrix_units(&GEMM_WEIGHT_MATRIX);
    let scales = Scales::of_weight(compiler, by_units, dy)?;
    for Piece { images, filters, groups } in geometry.pieces(compiler, dweight, false) {
        let x = geometry.x_view(compiler, x, &images)?;
        let dy = geometry.y_view(compiler, dy, &images, &filters)?;
        let dweight = geometry.weight_view(compiler, dweight, &filters)?;
        let product = Product::backward_weight(&geometry, images.len(), filters.len(), groups.start);
        let product = Product {
            x_offset: x.offset + product.x_offset,
            weight_offset: dy.offset,
            y_offset: dweight.offset,
            accumulate: u32::from(images.start > 0),
            ..product
        };
        let default = product.choose(compiler, &GEMM_WEIGHT_128, &GEMM_WEIGHT_64);
        let ordinary = compiler.choose(&[&GEMM_WEIGHT_128, &GEMM_WEIGHT_64], default);
        let kernel = by_units.unwrap_or(ordinary);
        let finish = Finish::default();
        let views = Views { x: &x, weight: &dy, bias: &dy, y: &dweight, residual: &dy, finish, scales: &scales };
        product.dispatch(compiler, kernel, &views)?;
    }
    bias_gradient(compiler, &geometry, dweight, dy, dbias)
}

/// Adds the dispatches for dbias, cut as those for dweight are.
fn bias_gradient(
    compiler: &mut Compiler,
    geometry: &Geometry,
    dweight: &Storage,
    dy: &Storage,
    dbias: &Storage,
) -> Result<()> {
    for piece in geometry.pieces(compiler, dweight, true) {
        let (images, filters) = (&piece.images, &piece.filters);
        let dy = geometry.y_view(compiler, dy, images, filters)?;
        let dbias = compiler.gpu.view(dbias, filters.clone())?;
        let params = Params {
            bias_offset: dbias.offset,
            y_offset: dy.offset,
            accumulate: u32::from(images.start > 0),
            ..Params::new(geometry, &piece)
        };
        let flops = (images.len() * filters.len() * geometry.plane()) as u64;
        dispatch(compiler, &BIAS_GRADIENT, params, &[&dy, &dbias], [filters.len(), 1, 1], flops)?;
    }
    Ok(())
}
