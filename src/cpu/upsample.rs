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
