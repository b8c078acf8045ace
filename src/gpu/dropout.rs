//! Dropout with random numbers from counters.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, State, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::Dropout;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD];

const SHADER: Shader = shader!("dropout", "state", "philox");

static FORWARD: Kernel = Kernel::new::<Params>("dropout/forward", SHADER, "forward", &[Read, Write, State]);

uniform! {
    struct Params {
        length: u32,
        first_quad: u32,
        quads: u32,
        layer: u32,
        threshold: u32,
        scale: f32,
        x_offset: u32,
        out_offset: u32,
        grid: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &Dropout, operands: &Operands) -> Result<()> {
    let ([x], [out]) = (operands.inputs()?, operands.outputs()?);
    // Four values share one draw, so a stretch begins at a multiple of four.
    let quads = x.len.div_ceil(4) as u32;
    for values in compiler.stretches(x.len, 4) {
        let (x, out) = (compiler.gpu.view(x, values.clone())?, compiler.gpu.view(out, values.clone())?);
        let grid = compiler.folded(values.len().div_ceil(4 * 256));
        let params = Params {
            length: values.len() as u32,
            first_quad: (values.start / 4) as u32,
            quads,
            layer: op.layer,
            threshold: op.threshold(),
            scale: op.scale(),
            x_offset: x.offset,
            out_offset: out.offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(&FORWARD, &params, &[&x, &out], grid, 2 * values.len() as u64)?;
    }
    Ok(())
}
