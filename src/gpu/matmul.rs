//! Products of matrices, one for each of a batch.

use super::compile::{Compiler, MAX_GRID, Operands};
use super::kernel::Access::{Read, Write};
use super::kernel::{Kernel, Shader, shader};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::MatMul;

pub(super) static KERNELS: &[&Kernel] = &[&PRODUCT];

const SHADER: Shader = shader!("matmul");

static PRODUCT: Kernel = Kernel::new::<Params>("matmul/product", SHADER, "product", &[Read, Read, Write]);

/// Rows and columns of a workgroup's tile.
const TILE: usize = 64;

uniform! {
    struct Params {
        rows: u32,
        columns: u32,
        inner: u32,
        a_row: u32,
        a_inner: u32,
        a_matrix: u32,
        b_inner: u32,
        b_column: u32,
        b_matrix: u32,
        a_offset: u32,
        b_offset: u32,
        out_offset: u32,
        across: u32,
        alpha: f32,
    }
}

pub(super) fn forward(compiler: &mut Compiler, op: &MatMul, operands: &Operands) -> Result<()> {
    let ([a, b], [y]) = (operands.inputs()?, operands.outputs()?);
    let sizes = op.sizes(operands.shapes[0], operands.shapes[1])?;
    let (rows, columns, inner) = (sizes.rows, sizes.columns, sizes.inner);
    let [a_matrix, b_matrix, y_matrix] = [rows * inner, inner * columns, rows * columns];
    let (a_row, a_inner) = if op.transpose_a { (1, rows) } else { (inner, 1) };
    let (b_inner, b_column) = if op.transpose_b { (1, inner) } else { (columns, 1) };
    let batch: usize = sizes.batch.iter().product();
    let flops = 2 * (y_matrix * inner) as u64;
    let at_once = compiler.images_per_dispatch(&[a_matrix, b_matrix, y_matrix], flops).min(MAX_GRID);
    let [down, across] = [rows, columns].map(|size| size.div_ceil(TILE));
    for first in (0..batch).step_by(at_once) {
        let count = at_once.min(batch - first);
        let of = |matrix: usize, shared: bool| match shared {
            true => 0..matrix,
            false => first * matrix..(first + count) * matrix,
        };
        let a = compiler.gpu.view(a, of(a_matrix, sizes.shares[0]))?;
        let b = compiler.gpu.view(b, of(b_matrix, sizes.shares[1]))?;
        let y = compiler.gpu.view(y, of(y_matrix, false))?;
        let params = Params {
            rows: rows as u32,
            columns: columns as u32,
            inner: inner as u32,
            a_row: a_row as u32,
            a_inner: a_inner as u32,
            a_matrix: if sizes.shares[0] { 0 } else { a_matrix as u32 },
            b_inner: b_inner as u32,
            b_column: b_column as u32,
            b_matrix: if sizes.shares[1] { 0 } else { b_matrix as u32 },
            a_offset: a.offset,
            b_offset: b.offset,
            out_offset: y.offset,
            across: across as u32,
            alpha: op.alpha,
        };
        let grid = [down * across, count, 1];
        compiler.dispatch(&PRODUCT, &params, &[&a, &b, &y], grid, flops * count as u64)?;
    }
    Ok(())
}
