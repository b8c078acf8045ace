//! Classes of unequal size made to count alike: by leaving samples out, repeating them, or weighing them.

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

/// The weight of each class in the loss, by the number of its samples, or their share: its inverse to a power, so that the
/// mean over the samples is 1; 0 for a class without any.
///
/// With the power 1 classes count alike (scikit-learn's "balanced"; King & Zeng, "Logistic regression in rare events data",
/// 2001), with 0 samples do. Between them rare classes are heard without being too loud.
///
/// ```
/// use vultus::data::class_weights;
///
/// // 90 pictures of one class, 10 of another, none of a third.
/// let weights = class_weights(&[90.0, 10.0, 0.0], 1.0);
/// assert!((weights[1] / weights[0] - 9.0).abs() < 1e-5 && weights[2] == 0.0);
/// let roots = class_weights(&[90.0, 10.0, 0.0], 0.5);
/// assert!((roots[1] / roots[0] - 3.0).abs() < 1e-5);
/// ```
pub fn class_weights(sizes: &[f64], power: f64) -> Vec<f32> {
    let raw: Vec<f64> = sizes.iter().map(|&size| if size > 0.0 { size.powf(-power) } else { 0.0 }).collect();
    let weighed: f64 = raw.iter().zip(sizes).map(|(weight, size)| weight * size).sum();
    let factor = if weighed > 0.0 { sizes.iter().sum::<f64>() / weighed } else { 0.0 };
    raw.into_iter().map(|weight| (factor * weight) as f32).collect()
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
    fn weights_are_powers_of_the_inverse_frequencies() {
        let sizes = [8.0, 3.0, 0.0, 5.0];
        let mean = |weights: &[f32]| {
            weights.iter().zip(sizes).map(|(&weight, size)| f64::from(weight) * size).sum::<f64>() / 16.0
        };
        // n / (k · n_c) for the classes that have any.
        let weights = class_weights(&sizes, 1.0);
        for (weight, expected) in weights.iter().zip([16.0 / 24.0, 16.0 / 9.0, 0.0, 16.0 / 15.0]) {
            assert_abs_diff_eq!(*weight, expected, epsilon = 1e-6);
        }
        let roots = class_weights(&sizes, 0.5);
        for (root, weight) in roots.iter().zip(&weights) {
            assert_abs_diff_eq!(root * root / (roots[0] * roots[0]), *weight / weights[0], epsilon = 1e-6);
        }
        assert_eq!(class_weights(&sizes, 0.0), [1.0, 1.0, 0.0, 1.0]);
        for weights in [weights, roots] {
            // Rounding of the weights to f32.
            assert_abs_diff_eq!(mean(&weights), 1.0, epsilon = 1e-6);
        }
        assert_eq!(class_weights(&[0.0, 0.0], 1.0), [0.0, 0.0]);
    }
}
