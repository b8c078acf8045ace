//! What the operations share that walk over several values by strides.

use super::{PART, View};
use crate::ops::broadcast::{broadcast_checked, reduction, walk};
use crate::ops::walk::Walk;
use crate::parallel::*;

/// Partial sums that are made side by side, for speed and because fewer additions after each other round less.
const LANES: usize = 16;

/// Combines two values, broadcast to the shape of the result.
pub(super) fn pairs(a: View, b: View, y: &mut [f32], combine: impl Fn(f32, f32) -> f32 + Sync) {
    let shape = broadcast_checked(a.shape, b.shape);
    let (rows, row) = walk(a.shape, b.shape, &shape).rows();
    let at_a_time = (PART / row.size).max(1);
    if rows.dimensions().is_empty() && row.strides == [1; 3] {
        return y.par_chunks_mut(PART).zip(a.data.par_chunks(PART)).zip(b.data.par_chunks(PART)).for_each(
            |((y, a), b)| {
                y.iter_mut().zip(a).zip(b).for_each(|((y, a), b)| *y = combine(*a, *b));
            },
        );
    }
    y.par_chunks_mut(row.size).with_min_len(at_a_time).enumerate().for_each(|(number, y)| {
        let [first_a, first_b, _] = rows.places(number);
        let (a, b) = (&a.data[first_a..], &b.data[first_b..]);
        match row.strides {
            [1, 0, _] => y.iter_mut().zip(a).for_each(|(y, a)| *y = combine(*a, b[0])),
            [0, 1, _] => y.iter_mut().zip(b).for_each(|(y, b)| *y = combine(a[0], *b)),
            [1, 1, _] => y.iter_mut().zip(a).zip(b).for_each(|((y, a), b)| *y = combine(*a, *b)),
            [over_a, over_b, _] => {
                y.iter_mut().enumerate().for_each(|(i, y)| *y = combine(a[i * over_a], b[i * over_b]));
            }
        }
    });
}

/// Sums terms down to the shape `kept`, in a fixed order. `term` gives the sum over a row of so many terms, from places in
/// two values on, with strides in them.
pub(super) fn sums(
    [a, b, whole, kept]: [&[usize]; 4],
    y: &mut [f32],
    row_sum: impl Fn(usize, [usize; 2], [usize; 2]) -> f32 + Sync,
) {
    let (results, terms) = reduction(a, b, whole, kept);
    let (rows, row) = terms.rows();
    let number = rows.len();
    let at_a_time = (PART / (number * row.size)).max(1);
    y.par_chunks_mut(1).with_min_len(at_a_time).enumerate().for_each(|(i, y)| {
        let start = results.places(i);
        let sums = (0..number).map(|number| {
            let at = rows.places(number);
            row_sum(row.size, [start[0] + at[0], start[1] + at[1]], [row.strides[0], row.strides[1]])
        });
        y[0] = sums.sum();
    });
}

/// The sum of so many terms.
pub(super) fn sum(count: usize, term: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    for first in (0..count - count % LANES).step_by(LANES) {
        lanes.iter_mut().enumerate().for_each(|(lane, sum)| *sum += term(first + lane));
    }
    let rest: f32 = (count - count % LANES..count).map(term).sum();
    lanes.iter().sum::<f32>() + rest
}

/// The sum of so many elements from a place on.
pub(super) fn sum_of(x: &[f32], count: usize, start: usize, stride: usize) -> f32 {
    if stride == 1 {
        let x = &x[start..start + count];
        return sum(count, |i| x[i]);
    }
    sum(count, |i| x[start + i * stride])
}

/// Reads a value along a walk, from a place on, and changes every element.
pub(super) fn gather(walk: &Walk, x: &[f32], start: usize, y: &mut [f32], change: impl Fn(f32) -> f32 + Sync) {
    let (rows, row) = walk.rows();
    y.par_chunks_mut(row.size).with_min_len((PART / row.size).max(1)).enumerate().for_each(|(number, y)| {
        let x = &x[start + rows.places(number)[0]..];
        match row.strides[0] {
            0 => y.fill(change(x[0])),
            1 => y.iter_mut().zip(x).for_each(|(y, x)| *y = change(*x)),
            stride => y.iter_mut().zip(x.iter().step_by(stride)).for_each(|(y, x)| *y = change(*x)),
        }
    });
}
