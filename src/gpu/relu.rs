use bytemuck::{Pod, Zeroable};

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use crate::error::Result;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

const SHADER: Shader = shader!("relu");

static FORWARD: Kernel = Kernel::new("relu/forward", SHADER, "forward", &[Read, Unused, Write]);
static BACKWARD: Kernel = Kernel::new("relu/backward", SHADER, "backward", &[Read, Read, Write]);

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    length: u32,
    x_offset: u32,
    dy_offset: u32,
    out_offset: u32,
    grid: u32,
}

pub(super) fn forward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([x], [y]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &FORWARD, &[x, y])
}

pub(super) fn backward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([y, dy], [dx]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &BACKWARD, &[y, dy, dx])
}

/// The last storage is the one that is written.
fn run(compiler: &mut Compiler, kernel: &'static Kernel, storages: &[&Storage]) -> Result<()> {
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
        };
        compiler.dispatch(kernel, &params, &views.iter().collect::<Vec<_>>(), grid, values.len() as u64)?;
    }
    Ok(())
}
