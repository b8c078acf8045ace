//! Fully connected layers and their gradients: which kernels make them.

use std::ops::Range;

use bytemuck::Zeroable;

use super::buffer::{Storage, View};
use super::compile::{Compiler, MAX_GRID, Operands};
use super::finish::{Finish, limits};
use super::kernel::Access::{Read, Unused, Write};
use super::kernel::{Access, Kernel, MatrixKernels, Shader, Variant, matrix_kernels, matrix_shader, shader};
use super::scale::Scales;
use super::tiling::{STEP, prefers_large, steps_at_once, units_per_part};
use super::uniform::uniform;
use crate::error::Result;
use crate::ops::{Dense, Op};

pub(super) static KERNELS: &[&Kernel] = &[
    &ROWS,
    &ROWS_QUADS,
    &ROWS_F16,
    &PACK_F16,
    &MATMUL_128,
    &MATMUL_64,
    &MATMUL_MATRIX.f16,
    &MATMUL_MATRIX.split,
    &SUM_PARTS,
    &COLUMNS,
];

const ALL: &[Access] = &[Read, Read, Read, Write];
const TILE_64: &[(&str, f64)] = &[("TILE", 64.0)];

const SHADER: Shader = shader!("dense", "activation", "pair_f16", "dense_product", "tiles");
const MATRIX_SHADER: Shader = matrix_shader!("dense_matrix", "activation", "dense_product");

const MATMUL: Kernel = Kernel::new::<Params>("dense/matmul_128", SHADER, "matmul", ALL);

static ROWS: Kernel = Kernel::new::<Params>("dense/rows", SHADER, "rows", ALL);
static ROWS_QUADS: Kernel = Kernel::new::<Params>("dense/rows_quads", SHADER, "rows_quads", ALL);
static ROWS_F16: Kernel = Kernel::new::<Params>("dense/rows_f16", SHADER, "rows_f16", ALL);
static PACK_F16: Kernel = Kernel::new::<Params>("dense/pack_f16", SHADER, "pack_f16", &[Read, Unused, Unused, Write]);
static MATMUL_128: Kernel = MATMUL;
static MATMUL_64: Kernel = MATMUL.with("dense/matmul_64", TILE_64);
static MATMUL_MATRIX: MatrixKernels =
    matrix_kernels!(Params, "dense/matmul_matrix", MATRIX_SHADER, &[Read, Read, Read, Write, Read]);
static SUM_PARTS: Kernel = Kernel::new::<Params>("dense/sum_parts", SHADER, "sum_parts", &[Read, Unused, Read, Write]);
static COLUMNS: Kernel = Kernel::new::<Params>("dense/columns", SHADER, "columns", &[Read, Unused, Read, Write]);

/// Rows of `a` that one workgroup of `rows`, `rows_quads` and `rows_f16` multiplies, and rows of weights of the latter two.
const ROWS_PER_GROUP: usize = 4;
const COLUMNS_PER_GROUP: usize = 4;

/// Up to this batch, reading the weights takes longer than multiplying them.
const SMALL_BATCH: usize = 8;

/// Values of a row of weights that `rows_f16` reads at once.
const F16_AT_ONCE: usize = 8;

uniform! {
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
        low: f32,
        high: f32,
        first_group: u32,
        part: u32,
        c_part: u32,
        parts: u32,
        left_scale: f32,
        right_scale: f32,
        measured_offset: u32,
    }
}

impl Params {
    fn flops(&self) -> u64 {
        2 * u64::from(self.rows) * u64::from(self.columns) * u64::from(self.inner)
    }
}

/// Adds as many dispatches as the grid's limit asks for: `groups` workgroups along x, the rest along y.
fn dispatch(
    compiler: &mut Compiler,
    variant: impl Into<Variant>,
    params: Params,
    views: &[&View],
    groups: [usize; 3],
) -> Result<()> {
    let variant = variant.into();
    for first in (0..groups[0]).step_by(MAX_GRID) {
        let count = (groups[0] - first).min(MAX_GRID);
        let params = Params { first_group: first as u32, ..params };
        compiler.dispatch(
            variant,
            &params,
            views,
            [count, groups[1], groups[2]],
            params.flops() / groups[0] as u64 * count as u64,
        )?;
    }
    Ok(())
}

