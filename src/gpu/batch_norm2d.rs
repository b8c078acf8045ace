//! Batch normalisation: statistics, normalisation, gradients, and weights that take it along.

use bytemuck::Zeroable;

use super::buffer::{Storage, View};
use super::compile::{Compiler, MAX_GRID, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::{BatchNorm2d, BatchNorm2dFold, BatchNorm2dRunning};

pub(super) static KERNELS: &[&Kernel] =
    &[&STATISTICS, &MERGE, &RUNNING, &FORWARD, &BACKWARD_SUMS, &MERGE_SUMS, &BACKWARD_INPUT, &FOLD, &FOLD_BIAS];

const SHADER: Shader = shader!("batch_norm2d", "total");

static STATISTICS: Kernel = Kernel::new::<Params>(
    "batch_norm2d/statistics",
    SHADER,
    "statistics",
    &[Read, Unused, Unused, Unused, Unused, Unused, Unused, Write],
);
static MERGE: Kernel = Kernel::new::<Params>(
    "batch_norm2d/merge",
    SHADER,
    "merge",
    &[Read, Unused, Unused, Unused, Unused, Unused, Unused, Write, Write],
);
static RUNNING: Kernel = Kernel::new::<Params>(
    "batch_norm2d/running",
    SHADER,
    "running",
    &[Read, Unused, Unused, Unused, Unused, Unused, Unused, Write],
);
static FORWARD: Kernel = Kernel::new::<Params>(
    "batch_norm2d/forward",
    SHADER,
    "forward",
    &[Read, Unused, Read, Read, Read, Read, Unused, Write],
);
static BACKWARD_SUMS: Kernel = Kernel::new::<Params>(
    "batch_norm2d/backward_sums",
    SHADER,
    "backward_sums",
    &[Read, Read, Unused, Unused, Read, Unused, Unused, Write],
);
static MERGE_SUMS: Kernel = Kernel::new::<Params>(
    "batch_norm2d/merge_sums",
    SHADER,
    "merge_sums",
    &[Read, Unused, Unused, Unused, Unused, Read, Unused, Write, Write],
);
static BACKWARD_INPUT: Kernel = Kernel::new::<Params>(
    "batch_norm2d/backward_input",
    SHADER,
    "backward_input",
    &[Read, Read, Read, Read, Read, Read, Read, Write],
);
static FOLD: Kernel = Kernel::new::<Params>(
    "batch_norm2d/fold",
    SHADER,
    "fold",
    &[Read, Unused, Read, Unused, Unused, Read, Unused, Write],
);
static FOLD_BIAS: Kernel = Kernel::new::<Params>(
    "batch_norm2d/fold_bias",
    SHADER,
    "fold_bias",
    &[Unused, Read, Read, Read, Read, Read, Unused, Write],
);

/// Elements of a channel that a workgroup takes at most: some dozens for each invocation, so that few parts are left to be
/// merged, and many workgroups run where there are few channels.
const PART: usize = 8192;

uniform! {
    struct Params {
        length: u32,
        channels: u32,
        inner: u32,
        part: u32,
        first_part: u32,
        parts: u32,
        training: u32,
        count: f32,
        eps: f32,
        momentum: f32,
        factor: f32,
        a_offset: u32,
        b_offset: u32,
        weight_offset: u32,
        bias_offset: u32,
        mean_offset: u32,
        var_offset: u32,
        out_offset: u32,
        out2_offset: u32,
        grid: u32,
    }
}

/// A tensor of channels: how it is cut into dispatches, and these into parts.
struct Channels {
    channels: usize,
    inner: usize,
    images: usize,
    images_at_once: usize,
}

impl Channels {
    fn new(compiler: &Compiler, shape: &[usize]) -> Self {
        let (channels, inner) = (shape[1], shape[2..].iter().product());
        let images_at_once = compiler.images_per_dispatch(&[channels * inner], 8 * (channels * inner) as u64);
        Channels { channels, inner, images: shape[0], images_at_once }
    }

    fn params(&self) -> Params {
        let count = (self.images * self.inner) as f32;
        Params { channels: self.channels as u32, inner: self.inner as u32, count, ..Params::zeroed() }
    }

    /// The images of each dispatch.
    fn dispatches(&self) -> impl Iterator<Item = std::ops::Range<usize>> {
        let (images, at_once) = (self.images, self.images_at_once);
        (0..images).step_by(at_once).map(move |first| first..(first + at_once).min(images))
    }

    /// Where these images lie.
    fn values(&self, images: &std::ops::Range<usize>) -> std::ops::Range<usize> {
        let image = self.channels * self.inner;
        images.start * image..images.end * image
    }

    /// Elements of a channel in a part of a dispatch.
    fn part(&self) -> usize {
        let elements = self.images_at_once * self.inner;
        // No more parts than a grid has workgroups along y.
        PART.max(elements.div_ceil(MAX_GRID))
    }

    fn parts(&self, images: &std::ops::Range<usize>) -> usize {
        (images.len() * self.inner).div_ceil(self.part())
    }

    fn all_parts(&self) -> usize {
        self.dispatches().map(|images| self.parts(&images)).sum()
    }

    /// Lets a kernel compute sums over parts of channels: as many as `width` for each, in scratch memory.
    fn sums(
        &self,
        compiler: &mut Compiler,
        kernel: &'static Kernel,
        width: usize,
        tensors: &[&Storage],
        mean: Option<&View>,
    ) -> Result<View> {
        let parts = self.all_parts();
        let storage = compiler.scratch(width * self.channels * parts)?;
        let sums = compiler.gpu.whole(&storage)?;
        let mut first_part = 0;
        for images in self.dispatches() {
            let mut views = Vec::new();
            for tensor in tensors {
                views.push(compiler.gpu.view(tensor, self.values(&images))?);
            }
            let params = Params {
                length: images.len() as u32,
                part: self.part() as u32,
                first_part: first_part as u32,
                parts: parts as u32,
                a_offset: views[0].offset,
                b_offset: views.get(1).map_or(0, |view| view.offset),
                mean_offset: mean.map_or(0, |mean| mean.offset),
                out_offset: sums.offset,
                ..self.params()
            };
            let all: Vec<&View> = views.iter().chain(mean).chain([&sums]).collect();
            let here = self.parts(&images);
            let flops = 4 * (images.len() * self.channels * self.inner) as u64;
            compiler.dispatch(kernel, &params, &all, [self.channels, here, 1], flops)?;
            first_part += here;
        }
        Ok(sums)
    }
}

pub(super) fn statistics(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([x], [mean, var]) = (operands.inputs()?, operands.outputs()?);
    let channels = Channels::new(compiler, operands.shapes[0]);
    let sums = channels.sums(compiler, &STATISTICS, 3, &[x], None)?;
    let (mean, var) = (compiler.gpu.whole(mean)?, compiler.gpu.whole(var)?);
    let params = Params {
        parts: channels.all_parts() as u32,
        a_offset: sums.offset,
        out_offset: mean.offset,
        out2_offset: var.offset,
        ..channels.params()
    };
    let groups = channels.channels.div_ceil(64);
    compiler.dispatch(&MERGE, &params, &[&sums, &mean, &var], [groups, 1, 1], 8 * channels.channels as u64)
}

pub(super) fn running(compiler: &mut Compiler, op: &BatchNorm2dRunning, operands: &Operands) -> Result<()> {
    let [running, batch] = operands.inputs()?;
    let (running, batch) = (compiler.gpu.whole(running)?, compiler.gpu.whole(batch)?);
    let length = operands.shapes[0][0];
    let params = Params {
        length: length as u32,
        momentum: op.momentum,
        factor: op.factor,
        a_offset: batch.offset,
        out_offset: running.offset,
        ..Params::zeroed()
    };
    compiler.dispatch(&RUNNING, &params, &[&batch, &running], [length.div_ceil(64), 1, 1], 4 * length as u64)
}

pub(super) fn forward(compiler: &mut Compiler, op: &BatchNorm2d, operands: &Operands) -> Result<()> {
    let ([x, weight, bias, mean, var], [y]) = (operands.inputs()?, operands.outputs()?);
    let channels = Channels::new(compiler, operands.shapes[0]);
    let [weight, bias, mean, var] = [weight, bias, mean, var].map(|storage| compiler.gpu.whole(storage));
    let (weight, bias, mean, var) = (weight?, bias?, mean?, var?);
    for images in channels.dispatches() {
        let values = channels.values(&images);
        let (x, y) = (compiler.gpu.view(x, values.clone())?, compiler.gpu.view(y, values.clone())?);
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            length: values.len() as u32,
            eps: op.eps,
            a_offset: x.offset,
            weight_offset: weight.offset,
            bias_offset: bias.offset,
            mean_offset: mean.offset,
            var_offset: var.offset,
            out_offset: y.offset,
            grid: grid[0] as u32,
            ..channels.params()
        };
        compiler.dispatch(&FORWARD, &params, &[&x, &weight, &bias, &mean, &var, &y], grid, 4 * values.len() as u64)?;
    }
    Ok(())
}

