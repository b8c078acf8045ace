//! What the loop makes of batches: which of them make a step, what their targets are, and how they are mixed.

use super::Job;
use super::stream::Batch;
use crate::error::Result;
use crate::prepare::{Mix, mix};
use crate::random::Random;
use crate::tensor::Tensor;

/// The batches of an epoch, and how many of them make a step.
#[derive(Clone, Copy)]
pub(super) struct Batches {
    pub count: u32,
    pub of_a_step: u32,
}

impl Batches {
    pub fn steps(self) -> usize {
        self.count.div_ceil(self.of_a_step) as usize
    }

    /// Which batch of its step this one is, and how many the step has: the last may have fewer.
    pub fn place(self, batch: u32) -> (u32, u32) {
        let within = batch % self.of_a_step;
        (within, self.of_a_step.min(self.count - (batch - within)))
    }
}

/// A batch whose pictures are mixed, with a probability of each class for each of them.
pub(super) fn mixed(
    batch: &Batch,
    job: &Job,
    (kind, alpha): (Mix, f32),
    random: &mut Random,
) -> Result<(Tensor, Tensor)> {
    let classes = job.classes.len();
    // Pictures at the end of the batch that are none, or could not be read, must not be mixed in.
    let count = batch.examples.iter().take_while(|example| example.is_some()).count();
    let mut input = batch.input.clone();
    // A row of −1 counts for nothing.
    let mut rows = vec![-1.0; batch.examples.len() * classes];
    for (row, label) in rows.chunks_exact_mut(classes).zip(targets(batch, job.labels)) {
        if let Some(label) = label {
            row.fill(0.0);
            row[label] = 1.0;
        }
    }
    let [channels, height, width] = job.examples.shape();
    let length = channels * height * width;
    let (images, targets) = (&mut input.data_mut()[..count * length], &mut rows[..count * classes]);
    mix(kind, alpha, images, [count, channels, height, width], targets, random)?;
    Ok((input, Tensor::new([batch.examples.len(), classes], rows)?))
}

/// The class of each example of a batch.
pub(super) fn targets(batch: &Batch, labels: &[usize]) -> Vec<Option<usize>> {
    batch.examples.iter().map(|example| example.map(|index| labels[index])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_has_the_batches_that_are_left() {
        let batches = Batches { count: 7, of_a_step: 3 };
        assert_eq!(batches.steps(), 3);
        let places: Vec<(u32, u32)> = (0..7).map(|batch| batches.place(batch)).collect();
        assert_eq!(places, [(0, 3), (1, 3), (2, 3), (0, 3), (1, 3), (2, 3), (0, 1)]);
    }
}
