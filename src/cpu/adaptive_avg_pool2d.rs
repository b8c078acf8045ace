use std::ops::Range;

use super::View;
use crate::ops::AdaptiveAvgPool2d;
use crate::ops::adaptive_avg_pool2d::window;
use crate::parallel::*;

/// Values that a task sums up at least.
const TASK: usize = 1 << 12;

/// Calls `f` for every output of a plane with its place, its rows and its columns.
fn windows([h, w]: [usize; 2], [oh, ow]: [usize; 2], mut f: impl FnMut(usize, Range<usize>, Range<usize>)) {
    for oy in 0..oh {
        for ox in 0..ow {
            f(oy * ow + ox, window(oy, h, oh), window(ox, w, ow));
        }
    }
}

/// The sum, in eight sums that do not wait for each other.
fn sum(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for chunk in chunks {
        sums.iter_mut().zip(chunk).for_each(|(sum, value)| *sum += value);
    }
    sums.iter().chain(rest).sum()
}

pub(super) fn forward(op: &AdaptiveAvgPool2d, x: View, y: &mut [f32]) {
    let [.., h, w] = x.nchw();
    let planes = y.par_chunks_mut(op.output[0] * op.output[1]).zip(x.data.par_chunks(h * w));
    planes.with_min_len((TASK / (h * w)).max(1)).for_each(|(y, x)| {
        windows([h, w], op.output, |place, rows, columns| {
            let count = rows.len() * columns.len();
            let sum = if columns.len() == w {
                sum(&x[rows.start * w..rows.end * w])
            } else {
                rows.map(|row| sum(&x[row * w..][columns.clone()])).sum()
            };
            y[place] = sum / count as f32;
        });
    });
}

pub(super) fn backward(op: &AdaptiveAvgPool2d, [h, w]: [usize; 2], dy: View, dx: &mut [f32]) {
    let planes = dx.par_chunks_mut(h * w).zip(dy.data.par_chunks(op.output[0] * op.output[1]));
    planes.for_each(|(dx, dy)| {
        dx.fill(0.0);
        windows([h, w], op.output, |place, rows, columns| {
            let share = dy[place] / (rows.len() * columns.len()) as f32;
            for row in rows {
                dx[row * w..][columns.clone()].iter_mut().for_each(|dx| *dx += share);
            }
        });
    });
}