pub(super) fn backward(compiler: &mut Compiler, op: &BatchNorm2d, operands: &Operands) -> Result<()> {
    let [x, weight, mean, var, dy] = operands.inputs()?;
    let [dx, dweight, dbias] = operands.outputs()?;
    let channels = Channels::new(compiler, operands.shapes[0]);
    let [weight, mean, var] = [weight, mean, var].map(|storage| compiler.gpu.whole(storage));
    let (weight, mean, var) = (weight?, mean?, var?);
    let (dweight, dbias) = (compiler.gpu.whole(dweight)?, compiler.gpu.whole(dbias)?);
    let sums = channels.sums(compiler, &BACKWARD_SUMS, 2, &[x, dy], Some(&mean))?;
    let merge = Params {
        parts: channels.all_parts() as u32,
        eps: op.eps,
        a_offset: sums.offset,
        var_offset: var.offset,
        out_offset: dweight.offset,
        out2_offset: dbias.offset,
        ..channels.params()
    };
    let groups = channels.channels.div_ceil(64);
    let flops = 4 * channels.channels as u64;
    compiler.dispatch(&MERGE_SUMS, &merge, &[&sums, &var, &dweight, &dbias], [groups, 1, 1], flops)?;
    for images in channels.dispatches() {
        let values = channels.values(&images);
        let [x, dy, dx] = [x, dy, dx].map(|storage| compiler.gpu.view(storage, values.clone()));
        let (x, dy, dx) = (x?, dy?, dx?);
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            length: values.len() as u32,
            training: u32::from(op.training),
            eps: op.eps,
            a_offset: x.offset,
            b_offset: dy.offset,
            weight_offset: weight.offset,
            bias_offset: dbias.offset,
            mean_offset: mean.offset,
            var_offset: var.offset,
            out_offset: dx.offset,
            out2_offset: dweight.offset,
            grid: grid[0] as u32,
            ..channels.params()
        };
        let views = [&x, &dy, &weight, &dbias, &mean, &var, &dweight, &dx];
        compiler.dispatch(&BACKWARD_INPUT, &params, &views, grid, 6 * values.len() as u64)?;
    }
    Ok(())
}

