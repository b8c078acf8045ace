//! Max-pooling and its gradient.

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::MaxPool2d;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

const SHADER: Shader = shader!("max_pool2d");

static FORWARD: Kernel = Kernel::new::<Params>("max_pool2d/forward", SHADER, "forward", &[Read, Unused, Write]);
static BACKWARD: Kernel = Kernel::new::<Params>("max_pool2d/backward", SHADER, "backward", &[Read, Read, Write]);

uniform! {
    struct Params {
        planes: u32,
        height: u32,
        width: u32,
        out_height: u32,
        out_width: u32,
        x_offset: u32,
        kernel: [u32; 2],
        stride: [u32; 2],
        padding: [u32; 2],
        dy_offset: u32,
        out_offset: u32,
        grid: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &MaxPool2d, operands: &Operands) -> Result<()> {
    let ([x], [y]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &FORWARD, op, operands, &[x, y], operands.output_shapes[0])
}

pub(super) fn backward(compiler: &mut Compiler, op: &MaxPool2d, operands: &Operands) -> Result<()> {
    let ([x, dy], [dx]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &BACKWARD, op, operands, &[x, dy, dx], operands.shapes[1])
}

/// `pooled` is the shape of y or dy. The last storage is the one that is written.
fn run(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    op: &MaxPool2d,
    operands: &Operands,
    storages: &[&Storage],
    pooled: &[usize],
) -> Result<()> {
    let x = operands.shapes[0];
    let (plane, out_plane) = (x[2] * x[3], pooled[2] * pooled[3]);
    let planes = x[0] * x[1];
    let per_dispatch = (compiler.gpu.values_per_binding() / plane.max(out_plane)).max(1);
    for first in (0..planes).step_by(per_dispatch) {
        let count = per_dispatch.min(planes - first);
        let mut views = Vec::new();
        let shapes = operands.shapes.iter().chain(operands.output_shapes);
        for (storage, shape) in storages.iter().zip(shapes) {
            let plane = shape[2] * shape[3];
            views.push(compiler.gpu.view(storage, first * plane..(first + count) * plane)?);
        }
        let invocations = count * operands.output_shapes[0][2] * operands.output_shapes[0][3];
        let grid = compiler.folded(invocations.div_ceil(256));
        let params = Params {
            planes: count as u32,
            height: x[2] as u32,
            width: x[3] as u32,
            out_height: pooled[2] as u32,
            out_width: pooled[3] as u32,
            x_offset: views[0].offset,
            kernel: op.kernel.map(|size| size as u32),
            stride: op.stride.map(|size| size as u32),
            padding: op.padding.map(|size| size as u32),
            dy_offset: views[1].offset,
            out_offset: views[views.len() - 1].offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(kernel, &params, &views.iter().collect::<Vec<_>>(), grid, (count * plane) as u64)?;
    }
    Ok(())
}
