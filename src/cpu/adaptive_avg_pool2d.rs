use std::ops::Range;

use super::View;
use crate::ops::AdaptiveAvgPool2d;
use crate::ops::adaptive_avg_pool2d::window;
use crate::parallel::*;

/// Calls `f` for every output of a plane with its place, its rows and its columns.
fn windows([h, w]: [usize; 2], [oh, ow]: [usize; 2], mut f: impl FnMut(usize, Range<usize>, Range<usize>)) {
    for oy in 0..oh {
        for ox in 0..ow {
            f(oy * ow + ox, window(oy, h, oh), window(ox, w, ow));
        }
    }
}

pub(super) fn forward(op: &AdaptiveAvgPool2d, x: View, y: &mut [f32]) {
    let [.., h, w] = x.nchw();
    let planes = y.par_chunks_mut(op.output[0] * op.output[1]).zip(x.data.par_chunks(h * w));
    planes.for_each(|(y, x)| {
        windows([h, w], op.output, |place, rows, columns| {
            let count = rows.len() * columns.len();
            let sum: f32 = rows.map(|row| x[row * w..][columns.clone()].iter().sum::<f32>()).sum();
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
