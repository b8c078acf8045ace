use super::PART;
use crate::ops::{Adam, RunState};
use crate::parallel::*;

pub(super) fn update(
    op: &Adam,
    state: &RunState,
    parameter: &mut [f32],
    gradient: &[f32],
    m: &mut [f32],
    v: &mut [f32],
) {
    let [first, second] = op.bias_corrections(state.step);
    let [beta1, beta2] = op.betas;
    let rate = op.learning_rate_factor * state.learning_rate;
    let parts = parameter.par_chunks_mut(PART).zip(gradient.par_chunks(PART));
    parts.zip(m.par_chunks_mut(PART)).zip(v.par_chunks_mut(PART)).for_each(|(((parameter, gradient), m), v)| {
        let values = parameter.iter_mut().zip(gradient).zip(m).zip(v);
        for (((parameter, &gradient), m), v) in values {
            let decay = op.weight_decay * *parameter;
            let gradient = if op.decoupled { gradient } else { gradient + decay };
            if op.decoupled {
                *parameter -= rate * decay;
            }
            *m = beta1 * *m + (1.0 - beta1) * gradient;
            *v = beta2 * *v + (1.0 - beta2) * gradient * gradient;
            *parameter -= rate / first * *m / ((*v / second).sqrt() + op.epsilon);
        }
    });
}
