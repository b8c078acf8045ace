//! A part of a value along its dimensions.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::walk::{self, Params};
use crate::error::Result;
use crate::ops::Slice;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD];

const SHADER: Shader = shader!("slice", "walk");

static FORWARD: Kernel = Kernel::new::<Params>("slice/forward", SHADER, "forward", &[Read, Unused, Write]);

pub(super) fn forward(compiler: &mut Compiler, op: &Slice, operands: &Operands) -> Result<()> {
    let ([source], [out]) = (operands.inputs()?, operands.outputs()?);
    let (x, y) = (operands.shapes[0], operands.output_shapes[0]);
    let first = op.range(0, x[0]).start;
    // The first dimension is cut by the bindings.
    let within = Slice { ranges: std::iter::once(None).chain(op.ranges.iter().skip(1).cloned()).collect() };
    let image = [x, y].map(|shape| shape[1..].iter().product::<usize>());
    for images in walk::images(compiler, &image, y[0]) {
        let of = |shape: &[usize]| [&[images.len()], &shape[1..]].concat();
        let (walk, start) = within.walk(&of(x), &of(y));
        let read = (first + images.start) * image[0]..(first + images.end) * image[0];
        let views =
            [compiler.gpu.view(source, read)?, compiler.gpu.view(out, images.start * image[1]..images.end * image[1])?];
        let grid = compiler.folded(walk.len().div_ceil(256));
        let params = Params { a_offset: start as u32, ..Params::flat(walk.len(), &walk, grid) };
        walk::dispatch(compiler, &FORWARD, params, &views, grid, 0)?;
    }
    Ok(())
}
