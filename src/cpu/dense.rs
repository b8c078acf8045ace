use pulp::{Arch, Simd, WithSimd};

use super::scratch::Scratch;
use super::{View, activation};
use crate::matmul::{Matrix, matmul};
use crate::ops::Dense;
use crate::parallel::*;

/// Features that are multiplied at a time: those of a few rows of weights stay in the nearest cache, those of a batch in
/// the next, so that weights are read from memory once.
const FEATURES: usize = 1024;
/// Rows of weights that a task takes.
const ROWS: usize = 4;

pub(super) fn forward(op: &Dense, x: View, weight: View, bias: &[f32], y: &mut [f32], scratch: &Scratch) {
    let (batch, out, features) = (x.data.len() / weight.shape[1], bias.len(), weight.shape[1]);
    scratch.with(batch * out, |sums| {
        let arch = Arch::new();
        let tasks = sums.par_chunks_mut(ROWS * batch).zip(weight.data.par_chunks(ROWS * features));
        tasks.for_each(|(sums, weight)| arch.dispatch(Dots { x: x.data, weight, features, sums }));
        y.par_chunks_mut(out).enumerate().for_each(|(sample, y)| {
            for ((y, bias), sums) in y.iter_mut().zip(bias).zip(sums.chunks_exact(batch)) {
                *y = sums[sample] + bias;
            }
            activation::apply(op.activation, y);
        });
    });
}

/// The products of some rows of weights with all samples: `sums` is `[rows, batch]`.
struct Dots<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    features: usize,
    sums: &'a mut [f32],
}

impl WithSimd for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Dots { x, weight, features, sums } = self;
        let (batch, rows) = (x.len() / features, weight.len() / features);
        sums.fill(0.0);
        for start in (0..features).step_by(FEATURES) {
            let length = FEATURES.min(features - start);
            let (x, weight) =
                (Rows { data: x, features, start, length }, Rows { data: weight, features, start, length });
            let mut sample = 0;
            while sample < batch {
                let whole = batch - sample >= 4 && rows == ROWS;
                if whole {
                    dots::<S, 4, ROWS>(simd, x, sample, weight, 0, batch, sums);
                } else if rows == ROWS {
                    dots::<S, 1, ROWS>(simd, x, sample, weight, 0, batch, sums);
                } else {
                    for row in 0..rows {
                        dots::<S, 1, 1>(simd, x, sample, weight, row, batch, sums);
                    }
                }
                sample += if whole { 4 } else { 1 };
            }
        }
    }
}

/// A part of the features of every row.
#[derive(Clone, Copy)]
struct Rows<'a> {
    data: &'a [f32],
    features: usize,
    start: usize,
    length: usize,
}

impl<'a> Rows<'a> {
    #[inline(always)]
    fn get(self, row: usize) -> &'a [f32] {
        &self.data[row * self.features + self.start..][..self.length]
    }
}

/// Adds the products of `N` samples and `R` rows of weights.
#[inline(always)]
fn dots<S: Simd, const N: usize, const R: usize>(
    simd: S,
    x: Rows,
    sample: usize,
    weight: Rows,
    row: usize,
    batch: usize,
    sums: &mut [f32],
) {
    let vectors = x.length / S::F32_LANES;
    let mut samples = [&S::as_simd_f32s(x.get(sample)).0[..vectors]; N];
    for (n, values) in samples.iter_mut().enumerate() {
        *values = &S::as_simd_f32s(x.get(sample + n)).0[..vectors];
    }
    let mut rows = [&S::as_simd_f32s(weight.get(row)).0[..vectors]; R];
    for (r, values) in rows.iter_mut().enumerate() {
        *values = &S::as_simd_f32s(weight.get(row + r)).0[..vectors];
    }
    let mut products = [[simd.splat_f32s(0.0); R]; N];
    for k in 0..vectors {
        for n in 0..N {
            for r in 0..R {
                products[n][r] = simd.mul_add_e_f32s(samples[n][k], rows[r][k], products[n][r]);
            }
        }
    }
    let rest = vectors * S::F32_LANES;
    for n in 0..N {
        for r in 0..R {
            let mut sum = simd.reduce_sum_f32s(products[n][r]);
            for (x, weight) in x.get(sample + n)[rest..].iter().zip(&weight.get(row + r)[rest..]) {
                sum += x * weight;
            }
            sums[(row + r) * batch + sample + n] += sum;
        }
    }
}

pub(super) fn backward_input(dy: View, weight: View, dx: &mut [f32]) {
    let (out, features) = (weight.shape[0], weight.shape[1]);
    let batch = dy.data.len() / out;
    matmul(dx, Matrix::new(dy.data, batch, out), Matrix::new(weight.data, out, features), false);
}

pub(super) fn backward_weight(x: View, dy: View, dweight: &mut [f32], dbias: &mut [f32]) {
    let out = dbias.len();
    let batch = dy.data.len() / out;
    let features = x.data.len() / batch;
    matmul(dweight, Matrix::new(dy.data, batch, out).transposed(), Matrix::new(x.data, batch, features), false);
    for (i, dbias) in dbias.iter_mut().enumerate() {
        *dbias = dy.data.iter().skip(i).step_by(out).sum();
    }
}
