use crate::ops::{Dropout, RunState};
use crate::parallel::*;
use crate::random::philox4x32;

pub(super) fn forward(op: &Dropout, state: &RunState, x: &[f32], y: &mut [f32]) {
    let first = Dropout::first_quad(x.len().div_ceil(4), state);
    y.par_chunks_mut(4).with_min_len(1024).zip(x.par_chunks(4)).enumerate().for_each(|(quad, (y, x))| {
        let (counter, key) = op.counter(first.wrapping_add(quad as u32), state);
        for ((y, x), word) in y.iter_mut().zip(x).zip(philox4x32(counter, key)) {
            *y = if word < op.threshold() { 0.0 } else { x * op.scale() };
        }
    });
}
