use super::View;
use crate::ops::RelativePositionBias;
use crate::parallel::*;

pub(super) fn forward(op: &RelativePositionBias, scores: View, table: &[f32], y: &mut [f32]) {
    let (tokens, heads) = (op.tokens(), table.len() / op.entries());
    let matrices = y.par_chunks_mut(tokens * tokens).zip(scores.data.par_chunks(tokens * tokens));
    matrices.enumerate().for_each(|(number, (y, scores))| {
        for (i, (y, score)) in y.iter_mut().zip(scores).enumerate() {
            *y = score + table[op.entry(i / tokens, i % tokens) * heads + number % heads];
        }
    });
}

pub(super) fn backward(op: &RelativePositionBias, dy: View, dtable: &mut [f32]) {
    let (tokens, heads) = (op.tokens(), dtable.len() / op.entries());
    let mut sums = vec![0.0f64; dtable.len()];
    for (number, dy) in dy.data.chunks(tokens * tokens).enumerate() {
        for (i, &dy) in dy.iter().enumerate() {
            sums[op.entry(i / tokens, i % tokens) * heads + number % heads] += f64::from(dy);
        }
    }
    dtable.iter_mut().zip(sums).for_each(|(dtable, sum)| *dtable = sum as f32);
}
