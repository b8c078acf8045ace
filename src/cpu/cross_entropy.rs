use crate::ops::CrossEntropy;

use super::View;

/// The loss for class numbers; its gradient goes to `dlogits`.
pub(super) fn forward(op: &CrossEntropy, logits: View, target: &[f32], weight: &[f32], dlogits: &mut [f32]) -> f32 {
    let classes = weight.len();
    let (hard, soft) = (1.0 - op.label_smoothing, op.label_smoothing / classes as f32);
    let weight_sum: f32 = weight.iter().sum();
    let class = |target: f32| (target >= 0.0).then_some(target as usize).filter(|&t| t < classes);
    let total: f32 = target.iter().filter_map(|&t| class(t)).map(|t| weight[t]).sum();
    let mut loss = 0.0;
    for ((logits, &target), dlogits) in logits.data.chunks(classes).zip(target).zip(dlogits.chunks_mut(classes)) {
        let Some(target) = class(target) else {
            dlogits.fill(0.0);
            continue;
        };
        let maximum = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|x| (x - maximum).exp()).sum();
        let log_probability = |x: f32| x - maximum - sum.ln();
        let smooth: f32 = logits.iter().zip(weight).map(|(&x, w)| w * log_probability(x)).sum();
        loss -= hard * weight[target] * log_probability(logits[target]) + soft * smooth;
        for (c, (d, &x)) in dlogits.iter_mut().zip(logits).enumerate() {
            let p = (x - maximum).exp() / sum;
            let one = if c == target { 1.0 } else { 0.0 };
            let gradient = hard * weight[target] * (p - one) + soft * (p * weight_sum - weight[c]);
            *d = if total > 0.0 { gradient / total } else { 0.0 };
        }
    }
    if total > 0.0 { loss / total } else { 0.0 }
}

/// The loss for probabilities of classes; its gradient goes to `dlogits`.
pub(super) fn forward_soft(
    op: &CrossEntropy,
    logits: View,
    target: &[f32],
    weight: &[f32],
    dlogits: &mut [f32],
) -> f32 {
    let classes = weight.len();
    let (kept, even) = (1.0 - op.label_smoothing, op.label_smoothing / classes as f32);
    let is_there = |target: &[f32]| target.first().is_some_and(|&first| first >= 0.0);
    let total = target.chunks(classes).filter(|target| is_there(target)).count() as f32;
    let mut loss = 0.0;
    let rows = logits.data.chunks(classes).zip(target.chunks(classes)).zip(dlogits.chunks_mut(classes));
    for ((logits, target), dlogits) in rows {
        if !is_there(target) {
            dlogits.fill(0.0);
            continue;
        }
        let maximum = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = logits.iter().map(|x| (x - maximum).exp()).sum();
        let weighted = |c: usize| weight[c] * (kept * target[c] + even);
        let all: f32 = (0..classes).map(weighted).sum();
        for (c, (d, &x)) in dlogits.iter_mut().zip(logits).enumerate() {
            loss -= weighted(c) * (x - maximum - sum.ln());
            *d = ((x - maximum).exp() / sum * all - weighted(c)) / total;
        }
    }
    if total > 0.0 { loss / total } else { 0.0 }
}
