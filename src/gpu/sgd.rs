//! Stochastic gradient descent with momentum.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, State, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::Sgd;

pub(super) static KERNELS: &[&Kernel] = &[&UPDATE];

const SHADER: Shader = shader!("sgd", "state");

static UPDATE: Kernel = Kernel::new::<Params>("sgd/update", SHADER, "update", &[Write, Read, Write, State]);

uniform! {
    struct Params {
        length: u32,
        momentum: f32,
        weight_decay: f32,
        nesterov: u32,
        learning_rate_factor: f32,
        parameter_offset: u32,
        gradient_offset: u32,
        velocity_offset: u32,
        grid: u32,
    }
}

pub(super) fn update(compiler: &mut Compiler, op: &Sgd, operands: &Operands) -> Result<()> {
    let [parameter, gradient, velocity] = operands.inputs()?;
    for chunk in &parameter.chunks {
        let [parameter, gradient, velocity] =
            [parameter, gradient, velocity].map(|storage| compiler.gpu.view(storage, chunk.values.clone()));
        let (parameter, gradient, velocity) = (parameter?, gradient?, velocity?);
        let length = chunk.values.len();
        let grid = compiler.folded(length.div_ceil(256));
        let params = Params {
            length: length as u32,
            momentum: op.momentum,
            weight_decay: op.weight_decay,
            nesterov: u32::from(op.nesterov),
            learning_rate_factor: op.learning_rate_factor,
            parameter_offset: parameter.offset,
            gradient_offset: gradient.offset,
            velocity_offset: velocity.offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(&UPDATE, &params, &[&parameter, &gradient, &velocity], grid, 8 * length as u64)?;
    }
    Ok(())
}
