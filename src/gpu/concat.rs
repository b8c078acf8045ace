//! Values one after the other along a dimension.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::walk::{self, Params};
use crate::error::Result;
use crate::ops::Concat;
use crate::ops::walk::{Walk, strides};

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD];

const SHADER: Shader = shader!("concat", "walk");

static FORWARD: Kernel = Kernel::new::<Params>("concat/forward", SHADER, "forward", &[Read, Unused, Write]);

pub(super) fn forward(compiler: &mut Compiler, op: &Concat, operands: &Operands) -> Result<()> {
    let [target] = operands.outputs()?;
    let y = operands.output_shapes[0];
    let (dim, strides_y) = (op.dim, strides(y));
    let mut before = 0;
    for (storage, shape) in operands.inputs.iter().zip(operands.shapes) {
        let image = [*shape, y].map(|shape| shape[1..].iter().product::<usize>());
        // Along the first dimension, what comes before is skipped by the binding.
        let (skipped, start) = if dim == 0 { (before, 0) } else { (0, before * strides_y[dim]) };
        for images in walk::images(compiler, &image, shape[0]) {
            let part = [&[images.len()], &shape[1..]].concat();
            let strides_x = strides(&part);
            let walk = Walk::new(&part, [&strides_x, &strides_x, &strides_y]);
            let out = (skipped + images.start) * image[1]..(skipped + images.end) * image[1];
            let views = [
                compiler.gpu.view(storage, images.start * image[0]..images.end * image[0])?,
                compiler.gpu.view(target, out)?,
            ];
            let grid = compiler.folded(walk.len().div_ceil(256));
            let params = Params { out_offset: start as u32, ..Params::flat(walk.len(), &walk, grid) };
            walk::dispatch(compiler, &FORWARD, params, &views, grid, 0)?;
        }
        before += shape[dim];
    }
    Ok(())
}
