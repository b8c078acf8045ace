mod product;

use std::ops::Range;
use std::sync::Arc;

use bytemuck::{Pod, Zeroable};

use super::buffer::{Storage, View};
use super::compile::{Compiler, MAX_GRID, Operands, cut_evenly};
use super::conv2d_winograd::{self, Job, Winograd};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Access, Kernel};
use crate::error::Result;
use crate::ops::{Conv2d, Op};
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

const FORWARD: &[Access] = &[Read, Read, Read, Write];
const RELU: &[(&str, f64)] = &[("RELU", 1.0)];
const SQUARE: &[(&str, f64)] = &[("KERNEL", 3.0)];
const SQUARE_RELU: &[(&str, f64)] = &[("KERNEL", 3.0), ("RELU", 1.0)];

static DIRECT: Kernel = Kernel::new("conv2d/direct", "conv2d", "direct", FORWARD);
static DIRECT_RELU: Kernel = Kernel::new("", "conv2d", "direct", FORWARD).with("conv2d/direct_relu", RELU);
static DIRECT_3X3: Kernel = Kernel::new("", "conv2d", "direct", FORWARD).with("conv2d/direct_3x3", SQUARE);
static DIRECT_3X3_RELU: Kernel =
    Kernel::new("", "conv2d", "direct", FORWARD).with("conv2d/direct_3x3_relu", SQUARE_RELU);

static BIAS_GRADIENT: Kernel =
    Kernel::new("conv2d/bias_gradient", "conv2d", "bias_gradient", &[Read, Write, Unused, Unused]);

/// Filters that one invocation of `direct` makes, and the pixels of each.
const DIRECT_FILTERS: usize = 8;
const DIRECT_PIXELS: usize = 4;

/// Up to this many channels, a product's inner dimension is too short for tiles in workgroup memory.
const FEW_CHANNELS: usize = 4;

/// From this many channels and filters on, Winograd's transforms cost less than they save.
const MANY_CHANNELS: usize = 16;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    images: u32,
    channels: u32,
    height: u32,
    width: u32,
    filters: u32,
    out_height: u32,
    out_width: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride_y: u32,
    stride_x: u32,
    padding_y: u32,
    padding_x: u32,
    y_image: u32,
    x_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    y_offset: u32,
    accumulate: u32,
    first_group: u32,
}

/// The sizes of one convolution.
struct Geometry {
    op: Conv2d,
    images: usize,
    channels: usize,
    input: [usize; 2],
    filters: usize,
    output: [usize; 2],
}

impl Geometry {
    fn new(op: &Conv2d, x: [usize; 4], y: &[usize]) -> Self {
        let [images, channels, height, width] = x;
        Geometry { op: *op, images, channels, input: [height, width], filters: y[1], output: [y[2], y[3]] }
    }

    /// Values of one image of x.
    fn x_image(&self) -> usize {
        self.channels * self.input[0] * self.input[1]
    }

    /// Values of one feature map of y.
    fn plane(&self) -> usize {
        self.output[0] * self.output[1]
    }

    /// Places in one channel of a filter.
    fn taps(&self) -> usize {
        self.op.kernel[0] * self.op.kernel[1]
    }

    fn filter(&self) -> usize {
        self.channels * self.taps()
    }

    fn flops(&self, images: usize, filters: usize) -> u64 {
        2 * (images * filters * self.plane()) as u64 * self.filter() as u64
    }

    fn params(&self, images: usize, filters: usize) -> Params {
        Params {
            images: images as u32,
            channels: self.channels as u32,
            height: self.input[0] as u32,
            width: self.input[1] as u32,
            filters: filters as u32,
            out_height: self.output[0] as u32,
            out_width: self.output[1] as u32,
            kernel_height: self.op.kernel[0] as u32,
            kernel_width: self.op.kernel[1] as u32,
            stride_y: self.op.stride[0] as u32,
            stride_x: self.op.stride[1] as u32,
            padding_y: self.op.padding[0] as u32,
            padding_x: self.op.padding[1] as u32,
            y_image: (self.filters * self.plane()) as u32,
            ..Params::zeroed()
        }
    }

    /// The parts that the work is cut into, so that everything bound fits: images and filters. Filters are cut where
    /// their weights lie in several buffers, or where one image of y is larger than a binding or too much work at once; then images go one by
    /// one, because the same filters of two images do not lie side by side.
    fn parts(&self, compiler: &Compiler, weight: &Storage) -> Vec<(Range<usize>, Range<usize>)> {
        let affordable = usize::try_from(compiler.gpu.options().flops_per_submit / self.flops(1, 1).max(1));
        let fitting = compiler.gpu.values_per_binding() / self.plane();
        let planes = fitting.min(affordable.unwrap_or(usize::MAX)).max(1);
        let rows: Vec<Range<usize>> = weight.rows().flat_map(|rows| cut_evenly(rows, planes)).collect();
        let at_once = if rows.len() == 1 {
            let lengths = [self.x_image(), self.filters * self.plane()];
            compiler.images_per_dispatch(&lengths, self.flops(1, self.filters)).min(MAX_GRID)
        } else {
            1
        };
        let images = (0..self.images).step_by(at_once).map(|first| first..(first + at_once).min(self.images));
        images.flat_map(|images| rows.iter().map(move |rows| (images.clone(), rows.clone()))).collect()
    }

