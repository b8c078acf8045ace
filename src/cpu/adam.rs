use rayon::prelude::*;

use crate::ops::{Adam, RunState};

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
    let rate = state.learning_rate;
    let values = parameter.par_iter_mut().with_min_len(4096).zip(gradient).zip(m).zip(v);
    values.for_each(|(((parameter, &gradient), m), v)| {
        let decay = op.weight_decay * *parameter;
        let gradient = if op.decoupled { gradient } else { gradient + decay };
        if op.decoupled {
            *parameter -= rate * decay;
        }
        *m = beta1 * *m + (1.0 - beta1) * gradient;
        *v = beta2 * *v + (1.0 - beta2) * gradient * gradient;
        *parameter -= rate / first * *m / ((*v / second).sqrt() + op.epsilon);
    });
}
