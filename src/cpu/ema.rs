use super::PART;
use crate::ops::{Ema, RunState};
use crate::parallel::*;

pub(super) fn update(op: &Ema, state: &RunState, average: &mut [f32], parameter: &[f32]) {
    let decay = op.decay_in(state.step);
    average.par_chunks_mut(PART).zip(parameter.par_chunks(PART)).for_each(|(average, parameter)| {
        for (average, &parameter) in average.iter_mut().zip(parameter) {
            // Nothing of it: what was there before the first step need not be a number.
            let kept = if decay == 0.0 { 0.0 } else { decay * *average };
            *average = kept + (1.0 - decay) * parameter;
        }
    });
}
