use bytemuck::{Pod, Zeroable};

use super::buffer::View;
use super::compile::{Compiler, Operands};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::Kernel;
use crate::error::Result;
use crate::ops::Dense;

pub(super) static KERNELS: &[&Kernel] = &[&ROWS, &MATMUL, &COLUMNS];

static ROWS: Kernel = Kernel::new("dense/rows", "dense", "rows", &[Read, Read, Read, Write]);
static MATMUL: Kernel = Kernel::new("dense/matmul", "dense", "matmul", &[Read, Read, Read, Write]);
static COLUMNS: Kernel = Kernel::new("dense/columns", "dense", "columns", &[Read, Unused, Read, Write]);

/// Rows of `a` that one workgroup of `rows` multiplies with one row of weights.
const ROWS_PER_GROUP: usize = 4;

/// Up to this batch, reading the weights takes longer than multiplying them.
const SMALL_BATCH: usize = 8;

/// Height and width of the tiles of `matmul`.
const TILE: usize = 32;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    rows: u32,
    columns: u32,
    inner: u32,
    a_row: u32,
    a_inner: u32,
    b_inner: u32,
    b_column: u32,
    c_row: u32,
    a_offset: u32,
    b_offset: u32,
    bias_offset: u32,
    c_offset: u32,
    accumulate: u32,
    has_bias: u32,
    relu: u32,
    first_group: u32,
}

impl Params {
    fn flops(&self) -> u64 {
        2 * u64::from(self.rows) * u64::from(self.columns) * u64::from(self.inner)
    }
}

/// Adds as many dispatches as the grid's limit asks for: `groups` workgroups along x, the rest along y.
fn dispatch(
    compiler: &mut Compiler,
    kernel: &'static Kernel,
    params: Params,
    views: &[&View],
    groups: [usize; 2],
) -> Result<()> {
    for first in (0..groups[0]).step_by(super::compile::MAX_GRID) {
        let count = (groups[0] - first).min(super::compile::MAX_GRID);
        let params = Params { first_group: first as u32, ..params };
        compiler.dispatch(
            kernel,
            &params,
            views,
            [count, groups[1], 1],
            params.flops() / groups[0] as u64 * count as u64,
        )?;
    }
    Ok(())
}

fn matmul(compiler: &mut Compiler, params: Params, views: &[&View]) -> Result<()> {
    let groups = [params.columns, params.rows].map(|n| (n as usize).div_ceil(TILE));
    dispatch(compiler, &MATMUL, params, views, groups)
}

pub(super) fn forward(compiler: &mut Compiler, op: &Dense, operands: &Operands) -> Result<()> {
    let (&[x, weight, bias], &[y]) = (operands.inputs, operands.outputs) else { return Ok(()) };
    let (batch, features, out) = (operands.shapes[0][0], operands.shapes[1][1], operands.shapes[1][0]);
    let default = if batch <= SMALL_BATCH { &ROWS } else { &MATMUL };
    let kernel = compiler.choose(&[&ROWS, &MATMUL], default);
    let rows_at_once = compiler.images_per_dispatch(&[features, out], 2 * (features * out) as u64);
    for first in (0..batch).step_by(rows_at_once) {
        let rows = rows_at_once.min(batch - first);
        let x = compiler.gpu.view(x, first * features..(first + rows) * features)?;
        let y = compiler.gpu.view(y, first * out..(first + rows) * out)?;
        for part in weight.rows() {
            let weight = compiler.gpu.view(weight, part.start * features..part.end * features)?;
            let bias = compiler.gpu.view(bias, part.clone())?;
            let params = Params {
                rows: rows as u32,
                columns: part.len() as u32,
                inner: features as u32,
                a_row: features as u32,
                a_inner: 1,
                b_inner: 1,
                b_column: features as u32,
                c_row: out as u32,
                a_offset: x.offset,
                b_offset: weight.offset,
                bias_offset: bias.offset,
                c_offset: y.offset + part.start as u32,
                accumulate: 0,
                has_bias: 1,
                relu: u32::from(op.relu),
                first_group: 0,
            };
            let views = [&x, &weight, &bias, &y];
            if std::ptr::eq(kernel, &ROWS) {
                dispatch(compiler, &ROWS, params, &views, [part.len(), rows.div_ceil(ROWS_PER_GROUP)])?;
            } else {
                matmul(compiler, params, &views)?;
            }
        }
    }
    Ok(())
}

pub(super) fn backward_input(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let (&[dy, weight], &[dx]) = (operands.inputs, operands.outputs) else { return Ok(()) };
    let (batch, features, out) = (operands.shapes[0][0], operands.shapes[1][1], operands.shapes[1][0]);
    let rows_at_once = compiler.images_per_dispatch(&[features, out], 2 * (features * out) as u64);
    for first in (0..batch).step_by(rows_at_once) {
        let rows = rows_at_once.min(batch - first);
        let dy = compiler.gpu.view(dy, first * out..(first + rows) * out)?;
        let dx = compiler.gpu.view(dx, first * features..(first + rows) * features)?;
        for part in weight.rows() {
            let weight = compiler.gpu.view(weight, part.start * features..part.end * features)?;
            let params = Params {
                rows: rows as u32,
                columns: features as u32,
                inner: part.len() as u32,
                a_row: out as u32,
                a_inner: 1,
                b_inner: features as u32,
                b_column: 1,
                c_row: features as u32,
                a_offset: dy.offset + part.start as u32,
                b_offset: weight.offset,
                c_offset: dx.offset,
                accumulate: u32::from(part.start > 0),
                ..Params::zeroed()
            };
            // There is no bias here: the weights stand in for the binding, which is not read.
            matmul(compiler, params, &[&dy, &weight, &weight, &dx])?;
        }
    }
    Ok(())
}

pub(super) fn backward_weight(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let (&[x, dy], &[dweight, dbias]) = (operands.inputs, operands.outputs) else { return Ok(()) };
    let (batch, out) = (operands.shapes[1][0], operands.shapes[1][1]);
    let features = operands.shapes[0][1..].iter().product::<usize>();
    let rows_at_once = compiler.images_per_dispatch(&[features, out], 2 * (features * out) as u64);
    for first in (0..batch).step_by(rows_at_once) {
        let rows = rows_at_once.min(batch - first);
        let x = compiler.gpu.view(x, first * features..(first + rows) * features)?;
        let dy = compiler.gpu.view(dy, first * out..(first + rows) * out)?;
        let accumulate = u32::from(first > 0);
        for part in dweight.rows() {
            let dweight = compiler.gpu.view(dweight, part.start * features..part.end * features)?;
            let params = Params {
                rows: part.len() as u32,
                columns: features as u32,
                inner: rows as u32,
                a_row: 1,
                a_inner: out as u32,
                b_inner: features as u32,
                b_column: 1,
                c_row: features as u32,
                a_offset: dy.offset + part.start as u32,
                b_offset: x.offset,
                c_offset: dweight.offset,
                accumulate,
                ..Params::zeroed()
            };
            matmul(compiler, params, &[&dy, &x, &x, &dweight])?;
        }
        let dbias = compiler.gpu.whole(dbias)?;
        let params = Params {
            rows: rows as u32,
            columns: out as u32,
            inner: 1,
            a_row: out as u32,
            a_offset: dy.offset,
            c_offset: dbias.offset,
            accumulate,
            ..Params::zeroed()
        };
        dispatch(compiler, &COLUMNS, params, &[&dy, &dy, &dbias], [out.div_ceil(64), 1])?;
    }
    Ok(())
}
