//! Parts in which every class has about its share, although no subject is in two of them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::random::Random;

/// Indices of the samples, their subjects dealt into parts of these shares (above 0, 1 in all): the subject with the
/// most samples first, each into the part in which it brings the classes closest to what the part should have. The seed
/// decides the order of subjects of equal size. There must be at least as many subjects as parts.
pub(super) fn shares(labels: &[usize], subjects: &[Arc<str>], shares: &[f64], seed: u64) -> Vec<Vec<usize>> {
    let classes = labels.iter().max().map_or(0, |&last| last + 1);
    let mut groups = group(labels, subjects, classes);
    Random::new(seed).shuffle(&mut groups);
    groups.sort_by_key(|group| std::cmp::Reverse(group.indices.len()));

    let mut parts: Vec<Dealt> = shares.iter().map(|_| Dealt { counts: vec![0; classes], groups: Vec::new() }).collect();
    let mut all = vec![0; classes];
    groups.iter().for_each(|group| add(&mut all, &group.counts));
    for group in groups {
        let costs = parts.iter().zip(shares).map(|(part, &share)| cost(&part.counts, &group.counts, &all, share));
        let costs: Vec<f64> = costs.collect();
        let best = (0..costs.len()).min_by(|&a, &b| costs[a].total_cmp(&costs[b])).unwrap_or(0);
        add(&mut parts[best].counts, &group.counts);
        parts[best].groups.push(group);
    }
    fill_empty(&mut parts);
    parts.into_iter().map(Dealt::indices).collect()
}

/// One subject's samples.
struct Group {
    indices: Vec<usize>,
    /// How many there are of each class.
    counts: Vec<usize>,
}

/// A part in the making.
struct Dealt {
    counts: Vec<usize>,
    groups: Vec<Group>,
}

impl Dealt {
    fn indices(self) -> Vec<usize> {
        let mut indices: Vec<usize> = self.groups.into_iter().flat_map(|group| group.indices).collect();
        indices.sort_unstable();
        indices
    }
}

/// The samples of each subject, in the order in which subjects appear.
fn group(labels: &[usize], subjects: &[Arc<str>], classes: usize) -> Vec<Group> {
    let (mut numbers, mut groups) = (HashMap::new(), Vec::new());
    for (index, (&label, subject)) in labels.iter().zip(subjects).enumerate() {
        let number = *numbers.entry(subject).or_insert(groups.len());
        if number == groups.len() {
            groups.push(Group { indices: Vec::new(), counts: vec![0; classes] });
        }
        groups[number].indices.push(index);
        groups[number].counts[label] += 1;
    }
    groups
}

fn add(counts: &mut [usize], more: &[usize]) {
    counts.iter_mut().zip(more).for_each(|(count, more)| *count += more);
}

/// By how much the squared distance from the wanted counts grows with `more`, each class in units of its size, each
/// part in units of its share.
fn cost(counts: &[usize], more: &[usize], all: &[usize], share: f64) -> f64 {
    let classes = counts.iter().zip(more).zip(all).filter(|(_, all)| **all > 0);
    let growth = classes.map(|((&count, &more), &all)| {
        let (count, more, all) = (count as f64, more as f64, all as f64);
        more * (2.0 * (count - share * all) + more) / (share * all * all)
    });
    growth.sum()
}

/// A part whose share is far below one subject's samples may have got nobody: it gets the smallest subject of the part
/// that has the most.
fn fill_empty(parts: &mut [Dealt]) {
    while let Some(empty) = parts.iter().position(|part| part.groups.is_empty()) {
        let Some(richest) = (0..parts.len()).max_by_key(|&part| parts[part].groups.len()) else { return };
        if parts[richest].groups.len() < 2 {
            return;
        }
        // They came in order of their size.
        if let Some(smallest) = parts[richest].groups.pop() {
            parts[empty].groups.push(smallest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    /// 60 subjects with 3 to 12 samples of 4 classes, of which each subject has some; the last class is rare.
    fn samples() -> (Vec<usize>, Vec<Arc<str>>) {
        let mut random = Random::new(9);
        let (mut labels, mut subjects) = (Vec::new(), Vec::new());
        for subject in 0..60 {
            for _ in 0..3 + random.below(10) {
                labels.push([0, 0, 0, 1, 1, 2, 2, 3][random.below(8)]);
                subjects.push(Arc::from(format!("S{subject}")));
            }
        }
        (labels, subjects)
    }

    #[test]
    fn no_subject_is_in_two_parts_and_classes_stay_even() {
        let (labels, subjects) = samples();
        for wanted in [vec![0.7, 0.3], vec![0.1; 10], vec![0.6, 0.2, 0.2]] {
            let parts = shares(&labels, &subjects, &wanted, 1);
            let mut all = parts.concat();
            all.sort_unstable();
            assert_eq!(all, (0..labels.len()).collect::<Vec<_>>());
            let of = |part: &[usize]| part.iter().map(|&index| subjects[index].clone()).collect::<HashSet<_>>();
            assert_eq!(parts.iter().map(|part| of(part).len()).sum::<usize>(), 60);
            for (part, share) in parts.iter().zip(&wanted) {
                for class in 0..4 {
                    let count = |indices: &[usize]| indices.iter().filter(|&&index| labels[index] == class).count();
                    let off = count(part) as f64 - share * count(&all) as f64;
                    // Half of what one subject has of a class at most (6) is what greedy dealing leaves here.
                    assert!(off.abs() <= 3.0, "{off} in class {class} of {wanted:?}");
                }
            }
        }
    }

    #[test]
    fn the_seed_decides() {
        let (labels, subjects) = samples();
        let dealt = |seed| shares(&labels, &subjects, &[0.7, 0.3], seed);
        assert_eq!(dealt(1), dealt(1));
        assert_ne!(dealt(1), dealt(2));
    }

    #[test]
    fn every_part_has_a_subject() {
        let subjects: Vec<Arc<str>> = ["a", "a", "a", "b", "b", "b", "c", "c"].map(Arc::from).to_vec();
        let labels = [0, 1, 0, 1, 0, 1, 0, 1];
        for wanted in [vec![0.98, 0.01, 0.01], vec![0.001, 0.999], vec![1.0 / 3.0; 3]] {
            let parts = shares(&labels, &subjects, &wanted, 1);
            assert!(parts.iter().all(|part| !part.is_empty()), "{wanted:?}: {parts:?}");
            assert_eq!(parts.iter().map(Vec::len).sum::<usize>(), 8);
        }
    }
}
