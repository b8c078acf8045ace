use super::{View, reduce_sum, walk};
use crate::ops::broadcast::{self, terms};
use crate::ops::{ReduceMean, ReduceMeanBackward};

pub(super) fn forward(op: &ReduceMean, x: View, y: &mut [f32]) {
    let kept = op.kept(x.shape);
    reduce_sum::forward(x, &kept, y);
    let count = terms(x.shape, &kept) as f32;
    y.iter_mut().for_each(|y| *y /= count);
}

pub(super) fn backward(op: &ReduceMeanBackward, dy: View, dx: &mut [f32]) {
    let kept = op.mean.kept(&op.shape);
    let share = 1.0 / terms(&op.shape, &kept) as f32;
    walk::gather(&broadcast::walk(&kept, &kept, &op.shape), dy.data, 0, dx, |dy| dy * share);
}
