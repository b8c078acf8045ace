//! Layer normalisation over rows of features, and its gradients.

use bytemuck::Zeroable;

use super::compile::{Compiler, MAX_GRID, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::LayerNorm;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD_INPUT, &BACKWARD_SUMS, &MERGE];

const SHADER: Shader = shader!("layer_norm", "total");

static FORWARD: Kernel =
    Kernel::new::<Params>("layer_norm/forward", SHADER, "forward", &[Read, Read, Read, Unused, Write]);
static BACKWARD_INPUT: Kernel = Kernel::new::<Params>(
    "layer_norm/backward_input",
    SHADER,
    "backward_input",
    &[Read, Read, Read, Unused, Write, Write],
);
static BACKWARD_SUMS: Kernel =
    Kernel::new::<Params>("layer_norm/backward_sums", SHADER, "backward_sums", &[Read, Unused, Read, Read, Write]);
static MERGE: Kernel =
    Kernel::new::<Params>("layer_norm/merge", SHADER, "merge", &[Read, Unused, Unused, Unused, Write, Write]);

/// Rows that one invocation adds up for a feature: enough to leave few parts, few enough to keep workgroups busy.
const PART: usize = 64;

uniform! {
    struct Params {
        rows: u32,
        features: u32,
        eps: f32,
        part: u32,
        first_part: u32,
        parts: u32,
        x_offset: u32,
        weight_offset: u32,
        other_offset: u32,
        moments_offset: u32,
        out_offset: u32,
        out2_offset: u32,
        grid: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &LayerNorm, operands: &Operands) -> Result<()> {
    let ([x, weight, bias], [y]) = (operands.inputs()?, operands.outputs()?);
    let features = operands.shapes[1][0];
    let (weight, bias) = (compiler.gpu.whole(weight)?, compiler.gpu.whole(bias)?);
    for values in compiler.stretches(x.len, features) {
        let (x, y) = (compiler.gpu.view(x, values.clone())?, compiler.gpu.view(y, values.clone())?);
        let grid = compiler.folded(values.len() / features);
        let params = Params {
            rows: (values.len() / features) as u32,
            features: features as u32,
            eps: op.eps,
            x_offset: x.offset,
            weight_offset: weight.offset,
            other_offset: bias.offset,
            out_offset: y.offset,
            grid: grid[0] as u32,
            ..Params::zeroed()
        };
        compiler.dispatch(&FORWARD, &params, &[&x, &weight, &bias, &y], grid, 8 * values.len() as u64)?;
    }
    Ok(())
}

pub(super) fn backward(compiler: &mut Compiler, op: &LayerNorm, operands: &Operands) -> Result<()> {
    let ([x, weight, dy], [dx, dweight, dbias]) = (operands.inputs()?, operands.outputs()?);
    let features = operands.shapes[1][0];
    let (weight, dweight, dbias) =
        (compiler.gpu.whole(weight)?, compiler.gpu.whole(dweight)?, compiler.gpu.whole(dbias)?);
    let stretches: Vec<_> = compiler.stretches(x.len, features).collect();
    let most = stretches.iter().map(|values| values.len() / features).max().unwrap_or(0);
    // No more parts than a grid has workgroups along y.
    let part = PART.max(most.div_ceil(MAX_GRID));
    let parts: usize = stretches.iter().map(|values| (values.len() / features).div_ceil(part)).sum();
    let moments = compiler.scratch(2 * most)?;
    let sums = compiler.scratch(2 * parts * features)?;
    let (moments, sums) = (compiler.gpu.whole(&moments)?, compiler.gpu.whole(&sums)?);
    let mut first_part = 0;
    for values in stretches {
        let [x, dy, dx] = [x, dy, dx].map(|storage| compiler.gpu.view(storage, values.clone()));
        let (x, dy, dx) = (x?, dy?, dx?);
        let rows = values.len() / features;
        let grid = compiler.folded(rows);
        let params = Params {
            rows: rows as u32,
            features: features as u32,
            eps: op.eps,
            part: part as u32,
            first_part: first_part as u32,
            x_offset: x.offset,
            weight_offset: weight.offset,
            other_offset: dy.offset,
            moments_offset: moments.offset,
            out_offset: dx.offset,
            out2_offset: moments.offset,
            grid: grid[0] as u32,
            ..Params::zeroed()
        };
        let views = [&x, &weight, &dy, &dx, &moments];
        compiler.dispatch(&BACKWARD_INPUT, &params, &views, grid, 14 * values.len() as u64)?;
        let params = Params { out_offset: sums.offset, ..params };
        let here = rows.div_ceil(part);
        let groups = [features.div_ceil(64), here, 1];
        compiler.dispatch(&BACKWARD_SUMS, &params, &[&x, &dy, &moments, &sums], groups, 4 * values.len() as u64)?;
        first_part += here;
    }
    let params = Params {
        features: features as u32,
        parts: parts as u32,
        x_offset: sums.offset,
        out_offset: dweight.offset,
        out2_offset: dbias.offset,
        ..Params::zeroed()
    };
    let groups = [features.div_ceil(64), 1, 1];
    compiler.dispatch(&MERGE, &params, &[&sums, &dweight, &dbias], groups, 2 * (parts * features) as u64)
}
