//! Support vector machines for every pair of classes. The optimiser is LIBSVM's, by the crate `libsvm-rs` (sequential
//! minimal optimisation with second-order selection and shrinking: Fan, Chen & Lin 2005). It sees dense matrices of
//! kernel values, which are computed by fast matrix products.

use libsvm_rs::probability::multiclass_probability;
use libsvm_rs::qmatrix::QMatrix;
use libsvm_rs::solver::{Solver, SolverVariant};
use rayon::prelude::*;

use super::rows::Rows;

/// How alike two rows of features are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kernel {
    /// Their dot product.
    Linear,
    /// exp(−γ |a − b|²).
    Rbf { gamma: f32 },
}

/// How far a solution may be from the optimum: LIBSVM's default.
const TOLERANCE: f64 = 1e-3;

/// The kernel matrices that are in memory at the same time hold at most this many bytes together, or are one.
const MATRIX_BYTES: usize = 2 << 30;

/// The rows that are compared with all support vectors at a time.
const CHUNK: usize = 256;

impl Kernel {
    /// Turns dot products into kernel values, given the squared lengths of the rows and of the columns.
    pub fn apply(self, products: &mut [f32], rows: &[f32], columns: &[f32]) {
        let Kernel::Rbf { gamma } = self else { return };
        products.par_chunks_mut(columns.len().max(1)).zip(rows).for_each(|(values, row)| {
            for (value, column) in values.iter_mut().zip(columns) {
                // Rounding can make the distance of equal rows negative.
                *value = (-gamma * (row + column - 2.0 * *value).max(0.0)).exp();
            }
        });
    }

    fn matrix(self, rows: &Rows, columns: &Rows) -> Vec<f32> {
        let mut values = rows.products(columns);
        if self != Kernel::Linear {
            self.apply(&mut values, &rows.squares(), &columns.squares());
        }
        values
    }
}

/// One machine: which of the two classes a sample belongs to.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pair {
    /// The classes for positive and for negative decision values.
    pub classes: (usize, usize),
    /// The samples it was trained on.
    samples: Vec<usize>,
    /// The weight of each of them in the decision, 0 for all that are no support vectors.
    coefficients: Vec<f32>,
    /// What is subtracted from the weighted sum of kernel values.
    offset: f32,
}

/// The matrix of the dual problem: kernel values with the signs of both samples' classes.
struct Signed<'a> {
    kernel: &'a [f32],
    stride: usize,
    /// Where each sample's row and column lie: the optimiser moves samples around.
    places: Vec<usize>,
    signs: Vec<f32>,
    diagonal: Vec<f64>,
    row: Vec<f32>,
}

impl QMatrix for Signed<'_> {
    fn get_q(&mut self, i: usize, len: usize) -> &[f32] {
        let (values, sign) = (&self.kernel[self.places[i] * self.stride..][..self.stride], self.signs[i]);
        let samples = self.places.iter().zip(&self.signs).take(len);
        self.row.iter_mut().zip(samples).for_each(|(q, (&place, other))| *q = sign * other * values[place]);
        &self.row[..len]
    }

    fn get_qd(&self) -> &[f64] {
        &self.diagonal
    }

    fn swap_index(&mut self, i: usize, j: usize) {
        self.places.swap(i, j);
        self.signs.swap(i, j);
        self.diagonal.swap(i, j);
    }
}

/// The coefficients of the samples at these `places` of a kernel matrix, and the offset. The first `positive` samples
/// are of the one class, the rest of the other.
fn solve(kernel: &[f32], stride: usize, places: Vec<usize>, positive: usize, c: f64) -> (Vec<f32>, f32) {
    let count = places.len();
    let labels: Vec<i8> = (0..count).map(|i| if i < positive { 1 } else { -1 }).collect();
    let matrix = Signed {
        kernel,
        stride,
        signs: labels.iter().map(|&label| label.into()).collect(),
        diagonal: places.iter().map(|&place| kernel[place * stride + place].into()).collect(),
        row: vec![0.0; count],
        places,
    };
    let mut alpha = vec![0.0; count];
    let (standard, linear) = (SolverVariant::Standard, vec![-1.0; count]);
    let matrix = Box::new(matrix);
    let solution = Solver::solve(standard, count, matrix, &linear, &labels, &mut alpha, c, c, TOLERANCE, true);
    let coefficients = alpha.iter().zip(&labels).map(|(alpha, &label)| (alpha * f64::from(label)) as f32).collect();
    (coefficients, solution.rho as f32)
}

