//! Activation functions and their gradients, value by value.

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::finish::{Finish, limits};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::Activation;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

const SHADER: Shader = shader!("activation", "activation");

static FORWARD: Kernel = Kernel::new::<Params>("activation/forward", SHADER, "forward", &[Read, Unused, Write]);
static BACKWARD: Kernel = Kernel::new::<Params>("activation/backward", SHADER, "backward", &[Read, Read, Write]);

uniform! {
    struct Params {
        length: u32,
        x_offset: u32,
        dy_offset: u32,
        out_offset: u32,
        grid: u32,
        /// The minimum of a clip, or the slope of a leaky ReLU.
        low: f32,
        high: f32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: Activation, operands: &Operands) -> Result<()> {
    let ([x], [y]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &FORWARD, op, &[x, y])
}

pub(super) fn backward(compiler: &mut Compiler, op: Activation, operands: &Operands) -> Result<()> {
    let ([x, dy], [dx]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &BACKWARD, op, &[x, dy, dx])
}

/// The last storage is the one that is written.
fn run(compiler: &mut Compiler, kernel: &'static Kernel, op: Activation, storages: &[&Storage]) -> Result<()> {
    let [low, high] = limits(Some(op));
    let variant = kernel.finishing(Finish::new(Some(op), false));
    for values in compiler.stretches(storages[0].len, 1) {
        let mut views = Vec::new();
        for storage in storages {
            views.push(compiler.gpu.view(storage, values.clone())?);
        }
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            length: values.len() as u32,
            x_offset: views[0].offset,
            dy_offset: views[1].offset,
            out_offset: views[views.len() - 1].offset,
            grid: grid[0] as u32,
            low,
            high,
        };
        compiler.dispatch(variant, &params, &views.iter().collect::<Vec<_>>(), grid, values.len() as u64)?;
    }
    Ok(())
}
