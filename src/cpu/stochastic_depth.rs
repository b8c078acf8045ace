use super::View;
use crate::ops::{RunState, StochasticDepth};
use crate::parallel::*;
use crate::random::philox4x32;

pub(super) fn forward(op: &StochasticDepth, state: &RunState, x: View, y: &mut [f32]) {
    let (samples, length) = (x.shape[0], x.shape[1..].iter().product());
    let first = (samples as u32).wrapping_mul(state.micro_batch);
    let dropout = op.as_dropout();
    y.par_chunks_mut(length).zip(x.data.par_chunks(length)).enumerate().for_each(|(sample, (y, x))| {
        let (counter, key) = op.counter(first.wrapping_add(sample as u32), state);
        if philox4x32(counter, key)[0] < dropout.threshold() {
            y.fill(0.0);
        } else {
            y.iter_mut().zip(x).for_each(|(y, x)| *y = x * dropout.scale());
        }
    });
}