pub(super) fn fold(compiler: &mut Compiler, op: &BatchNorm2dFold, operands: &Operands) -> Result<()> {
    let [weight, bias, gamma, beta, mean, var] = operands.inputs()?;
    let [folded, folded_bias] = operands.outputs()?;
    let row = operands.shapes[0][1..].iter().product::<usize>();
    for rows in weight.rows() {
        let values = rows.start * row..rows.end * row;
        let (weight, folded) = (compiler.gpu.view(weight, values.clone())?, compiler.gpu.view(folded, values.clone())?);
        let view = |storage| compiler.gpu.view(storage, rows.clone());
        let (bias, gamma, beta, mean, var) = (view(bias)?, view(gamma)?, view(beta)?, view(mean)?, view(var)?);
        let folded_bias = view(folded_bias)?;
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            length: values.len() as u32,
            inner: row as u32,
            eps: op.eps,
            a_offset: weight.offset,
            b_offset: bias.offset,
            weight_offset: gamma.offset,
            bias_offset: beta.offset,
            mean_offset: mean.offset,
            var_offset: var.offset,
            out_offset: folded.offset,
            grid: grid[0] as u32,
            ..Params::zeroed()
        };
        compiler.dispatch(&FOLD, &params, &[&weight, &gamma, &var, &folded], grid, values.len() as u64)?;
        let params = Params { length: rows.len() as u32, out_offset: folded_bias.offset, ..params };
        let views = [&bias, &gamma, &beta, &mean, &var, &folded_bias];
        compiler.dispatch(&FOLD_BIAS, &params, &views, [rows.len().div_ceil(64), 1, 1], 4 * rows.len() as u64)?;
    }
    Ok(())
}
