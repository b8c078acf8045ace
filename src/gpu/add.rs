//! The sum of two values.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD];

const SHADER: Shader = shader!("add");

static FORWARD: Kernel = Kernel::new::<Params>("add/forward", SHADER, "forward", &[Read, Read, Write]);

uniform! {
    struct Params {
        length: u32,
        a_offset: u32,
        b_offset: u32,
        out_offset: u32,
        grid: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([a, b], [out]) = (operands.inputs()?, operands.outputs()?);
    for values in compiler.stretches(a.len, 1) {
        let [a, b, out] = [a, b, out].map(|storage| compiler.gpu.view(storage, values.clone()));
        let (a, b, out) = (a?, b?, out?);
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            length: values.len() as u32,
            a_offset: a.offset,
            b_offset: b.offset,
            out_offset: out.offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(&FORWARD, &params, &[&a, &b, &out], grid, values.len() as u64)?;
    }
    Ok(())
}
