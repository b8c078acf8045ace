//! The mean of gradients over the micro-batches of one step.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, State, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;

pub(super) static KERNELS: &[&Kernel] = &[&UPDATE];

const SHADER: Shader = shader!("accumulate", "state");

static UPDATE: Kernel = Kernel::new::<Params>("accumulate/update", SHADER, "update", &[Write, Read, State]);

uniform! {
    struct Params {
        length: u32,
        mean_offset: u32,
        gradient_offset: u32,
        grid: u32,
    }
}

pub(super) fn update(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let [mean, gradient] = operands.inputs()?;
    for chunk in &mean.chunks {
        let mean = compiler.gpu.view(mean, chunk.values.clone())?;
        let gradient = compiler.gpu.view(gradient, chunk.values.clone())?;
        let length = chunk.values.len();
        let grid = compiler.folded(length.div_ceil(256));
        let params = Params {
            length: length as u32,
            mean_offset: mean.offset,
            gradient_offset: gradient.offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(&UPDATE, &params, &[&mean, &gradient], grid, 3 * length as u64)?;
    }
    Ok(())
}
