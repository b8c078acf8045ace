use std::ops::Range;

use super::View;
use crate::ops::AvgPool2d;
use crate::parallel::*;

/// The inputs of window `o` along an axis of this size, and how many elements count.
fn window(op: &AvgPool2d, axis: usize, o: usize, size: usize) -> (Range<usize>, usize) {
    let (start, padding) = (o * op.stride[axis], op.padding[axis]);
    let inside = start.saturating_sub(padding)..(start + op.kernel[axis]).saturating_sub(padding).min(size);
    let padded = (start + op.kernel[axis]).min(size + 2 * padding) - start;
    let count = if op.count_include_pad { padded } else { inside.len() };
    (inside, count)
}

pub(super) fn forward(op: &AvgPool2d, x: View, y: &mut [f32]) {
    let [.., h, w] = x.nchw();
    let [oh, ow] = output_size(op, [h, w]);
    y.par_chunks_mut(oh * ow).zip(x.data.par_chunks(h * w)).for_each(|(y, x)| {
        for (oy, y) in y.chunks_mut(ow).enumerate() {
            let (rows, height) = window(op, 0, oy, h);
            for (ox, y) in y.iter_mut().enumerate() {
                let (columns, width) = window(op, 1, ox, w);
                let sum: f32 = rows.clone().flat_map(|row| &x[row * w..][columns.clone()]).sum();
                *y = sum / (height * width) as f32;
            }
        }
    });
}

pub(super) fn backward(op: &AvgPool2d, [h, w]: [usize; 2], dy: View, dx: &mut [f32]) {
    let [.., oh, ow] = dy.nchw();
    dx.par_chunks_mut(h * w).zip(dy.data.par_chunks(oh * ow)).for_each(|(dx, dy)| {
        dx.fill(0.0);
        for (oy, dy) in dy.chunks(ow).enumerate() {
            let (rows, height) = window(op, 0, oy, h);
            for (ox, dy) in dy.iter().enumerate() {
                let (columns, width) = window(op, 1, ox, w);
                let share = dy / (height * width) as f32;
                for row in rows.clone() {
                    dx[row * w..][columns.clone()].iter_mut().for_each(|dx| *dx += share);
                }
            }
        }
    });
}

fn output_size(op: &AvgPool2d, size: [usize; 2]) -> [usize; 2] {
    let Ok(output) = op.output_size(size) else { unreachable!("checked by the shape rule") };
    output
}
