use pulp::{Arch, Simd, WithSimd};

use super::View;
use super::vector::pick;
use crate::ops::{MaxPool2d, MaxPool2dBackward};
use crate::parallel::*;

/// The first maximum of a window in row order: its place in the plane, and its value.
fn first_maximum(op: &MaxPool2d, plane: &[f32], [h, w]: [usize; 2], oy: usize, ox: usize) -> (usize, f32) {
    let range = |axis: usize, o: usize, size: usize| {
        let (start, padding) = (o * op.stride[axis], op.padding[axis]);
        start.saturating_sub(padding)..(start + op.kernel[axis]).saturating_sub(padding).min(size)
    };
    let mut best = (0, f32::NEG_INFINITY);
    let mut found = false;
    for y in range(0, oy, h) {
        for x in range(1, ox, w) {
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
    if is_pairs(op, [h, w], [oh, ow]) {
        return pairs(x.data, [h, w], y, [oh, ow]);
    }
    let arch = Arch::new();
    y.par_chunks_mut(oh * ow).zip(x.data.par_chunks(h * w)).for_each(|(y, x)| {
        if op.kernel[1] <= LINE {
            return arch.dispatch(Rows { op, x, size: [h, w], y, ow });
        }
        for (place, y) in y.iter_mut().enumerate() {
            *y = first_maximum(op, x, [h, w], place / ow, place % ow).1;
        }
    });
}

/// Columns that are looked at together.
const LINE: usize = 1024;

/// One plane: the maxima down the columns of a row of windows, of these the maxima along it.
struct Rows<'a> {
    op: &'a MaxPool2d,
    x: &'a [f32],
    size: [usize; 2],
    y: &'a mut [f32],
    ow: usize,
}

impl WithSimd for Rows<'_> {
    type Output = ();

    /// Plain loops, which become the vectors of whoever calls it.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Rows { op, x, size: [h, w], y, ow } = self;
        let MaxPool2d { kernel: [height, kernel], stride: [step, stride], padding: [above, padding], .. } = *op;
        let at_once = (LINE - kernel) / stride + 1;
        let (mut down, mut along) = ([0.0f32; LINE], [0.0f32; LINE]);
        for (oy, y) in y.chunks_exact_mut(ow).enumerate() {
            let lines = (oy * step).saturating_sub(above)..(oy * step + height).saturating_sub(above).min(h);
            for (strip, y) in y.chunks_mut(at_once).enumerate() {
                // Counted with the padding before the input.
                let first = strip * at_once * stride;
                let end = first + (y.len() - 1) * stride + kernel;
                let down = &mut down[..end - first];
                down.fill(f32::NEG_INFINITY);
                let inside = first.max(padding)..end.min(w + padding);
                if !inside.is_empty() {
                    let down = &mut down[inside.start - first..inside.end - first];
                    let row = |row: usize| &x[row * w + inside.start - padding..][..inside.len()];
                    // Two rows at once, because each pass takes as long.
                    for pair in lines.clone().step_by(2) {
                        keep_larger(down, row(pair), row((pair + 1).min(lines.end - 1)));
                    }
                }
                // At every column: to leave some out takes longer.
                let along = &mut along[..down.len() + 1 - kernel];
                along.copy_from_slice(&down[..along.len()]);
                for column in (1..kernel).step_by(2) {
                    keep_larger(along, &down[column..], &down[(column + 1).min(kernel - 1)..]);
                }
                pick(along, stride, y);
            }
        }
    }
}

#[inline(always)]
fn keep_larger(most: &mut [f32], first: &[f32], second: &[f32]) {
    for ((most, first), second) in most.iter_mut().zip(first).zip(second) {
        *most = larger(larger(*most, *first), *second);
    }
}

#[inline(always)]
fn larger(first: f32, second: f32) -> f32 {
    if second_wins(first, second) { second } else { first }
}

/// [`first_maximum`]'s order: the later one only if it is greater or no number.
#[inline(always)]
fn second_wins(first: f32, second: f32) -> bool {
    second > first || second.is_nan()
}

