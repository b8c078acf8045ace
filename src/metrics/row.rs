//! What the probabilities of one sample say.

/// The negative logarithm of the true class's probability, which is first clipped to ε … 1 − ε with f32's ε = 2⁻²³,
/// scikit-learn's rule for f32.
pub(super) fn log_loss(row: &[f32], label: usize) -> f64 {
    let epsilon = f64::from(f32::EPSILON);
    -f64::from(row[label]).clamp(epsilon, 1.0 - epsilon).ln()
}

/// The class of the highest probability, the first of equals.
pub(crate) fn most_probable(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

/// Whether the true class is among the two most probable; of equals the first count as more probable.
pub(super) fn in_top_two(row: &[f32], label: usize) -> bool {
    let before = |(class, &value): (usize, &f32)| value > row[label] || (value == row[label] && class < label);
    row.iter().enumerate().filter(|&entry| before(entry)).count() < 2
}
