//! In which order an epoch takes its examples.

use std::collections::BTreeMap;

use super::Balance;
use crate::random::Random;

/// The examples of an epoch in random order, classes balanced as asked for.
pub(super) fn epoch_order(training: &[usize], labels: &[usize], balance: Balance, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut order = match balance {
        Balance::Under => balanced(training, labels, &mut random, |sizes| sizes.min()),
        Balance::Over => balanced(training, labels, &mut random, |sizes| sizes.max()),
        Balance::None | Balance::Weights | Balance::SqrtWeights => training.to_vec(),
    };
    random.shuffle(&mut order);
    order
}

/// As many examples of each class as `size` chooses among the classes' sizes: whole rounds through a class, and a
/// random part of it for the rest.
fn balanced(
    training: &[usize],
    labels: &[usize],
    random: &mut Random,
    size: impl Fn(&mut dyn Iterator<Item = usize>) -> Option<usize>,
) -> Vec<usize> {
    let mut classes: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    training.iter().for_each(|&index| classes.entry(labels[index]).or_default().push(index));
    let size = size(&mut classes.values().map(Vec::len)).unwrap_or(0);
    let mut order = Vec::with_capacity(size * classes.len());
    for members in classes.values_mut() {
        random.shuffle(members);
        order.extend(members.iter().cycle().take(size));
    }
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
        assert_eq!(counts(Balance::Weights), [81, 9]);
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
