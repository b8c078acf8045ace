//! Another height and width, and the gradient.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::planes;
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::upsample::Places;
use crate::ops::{Interpolation, Upsample};

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD];

const SHADER: Shader = shader!("upsample");

static FORWARD: Kernel = Kernel::new::<Params>("upsample/forward", SHADER, "forward", &[Read, Write]);
static BACKWARD: Kernel = Kernel::new::<Params>("upsample/backward", SHADER, "backward", &[Read, Write]);

uniform! {
    struct Params {
        planes: u32,
        bilinear: u32,
        in_offset: u32,
        out_offset: u32,
        size: [u32; 2],
        out_size: [u32; 2],
        step: [u32; 2],
        shift: [i32; 2],
        unit: [u32; 2],
        grid: u32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &Upsample, operands: &Operands) -> Result<()> {
    run(compiler, &FORWARD, op, operands, operands.shapes[0])
}

pub(super) fn backward(compiler: &mut Compiler, op: &Upsample, operands: &Operands) -> Result<()> {
    run(compiler, &BACKWARD, op, operands, operands.output_shapes[0])
}

/// `x` is the shape of the forward pass's input.
fn run(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    op: &Upsample,
    operands: &Operands,
    x: &[usize],
) -> Result<()> {
    let places = [0, 1].map(|axis| Places::new(op.interpolation, x[2 + axis], op.size[axis]));
    planes::for_pieces(compiler, operands, |compiler, [source, out], count, grid| {
        let params = Params {
            planes: count as u32,
            bilinear: u32::from(op.interpolation != Interpolation::Nearest),
            in_offset: source.offset,
            out_offset: out.offset,
            size: [x[2] as u32, x[3] as u32],
            out_size: op.size.map(|size| size as u32),
            step: places.map(|places| places.step as u32),
            shift: places.map(|places| places.shift as i32),
            unit: places.map(|places| places.unit as u32),
            grid: grid[0] as u32,
        };
        compiler.dispatch(kernel, &params, &[source, out], grid, 8 * (count * op.size[0] * op.size[1]) as u64)
    })
}
