//! Two methods on the same samples: is one right more often than chance would have it?

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::bootstrap::Unit;
use crate::error::{Error, Result};

/// An exact paired test of two methods that were asked about the same samples, two-sided: had each unit's answers been
/// given out to the two by the toss of a coin, how probable would a difference at least as large be? (Fisher's
/// randomisation test for pairs, "The design of experiments", 1935.)
///
/// Where each sample is a unit, this is McNemar's exact test ("Note on the sampling error of the difference between
/// correlated proportions or percentages", 1947). Where subjects are known they are the units, each with all of its
/// samples, since samples of one person resemble each other.
///
/// ```
/// use vultus::metrics::PairedTest;
///
/// // Of ten samples the first method alone is right about six, the second about none.
/// let first = [true; 10];
/// let second = [false, false, false, false, false, false, true, true, true, true];
/// let test = PairedTest::new(&first, &second, None)?;
/// assert_eq!((test.only_first, test.only_second), (6, 0));
/// assert_eq!(test.p, 2.0 * 0.5f64.powi(6));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedTest {
    /// The probability of a difference at least as large as the one that was found, if both are equally good.
    pub p: f64,
    /// Samples about which only the first method is right.
    pub only_first: u64,
    /// Samples about which only the second method is right.
    pub only_second: u64,
    /// What the coin was tossed for.
    pub unit: Unit,
    /// How many of them there are.
    pub units: usize,
}

impl PairedTest {
    /// Tests two methods by whether each is right about each sample, and whom the samples show, where that is known.
    ///
    /// # Errors
    /// [`Error::Predictions`] if the lists differ in length or are empty.
    pub fn new(first: &[bool], second: &[bool], subjects: Option<&[Arc<str>]>) -> Result<Self> {
        let n = first.len();
        if n == 0 || second.len() != n || subjects.is_some_and(|subjects| subjects.len() != n) {
            let reason = format!("a paired test needs as many answers of each method, not {n} and {}", second.len());
            return Err(Error::Predictions { reason });
        }
        let differences = || first.iter().zip(second).map(|(&first, &second)| i64::from(first) - i64::from(second));
        let (unit, by_unit) = match subjects {
            None => (Unit::Image, differences().collect::<Vec<_>>()),
            Some(subjects) => {
                let mut sums: BTreeMap<&Arc<str>, i64> = BTreeMap::new();
                subjects.iter().zip(differences()).for_each(|(subject, d)| *sums.entry(subject).or_default() += d);
                (Unit::Subject, sums.into_values().collect())
            }
        };
        let count = |wanted| differences().filter(|&d| d == wanted).count() as u64;
        let (only_first, only_second) = (count(1), count(-1));
        Ok(PairedTest { p: two_sided(&by_unit), only_first, only_second, unit, units: by_unit.len() })
    }
}

/// How probable it is that the sum of these numbers with signs of tossed coins is at least as far from 0 as theirs.
fn two_sided(differences: &[i64]) -> f64 {
    let found = differences.iter().sum::<i64>().unsigned_abs() as usize;
    let reach: usize = differences.iter().map(|d| d.unsigned_abs() as usize).sum();
    // The probability of each sum from -reach to reach.
    let mut sums = vec![0.0; 2 * reach + 1];
    sums[reach] = 1.0;
    let mut reached = 0;
    for step in differences.iter().map(|d| d.unsigned_abs() as usize).filter(|&step| step > 0) {
        let mut next = vec![0.0; sums.len()];
        for place in reach - reached..=reach + reached {
            next[place - step] += 0.5 * sums[place];
            next[place + step] += 0.5 * sums[place];
        }
        reached += step;
        sums = next;
    }
    let far = |&(place, _): &(usize, &f64)| place.abs_diff(reach) >= found;
    sums.iter().enumerate().filter(far).map(|(_, p)| p).sum::<f64>().min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many samples about which only the first, only the second, both or none is right.
    fn answers(only_first: usize, only_second: usize, both: usize, none: usize) -> (Vec<bool>, Vec<bool>) {
        let parts = [(only_first, true, false), (only_second, false, true), (both, true, true), (none, false, false)];
        parts.iter().flat_map(|&(number, a, b)| std::iter::repeat_n((a, b), number)).unzip()
    }

    #[test]
    fn without_subjects_it_is_the_exact_test_of_mcnemar() {
        // Twice the probability of at most min(b, c) heads in b + c tosses, from whole numbers.
        let cases = [
            (1, 5, 0.218_75),
            (10, 2, 0.038_574_218_75),
            (7, 7, 1.0),
            (0, 0, 1.0),
            (25, 9, 0.009_041_185_490_787_03),
            (121, 59, 4.434_449_263_755_176e-6),
        ];
        for (b, c, wanted) in cases {
            let (first, second) = answers(b, c, 40, 13);
            let test = PairedTest::new(&first, &second, None).unwrap();
            // 180 tosses of two roundings each, of 2^-53: 4e-14 at most.
            assert!((test.p - wanted).abs() <= 1e-12 * wanted, "{b} {c}: {}", test.p);
            assert_eq!((test.only_first, test.only_second, test.units), (b as u64, c as u64, 53 + b + c));
        }
    }

    #[test]
    fn subjects_with_many_samples_are_one_toss_each() {
        // Three people, about whom the first method is right 4, 3 and 2 times more often: of 8 tosses 2 are as far off.
        let (first, second) = answers(9, 0, 0, 0);
        let subjects: Vec<Arc<str>> = ["a", "a", "a", "a", "b", "b", "b", "c", "c"].map(Arc::from).into();
        let test = PairedTest::new(&first, &second, Some(&subjects)).unwrap();
        assert_eq!((test.p, test.unit, test.units), (0.25, Unit::Subject, 3));
        // Sample by sample it would look certain.
        assert!(PairedTest::new(&first, &second, None).unwrap().p < 0.005);
    }

    #[test]
    fn lists_that_do_not_fit_are_refused() {
        assert!(PairedTest::new(&[], &[], None).is_err());
        assert!(PairedTest::new(&[true], &[true, false], None).is_err());
        assert!(PairedTest::new(&[true, true], &[true, false], Some(&["a".into()])).is_err());
    }
}
