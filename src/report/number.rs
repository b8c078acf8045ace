//! Numbers as the report writes them.
//!
//! ```
//! use vultus::report::number::{UNDEFINED, count, decimal};
//!
//! assert_eq!((count(14_714_688), decimal(f64::NAN, 2)), ("14,714,688".to_owned(), UNDEFINED.to_owned()));
//! ```

/// What stands for a number that has no value.
pub const UNDEFINED: &str = "undefined";

/// From this magnitude on numbers are written with a power of ten.
const LARGE: f64 = 1e9;

/// A number from 0 to 1 as `63.2 %`.
///
/// ```
/// // The space between them does not break.
/// assert_eq!(vultus::report::number::percent(0.6317), "63.2\u{A0}%");
/// ```
pub fn percent(value: f64) -> String {
    if value.is_finite() { format!("{}\u{A0}%", decimal(100.0 * value, 1)) } else { UNDEFINED.to_owned() }
}

/// A number with this many decimals.
///
/// ```
/// use vultus::report::number::decimal;
///
/// assert_eq!([decimal(0.4567, 3), decimal(-0.5, 1), decimal(-0.01, 1)], ["0.457", "\u{2212}0.5", "0.0"]);
/// ```
pub fn decimal(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return UNDEFINED.to_owned();
    }
    let text = if value.abs() < LARGE { format!("{value:.decimals$}") } else { format!("{value:.2e}") };
    match text.strip_prefix('-') {
        Some(digits) if digits.bytes().all(|byte| matches!(byte, b'0' | b'.')) => digits.to_owned(),
        Some(digits) => format!("\u{2212}{digits}"),
        None => text,
    }
}

/// A probability of a test as it is usually written.
///
/// ```
/// use vultus::report::number::p_value;
///
/// assert_eq!([0.03125, 0.9999, 1e-9].map(p_value), ["0.031", "1.000", "< 0.001"]);
/// ```
pub fn p_value(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { decimal(p, 3) }
}

/// A number with three significant digits, for what spans magnitudes: milliseconds, rates of learning.
///
/// ```
/// use vultus::report::number::significant;
///
/// assert_eq!([0.001234, 1.5, 1234.5].map(significant), ["0.00123", "1.50", "1234"]);
/// ```
pub fn significant(value: f64) -> String {
    if !value.is_finite() {
        return UNDEFINED.to_owned();
    }
    let magnitude = if value == 0.0 { 0 } else { value.abs().log10().floor() as i32 };
    match magnitude {
        ..=-5 => format!("{value:.2e}").replace('-', "\u{2212}"),
        _ => decimal(value, usize::try_from(2 - magnitude).unwrap_or(0)),
    }
}

/// A whole number with commas: `14,714,688`.
///
/// ```
/// assert_eq!(vultus::report::number::count(28_709), "28,709");
/// ```
pub fn count(value: u64) -> String {
    let digits = value.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A whole number in at most five characters: `9,999`, `12.3k`, `4.6M`.
pub(super) fn compact(value: u64) -> String {
    if value < 10_000 {
        return count(value);
    }
    let (mut scaled, mut unit) = (value as f64 / 1e3, 0);
    while scaled >= 999.5 && unit < 5 {
        scaled /= 1e3;
        unit += 1;
    }
    let decimals = usize::from(scaled < 99.95);
    format!("{scaled:.decimals$}{}", ["k", "M", "G", "T", "P", "E"][unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_one_form() {
        assert_eq!(percent(0.6324), "63.2\u{A0}%");
        assert_eq!(percent(f64::NAN), UNDEFINED);
        assert_eq!(decimal(-0.00001, 3), "0.000");
        assert_eq!(decimal(-1.5, 2), "\u{2212}1.50");
        assert_eq!(decimal(1e300, 3), "1.00e300");
        assert_eq!(decimal(f64::INFINITY, 3), UNDEFINED);
        assert_eq!(
            [0.0, 0.01234, 1.234, 72.31, 1234.5, 0.00001].map(significant),
            ["0.00", "0.0123", "1.23", "72.3", "1234", "1.00e\u{2212}5"]
        );
    }

    #[test]
    fn counts_have_commas_or_are_short() {
        assert_eq!([0, 999, 1000, 14_714_688].map(count), ["0", "999", "1,000", "14,714,688"]);
        assert_eq!(
            [0, 9_999, 12_345, 99_960, 999_499, 999_500, 4_600_000, u64::MAX].map(compact),
            ["0", "9,999", "12.3k", "100k", "999k", "1.0M", "4.6M", "18.4E"]
        );
    }
}
