use super::PART;
use crate::parallel::*;

pub(super) fn forward(x: &[f32], y: &mut [f32]) {
    y.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(y, x)| {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = if x < 0.0 { 0.0 } else { x });
    });
}

pub(super) fn backward(y: &[f32], dy: &[f32], dx: &mut [f32]) {
    dx.par_chunks_mut(PART).zip(y.par_chunks(PART)).zip(dy.par_chunks(PART)).for_each(|((dx, y), dy)| {
        dx.iter_mut().zip(y).zip(dy).for_each(|((dx, &y), &dy)| *dx = if y > 0.0 { dy } else { 0.0 });
    });
}