/// The samples of each pair of classes that have any, those of the first class first.
fn pairs(labels: &[usize], classes: usize) -> Vec<((usize, usize), Vec<usize>, usize)> {
    let members = |class: usize| -> Vec<usize> { (0..labels.len()).filter(|&i| labels[i] == class).collect() };
    let members: Vec<Vec<usize>> = (0..classes).map(members).collect();
    let all = (0..classes).flat_map(|a| (a + 1..classes).map(move |b| (a, b)));
    let present = all.filter(|&(a, b)| !members[a].is_empty() && !members[b].is_empty());
    present.map(|(a, b)| ((a, b), [&members[a][..], &members[b]].concat(), members[a].len())).collect()
}

/// Machines for all pairs of classes from the kernel matrix of all samples. In parallel; the result does not depend on
/// the number of threads.
pub(super) fn train_on_matrix(kernel: &[f32], labels: &[usize], classes: usize, c: f64) -> Vec<Pair> {
    libsvm_rs::set_quiet(true);
    let machine = |(classes, samples, positive): ((usize, usize), Vec<usize>, usize)| {
        let (coefficients, offset) = solve(kernel, labels.len(), samples.clone(), positive, c);
        Pair { classes, samples, coefficients, offset }
    };
    pairs(labels, classes).into_par_iter().map(machine).collect()
}

/// Machines for all pairs of classes from the samples' rows. As many pairs at a time as fit into [`MATRIX_BYTES`].
pub(super) fn train_on_rows(rows: &Rows, labels: &[usize], classes: usize, kernel: Kernel, c: f64) -> Vec<Pair> {
    libsvm_rs::set_quiet(true);
    let machine = |(classes, samples, positive): &((usize, usize), Vec<usize>, usize)| {
        let rows = rows.select(samples);
        let matrix = kernel.matrix(&rows, &rows);
        let (coefficients, offset) = solve(&matrix, samples.len(), (0..samples.len()).collect(), *positive, c);
        Pair { classes: *classes, samples: samples.clone(), coefficients, offset }
    };
    let pairs = pairs(labels, classes);
    let bytes = |samples: &[usize]| size_of::<f32>() * samples.len().pow(2);
    let (mut trained, mut rest) = (Vec::with_capacity(pairs.len()), &pairs[..]);
    while !rest.is_empty() {
        let mut sum = 0;
        let fitting = rest.iter().take_while(|(_, samples, _)| {
            sum += bytes(samples);
            sum <= MATRIX_BYTES
        });
        let (batch, later) = rest.split_at(fitting.count().max(1));
        trained.par_extend(batch.par_iter().map(machine));
        rest = later;
    }
    trained
}

/// The coefficients of all pairs as a matrix: pairs by samples.
pub(super) fn coefficients(pairs: &[Pair], samples: usize) -> Rows {
    let mut all = Rows { columns: samples, values: vec![0.0; pairs.len() * samples] };
    for (row, pair) in all.values.chunks_exact_mut(samples.max(1)).zip(pairs) {
        pair.samples.iter().zip(&pair.coefficients).for_each(|(&sample, value)| row[sample] = *value);
    }
    all
}

/// The decision values of all pairs for each row of kernel values with all training samples.
pub(super) fn decisions(kernel: &Rows, coefficients: &Rows, pairs: &[Pair]) -> Vec<f32> {
    let mut values = kernel.products(coefficients);
    for row in values.chunks_exact_mut(pairs.len().max(1)) {
        row.iter_mut().zip(pairs).for_each(|(value, pair)| *value -= pair.offset);
    }
    values
}

/// Trained machines, ready for new samples: without the samples that are no support vectors.
#[derive(Clone, Debug)]
pub(super) struct Machines {
    kernel: Kernel,
    pairs: Vec<Pair>,
    /// What new rows are compared with: the support vectors; for the linear kernel each pair's weights.
    support: Rows,
    /// Pairs by support vectors; not used for the linear kernel.
    coefficients: Rows,
}

