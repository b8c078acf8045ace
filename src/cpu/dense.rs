use rayon::prelude::*;

use super::View;
use super::matmul::{Matrix, matmul};
use crate::ops::Dense;

/// Up to this batch, weights are read once and multiplied by rows: the time is that of reading them.
const SMALL_BATCH: usize = 4;

/// Sums side by side, so that the compiler can use vector registers.
const LANES: usize = 16;

fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut sums = [0.0f32; LANES];
    let (a, a_rest) = a.as_chunks::<LANES>();
    let (b, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a.iter().zip(b) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

pub(super) fn forward(op: &Dense, x: View, weight: View, bias: &[f32], y: &mut [f32]) {
    let (batch, out) = (x.shape[0], bias.len());
    let features = weight.shape[1];
    let finish = |sum: f32, bias: f32| if op.relu && sum + bias < 0.0 { 0.0 } else { sum + bias };
    if batch <= SMALL_BATCH {
        for (x, y) in x.data.chunks(features).zip(y.chunks_mut(out)) {
            let rows = y.par_iter_mut().with_min_len(8).zip(weight.data.par_chunks(features)).zip(bias);
            rows.for_each(|((y, weight), &bias)| *y = finish(dot(x, weight), bias));
        }
        return;
    }
    matmul(y, Matrix::new(x.data, batch, features), Matrix::new(weight.data, out, features).transposed(), false);
    y.par_chunks_mut(out).for_each(|y| y.iter_mut().zip(bias).for_each(|(y, &bias)| *y = finish(*y, bias)));
}

pub(super) fn backward_input(dy: View, weight: View, dx: &mut [f32]) {
    let (batch, out, features) = (dy.shape[0], weight.shape[0], weight.shape[1]);
    matmul(dx, Matrix::new(dy.data, batch, out), Matrix::new(weight.data, out, features), false);
}

pub(super) fn backward_weight(x: View, dy: View, dweight: &mut [f32], dbias: &mut [f32]) {
    let (batch, out) = (dy.shape[0], dy.shape[1]);
    let features = x.data.len() / batch;
    matmul(dweight, Matrix::new(dy.data, batch, out).transposed(), Matrix::new(x.data, batch, features), false);
    for (i, dbias) in dbias.iter_mut().enumerate() {
        *dbias = dy.data.iter().skip(i).step_by(out).sum();
    }
}