/// The tiles of `matmul`, across and down.
fn tiles(params: &Params, tile: usize) -> [usize; 2] {
    [params.columns, params.rows].map(|n| (n as usize).div_ceil(tile))
}

/// The kernels that an operation on dense layers may be done by.
pub(super) fn candidates(op: &Op) -> Vec<&'static str> {
    match op {
        Op::Dense(_) => vec![ROWS.name, ROWS_QUADS.name, MATMUL_128.name, MATMUL_64.name],
        Op::DenseBackwardInput | Op::DenseBackwardWeight => vec![MATMUL_128.name, MATMUL_64.name],
        _ => Vec::new(),
    }
}

/// The kernel for the gradients of a batch, if matrix units make them: those of few rows wait for memory.
fn matrix_kernel(compiler: &Compiler, batch: usize) -> Option<&'static Kernel> {
    compiler.by_matrix_units(&MATMUL_MATRIX).filter(|_| batch > SMALL_BATCH || compiler.requested_kernel().is_some())
}

fn choose_matmul(compiler: &Compiler, params: &Params) -> &'static Kernel {
    let [many, more] = [128, 64].map(|tile| tiles(params, tile).iter().product());
    if prefers_large(compiler, many, more) { &MATMUL_128 } else { &MATMUL_64 }
}

/// A product of `a`, `b` and a bias. The last view is of the result.
fn matmul(
    compiler: &mut Compiler,
    variant: impl Into<Variant>,
    params: Params,
    [a, b, bias, c]: [&View; 4],
    scales: &Scales,
) -> Result<()> {
    let Variant { kernel, finish } = variant.into();
    let (left_scale, right_scale, measured_offset) = (scales.left, scales.right, scales.offset());
    let params = Params { left_scale, right_scale, measured_offset, ..params };
    let scale = kernel.matrix_source.map(|_| scales.or(a));
    let to = |c| [a, b, bias, c].into_iter().chain(scale).collect::<Vec<&View>>();
    let [across, down] = tiles(&params, if std::ptr::eq(kernel, &MATMUL_128) { 128 } else { 64 });
    let step = steps_at_once(kernel);
    let (steps, values) = ((params.inner as usize).div_ceil(step), params.rows as usize * params.columns as usize);
    let part = units_per_part(compiler, steps, step / STEP, across * down, values);
    let parts = steps.div_ceil(part);
    let params = Params { part: (part * step) as u32, ..params };
    if parts == 1 {
        return dispatch(compiler, kernel.finishing(finish), params, &to(c), [across, down, 1]);
    }
    compiler.reuse_scratch();
    let storage = compiler.scratch(parts * values)?;
    let sums = compiler.gpu.whole(&storage)?;
    let params = Params { parts: parts as u32, c_part: values as u32, ..params };
    let (c_row, c_offset) = (params.columns, sums.offset);
    let partial = Params { c_row, c_offset, accumulate: 0, has_bias: 0, ..params };
    dispatch(compiler, kernel, partial, &to(&sums), [across, down, parts])?;
    let params = Params { a_offset: sums.offset, inner: parts as u32, ..params };
    dispatch(compiler, SUM_PARTS.finishing(finish), params, &[&sums, bias, c], [values.div_ceil(64), 1, 1])
}

/// These rows of the weights in f16, as `rows_f16` reads them.
fn packed_f16(compiler: &mut Compiler, weight: &Storage, features: usize, rows: &Range<usize>) -> Result<View> {
    let values = rows.start * features..rows.end * features;
    let storage =
        compiler.packed(weight, format!("{} {rows:?}", PACK_F16.name), values.len() / 2, |compiler, pairs| {
            let (weight, pairs) = (compiler.gpu.view(weight, values.clone())?, compiler.gpu.whole(pairs)?);
            let params = Params {
                rows: 1,
                columns: rows.len() as u32,
                inner: features as u32,
                a_offset: weight.offset,
                c_offset: pairs.offset,
                ..Params::zeroed()
            };
            dispatch(compiler, &PACK_F16, params, &[&weight, &pairs], [(values.len() / F16_AT_ONCE).div_ceil(64), 1, 1])
        })?;
    compiler.gpu.whole(&storage)
}

