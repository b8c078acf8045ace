use super::{PART, View};
use crate::ops::Pad;
use crate::parallel::*;

pub(super) fn forward(op: &Pad, x: View, y: &mut [f32]) {
    let Some((&width, outer)) = x.shape.split_last() else { return };
    let [before, after] = op.padding[outer.len()];
    let whole = before + width + after;
    y.par_chunks_mut(whole).with_min_len((PART / whole).max(1)).enumerate().for_each(|(number, y)| {
        let Some(row) = row_of(op, outer, number) else { return y.fill(op.value) };
        y[..before].fill(op.value);
        y[before..before + width].copy_from_slice(&x.data[row * width..][..width]);
        y[before + width..].fill(op.value);
    });
}

/// The row of x that a row of y holds, if it is not all border.
fn row_of(op: &Pad, outer: &[usize], number: usize) -> Option<usize> {
    let (mut rest, mut row, mut stride) = (number, 0, 1);
    for (&size, [before, after]) in outer.iter().zip(&op.padding).rev() {
        let whole = before + size + after;
        let place = (rest % whole).checked_sub(*before).filter(|&place| place < size)?;
        rest /= whole;
        row += place * stride;
        stride *= size;
    }
    Some(row)
}