    fn x_view(&self, compiler: &Compiler, x: &Storage, images: &Range<usize>) -> Result<View> {
        compiler.gpu.view(x, images.start * self.x_image()..images.end * self.x_image())
    }

    /// These filters of these images.
    fn y_view(&self, compiler: &Compiler, y: &Storage, images: &Range<usize>, filters: &Range<usize>) -> Result<View> {
        let first = images.start * self.filters + filters.start;
        let last = (images.end - 1) * self.filters + filters.end;
        compiler.gpu.view(y, first * self.plane()..last * self.plane())
    }

    fn weight_view(&self, compiler: &Compiler, weight: &Storage, filters: &Range<usize>) -> Result<View> {
        compiler.gpu.view(weight, filters.start * self.filter()..filters.end * self.filter())
    }

    /// Whether the kernels whose filter size is known at compile time can be used.
    fn is_3x3(&self) -> bool {
        self.op.kernel == [3, 3]
    }
}

/// Adds as many dispatches as the grid's limit along x asks for.
fn dispatch(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    params: Params,
    views: &[&View],
    groups: [usize; 3],
    flops: u64,
) -> Result<()> {
    for first in (0..groups[0]).step_by(MAX_GRID) {
        let count = (groups[0] - first).min(MAX_GRID);
        let params = Params { first_group: first as u32, ..params };
        compiler.dispatch(
            kernel,
            &params,
            views,
            [count, groups[1], groups[2]],
            flops / groups[0] as u64 * count as u64,
        )?;
    }
    Ok(())
}

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
    match compiler.wish() {
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

/// The workgroups of `direct`.
fn direct_groups(geometry: &Geometry, images: usize, filters: usize) -> [usize; 3] {
    let [height, width] = geometry.output;
    let strips = width.div_ceil(DIRECT_PIXELS) * height;
    [strips.div_ceil(64), filters.div_ceil(DIRECT_FILTERS), images]
}

/// The convolution as Winograd's algorithms see it. With `pool`, y is the output of a pooling of 2×2 that follows.
fn forward_job<'a>(op: &Conv2d, geometry: &Geometry, operands: &Operands<'a>, pool: bool) -> Option<Job<'a>> {
    let (&[x, weight, bias], &[y]) = (operands.inputs, operands.outputs) else { return None };
    Some(Job {
        x,
        weight,
        bias: Some(bias),
        y,
        images: geometry.images,
        inner: geometry.channels,
        outer: geometry.filters,
        input: geometry.input,
        output: geometry.output,
        padding: op.padding,
        relu: op.has_relu(),
        pool,
    })
}

/// The convolution and a pooling of 2×2 in one, where an algorithm can do that; whether it was done.
pub(super) fn forward_pooled(
    compiler: &mut Compiler,
    op: &Conv2d,
    unpooled: &[usize],
    operands: &Operands,
) -> Result<bool> {
    let geometry = Geometry::new(op, nchw(operands.shapes[0]), unpooled);
    let Some(job) = forward_job(op, &geometry, operands, true) else { return Ok(false) };
    let Some(algorithm) = winograd(compiler, op, &job) else { return Ok(false) };
    // The memory of x may have been given to y, which then must not be written before all of x was read.
    if Arc::ptr_eq(&job.x.chunks[0].buffer, &job.y.chunks[0].buffer) && !algorithm.reads_first(compiler, &job) {
        return Ok(false);
    }
    algorithm.convolve(compiler, &job)?;
    Ok(true)
}

pub(super) fn forward(compiler: &mut Compiler, op: &Conv2d, operands: &Operands) -> Result<()> {
    let (&[x, weight, bias], &[y]) = (operands.inputs, operands.outputs) else { return Ok(()) };
    let geometry = Geometry::new(op, nchw(operands.shapes[0]), operands.output_shapes[0]);
    if let Some(job) = forward_job(op, &geometry, operands, false)
        && let Some(algorithm) = winograd(compiler, op, &job)
    {
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
            ..geometry.params(images.len(), filters.len())
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
    let (&[dy, weight], &[dx]) = (operands.inputs, operands.outputs) else { return Ok(()) };
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
        padding: op.padding.map(|padding| 2usize.saturating_sub(padding)),
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
    let (&[x, dy], &[dweight, dbias]) = (operands.inputs, operands.outputs) else { return Ok(()) };
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
            ..geometry.params(images.len(), filters.len())
        };
        let flops = (images.len() * filters.len() * geometry.plane()) as u64;
        dispatch(compiler, &BIAS_GRADIENT, params, &[&dy, &dbias], [filters.len(), 1, 1], flops)?;
    }
    Ok(())
}
