use super::PART;
use crate::parallel::*;

pub(super) fn update(share: f32, mean: &mut [f32], gradient: &[f32]) {
    mean.par_chunks_mut(PART).zip(gradient.par_chunks(PART)).for_each(|(mean, gradient)| {
        for (mean, &gradient) in mean.iter_mut().zip(gradient) {
            // Nothing of it: what the step before has left need not be a number.
            let kept = if share == 1.0 { 0.0 } else { (1.0 - share) * *mean };
            *mean = kept + share * gradient;
        }
    });
}
