use bytemuck::{Pod, Zeroable};

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::Kernel;
use crate::error::Result;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD];

static FORWARD: Kernel = Kernel::new("add/forward", "add", "forward", &[Read, Read, Write]);

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    length: u32,
    a_offset: u32,
    b_offset: u32,
    out_offset: u32,
    grid: u32,
}

pub(super) fn forward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    for values in compiler.stretches(operands.inputs[0].len, 1) {
        let mut views = Vec::new();
        for storage in operands.inputs.iter().chain(operands.outputs) {
            views.push(compiler.gpu.view(storage, values.clone())?);
        }
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            length: values.len() as u32,
            a_offset: views[0].offset,
            b_offset: views[1].offset,
            out_offset: views[2].offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(&FORWARD, &params, &views.iter().collect::<Vec<_>>(), grid, values.len() as u64)?;
    }
    Ok(())
}
