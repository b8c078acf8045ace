//! Which C and γ suit the data: those that do best on a part of the training samples that is kept aside.

use std::collections::BTreeSet;

use super::pairwise::{Kernel, coefficients, decisions, probabilities, train_on_matrix};
use super::rows::Rows;
use super::{Settings, SvmKind};
use crate::data::stratified_split;
use crate::error::{Error, Result};
use crate::random::Random;

/// Costs that are tried, from the smoothest decision on.
const LINEAR_COSTS: [f64; 4] = [0.1, 1.0, 10.0, 100.0];
const RBF_COSTS: [f64; 5] = [0.1, 1.0, 10.0, 100.0, 1000.0];

/// Widths that are tried. Rows have an expected squared length of 1.
const GAMMAS: [f32; 6] = [0.006_25, 0.025, 0.1, 0.4, 1.6, 6.4];

/// Slopes that are tried for the logistic function that makes probabilities of decision values.
const SLOPES: [f64; 7] = [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0];

/// What was chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Choice {
    pub kernel: Kernel,
    pub c: f64,
    pub slope: f64,
    /// The share of the samples kept aside that was told right.
    pub accuracy: f64,
}

/// Labelled rows.
#[derive(Clone, Copy)]
pub(super) struct Labelled<'a> {
    pub rows: &'a Rows,
    pub labels: &'a [usize],
    /// The group of each row: groups are kept aside as a whole.
    pub groups: Option<&'a [usize]>,
    pub classes: usize,
}

/// The products of all rows that take part, and their labels.
struct Trial {
    fit: Part,
    aside: Part,
    classes: usize,
}

/// Rows as they are compared with those that are fitted to.
struct Part {
    products: Vec<f32>,
    squares: Vec<f32>,
    labels: Vec<usize>,
}

/// Tries all candidates; the one with the highest accuracy is chosen, of equal ones that with the lowest log loss.
///
/// # Errors
/// [`Error::InvalidArgument`] if the samples are too few to keep some aside.
pub(super) fn search(samples: Labelled, svm: SvmKind, settings: &Settings) -> Result<Choice> {
    let (fit, aside) = parts(samples, settings)?;
    let labels = |part: &[usize]| part.iter().map(|&i| samples.labels[i]).collect::<Vec<usize>>();
    let (fit_labels, aside_labels) = (labels(&fit), labels(&aside));
    let (fit, aside) = (samples.rows.select(&fit), samples.rows.select(&aside));
    let part = |rows: &Rows, labels| Part { products: rows.products(&fit), squares: rows.squares(), labels };
    let trial = Trial { fit: part(&fit, fit_labels), aside: part(&aside, aside_labels), classes: samples.classes };

    let costs = if svm == SvmKind::Linear { &LINEAR_COSTS[..] } else { &RBF_COSTS };
    let kernels = match svm {
        SvmKind::Linear => vec![Kernel::Linear],
        SvmKind::Rbf => GAMMAS.map(|gamma| Kernel::Rbf { gamma }).to_vec(),
    };
    let tried = kernels.into_iter().flat_map(|kernel| trial.with_kernel(kernel, costs));
    let better = |(best, best_loss): (Choice, f64), (other, loss): (Choice, f64)| {
        let replaces = (other.accuracy, -loss) > (best.accuracy, -best_loss);
        if replaces { (other, loss) } else { (best, best_loss) }
    };
    tried.reduce(better).map(|(choice, _)| choice).ok_or_else(|| too_few(samples.labels.len()))
}

impl Trial {
    /// Each cost with its best slope, and the log loss.
    fn with_kernel(&self, kernel: Kernel, costs: &[f64]) -> Vec<(Choice, f64)> {
        let values = |part: &Part| {
            let mut values = part.products.clone();
            kernel.apply(&mut values, &part.squares, &self.fit.squares);
            values
        };
        let (matrix, columns) = (values(&self.fit), self.fit.labels.len());
        let compared = Rows { columns, values: values(&self.aside) };
        let with_cost = |&c: &f64| {
            let pairs = train_on_matrix(&matrix, &self.fit.labels, self.classes, c);
            let values = decisions(&compared, &coefficients(&pairs, columns), &pairs);
            let with_slope = |slope: f64| {
                let answer = |values: &[f32]| probabilities(values, &pairs, self.classes, slope);
                let (accuracy, loss) = quality(values.chunks_exact(pairs.len()).map(answer), &self.aside.labels);
                (Choice { kernel, c, slope, accuracy }, loss)
            };
            SLOPES.into_iter().map(with_slope).min_by(|(_, a), (_, b)| a.total_cmp(b))
        };
        costs.iter().filter_map(with_cost).collect()
    }
}

/// The accuracy and the mean log loss of these probabilities. A class that the fitted part does not have counts as
/// having had a millionth.
fn quality(answers: impl Iterator<Item = Vec<f32>>, labels: &[usize]) -> (f64, f64) {
    let (mut right, mut loss) = (0, 0.0);
    for (answer, &label) in answers.zip(labels) {
        let highest = (0..answer.len()).rev().max_by(|&a, &b| answer[a].total_cmp(&answer[b]));
        right += usize::from(highest == Some(label));
        loss -= f64::from(answer[label].max(1e-6)).ln();
    }
    let count = labels.len().max(1) as f64;
    (right as f64 / count, loss / count)
}

