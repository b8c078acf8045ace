use super::walk::sum;

/// The loss; its gradient goes to `dpred`.
pub(super) fn forward(pred: &[f32], target: &[f32], dpred: &mut [f32]) -> f32 {
    let count = pred.len() as f32;
    for ((d, pred), target) in dpred.iter_mut().zip(pred).zip(target) {
        *d = 2.0 * (pred - target) / count;
    }
    sum(pred.len(), |i| (pred[i] - target[i]).powi(2)) / count
}
