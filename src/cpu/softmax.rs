use super::View;
use crate::ops::Softmax;
use crate::parallel::*;

pub(super) fn forward(op: &Softmax, x: View, y: &mut [f32]) {
    let (classes, inner) = op.classes(x.shape);
    y.par_chunks_mut(classes * inner).zip(x.data.par_chunks(classes * inner)).for_each(|(y, x)| {
        for start in 0..inner {
            let row = || x[start..].iter().step_by(inner).copied();
            let maximum = row().fold(f32::NEG_INFINITY, f32::max);
            let sum: f32 = row().map(|x| (x - maximum).exp()).sum();
            for (y, x) in y[start..].iter_mut().step_by(inner).zip(row()) {
                *y = (x - maximum).exp() / sum;
            }
        }
    });
}

/// `dx = y · (dy − Σ y·dy)`
pub(super) fn backward(op: &Softmax, y: View, dy: &[f32], dx: &mut [f32]) {
    let (classes, inner) = op.classes(y.shape);
    let samples = dx.par_chunks_mut(classes * inner).zip(y.data.par_chunks(classes * inner));
    samples.zip(dy.par_chunks(classes * inner)).for_each(|((dx, y), dy)| {
        for start in 0..inner {
            let row = || y[start..].iter().step_by(inner).zip(dy[start..].iter().step_by(inner));
            let sum: f32 = row().map(|(y, dy)| y * dy).sum();
            for (dx, (y, dy)) in dx[start..].iter_mut().step_by(inner).zip(row()) {
                *dx = y * (dy - sum);
            }
        }
    });
}