/// Whether the windows are 2×2, side by side and within the input.
fn is_pairs(op: &MaxPool2d, [h, w]: [usize; 2], [oh, ow]: [usize; 2]) -> bool {
    (op.kernel, op.stride, op.padding) == ([2; 2], [2; 2], [0; 2]) && 2 * oh <= h && 2 * ow <= w
}

fn pairs(x: &[f32], [h, w]: [usize; 2], y: &mut [f32], [oh, ow]: [usize; 2]) {
    y.par_chunks_mut(oh * ow).zip(x.par_chunks(h * w)).for_each(|(y, x)| {
        for (y, rows) in y.chunks_exact_mut(ow).zip(x.chunks_exact(2 * w)) {
            let (upper, lower) = rows.split_at(w);
            let windows = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            for (y, (upper, lower)) in y.iter_mut().zip(windows) {
                *y = larger(larger(upper[0], upper[1]), larger(lower[0], lower[1]));
            }
        }
    });
}

pub(super) fn backward(op: &MaxPool2dBackward, x: View, dy: View, dx: &mut [f32]) {
    let [.., h, w] = x.nchw();
    let [.., oh, ow] = dy.nchw();
    let MaxPool2dBackward { pool, relu } = op;
    if is_pairs(pool, [h, w], [oh, ow]) {
        return pairs_backward(x.data, [h, w], dy.data, [oh, ow], *relu, dx);
    }
    let planes = dx.par_chunks_mut(h * w).zip(x.data.par_chunks(h * w)).zip(dy.data.par_chunks(oh * ow));
    planes.for_each(|((dx, x), dy)| {
        dx.fill(0.0);
        for (place, dy) in dy.iter().enumerate() {
            let (at, value) = first_maximum(pool, x, [h, w], place / ow, place % ow);
            dx[at] += passed(*dy, value, *relu);
        }
    });
}

/// What of a maximum's gradient goes back through a ReLU that gave it, or all of it.
#[inline(always)]
fn passed(dy: f32, maximum: f32, relu: bool) -> f32 {
    if !relu || maximum > 0.0 { dy } else { 0.0 }
}

fn pairs_backward(x: &[f32], [h, w]: [usize; 2], dy: &[f32], [oh, ow]: [usize; 2], relu: bool, dx: &mut [f32]) {
    let planes = dx.par_chunks_mut(h * w).zip(x.par_chunks(h * w)).zip(dy.par_chunks(oh * ow));
    planes.for_each(|((dx, x), dy)| {
        // Rows and columns that no window covers.
        dx[2 * oh * w..].fill(0.0);
        for (dx, (x, dy)) in dx.chunks_exact_mut(2 * w).zip(x.chunks_exact(2 * w).zip(dy.chunks_exact(ow))) {
            let ((upper, lower), (dx_upper, dx_lower)) = (x.split_at(w), dx.split_at_mut(w));
            dx_upper[2 * ow..].fill(0.0);
            dx_lower[2 * ow..].fill(0.0);
            let gradients = dx_upper.as_chunks_mut::<2>().0.iter_mut().zip(dx_lower.as_chunks_mut::<2>().0);
            let windows = upper.as_chunks::<2>().0.iter().zip(lower.as_chunks::<2>().0);
            for ((dx, (upper, lower)), &dy) in gradients.zip(windows).zip(dy) {
                let (upper_right, lower_right) = (second_wins(upper[0], upper[1]), second_wins(lower[0], lower[1]));
                let (top, bottom) = (larger(upper[0], upper[1]), larger(lower[0], lower[1]));
                let below = second_wins(top, bottom);
                let dy = passed(dy, larger(top, bottom), relu);
                *dx.0 = [if !below && !upper_right { dy } else { 0.0 }, if !below && upper_right { dy } else { 0.0 }];
                *dx.1 = [if below && !lower_right { dy } else { 0.0 }, if below && lower_right { dy } else { 0.0 }];
            }
        }
    });
}
