//! Average pooling to a given size, and its gradient.

use super::buffer::Storage;
use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

const SHADER: Shader = shader!("adaptive_avg_pool2d");

static FORWARD: Kernel = Kernel::new::<Params>("adaptive_avg_pool2d/forward", SHADER, "forward", &[Read, Write]);
static BACKWARD: Kernel = Kernel::new::<Params>("adaptive_avg_pool2d/backward", SHADER, "backward", &[Read, Write]);

uniform! {
    struct Params {
        planes: u32,
        height: u32,
        width: u32,
        out_height: u32,
        out_width: u32,
        in_offset: u32,
        out_offset: u32,
        grid: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([x], [y]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &FORWARD, operands, [x, y], [operands.shapes[0], operands.output_shapes[0]])
}

pub(super) fn backward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([dy], [dx]) = (operands.inputs()?, operands.outputs()?);
    run(compiler, &BACKWARD, operands, [dy, dx], [operands.output_shapes[0], operands.shapes[0]])
}

/// From `source` to `out`; `x` and `y` are the shapes of the forward pass.
fn run(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    operands: &Operands,
    [source, out]: [&Storage; 2],
    [x, y]: [&[usize]; 2],
) -> Result<()> {
    let planes = x[0] * x[1];
    let per_dispatch = (compiler.gpu.values_per_binding() / (x[2] * x[3]).max(y[2] * y[3])).max(1);
    for first in (0..planes).step_by(per_dispatch) {
        let count = per_dispatch.min(planes - first);
        let view = |storage, shape: &[usize]| {
            let plane = shape[2] * shape[3];
            compiler.gpu.view(storage, first * plane..(first + count) * plane)
        };
        let source = view(source, operands.shapes[0])?;
        let out = view(out, operands.output_shapes[0])?;
        let invocations = count * operands.output_shapes[0][2] * operands.output_shapes[0][3];
        let grid = compiler.folded(invocations.div_ceil(256));
        let params = Params {
            planes: count as u32,
            height: x[2] as u32,
            width: x[3] as u32,
            out_height: y[2] as u32,
            out_width: y[3] as u32,
            in_offset: source.offset,
            out_offset: out.offset,
            grid: grid[0] as u32,
        };
        compiler.dispatch(kernel, &params, &[&source, &out], grid, 2 * (count * x[2] * x[3]) as u64)?;
    }
    Ok(())
}