impl Machines {
    /// Keeps what is needed of the rows that the pairs were trained on.
    pub fn new(kernel: Kernel, pairs: Vec<Pair>, rows: &Rows) -> Self {
        let all = coefficients(&pairs, rows.len());
        if kernel == Kernel::Linear {
            let weights = pairs.iter().map(|pair| weights(pair, rows)).collect::<Vec<_>>().concat();
            let support = Rows { columns: rows.columns, values: weights };
            return Machines { kernel, pairs, support, coefficients: Rows { columns: 0, values: Vec::new() } };
        }
        let used = |&sample: &usize| all.values.iter().skip(sample).step_by(rows.len()).any(|&value| value != 0.0);
        let kept: Vec<usize> = (0..rows.len()).filter(used).collect();
        let values = all.values.chunks_exact(rows.len()).flat_map(|row| kept.iter().map(|&sample| row[sample]));
        let coefficients = Rows { columns: kept.len(), values: values.collect() };
        Machines { kernel, pairs, support: rows.select(&kept), coefficients }
    }

    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// How many samples take part in a decision; `None` for the linear kernel, which keeps weights instead.
    pub fn support_vectors(&self) -> Option<usize> {
        (self.kernel != Kernel::Linear).then(|| self.support.len())
    }

    /// The decision values of all pairs for each row.
    pub fn decisions(&self, rows: &Rows) -> Vec<f32> {
        if self.kernel == Kernel::Linear {
            return decisions(rows, &self.support, &self.pairs);
        }
        let chunk = |values: &[f32]| {
            let rows = Rows { columns: rows.columns, values: values.to_vec() };
            let kernel = Rows { columns: self.support.len(), values: self.kernel.matrix(&rows, &self.support) };
            decisions(&kernel, &self.coefficients, &self.pairs)
        };
        rows.values.chunks((CHUNK * rows.columns).max(1)).flat_map(chunk).collect()
    }
}

/// The sum of a pair's rows, weighted by their coefficients.
fn weights(pair: &Pair, rows: &Rows) -> Vec<f32> {
    let mut sum = vec![0.0f64; rows.columns];
    for (&sample, &coefficient) in pair.samples.iter().zip(&pair.coefficients).filter(|(_, c)| **c != 0.0) {
        let row = rows.row(sample);
        sum.iter_mut().zip(row).for_each(|(sum, value)| *sum += f64::from(coefficient) * f64::from(*value));
    }
    sum.into_iter().map(|value| value as f32).collect()
}

