use super::View;
use crate::parallel::*;

/// How many values of one channel lie side by side.
fn inner(x: View) -> usize {
    x.shape[2..].iter().product()
}

pub(super) fn forward(x: View, slope: &[f32], y: &mut [f32]) {
    let inner = inner(x);
    y.par_chunks_mut(inner).zip(x.data.par_chunks(inner)).enumerate().for_each(|(plane, (y, x))| {
        let slope = slope[plane % slope.len()];
        for (y, &x) in y.iter_mut().zip(x) {
            *y = if x > 0.0 { x } else { slope * x };
        }
    });
}

pub(super) fn backward(x: View, slope: &[f32], dy: &[f32], dx: &mut [f32], dslope: &mut [f32]) {
    let inner = inner(x);
    dx.par_chunks_mut(inner).enumerate().for_each(|(plane, dx)| {
        let slope = slope[plane % slope.len()];
        let start = plane * inner;
        for ((dx, &x), &dy) in dx.iter_mut().zip(&x.data[start..]).zip(&dy[start..]) {
            *dx = if x > 0.0 { dy } else { slope * dy };
        }
    });
    let channels = slope.len();
    dslope.par_iter_mut().enumerate().for_each(|(channel, dslope)| {
        let planes = x.data.chunks(inner).zip(dy.chunks(inner)).skip(channel).step_by(channels);
        *dslope = planes
            .map(|(x, dy)| x.iter().zip(dy).map(|(&x, &dy)| if x > 0.0 { 0.0 } else { x * dy }).sum::<f32>())
            .sum();
    });
}
