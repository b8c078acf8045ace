//! Softmax over one dimension, and its gradient.

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::Softmax;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD, &FORWARD_WIDE, &BACKWARD_WIDE];

const SHADER: Shader = shader!("softmax");

static FORWARD: Kernel = Kernel::new::<Params>("softmax/forward", SHADER, "forward", &[Read, Unused, Write]);
static BACKWARD: Kernel = Kernel::new::<Params>("softmax/backward", SHADER, "backward", &[Read, Read, Write]);
static FORWARD_WIDE: Kernel =
    Kernel::new::<Params>("softmax/forward_wide", SHADER, "forward_wide", &[Read, Unused, Write]);
static BACKWARD_WIDE: Kernel =
    Kernel::new::<Params>("softmax/backward_wide", SHADER, "backward_wide", &[Read, Read, Write]);

/// From this many classes on, a workgroup per row pays.
const WIDE: usize = 64;

uniform! {
    struct Params {
        rows: u32,
        classes: u32,
        inner: u32,
        x_offset: u32,
        dy_offset: u32,
        out_offset: u32,
        grid: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &Softmax, operands: &Operands) -> Result<()> {
    let ([x], [y]) = (operands.inputs()?, operands.outputs()?);
    let default = if op.classes(operands.shapes[0]).0 < WIDE { &FORWARD } else { &FORWARD_WIDE };
    let kernel = compiler.choose(&[&FORWARD, &FORWARD_WIDE], default);
    run(compiler, kernel, op.classes(operands.shapes[0]), &[x, y])
}

pub(super) fn backward(compiler: &mut Compiler, op: &Softmax, operands: &Operands) -> Result<()> {
    let ([y, dy], [dx]) = (operands.inputs()?, operands.outputs()?);
    let default = if op.classes(operands.shapes[0]).0 < WIDE { &BACKWARD } else { &BACKWARD_WIDE };
    let kernel = compiler.choose(&[&BACKWARD, &BACKWARD_WIDE], default);
    run(compiler, kernel, op.classes(operands.shapes[0]), &[y, dy, dx])
}

/// The last storage is the one that is written. All have so many classes, and so many values from one to the next.
fn run(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    (classes, inner): (usize, usize),
    storages: &[&Storage],
) -> Result<()> {
    let one_row_per_group = std::ptr::eq(kernel, &FORWARD_WIDE) || std::ptr::eq(kernel, &BACKWARD_WIDE);
    for values in compiler.stretches(storages[0].len, classes * inner) {
        let mut views = Vec::new();
        for storage in storages {
            views.push(compiler.gpu.view(storage, values.clone())?);
        }
        let rows = values.len() / classes;
        let grid = compiler.folded(if one_row_per_group { rows } else { rows.div_ceil(64) });
        let params = Params {
            rows: rows as u32,
            classes: classes as u32,
            inner: inner as u32,
            x_offset: views[0].offset,
            dy_offset: views[1].offset,
            out_offset: views[views.len() - 1].offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(kernel, &params, &views.iter().collect::<Vec<_>>(), grid, 5 * values.len() as u64)?;
    }
    Ok(())
}