/// Samples to fit to and samples to keep aside, at most [`Settings::search_samples`] together.
fn parts(samples: Labelled, settings: &Settings) -> Result<(Vec<usize>, Vec<usize>)> {
    let Labelled { labels, groups, .. } = samples;
    let by_group = groups.and_then(|groups| split_by_group(labels, groups, settings.validation, settings.seed));
    let (aside, fit) = by_group.unwrap_or_else(|| stratified_split(labels, settings.validation, settings.seed));
    if aside.is_empty() {
        return Err(too_few(labels.len()));
    }
    let thin_out = |part: Vec<usize>| {
        let part_labels: Vec<usize> = part.iter().map(|&i| labels[i]).collect();
        let limit = settings.search_samples * part.len() / labels.len();
        thinned(&part_labels, limit, limit, settings.seed).into_iter().map(|i| part[i]).collect()
    };
    Ok((thin_out(fit), thin_out(aside)))
}

fn too_few(count: usize) -> Error {
    Error::invalid("support vector machine", format!("{count} samples are too few to keep some aside for validation"))
}

/// Groups at random until they hold the fraction of all samples, and the samples of the other groups. `None` if the
/// others would not have two classes.
fn split_by_group(labels: &[usize], groups: &[usize], fraction: f64, seed: u64) -> Option<(Vec<usize>, Vec<usize>)> {
    let mut order: Vec<usize> = groups.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    Random::new(seed).shuffle(&mut order);
    let (mut aside, mut count) = (BTreeSet::new(), 0);
    for group in order {
        if count as f64 >= fraction * labels.len() as f64 {
            break;
        }
        count += groups.iter().filter(|&&other| other == group).count();
        aside.insert(group);
    }
    let (aside, fit): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&i| aside.contains(&groups[i]));
    let classes: BTreeSet<usize> = fit.iter().map(|&i| labels[i]).collect();
    (classes.len() > 1).then_some((aside, fit))
}

/// Indices of all samples, or of a random part with the same shares of the classes: at most about `most` samples, and
/// about `most_in_pair` in the two largest classes together.
pub(super) fn thinned(labels: &[usize], most: usize, most_in_pair: usize, seed: u64) -> Vec<usize> {
    let mut counts = vec![0usize; labels.iter().max().map_or(0, |&last| last + 1)];
    labels.iter().for_each(|&label| counts[label] += 1);
    counts.sort_unstable_by(|a, b| b.cmp(a));
    let pair: usize = counts.iter().take(2).sum();
    let part = |most: usize, count: usize| most as f64 / count.max(1) as f64;
    let fraction = part(most, labels.len()).min(part(most_in_pair, pair));
    if fraction >= 1.0 { (0..labels.len()).collect() } else { stratified_split(labels, fraction, seed).0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two rings: what a linear machine cannot tell apart.
    fn rings(count: usize) -> (Rows, Vec<usize>) {
        let mut random = Random::new(2);
        let labels: Vec<usize> = (0..count).map(|i| i % 2).collect();
        let point = |&label: &usize| {
            let (angle, radius) =
                (std::f32::consts::TAU * random.uniform(), [0.3, 1.2][label] + 0.05 * random.normal());
            [radius * angle.cos(), radius * angle.sin()]
        };
        (Rows { columns: 2, values: labels.iter().flat_map(point).collect() }, labels)
    }

    #[test]
    fn the_search_finds_what_tells_the_samples_kept_aside() {
        let (rows, labels) = rings(120);
        let samples = Labelled { rows: &rows, labels: &labels, groups: None, classes: 2 };
        let settings = Settings::default();
        let rbf = search(samples, SvmKind::Rbf, &settings).unwrap();
        assert_eq!(rbf.accuracy, 1.0);
        assert!(search(samples, SvmKind::Linear, &settings).unwrap().accuracy < 0.9);
        assert_eq!(search(samples, SvmKind::Rbf, &settings).unwrap(), rbf);
        let one_each = Labelled { labels: &[0, 1], rows: &rows.select(&[0, 1]), ..samples };
        assert!(search(one_each, SvmKind::Linear, &settings).unwrap_err().to_string().contains("too few"));
    }

    #[test]
    fn groups_stay_together_and_limits_hold() {
        let (rows, labels) = rings(200);
        let groups: Vec<usize> = (0..200).map(|i| i / 10).collect();
        let samples = Labelled { rows: &rows, labels: &labels, groups: Some(&groups), classes: 2 };
        let (fit, aside) = parts(samples, &Settings::default()).unwrap();
        assert_eq!((fit.len(), aside.len()), (160, 40));
        assert!(fit.iter().all(|&i| aside.iter().all(|&j| groups[i] != groups[j])));
        let (fit, aside) = parts(samples, &Settings { search_samples: 50, ..Settings::default() }).unwrap();
        assert_eq!((fit.len(), aside.len()), (40, 10));
        // With a single group the samples are split one by one.
        let single = Labelled { groups: Some(&[7; 200]), ..samples };
        assert_eq!(parts(single, &Settings::default()).unwrap().1.len(), 40);
    }

    #[test]
    fn samples_are_thinned_class_by_class() {
        let labels: Vec<usize> = (0..100).map(|i| if i < 60 { 0 } else { 1 + i % 2 }).collect();
        assert_eq!(thinned(&labels, 100, 100, 1), (0..100).collect::<Vec<_>>());
        let few = thinned(&labels, 50, 100, 1);
        assert_eq!([0, 1, 2].map(|class| few.iter().filter(|&&i| labels[i] == class).count()), [30, 10, 10]);
        // The two largest classes have 80 samples.
        assert_eq!(thinned(&labels, 100, 20, 1).len(), 25);
    }

    #[test]
    fn quality_counts_right_answers_and_their_surprise() {
        let answers = vec![vec![0.5, 0.25, 0.25], vec![1.0, 0.0, 0.0]];
        let (accuracy, loss) = quality(answers.into_iter(), &[0, 2]);
        assert_eq!(accuracy, 0.5);
        approx::assert_abs_diff_eq!(loss, (2f64.ln() + 1e6f64.ln()) / 2.0, epsilon = 1e-6);
    }
}
