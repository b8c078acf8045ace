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
    if (op.kernel, op.stride, op.padding, oh * 2 <= h, ow * 2 <= w) == (2, 2, 0, true, true) {
        return pairs(x.data, [h, w], y, [oh, ow]);
    }
    y.par_chunks_mut(oh * ow).zip(x.data.par_chunks(h * w)).for_each(|(y, x)| {
        for (place, y) in y.iter_mut().enumerate() {
            *y = first_maximum(op, x, [h, w], place / ow, place % ow).1;
        }
    });
}

/// [`first_maximum`]'s order: the later one only if it is greater or no number.
fn larger(first: f32, second: f32) -> f32 {
    if second > first || second.is_nan() { second } else { first }
}

/// Windows of 2×2 that lie side by side and within the input.
fn pairs(x: &[f32], [h, w]: [usize; 2], y: &mut [f32], [oh, ow]: [usize; 2]) {
    y.par_chunks_mut(oh * ow).zip(x.par_chunks(h * w)).for_each(|(y, x)| {
        for (y, rows) in y.chunks_exact_mut(ow).zip(x.chunks_exact(2 * w)) {
            let (upper, lower) = rows.split_at(w);
            let windows = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            for (y, (upper, lower)) in y.iter_mut().zip(windows) {
                *y = larger(larger(larger(upper[0], upper[1]), lower[0]), lower[1]);
            }
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
