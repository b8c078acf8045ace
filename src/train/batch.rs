//! What the loop makes of batches: which of them make a step, what their targets are, and how they are mixed.

use super::stream::{Batch, Input};
use super::{Job, Recipe};
use crate::engine::{StepOptions, Targets, TrainingPlan};
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

/// The probability of each class for each example of a batch; and its pictures mixed, where they are to be.
pub(super) fn soft(
    batch: &Batch<Input>,
    job: &Job,
    recipe: &Recipe,
    drawn: Random,
    random: &mut Random,
) -> Result<(Option<Input>, Tensor)> {
    let width = job.classes.len();
    // A row of −1 counts for nothing.
    let mut rows = vec![-1.0; batch.examples.len() * width];
    let drawn = recipe.draw.then(|| classes(batch, job, drawn));
    for (slot, (row, example)) in rows.chunks_exact_mut(width).zip(&batch.examples).enumerate() {
        let Some(index) = *example else { continue };
        match job.row(index).filter(|_| drawn.is_none()) {
            Some(known) => row.copy_from_slice(known),
            None => {
                row.fill(0.0);
                row[drawn.as_ref().and_then(|drawn| drawn[slot]).unwrap_or(job.labels[index])] = 1.0;
            }
        }
    }
    let input = match (recipe.mix, &batch.input) {
        (Some(mixing), Input::Values(values)) => {
            // Pictures at the end of the batch that are none, or could not be read, must not be mixed in.
            let count = batch.examples.iter().take_while(|example| example.is_some()).count();
            Some(Input::Values(mixed(values, count, job, mixing, &mut rows, random)?))
        }
        // Pictures that are to be mixed never come as bytes.
        (None, _) | (Some(_), Input::Pictures(_)) => None,
    };
    Ok((input, Tensor::new([batch.examples.len(), width], rows)?))
}

/// The first so many pictures of a batch mixed, and their targets with them.
fn mixed(
    values: &Tensor,
    count: usize,
    job: &Job,
    (kind, alpha): (Mix, f32),
    targets: &mut [f32],
    random: &mut Random,
) -> Result<Tensor> {
    let mut input = values.clone();
    let [channels, height, width] = job.examples.shape();
    let length = channels * height * width;
    let images = &mut input.data_mut()[..count * length];
    let targets = &mut targets[..count * job.classes.len()];
    mix(kind, alpha, images, [count, channels, height, width], targets, random)?;
    Ok(input)
}

/// Trains by one batch: its loss.
pub(super) fn learn(plan: &mut TrainingPlan, input: &Input, targets: Targets, step: &StepOptions) -> Result<f32> {
    match input {
        Input::Values(values) => plan.train(values, targets, step),
        Input::Pictures(pictures) => {
            plan.train_varied(&pictures.bytes(), &pictures.variations, &pictures.normalization, targets, step)
        }
    }
}

/// The class of each example of a batch: its label, or one that is drawn by its probabilities.
pub(super) fn classes(batch: &Batch<Input>, job: &Job, mut random: Random) -> Vec<Option<usize>> {
    let mut class = |index: usize| match job.row(index) {
        None => job.labels[index],
        Some(row) => draw(row, random.uniform()),
    };
    batch.examples.iter().map(|example| example.map(&mut class)).collect()
}

/// The class at this place, 0 to 1, of all probabilities in a row.
fn draw(row: &[f32], place: f32) -> usize {
    let mut left = place;
    for (class, &probability) in row.iter().enumerate() {
        if left < probability {
            return class;
        }
        left -= probability;
    }
    // Their sum may be a little less than 1.
    row.iter().rposition(|&probability| probability > 0.0).unwrap_or(0)
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

    #[test]
    fn classes_are_drawn_as_often_as_they_are_probable() {
        let row = [0.0, 0.25, 0.75, 0.0];
        assert_eq!([0.0, 0.2, 0.25, 0.9, 0.9999].map(|place| draw(&row, place)), [1, 1, 2, 2, 2]);
        // A sum below 1 does not give a class without probability.
        assert_eq!(draw(&[0.5, 0.499, 0.0], 0.9999), 1);
    }
}
