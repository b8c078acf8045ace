use rayon::prelude::*;

use crate::ops::{RunState, Sgd};

pub(super) fn update(op: &Sgd, state: &RunState, parameter: &mut [f32], gradient: &[f32], velocity: &mut [f32]) {
    let values = parameter.par_iter_mut().with_min_len(4096).zip(gradient).zip(velocity);
    values.for_each(|((parameter, &gradient), velocity)| {
        let d = gradient + op.weight_decay * *parameter;
        *velocity = op.momentum * *velocity + d;
        let direction = if op.nesterov { d + op.momentum * *velocity } else { *velocity };
        *parameter -= state.learning_rate * direction;
    });
}
