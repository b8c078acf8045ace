//! Max-pooling and its gradient.

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::{MaxPool2d, MaxPool2dBackward};

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD, &BACKWARD_APART];

const SHADER: Shader = shader!("max_pool2d");

static FORWARD: Kernel = Kernel::new::<Params>("max_pool2d/forward", SHADER, "forward", &[Read, Unused, Write]);
static BACKWARD: Kernel = Kernel::new::<Params>("max_pool2d/backward", SHADER, "backward", &[Read, Read, Write]);
/// Of windows that share nothing and leave nothing out between them.
static BACKWARD_APART: Kernel =
    Kernel::new::<Params>("max_pool2d/backward_apart", SHADER, "backward_apart", &[Read, Read, Write]);

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
        relu: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &MaxPool2d, operands: &Operands) -> Result<()> {
    let ([x], [y]) = (operands.inputs()?, operands.outputs()?);
    let pooled = operands.output_shapes[0];
    run(compiler, &FORWARD, (op, false), operands, &[x, y], [pooled, pooled])
}

pub(super) fn backward(compiler: &mut Compiler, op: &MaxPool2dBackward, operands: &Operands) -> Result<()> {
    let ([x, dy], [dx]) = (operands.inputs()?, operands.outputs()?);
    let MaxPool2dBackward { pool, relu } = op;
    let [shape, pooled] = [operands.shapes[0], operands.shapes[1]];
    let (mut kernel, mut invoked) = (&BACKWARD, shape.to_vec());
    if pool.kernel == pool.stride && pool.padding == [0; 2] {
        kernel = compiler.choose(&[&BACKWARD_APART, &BACKWARD], &BACKWARD_APART);
    }
    if std::ptr::eq(kernel, &BACKWARD_APART) {
        (2..4).for_each(|axis| invoked[axis] = shape[axis].div_ceil(pool.kernel[axis - 2]));
    }
    run(compiler, kernel, (pool, *relu), operands, &[x, dy, dx], [pooled, &invoked])
}

/// `pooled` is the shape of y or dy; there is an invocation for each value of the other shape. The last storage is the one that
/// is written.
fn run(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    (op, relu): (&MaxPool2d, bool),
    operands: &Operands,
    storages: &[&Storage],
    [pooled, invoked]: [&[usize]; 2],
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
        let grid = compiler.folded((count * invoked[2] * invoked[3]).div_ceil(256));
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
            relu: u32::from(relu),
        };
        compiler.dispatch(kernel, &params, &views.iter().collect::<Vec<_>>(), grid, (count * plane) as u64)?;
    }
    Ok(())
}
