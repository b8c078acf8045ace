//! In which order an epoch takes its examples.

use super::Balance;
use crate::data::{over_sample, under_sample};
use crate::random::Random;

/// The examples of an epoch in random order, classes balanced as asked for.
pub(super) fn epoch_order(training: &[usize], labels: &[usize], balance: Balance, seed: u64) -> Vec<usize> {
    let mine: Vec<usize> = training.iter().map(|&index| labels[index]).collect();
    let chosen = |places: Vec<usize>| places.into_iter().map(|place| training[place]).collect();
    let mut order: Vec<usize> = match balance {
        Balance::Under => chosen(under_sample(&mine, seed)),
        Balance::Over => chosen(over_sample(&mine, seed)),
        Balance::None | Balance::Weights(_) => training.to_vec(),
    };
    // Another stream than that which chose.
    Random::new(seed ^ 0x5EED).shuffle(&mut order);
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_balanced_and_the_seed_decides() {
        let labels: Vec<usize> = (0..100).map(|i| usize::from(i % 10 == 0)).collect();
        let training: Vec<usize> = (0..90).collect();
        let counts = |balance| {
            let order = epoch_order(&training, &labels, balance, 1);
            [0, 1].map(|class| order.iter().filter(|&&index| labels[index] == class).count())
        };
        assert_eq!(counts(Balance::None), [81, 9]);
        assert_eq!(counts(Balance::Weights(1.0)), [81, 9]);
        assert_eq!(counts(Balance::Under), [9, 9]);
        assert_eq!(counts(Balance::Over), [81, 81]);
        // Every example of the small class comes as often as any other.
        let over = epoch_order(&training, &labels, Balance::Over, 1);
        assert!((0..90).step_by(10).all(|index| over.iter().filter(|&&other| other == index).count() == 9));
        let order = |seed| epoch_order(&training, &labels, Balance::None, seed);
        assert_eq!(order(5), order(5));
        assert_ne!(order(5), order(6));
        let mut sorted = order(5);
        sorted.sort_unstable();
        assert_eq!(sorted, training);
    }
}