pub(super) fn forward(compiler: &mut Compiler, op: &Dense, operands: &Operands) -> Result<()> {
    let ([x, storage, bias], [y]) = (operands.inputs()?, operands.outputs()?);
    let (out, features) = (operands.shapes[1][0], operands.shapes[1][1]);
    let batch = x.len / features;
    let mut candidates = vec![&ROWS, &MATMUL_128, &MATMUL_64];
    if features % 4 == 0 {
        candidates.push(&ROWS_QUADS);
    }
    let rows_at_once = compiler.images_per_dispatch(&[features, out], 2 * (features * out) as u64);
    let [low, high] = limits(op.activation);
    let finish = Finish::new(op.activation, false);
    for first in (0..batch).step_by(rows_at_once) {
        let rows = rows_at_once.min(batch - first);
        let x = compiler.gpu.view(x, first * features..(first + rows) * features)?;
        let y = compiler.gpu.view(y, first * out..(first + rows) * out)?;
        for part in storage.rows() {
            let weight = compiler.gpu.view(storage, part.start * features..part.end * features)?;
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
                low,
                high,
                ..Params::zeroed()
            };
            let default = match (batch <= SMALL_BATCH, features % 4 == 0) {
                (true, true) => &ROWS_QUADS,
                (true, false) => &ROWS,
                _ => choose_matmul(compiler, &params),
            };
            let kernel = compiler.choose(&candidates, default);
            let by_units = compiler.by_matrix_units(&MATMUL_MATRIX);
            let kernel = by_units.filter(|_| kernel.entry == "matmul").unwrap_or(kernel);
            if kernel.matrix_source.is_some() {
                compiler.check_for_matrix_units(storage)?;
            }
            let groups = [part.len().div_ceil(COLUMNS_PER_GROUP), rows.div_ceil(ROWS_PER_GROUP), 1];
            if kernel == &ROWS_QUADS && features.is_multiple_of(F16_AT_ONCE) && compiler.in_f16(storage) {
                let packed = packed_f16(compiler, storage, features, &part)?;
                let params = Params { b_offset: 2 * packed.offset, ..params };
                dispatch(compiler, ROWS_F16.finishing(finish), params, &[&x, &packed, &bias, &y], groups)?;
                continue;
            }
            let (variant, views) = (kernel.finishing(finish), [&x, &weight, &bias, &y]);
            match kernel.entry {
                "rows" => dispatch(compiler, variant, params, &views, [part.len(), groups[1], 1])?,
                "rows_quads" => dispatch(compiler, variant, params, &views, groups)?,
                _ => matmul(compiler, variant, params, views, &Scales::FORWARD)?,
            }
        }
    }
    Ok(())
}

pub(super) fn backward_input(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([dy, weight], [dx]) = (operands.inputs()?, operands.outputs()?);
    let (out, features) = (operands.shapes[1][0], operands.shapes[1][1]);
    let batch = dy.len / out;
    let by_units = matrix_kernel(compiler, batch);
    let scales = Scales::of_input(compiler, by_units, weight, dy)?;
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
            let ordinary = compiler.choose(&[&MATMUL_128, &MATMUL_64], choose_matmul(compiler, &params));
            matmul(compiler, by_units.unwrap_or(ordinary), params, [&dy, &weight, &weight, &dx], &scales)?;
        }
    }
    Ok(())
}

pub(super) fn backward_weight(compiler: &mut Compiler, operands: &Operands) -> Result<()> {
    let ([x, dy], [dweight, dbias]) = (operands.inputs()?, operands.outputs()?);
    let [out, features] = [operands.output_shapes[0][0], operands.output_shapes[0][1]];
    let batch = dy.len / out;
    let by_units = matrix_kernel(compiler, batch);
    let scales = Scales::of_dense_weight(compiler, by_units, dy)?;
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
            let ordinary = compiler.choose(&[&MATMUL_128, &MATMUL_64], choose_matmul(compiler, &params));
            matmul(compiler, by_units.unwrap_or(ordinary), params, [&dy, &x, &x, &dweight], &scales)?;
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
        dispatch(compiler, &COLUMNS, params, &[&dy, &dy, &dbias], [out.div_ceil(64), 1, 1])?;
    }
    Ok(())
}
