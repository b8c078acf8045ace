use rayon::prelude::*;

pub(super) fn forward(x: &[f32], y: &mut [f32]) {
    y.par_iter_mut().with_min_len(4096).zip(x).for_each(|(y, &x)| *y = if x < 0.0 { 0.0 } else { x });
}

pub(super) fn backward(y: &[f32], dy: &[f32], dx: &mut [f32]) {
    dx.par_iter_mut()
        .with_min_len(4096)
        .zip(y)
        .zip(dy)
        .for_each(|((dx, &y), &dy)| *dx = if y > 0.0 { dy } else { 0.0 });
}
