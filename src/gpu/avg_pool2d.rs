//! Mean over windows, and its gradient.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::planes;
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::AvgPool2d;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

const SHADER: Shader = shader!("avg_pool2d");

static FORWARD: Kernel = Kernel::new::<Params>("avg_pool2d/forward", SHADER, "forward", &[Read, Write]);
static BACKWARD: Kernel = Kernel::new::<Params>("avg_pool2d/backward", SHADER, "backward", &[Read, Write]);

uniform! {
    struct Params {
        planes: u32,
        count_include_pad: u32,
        in_offset: u32,
        out_offset: u32,
        size: [u32; 2],
        out_size: [u32; 2],
        kernel: [u32; 2],
        stride: [u32; 2],
        padding: [u32; 2],
        grid: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &AvgPool2d, operands: &Operands) -> Result<()> {
    run(compiler, &FORWARD, op, operands, operands.shapes[0], operands.output_shapes[0])
}

pub(super) fn backward(compiler: &mut Compiler, op: &AvgPool2d, operands: &Operands) -> Result<()> {
    run(compiler, &BACKWARD, op, operands, operands.output_shapes[0], operands.shapes[0])
}

/// `x` and `y` are the shapes of the forward pass.
fn run(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    op: &AvgPool2d,
    operands: &Operands,
    x: &[usize],
    y: &[usize],
) -> Result<()> {
    let pair = |pair: [usize; 2]| pair.map(|number| number as u32);
    planes::for_pieces(compiler, operands, |compiler, [source, out], count, grid| {
        let params = Params {
            planes: count as u32,
            count_include_pad: u32::from(op.count_include_pad),
            in_offset: source.offset,
            out_offset: out.offset,
            size: pair([x[2], x[3]]),
            out_size: pair([y[2], y[3]]),
            kernel: pair(op.kernel),
            stride: pair(op.stride),
            padding: pair(op.padding),
            grid: grid[0] as u32,
        };
        let flops = count * y[2] * y[3] * op.kernel[0] * op.kernel[1];
        compiler.dispatch(kernel, &params, &[source, out], grid, flops as u64)
    })
}
