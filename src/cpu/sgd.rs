use super::PART;
use crate::ops::{RunState, Sgd};
use crate::parallel::*;

pub(super) fn update(op: &Sgd, state: &RunState, parameter: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    let rate = op.learning_rate_factor * state.learning_rate;
    let parts = parameter.par_chunks_mut(PART).zip(gradient.par_chunks(PART)).zip(velocity.par_chunks_mut(PART));
    parts.for_each(|((parameter, gradient), velocity)| {
        for ((parameter, &gradient), velocity) in parameter.iter_mut().zip(gradient).zip(velocity) {
            let d = gradient + op.weight_decay * *parameter;
            *velocity = op.momentum * *velocity + d;
            let direction = if op.nesterov { d + op.momentum * *velocity } else { *velocity };
            *parameter -= rate * direction;
        }
    });
}
