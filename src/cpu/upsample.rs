use super::View;
use crate::ops::upsample::Places;
use crate::ops::{Interpolation, Upsample};
use crate::parallel::*;

/// The two neighbours of an output's place along an axis of this size, and their weights.
fn neighbours(op: &Upsample, places: Places, output: usize, size: usize) -> ([usize; 2], [f32; 2]) {
    let (first, after) = places.of(output);
    let share = match op.interpolation {
        Interpolation::Nearest => 0.0,
        Interpolation::Bilinear { .. } => after as f32 / places.unit as f32,
    };
    ([first, (first + 1).min(size - 1)], [1.0 - share, share])
}

fn places(op: &Upsample, input: [usize; 2]) -> [Places; 2] {
    [0, 1].map(|axis| Places::new(op.interpolation, input[axis], op.size[axis]))
}

pub(super) fn forward(op: &Upsample, x: View, y: &mut [f32]) {
    let [.., h, w] = x.nchw();
    let ([oh, ow], [down, across]) = (op.size, places(op, [h, w]));
    y.par_chunks_mut(oh * ow).zip(x.data.par_chunks(h * w)).for_each(|(y, x)| {
        if op.interpolation == Interpolation::Nearest {
            return repeat(x, w, y, ow, [down, across]);
        }
        for (oy, y) in y.chunks_mut(ow).enumerate() {
            let (rows, shares) = neighbours(op, down, oy, h);
            let [upper, lower] = rows.map(|row| &x[row * w..][..w]);
            for (ox, y) in y.iter_mut().enumerate() {
                let (columns, parts) = neighbours(op, across, ox, w);
                let between = |row: &[f32]| parts[0] * row[columns[0]] + parts[1] * row[columns[1]];
                *y = shares[0] * between(upper) + shares[1] * between(lower);
            }
        }
    });
}

/// The nearest values of a plane of rows of `w` for one of rows of `ow`. Rows that are made of the same one are copied.
fn repeat(x: &[f32], w: usize, y: &mut [f32], ow: usize, [down, across]: [Places; 2]) {
    for oy in 0..y.len() / ow {
        let (row, _) = down.of(oy);
        let (before, y) = y.split_at_mut(oy * ow);
        match before.chunks_exact(ow).next_back() {
            Some(last) if down.of(oy - 1).0 == row => y[..ow].copy_from_slice(last),
            _ => y[..ow].iter_mut().enumerate().for_each(|(ox, y)| *y = x[row * w + across.of(ox).0]),
        }
    }
}

pub(super) fn backward(op: &Upsample, [h, w]: [usize; 2], dy: View, dx: &mut [f32]) {
    let ([oh, ow], [down, across]) = (op.size, places(op, [h, w]));
    dx.par_chunks_mut(h * w).zip(dy.data.par_chunks(oh * ow)).for_each(|(dx, dy)| {
        dx.fill(0.0);
        for (oy, dy) in dy.chunks(ow).enumerate() {
            let (rows, shares) = neighbours(op, down, oy, h);
            for (ox, dy) in dy.iter().enumerate() {
                let (columns, parts) = neighbours(op, across, ox, w);
                for (row, share) in rows.iter().zip(shares) {
                    for (column, part) in columns.iter().zip(parts) {
                        dx[row * w + column] += share * part * dy;
                    }
                }
            }
        }
    });
}
