//! Classes of unequal size made to count alike: by leaving samples out, repeating them, or weighing them.

use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Indices of a part of the samples in which every class has as many as the smallest (that has any), chosen at random
/// without repetition. Sorted; the same for the same seed.
///
/// ```
/// let labels = [0, 0, 0, 0, 1, 1];
/// let kept = vultus::data::under_sample(&labels, 7);
/// assert_eq!(kept.iter().map(|&index| labels[index]).collect::<Vec<_>>(), [0, 0, 1, 1]);
/// ```
pub fn under_sample(labels: &[usize], seed: u64) -> Vec<usize> {
    let by_class = members(labels);
    let smallest = by_class.iter().map(Vec::len).filter(|&number| number > 0).min().unwrap_or(0);
    resize(by_class, smallest, seed)
}

/// Indices of all samples, those of the smaller classes so often that every class (that has any) has as many as the
/// largest: each is repeated equally often, and which ones once more is chosen at random. Sorted; the same for the same
/// seed.
///
/// ```
/// let labels = [0, 0, 0, 0, 1, 1];
/// let drawn = vultus::data::over_sample(&labels, 7);
/// assert_eq!(drawn, [0, 1, 2, 3, 4, 4, 5, 5]);
/// ```
pub fn over_sample(labels: &[usize], seed: u64) -> Vec<usize> {
    let by_class = members(labels);
    let largest = by_class.iter().map(Vec::len).max().unwrap_or(0);
    resize(by_class, largest, seed)
}

/// How classes are weighed against each other.
///
/// ```
/// use vultus::data::{Weighting, class_weights};
///
/// // 90 pictures of one class, 10 of another.
/// let labels: Vec<usize> = (0..100).map(|i| usize::from(i < 10)).collect();
/// let ratio = |weighting| { let weights = class_weights(&labels, 2, weighting); weights[1] / weights[0] };
/// assert!((ratio(Weighting::Balanced) - 9.0).abs() < 1e-5);
/// assert!((ratio(Weighting::Root) - 3.0).abs() < 1e-5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weighting {
    /// Each class counts alike as a whole: n / (k · n_c) for n samples, n_c of which are of the class, and k classes
    /// that have any (scikit-learn's "balanced"; King & Zeng, "Logistic regression in rare events data", 2001). The
    /// mean over the samples is 1.
    Balanced,
    /// The square root of that, for where rare classes would get too loud.
    Root,
}

/// The weight of each of so many classes in the loss; 0 for one without samples. Labels of no class are left out.
///
/// ```
/// use vultus::data::{Weighting, class_weights};
///
/// // 4 / (2 · 3) and 4 / (2 · 1); the third class has no samples.
/// assert_eq!(class_weights(&[0, 0, 0, 1], 3, Weighting::Balanced), [2.0 / 3.0, 2.0, 0.0]);
/// ```
pub fn class_weights(labels: &[usize], classes: usize, weighting: Weighting) -> Vec<f32> {
    let mut counts = vec![0usize; classes];
    labels.iter().filter(|&&label| label < classes).for_each(|&label| counts[label] += 1);
    let (all, present) = (counts.iter().sum::<usize>(), counts.iter().filter(|&&count| count > 0).count());
    let weight = |count: usize| {
        if count == 0 {
            return 0.0;
        }
        let balanced = all as f64 / (present as f64 * count as f64);
        match weighting {
            Weighting::Balanced => balanced as f32,
            Weighting::Root => balanced.sqrt() as f32,
        }
    };
    counts.into_iter().map(weight).collect()
}

/// The indices of each class.
pub(super) fn members(labels: &[usize]) -> Vec<Vec<usize>> {
    let mut by_class = vec![Vec::new(); labels.iter().max().map_or(0, |&last| last + 1)];
    labels.iter().enumerate().for_each(|(index, &label)| by_class[label].push(index));
    by_class
}

fn resize(by_class: Vec<Vec<usize>>, wanted: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut chosen = Vec::new();
    for mut indices in by_class.into_iter().filter(|indices| !indices.is_empty()) {
        random.shuffle(&mut indices);
        chosen.extend(indices.iter().cycle().take(wanted));
    }
    chosen.sort_unstable();
    chosen
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    /// 8 of class 0, 3 of class 1, none of class 2, 5 of class 3.
    fn labels() -> Vec<usize> {
        [vec![0; 8], vec![1; 3], vec![3; 5]].concat()
    }

    fn counts(labels: &[usize], indices: &[usize]) -> Vec<usize> {
        let of = |class| indices.iter().filter(|&&index| labels[index] == class).count();
        (0..4).map(of).collect()
    }

    #[test]
    fn sampling_makes_classes_equal() {
        let labels = labels();
        let under = under_sample(&labels, 1);
        assert_eq!(counts(&labels, &under), [3, 3, 0, 3]);
        assert!(under.windows(2).all(|pair| pair[0] < pair[1]), "{under:?}");
        let over = over_sample(&labels, 1);
        assert_eq!(counts(&labels, &over), [8, 8, 0, 8]);
        // Every sample is there, and none of a class more than once more than another.
        for index in 0..labels.len() {
            let times = over.iter().filter(|&&chosen| chosen == index).count();
            let expected = [[1, 1], [2, 3], [0, 0], [1, 2]][labels[index]];
            assert!(expected.contains(&times), "{index}: {times}");
        }
        assert_eq!((under_sample(&labels, 1), over_sample(&labels, 1)), (under.clone(), over.clone()));
        assert!((2..12).any(|seed| under_sample(&labels, seed) != under));
        assert!((2..12).any(|seed| over_sample(&labels, seed) != over));
        assert!(under_sample(&[], 1).is_empty() && over_sample(&[], 1).is_empty());
    }

    #[test]
    fn weights_are_the_inverse_frequencies() {
        let labels = labels();
        let weights = class_weights(&labels, 5, Weighting::Balanced);
        let expected = [16.0 / 24.0, 16.0 / 9.0, 0.0, 16.0 / 15.0, 0.0];
        for (weight, expected) in weights.iter().zip(expected) {
            assert_abs_diff_eq!(*weight, expected, epsilon = 1e-6);
        }
        let mean = labels.iter().map(|&label| weights[label]).sum::<f32>() / labels.len() as f32;
        assert_abs_diff_eq!(mean, 1.0, epsilon = 1e-6);
        let roots = class_weights(&labels, 5, Weighting::Root);
        for (root, weight) in roots.iter().zip(&weights) {
            assert_abs_diff_eq!(root * root, *weight, epsilon = 1e-6);
        }
        assert_eq!(class_weights(&[], 2, Weighting::Balanced), [0.0, 0.0]);
    }
}
