use super::walk::sum;

/// The loss; its gradient goes to `dlogits`.
pub(super) fn forward(logits: &[f32], target: &[f32], dlogits: &mut [f32]) -> f32 {
    let count = target.iter().filter(|&&target| target >= 0.0).count() as f32;
    if count == 0.0 {
        dlogits.fill(0.0);
        return 0.0;
    }
    for ((d, &x), &target) in dlogits.iter_mut().zip(logits).zip(target) {
        *d = if target >= 0.0 { (1.0 / (1.0 + (-x).exp()) - target) / count } else { 0.0 };
    }
    let loss = |i: usize| {
        let (x, target) = (logits[i], target[i]);
        if target >= 0.0 { x.max(0.0) - x * target + (-x.abs()).exp().ln_1p() } else { 0.0 }
    };
    sum(logits.len(), loss) / count
}
