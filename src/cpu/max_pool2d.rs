use rayon::prelude::*;

use super::View;
use crate::ops::MaxPool2d;

/// The first maximum of a window in row order: its place in the plane, and its value.
fn first_maximum(op: &MaxPool2d, plane: &[f32], [h, w]: [usize; 2], oy: usize, ox: usize) -> (usize, f32) {
    let range = |o: usize, size: usize| {
        let start = o * op.stride;
        start.saturating_sub(op.padding)..(start + op.kernel).saturating_sub(op.padding).min(size)
    };
    let mut best = (0, f32::NEG_INFINITY);
    let mut found = false;
    for y in range(oy, h) {
        for x in range(ox, w) {
            let value = plane[y * w + x];
            // A NaN counts as a maximum, so that it is not hidden.
            if !found || value > best.1 || value.is_nan() {
                best = (y * w + x, value);
                found = true;
            }
        }
    }
    best
}

fn output_size(op: &MaxPool2d, size: [usize; 2]) -> [usize; 2] {
    let Ok(output) = op.output_size(size) else { unreachable!("checked by the shape rule") };
    output
}

pub(super) fn forward(op: &MaxPool2d, x: View, y: &mut [f32]) {
    let [.., h, w] = x.nchw();
    let [oh, ow] = output_size(op, [h, w]);
    y.par_chunks_mut(oh * ow).zip(x.data.par_chunks(h * w)).for_each(|(y, x)| {
        for (place, y) in y.iter_mut().enumerate() {
            *y = first_maximum(op, x, [h, w], place / ow, place % ow).1;
        }
    });
}

pub(super) fn backward(op: &MaxPool2d, x: View, dy: View, dx: &mut [f32]) {
    let [.., h, w] = x.nchw();
    let [.., oh, ow] = dy.nchw();
    let planes = dx.par_chunks_mut(h * w).zip(x.data.par_chunks(h * w)).zip(dy.data.par_chunks(oh * ow));
    planes.for_each(|((dx, x), dy)| {
        dx.fill(0.0);
        for (place, dy) in dy.iter().enumerate() {
            dx[first_maximum(op, x, [h, w], place / ow, place % ow).0] += dy;
        }
    });
}