/// The probabilities of the classes from the decision values of their pairs: a logistic function of this slope makes a
/// pair's probability of each decision value, and pairwise coupling makes the classes' of the pairs' (Wu, Lin & Weng,
/// "Probability estimates for multi-class classification by pairwise coupling", 2004). Classes without a pair have 0.
pub(super) fn probabilities(decisions: &[f32], pairs: &[Pair], classes: usize, slope: f64) -> Vec<f32> {
    let mut present: Vec<usize> = pairs.iter().flat_map(|pair| [pair.classes.0, pair.classes.1]).collect();
    present.sort_unstable();
    present.dedup();
    let place = |class: usize| present.partition_point(|&other| other < class);
    let mut pairwise = vec![vec![0.0; present.len()]; present.len()];
    for (pair, &decision) in pairs.iter().zip(decisions) {
        let (a, b) = (place(pair.classes.0), place(pair.classes.1));
        // LIBSVM's bounds: coupling divides by these.
        let share = (1.0 / (1.0 + (-slope * f64::from(decision)).exp())).clamp(1e-7, 1.0 - 1e-7);
        (pairwise[a][b], pairwise[b][a]) = (share, 1.0 - share);
    }
    let mut coupled = vec![0.0; present.len()];
    multiclass_probability(present.len(), &pairwise, &mut coupled);
    // Coupling stops near its optimum: make the sum exact.
    let sum: f64 = coupled.iter().map(|probability| probability.max(0.0)).sum();
    let mut all = vec![0.0; classes];
    let shares = coupled.iter().map(|probability| (probability.max(0.0) / sum) as f32);
    present.iter().zip(shares).for_each(|(&class, share)| all[class] = share);
    all
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;
    use crate::random::Random;

    /// The share of the rows whose most probable class is theirs.
    fn accuracy(machines: &Machines, rows: &Rows, labels: &[usize]) -> f64 {
        let classes = labels.iter().max().unwrap() + 1;
        let decisions = machines.decisions(rows);
        let right = decisions.chunks_exact(machines.pairs.len()).zip(labels).filter(|(decisions, label)| {
            let p = probabilities(decisions, &machines.pairs, classes, 2.0);
            p[**label] == p.iter().copied().fold(0.0, f32::max)
        });
        right.count() as f64 / labels.len() as f64
    }

    fn train(rows: &Rows, labels: &[usize], kernel: Kernel, c: f64) -> Machines {
        let classes = labels.iter().max().unwrap() + 1;
        Machines::new(kernel, train_on_rows(rows, labels, classes, kernel, c), rows)
    }

    /// Points around these centres, by turns, with their centre's number as label.
    fn clouds(centres: &[[f32; 2]], labels: &[usize], deviation: f32, count: usize) -> (Rows, Vec<usize>) {
        let mut random = Random::new(5);
        let point = |i: usize| centres[i % centres.len()].map(|v| v + deviation * random.normal());
        let rows = Rows { columns: 2, values: (0..count).flat_map(point).collect() };
        (rows, (0..count).map(|i| labels[i % labels.len()]).collect())
    }

    #[test]
    fn the_widest_margin_between_two_points_is_found() {
        // The hyperplane half-way between (0, 1) and (0, −1), with decision values of ±1 at both: w = (0, 1).
        let rows = Rows { columns: 2, values: vec![0.0, 1.0, 0.0, -1.0] };
        let machines = train(&rows, &[0, 1], Kernel::Linear, 100.0);
        for (value, wanted) in machines.support.values.iter().zip([0.0, 1.0]) {
            assert_abs_diff_eq!(*value, wanted, epsilon = 1e-3);
        }
        let decisions = machines.decisions(&Rows { columns: 2, values: vec![5.0, 0.5, -3.0, -2.0] });
        assert_abs_diff_eq!(decisions[0], 0.5, epsilon = 2e-3);
        assert_abs_diff_eq!(decisions[1], -2.0, epsilon = 2e-3);
    }

    #[test]
    fn three_separable_classes_are_separated_by_both_kernels() {
        let (rows, labels) = clouds(&[[3.0, 0.0], [-3.0, 0.0], [0.0, 4.0]], &[0, 1, 2], 0.4, 90);
        assert_eq!(accuracy(&train(&rows, &labels, Kernel::Linear, 10.0), &rows, &labels), 1.0);
        assert_eq!(accuracy(&train(&rows, &labels, Kernel::Rbf { gamma: 0.5 }, 10.0), &rows, &labels), 1.0);
    }

    #[test]
    fn exclusive_or_is_separated_by_the_rbf_kernel_only() {
        let corners = [[1.0, 1.0], [-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0]];
        let (rows, labels) = clouds(&corners, &[0, 0, 1, 1], 0.2, 80);
        let linear = accuracy(&train(&rows, &labels, Kernel::Linear, 10.0), &rows, &labels);
        assert!(linear < 0.8, "{linear}");
        assert_eq!(accuracy(&train(&rows, &labels, Kernel::Rbf { gamma: 1.0 }, 10.0), &rows, &labels), 1.0);
    }

    #[test]
    fn machines_from_one_matrix_are_those_from_rows_and_support_vectors_suffice() {
        let (rows, labels) = clouds(&[[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]], &[0, 1, 2], 0.6, 60);
        for kernel in [Kernel::Linear, Kernel::Rbf { gamma: 0.7 }] {
            let matrix = kernel.matrix(&rows, &rows);
            let pairs = train_on_matrix(&matrix, &labels, 3, 1.0);
            let all = coefficients(&pairs, rows.len());
            let wanted = decisions(&Rows { columns: rows.len(), values: matrix }, &all, &pairs);
            let machines = train(&rows, &labels, kernel, 1.0);
            // The optimiser stops within 1e-3 of the optimum, and products are rounded differently.
            for (value, wanted) in machines.decisions(&rows).iter().zip(&wanted) {
                assert_abs_diff_eq!(value, wanted, epsilon = 1e-2);
            }
            assert!(machines.support_vectors().is_none_or(|count| count < rows.len()));
        }
    }

    #[test]
    fn probabilities_add_up_to_1_and_classes_without_samples_have_none() {
        let (rows, labels) = clouds(&[[3.0, 0.0], [-3.0, 0.0]], &[1, 3], 0.4, 20);
        let machines = train(&rows, &labels, Kernel::Linear, 10.0);
        assert_eq!(machines.pairs.iter().map(|pair| pair.classes).collect::<Vec<_>>(), [(1, 3)]);
        // With two classes coupling gives back the logistic function: 1 / (1 + e⁻¹).
        let p = probabilities(&[0.5], &machines.pairs, 5, 2.0);
        let share = 1.0 / (1.0 + (-1.0f32).exp());
        for (value, wanted) in p.iter().zip([0.0, share, 0.0, 1.0 - share, 0.0]) {
            assert_abs_diff_eq!(*value, wanted, epsilon = 5e-3);
        }
        let extreme = probabilities(&[f32::MAX], &machines.pairs, 5, 2.0);
        assert_abs_diff_eq!(extreme.iter().sum::<f32>(), 1.0, epsilon = 1e-5);
    }
}
