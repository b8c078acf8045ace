use super::{PART, View};
use crate::ops::{BatchNorm2d, BatchNorm2dFold, BatchNorm2dRunning};
use crate::parallel::*;

/// How many values of one channel lie side by side.
fn inner(x: View) -> usize {
    x.shape[2..].iter().product()
}

/// `[weight, bias, mean, var]`
pub(super) fn forward(op: &BatchNorm2d, x: View, [weight, bias, mean, var]: [&[f32]; 4], y: &mut [f32]) {
    let (inner, channels) = (inner(x), weight.len());
    y.par_chunks_mut(inner).zip(x.data.par_chunks(inner)).enumerate().for_each(|(plane, (y, x))| {
        let channel = plane % channels;
        let scale = weight[channel] / (var[channel] + op.eps).sqrt();
        let (mean, bias) = (mean[channel], bias[channel]);
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = (x - mean) * scale + bias);
    });
}

/// Sums of a channel's planes are made in f64: differences of nearly equal numbers stay exact enough.
pub(super) fn statistics(x: View, mean: &mut [f32], var: &mut [f32]) {
    let (inner, channels) = (inner(x), mean.len());
    let count = (x.data.len() / channels) as f64;
    mean.par_iter_mut().zip(var.par_iter_mut()).enumerate().for_each(|(channel, (mean, var))| {
        let planes = || x.data.chunks(inner).skip(channel).step_by(channels);
        let center = planes().map(|plane| sum(plane, |x| x)).sum::<f64>() / count;
        let near = center as f32;
        // About the rounded mean, and then corrected for the rounding.
        let squares = planes().map(|plane| sum(plane, |x| (x - near) * (x - near))).sum::<f64>() / count;
        *mean = near;
        *var = (squares - (center - f64::from(near)).powi(2)) as f32;
    });
}

/// In sixteen sums of f32 over short pieces, so that no addition waits for the one before.
fn sum(values: &[f32], f: impl Fn(f32) -> f32) -> f64 {
    let piece = |piece: &[f32]| {
        let (groups, rest) = piece.as_chunks::<16>();
        let mut sums = [0.0f32; 16];
        for group in groups {
            sums.iter_mut().zip(group).for_each(|(sum, &value)| *sum += f(value));
        }
        f64::from(sums.iter().sum::<f32>()) + f64::from(rest.iter().map(|&value| f(value)).sum::<f32>())
    };
    values.chunks(1024).map(piece).sum()
}

pub(super) fn running(op: &BatchNorm2dRunning, running: &mut [f32], batch: &[f32]) {
    for (running, batch) in running.iter_mut().zip(batch) {
        *running = (1.0 - op.momentum) * *running + op.momentum * (op.factor * batch);
    }
}

/// `[x, dy]`, `[weight, mean, var]` to dx, `[dweight, dbias]`.
pub(super) fn backward(
    op: &BatchNorm2d,
    [x, dy]: [View; 2],
    [weight, mean, var]: [&[f32]; 3],
    dx: &mut [f32],
    [dweight, dbias]: [&mut [f32]; 2],
) {
    let (inner, channels) = (inner(x), weight.len());
    let count = (x.data.len() / channels) as f32;
    dweight.par_iter_mut().zip(dbias.par_iter_mut()).enumerate().for_each(|(channel, (dweight, dbias))| {
        let planes = x.data.chunks(inner).zip(dy.data.chunks(inner)).skip(channel).step_by(channels);
        let (mut products, mut plain) = (0.0, 0.0);
        for (x, dy) in planes {
            products += sum_of_products(x, mean[channel], dy);
            plain += sum(dy, |dy| dy);
        }
        *dweight = (products / f64::from((var[channel] + op.eps).sqrt())) as f32;
        *dbias = plain as f32;
    });
    let (dweight, dbias) = (&*dweight, &*dbias);
    let planes = dx.par_chunks_mut(inner).zip(x.data.par_chunks(inner)).zip(dy.data.par_chunks(inner));
    planes.enumerate().for_each(|(plane, ((dx, x), dy))| {
        let channel = plane % channels;
        let inverse = 1.0 / (var[channel] + op.eps).sqrt();
        let scale = weight[channel] * inverse;
        let (of_mean, of_var) = match op.training {
            true => (dbias[channel] / count, dweight[channel] * inverse / count),
            false => (0.0, 0.0),
        };
        for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
            *dx = scale * (dy - of_mean - (x - mean[channel]) * of_var);
        }
    });
}

/// The sum of `(x − mean) · dy`.
fn sum_of_products(x: &[f32], mean: f32, dy: &[f32]) -> f64 {
    let piece = |(x, dy): (&[f32], &[f32])| {
        let ((x, x_rest), (dy, dy_rest)) = (x.as_chunks::<16>(), dy.as_chunks::<16>());
        let mut sums = [0.0f32; 16];
        for (x, dy) in x.iter().zip(dy) {
            for ((sum, x), dy) in sums.iter_mut().zip(x).zip(dy) {
                *sum += (x - mean) * dy;
            }
        }
        let rest: f32 = x_rest.iter().zip(dy_rest).map(|(x, dy)| (x - mean) * dy).sum();
        f64::from(sums.iter().sum::<f32>()) + f64::from(rest)
    };
    x.chunks(1024).zip(dy.chunks(1024)).map(piece).sum()
}

/// `[bias, gamma, beta, mean, var]`
pub(super) fn fold(
    op: &BatchNorm2dFold,
    weight: &[f32],
    [bias, gamma, beta, mean, var]: [&[f32]; 5],
    folded: &mut [f32],
    folded_bias: &mut [f32],
) {
    let scale = |row: usize| gamma[row] / (var[row] + op.eps).sqrt();
    let row = weight.len() / bias.len();
    let rows_at_once = PART.div_ceil(row);
    folded.par_chunks_mut(row * rows_at_once).zip(weight.par_chunks(row * rows_at_once)).enumerate().for_each(
        |(part, (folded, weight))| {
            for (i, (folded, weight)) in folded.chunks_mut(row).zip(weight.chunks(row)).enumerate() {
                let scale = scale(part * rows_at_once + i);
                folded.iter_mut().zip(weight).for_each(|(folded, weight)| *folded = scale * weight);
            }
        },
    );
    for (row, folded) in folded_bias.iter_mut().enumerate() {
        *folded = (bias[row] - mean[row]) * scale(row) + beta[row];
    }
}
