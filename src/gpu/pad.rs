//! A value with a border of one number.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::walk::{self, Params};
use crate::error::Result;
use crate::ops::Pad;
use crate::ops::walk::{MOST_DIMENSIONS, strides};

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD];

const SHADER: Shader = shader!("pad", "walk");

static FORWARD: Kernel = Kernel::new::<Params>("pad/forward", SHADER, "forward", &[Read, Unused, Write]);

pub(super) fn forward(compiler: &mut Compiler, op: &Pad, operands: &Operands) -> Result<()> {
    let ([source], [out]) = (operands.inputs()?, operands.outputs()?);
    let (x, y) = (operands.shapes[0], operands.output_shapes[0]);
    let image = [x, y].map(|shape| shape[1..].iter().product::<usize>());
    let cuts = if x[0] == y[0] { walk::images(compiler, &image, y[0]) } else { walk::at_once(y[0]) };
    let strides = strides(x);
    for images in cuts {
        // The border before and after images is with them, where it is.
        let (result, read) = if x[0] == y[0] { (images.len(), images.clone()) } else { (y[0], 0..x[0]) };
        let mut dims = [[0; 4]; MOST_DIMENSIONS];
        for (d, dim) in dims.iter_mut().enumerate().take(x.len()) {
            let (size, inside) = if d == 0 { (result, read.len()) } else { (y[d], x[d]) };
            *dim = [size, strides[d], op.padding[d][0], inside].map(|number| number as u32);
        }
        let length = result * image[1];
        let grid = compiler.folded(length.div_ceil(256));
        let params =
            Params { dims, count: x.len() as u32, number: op.value, ..Params::flat(length, &Default::default(), grid) };
        let views = [
            compiler.gpu.view(source, read.start * image[0]..read.end * image[0])?,
            compiler.gpu.view(out, images.start * image[1]..images.end * image[1])?,
        ];
        walk::dispatch(compiler, &FORWARD, params, &views, grid, 0)?;
    }
    Ok(())
}
