//! The exponential moving average of a parameter.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, State, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::Ema;

pub(super) static KERNELS: &[&Kernel] = &[&UPDATE];

const SHADER: Shader = shader!("ema", "state");

static UPDATE: Kernel = Kernel::new::<Params>("ema/update", SHADER, "update", &[Write, Read, State]);

uniform! {
    struct Params {
        length: u32,
        decay: f32,
        average_offset: u32,
        parameter_offset: u32,
        grid: u32,
    }
}

pub(super) fn update(compiler: &mut Compiler, op: &Ema, operands: &Operands) -> Result<()> {
    let [average, parameter] = operands.inputs()?;
    for chunk in &average.chunks {
        let average = compiler.gpu.view(average, chunk.values.clone())?;
        let parameter = compiler.gpu.view(parameter, chunk.values.clone())?;
        let length = chunk.values.len();
        let grid = compiler.folded(length.div_ceil(256));
        let params = Params {
            length: length as u32,
            decay: op.decay,
            average_offset: average.offset,
            parameter_offset: parameter.offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(&UPDATE, &params, &[&average, &parameter], grid, 3 * length as u64)?;
    }
    Ok(())
}
