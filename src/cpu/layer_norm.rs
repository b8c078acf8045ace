use super::View;
use crate::ops::LayerNorm;
use crate::parallel::*;

/// Mean, and one by the standard deviation.
fn moments(op: &LayerNorm, row: &[f32]) -> (f32, f32) {
    let count = row.len() as f64;
    let mean = row.iter().map(|&x| f64::from(x)).sum::<f64>() / count;
    let var = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / count;
    (mean as f32, (1.0 / (var + f64::from(op.eps)).sqrt()) as f32)
}

pub(super) fn forward(op: &LayerNorm, x: View, weight: &[f32], bias: &[f32], y: &mut [f32]) {
    let features = weight.len();
    y.par_chunks_mut(features).zip(x.data.par_chunks(features)).for_each(|(y, x)| {
        let (mean, inverse) = moments(op, x);
        for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(weight).zip(bias) {
            *y = (x - mean) * inverse * weight + bias;
        }
    });
}

/// With n = (x − mean) · inverse and g = weight · dy: `dx = inverse · (g − mean(g) − n · mean(g · n))`.
pub(super) fn backward(
    op: &LayerNorm,
    x: View,
    weight: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    [dweight, dbias]: [&mut [f32]; 2],
) {
    let features = weight.len();
    let rows = x.data.par_chunks(features).zip(dy.par_chunks(features));
    dx.par_chunks_mut(features).zip(rows).for_each(|(dx, (x, dy))| {
        let (mean, inverse) = moments(op, x);
        let (mut plain, mut products) = (0.0f64, 0.0f64);
        for ((x, dy), weight) in x.iter().zip(dy).zip(weight) {
            let g = f64::from(weight * dy);
            plain += g;
            products += g * f64::from((x - mean) * inverse);
        }
        let [plain, products] = [plain, products].map(|sum| (sum / features as f64) as f32);
        for (((dx, x), dy), weight) in dx.iter_mut().zip(x).zip(dy).zip(weight) {
            *dx = inverse * (weight * dy - plain - (x - mean) * inverse * products);
        }
    });
    let mut sums = vec![(0.0f64, 0.0f64); features];
    for (x, dy) in x.data.chunks(features).zip(dy.chunks(features)) {
        let (mean, inverse) = moments(op, x);
        for ((sum, x), &dy) in sums.iter_mut().zip(x).zip(dy) {
            sum.0 += f64::from((x - mean) * inverse * dy);
            sum.1 += f64::from(dy);
        }
    }
    for ((dweight, dbias), sum) in dweight.iter_mut().zip(dbias.iter_mut()).zip(sums) {
        (*dweight, *dbias) = (sum.0 as f32, sum.1 as f32);
    }
}
