//! Names that differ in numbers, in the order of these.

use std::cmp::Ordering;

/// The order in which numbers count as such: `conv2d_2` is before `conv2d_10`.
pub(super) fn natural_order(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a.as_bytes(), b.as_bytes());
    while let (Some(&x), Some(&y)) = (left.first(), right.first()) {
        let (order, lengths) = if x.is_ascii_digit() && y.is_ascii_digit() {
            let (x, y) = (digits(left), digits(right));
            let (p, q) = (significant(x), significant(y));
            (p.len().cmp(&q.len()).then_with(|| p.cmp(q)), (x.len(), y.len()))
        } else {
            (x.cmp(&y), (1, 1))
        };
        if order.is_ne() {
            return order;
        }
        (left, right) = (&left[lengths.0..], &right[lengths.1..]);
    }
    left.len().cmp(&right.len()).then_with(|| a.cmp(b))
}

fn digits(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(bytes.len())]
}

fn significant(digits: &[u8]) -> &[u8] {
    &digits[digits.iter().position(|&digit| digit != b'0').unwrap_or(digits.len())..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_with_numbers_are_in_the_order_of_these() {
        let mut names = ["conv2d_10", "dense", "conv2d_2", "conv2d", "conv2d_1", "conv2d_02", "conv2d_2_b"];
        names.sort_by(|a, b| natural_order(a, b));
        assert_eq!(names, ["conv2d", "conv2d_1", "conv2d_02", "conv2d_2", "conv2d_2_b", "conv2d_10", "dense"]);
    }
}
