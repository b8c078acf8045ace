//! Parts in which every class has its share, by picture.

use crate::data::balance::members;
use crate::random::Random;

/// Indices of the labels, dealt at random into parts of these shares (above 0, 1 in all) class by class. A part's
/// number of each class differs from its share by less than one, unless it would get none of a class that has enough
/// for all parts.
pub(super) fn shares(labels: &[usize], shares: &[f64], seed: u64) -> Vec<Vec<usize>> {
    let mut random = Random::new(seed);
    let mut parts = vec![Vec::new(); shares.len()];
    let mut owed = vec![0.0; shares.len()];
    for mut indices in members(labels) {
        random.shuffle(&mut indices);
        let mut rest = indices.as_slice();
        for (part, count) in parts.iter_mut().zip(counts(indices.len(), shares, &mut owed)) {
            let (given, left) = rest.split_at(count);
            part.extend_from_slice(given);
            rest = left;
        }
    }
    parts.iter_mut().for_each(|part| part.sort_unstable());
    parts
}

/// How many of a class's samples each part gets. What rounding has kept from a part is `owed` to it, so that parts have
/// their shares over all classes, too.
fn counts(samples: usize, shares: &[f64], owed: &mut [f64]) -> Vec<usize> {
    // A share of a whole number of samples must not fall below it by a rounding error.
    let mut counts: Vec<usize> = shares.iter().map(|share| (samples as f64 * share + 1e-9) as usize).collect();
    for (part, share) in shares.iter().enumerate() {
        owed[part] += samples as f64 * share - counts[part] as f64;
    }
    let left = samples.saturating_sub(counts.iter().sum());
    let mut waiting: Vec<usize> = (0..shares.len()).collect();
    waiting.sort_by(|&a, &b| owed[b].total_cmp(&owed[a]));
    for part in waiting.into_iter().take(left) {
        counts[part] += 1;
        owed[part] -= 1.0;
    }
    if samples >= shares.len() {
        while let Some(empty) = counts.iter().position(|&count| count == 0) {
            let largest = (0..counts.len()).max_by_key(|&part| counts[part]).unwrap_or(empty);
            counts[largest] -= 1;
            owed[largest] += 1.0;
            counts[empty] += 1;
            owed[empty] -= 1.0;
        }
    }
    counts
}

/// Indices of the labels, dealt at random into this many folds of equal size with equal shares of each class.
pub(super) fn folds(labels: &[usize], folds: usize, seed: u64) -> Vec<Vec<usize>> {
    let mut random = Random::new(seed);
    let mut dealt = vec![Vec::new(); folds];
    let mut next = 0;
    for mut indices in members(labels) {
        random.shuffle(&mut indices);
        for index in indices {
            dealt[next].push(index);
            next = (next + 1) % folds;
        }
    }
    dealt.iter_mut().for_each(|fold| fold.sort_unstable());
    dealt
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(labels: &[usize], part: &[usize], class: usize) -> usize {
        part.iter().filter(|&&index| labels[index] == class).count()
    }

    fn all(parts: &[Vec<usize>]) -> Vec<usize> {
        let mut all = parts.concat();
        all.sort_unstable();
        all
    }

    #[test]
    fn every_part_has_its_share_of_every_class() {
        let labels: Vec<usize> = (0..1003).map(|index| [0, 0, 0, 0, 1, 1, 2][index % 7]).collect();
        for wanted in [vec![0.7, 0.3], vec![0.7, 0.15, 0.15], vec![0.5, 0.5], vec![0.98, 0.01, 0.01]] {
            let parts = shares(&labels, &wanted, 3);
            assert_eq!(all(&parts), (0..labels.len()).collect::<Vec<_>>());
            for (part, share) in parts.iter().zip(&wanted) {
                for class in 0..3 {
                    let members = labels.iter().filter(|&&label| label == class).count();
                    let off = count(&labels, part, class) as f64 - members as f64 * share;
                    assert!(off.abs() < 1.0, "{off} in class {class} of {wanted:?}");
                }
                let off = part.len() as f64 - labels.len() as f64 * share;
                assert!(off.abs() < 1.0 + 1e-9, "{off} in all of {wanted:?}");
            }
        }
        assert_eq!(shares(&labels, &[0.7, 0.3], 3), shares(&labels, &[0.7, 0.3], 3));
        assert_ne!(shares(&labels, &[0.7, 0.3], 3), shares(&labels, &[0.7, 0.3], 4));
    }

    #[test]
    fn a_small_class_is_in_every_part_if_it_can_be() {
        let labels = [vec![0; 100], vec![1; 3], vec![2; 1]].concat();
        let parts = shares(&labels, &[0.9, 0.05, 0.05], 1);
        assert!(parts.iter().all(|part| count(&labels, part, 1) == 1));
        assert_eq!(parts.iter().map(|part| count(&labels, part, 2)).sum::<usize>(), 1);
    }

    #[test]
    fn folds_are_even() {
        let labels: Vec<usize> = (0..103).map(|index| [0, 0, 0, 1, 1, 2][index % 6]).collect();
        let dealt = folds(&labels, 10, 1);
        assert_eq!(all(&dealt), (0..labels.len()).collect::<Vec<_>>());
        for class in 0..3 {
            let counts: Vec<usize> = dealt.iter().map(|fold| count(&labels, fold, class)).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
        assert!(dealt.iter().all(|fold| fold.len() == 10 || fold.len() == 11));
    }
}
