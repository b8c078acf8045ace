//! Adam and AdamW.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, State, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::Adam;

pub(super) static KERNELS: &[&Kernel] = &[&UPDATE];

const SHADER: Shader = shader!("adam", "state");

static UPDATE: Kernel = Kernel::new::<Params>("adam/update", SHADER, "update", &[Write, Read, Write, Write, State]);

uniform! {
    struct Params {
        length: u32,
        beta1: f32,
        beta2: f32,
        epsilon: f32,
        weight_decay: f32,
        decoupled: u32,
        learning_rate_factor: f32,
        parameter_offset: u32,
        gradient_offset: u32,
        m_offset: u32,
        v_offset: u32,
        grid: u32,
    }
}

pub(super) fn update(compiler: &mut Compiler, op: &Adam, operands: &Operands) -> Result<()> {
    let [parameter, gradient, m, v] = operands.inputs()?;
    for chunk in &parameter.chunks {
        let [parameter, gradient, m, v] =
            [parameter, gradient, m, v].map(|storage| compiler.gpu.view(storage, chunk.values.clone()));
        let (parameter, gradient, m, v) = (parameter?, gradient?, m?, v?);
        let length = chunk.values.len();
        let grid = compiler.folded(length.div_ceil(256));
        let params = Params {
            length: length as u32,
            beta1: op.betas[0],
            beta2: op.betas[1],
            epsilon: op.epsilon,
            weight_decay: op.weight_decay,
            decoupled: u32::from(op.decoupled),
            learning_rate_factor: op.learning_rate_factor,
            parameter_offset: parameter.offset,
            gradient_offset: gradient.offset,
            m_offset: m.offset,
            v_offset: v.offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(&UPDATE, &params, &[&parameter, &gradient, &m, &v], grid, 14 * length as u64)?;
    }
    Ok(())
}
