//! ReLU with a slope for each channel, and its gradients.

use bytemuck::Zeroable;

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &BACKWARD_INPUT, &BACKWARD_SLOPE];

const SHADER: Shader = shader!("prelu");

static FORWARD: Kernel = Kernel::new::<Params>("prelu/forward", SHADER, "forward", &[Read, Read, Unused, Write]);
static BACKWARD_INPUT: Kernel =
    Kernel::new::<Params>("prelu/backward_input", SHADER, "backward_input", &[Read, Read, Read, Write]);
static BACKWARD_SLOPE: Kernel =
    Kernel::new::<Params>("prelu/backward_slope", SHADER, "backward_slope", &[Read, Unused, Read, Write]);

uniform! {
    struct Params {
        images: u32,
        channels: u32,
        inner: u32,
        x_offset: u32,
        slope_offset: u32,
        dy_offset: u32,
        out_offset: u32,
        grid: u32,
        accumulate: u32,
    }
}

impl Params {
    fn new(images: usize, shape: &[usize]) -> Self {
        let (channels, inner) = (shape[1] as u32, shape[2..].iter().product::<usize>() as u32);
        Params { images: images as u32, channels, inner, ..Params::zeroed() }
    }
}

/// Values of one image.
fn image(shape: &[usize]) -> usize {
    shape[1..].iter().product()
}

pub(super) fn forward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([x, slope], [y]) = (operands.inputs()?, operands.outputs()?);
    let shape = operands.shapes[0];
    for values in compiler.stretches(x.len, image(shape)) {
        let (x, y) = (compiler.gpu.view(x, values.clone())?, compiler.gpu.view(y, values.clone())?);
        let slope = compiler.gpu.whole(slope)?;
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            x_offset: x.offset,
            slope_offset: slope.offset,
            out_offset: y.offset,
            grid: grid[0] as u32,
            ..Params::new(values.len() / image(shape), shape)
        };
        compiler.dispatch(&FORWARD, &params, &[&x, &slope, &y], grid, 2 * values.len() as u64)?;
    }
    Ok(())
}

pub(super) fn backward(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([x, slope, dy], [dx, dslope]) = (operands.inputs()?, operands.outputs()?);
    let shape = operands.shapes[0];
    for values in compiler.stretches(x.len, image(shape)) {
        let [x, dy, dx] = [x, dy, dx].map(|storage| compiler.gpu.view(storage, values.clone()));
        let (x, dy, dx) = (x?, dy?, dx?);
        let (slope, dslope) = (compiler.gpu.whole(slope)?, compiler.gpu.whole(dslope)?);
        let grid = compiler.folded(values.len().div_ceil(256));
        let params = Params {
            x_offset: x.offset,
            slope_offset: slope.offset,
            dy_offset: dy.offset,
            out_offset: dx.offset,
            grid: grid[0] as u32,
            ..Params::new(values.len() / image(shape), shape)
        };
        compiler.dispatch(&BACKWARD_INPUT, &params, &[&x, &slope, &dy, &dx], grid, 2 * values.len() as u64)?;
        let grid = compiler.folded(shape[1]);
        let accumulate = u32::from(values.start > 0);
        let params = Params { out_offset: dslope.offset, grid: grid[0] as u32, accumulate, ..params };
        compiler.dispatch(&BACKWARD_SLOPE, &params, &[&x, &dy, &dslope], grid, 2 * values.len() as u64)?;
    }
    Ok(())
}
