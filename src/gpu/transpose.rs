//! Dimensions in another order.

use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Kernel, Shader, shader};
use super::walk::{self, Params};
use crate::error::Result;
use crate::ops::Transpose;
use crate::ops::walk::Walk;

pub(super) static KERNELS: &[&Kernel] = &[&FORWARD, &TILED];

const SHADER: Shader = shader!("transpose", "walk");

static FORWARD: Kernel = Kernel::new::<Params>("transpose/forward", SHADER, "forward", &[Read, Unused, Write]);
static TILED: Kernel = Kernel::new::<Params>("transpose/tiled", SHADER, "tiled", &[Read, Unused, Write]);

/// Height and width of a tile.
const TILE: usize = 32;

pub(super) fn forward(compiler: &mut Compiler, op: &Transpose, operands: &Operands) -> Result<()> {
    let ([source], [out]) = (operands.inputs()?, operands.outputs()?);
    let (x, y) = (operands.shapes[0], operands.output_shapes[0]);
    let image = [x, y].map(|shape| shape[1..].iter().product::<usize>());
    // What the first dimension becomes is needed at once, unless it stays.
    let cuts = if op.permutation[0] == 0 { walk::images(compiler, &image, y[0]) } else { walk::at_once(y[0]) };
    for images in cuts {
        let of = |shape: &[usize]| {
            if op.permutation[0] == 0 { [&[images.len()], &shape[1..]].concat() } else { shape.to_vec() }
        };
        let walk = op.walk(&of(x), &of(y));
        let values = images.start * image[1]..images.end * image[1];
        let views = [compiler.gpu.view(source, values.clone())?, compiler.gpu.view(out, values)?];
        let tiles = tiles(&walk);
        // On software adapters workgroup memory is slow.
        let default = if tiles.is_some() && !compiler.is_software() { &TILED } else { &FORWARD };
        let kernel = compiler.choose(&[&FORWARD, &TILED], default);
        let (kernel, length, groups) = match tiles {
            Some(tiles) if std::ptr::eq(kernel, &TILED) => (kernel, tiles, tiles),
            _ => (&FORWARD, walk.len(), walk.len().div_ceil(256)),
        };
        let grid = compiler.folded(groups);
        walk::dispatch(compiler, kernel, Params::flat(length, &walk, grid), &views, grid, 0)?;
    }
    Ok(())
}

/// How many tiles there are, where the walk is over matrices whose rows become columns.
fn tiles(walk: &Walk) -> Option<usize> {
    let (matrices, rows, columns) = match *walk.dimensions() {
        [rows, columns] => (1, rows, columns),
        [matrices, rows, columns] if matrices.strides[0] == rows.size * columns.size => (matrices.size, rows, columns),
        _ => return None,
    };
    let turned = rows.strides[0] == 1 && columns.strides[0] == rows.size;
    turned.then_some(matrices * rows.size.div_ceil(TILE) * columns.size.div_ceil(TILE))
}
