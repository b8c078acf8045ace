//! Biases of attention scores by relative position.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::RelativePositionBias;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

const SHADER: Shader = shader!("relative_position_bias");

static FORWARD: Kernel =
    Kernel::new::<Params>("relative_position_bias/forward", SHADER, "forward", &[Read, Read, Write]);
static BACKWARD: Kernel =
    Kernel::new::<Params>("relative_position_bias/backward", SHADER, "backward", &[Read, Unused, Write]);

uniform! {
    struct Params {
        length: u32,
        heads: u32,
        height: u32,
        width: u32,
        matrices: u32,
        accumulate: u32,
        scores_offset: u32,
        table_offset: u32,
        out_offset: u32,
        grid: u32,
    }
}

/// The parameters of the scores of these values, and how many a window has.
fn params(op: &RelativePositionBias, heads: usize, length: usize) -> Params {
    let matrix = op.tokens() * op.tokens();
    Params {
        length: length as u32,
        heads: heads as u32,
        height: op.window[0] as u32,
        width: op.window[1] as u32,
        matrices: (length / matrix) as u32,
        ..bytemuck::Zeroable::zeroed()
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &RelativePositionBias, operands: &Operands) -> Result<()> {
    let ([scores, table], [y]) = (operands.inputs()?, operands.outputs()?);
    let heads = operands.shapes[1][1];
    let table = compiler.gpu.whole(table)?;
    for values in compiler.stretches(scores.len, heads * op.tokens() * op.tokens()) {
        let (scores, y) = (compiler.gpu.view(scores, values.clone())?, compiler.gpu.view(y, values.clone())?);
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            scores_offset: scores.offset,
            table_offset: table.offset,
            out_offset: y.offset,
            grid: grid[0] as u32,
            ..params(op, heads, values.len())
        };
        compiler.dispatch(&FORWARD, &params, &[&scores, &table, &y], grid, values.len() as u64)?;
    }
    Ok(())
}

pub(super) fn backward(compiler: &mut Compiler, op: &RelativePositionBias, operands: &Operands) -> Result<()> {
    let ([dy], [dtable]) = (operands.inputs()?, operands.outputs()?);
    let heads = operands.output_shapes[0][1];
    let dtable = compiler.gpu.whole(dtable)?;
    for values in compiler.stretches(dy.len, heads * op.tokens() * op.tokens()) {
        let dy = compiler.gpu.view(dy, values.clone())?;
        let params = Params {
            accumulate: u32::from(values.start > 0),
            scores_offset: dy.offset,
            out_offset: dtable.offset,
            ..params(op, heads, values.len())
        };
        compiler.dispatch(&BACKWARD, &params, &[&dy, &dtable], [op.entries(), heads, 1], values.len() as u64)?;
    }
    Ok(())
}
