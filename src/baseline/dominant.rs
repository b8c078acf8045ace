//! The patterns that are frequent enough to describe a texture.

use image::GrayImage;
use rayon::prelude::*;

use super::circle::{Neighbours, rotated_pattern};
use crate::error::{Error, Result};

/// The dominant patterns of a set of pictures (Mehta & Egiazarian 2016): sorted by how often they occur, the first of
/// them that together cover a share of all occurrences.
#[derive(Clone, Debug)]
pub(super) struct DominantPatterns {
    /// The bin of each possible pattern, from the most frequent on.
    bins: Vec<Option<usize>>,
    count: usize,
}

impl DominantPatterns {
    /// Counts the rotated patterns of these pictures. `coverage` is the share that is kept, above 0 and up to 1.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] for another coverage.
    pub fn learn(pictures: &[GrayImage], neighbours: &Neighbours, coverage: f64) -> Result<Self> {
        if !(coverage > 0.0 && coverage <= 1.0) {
            let reason = format!("a coverage of {coverage} is not above 0 and up to 1");
            return Err(Error::invalid("dominant patterns", reason));
        }
        let none = || vec![0u64; 1 << neighbours.points()];
        let count = |mut counts: Vec<u64>, picture: &GrayImage| {
            for code in neighbours.codes(picture, rotated_pattern).values {
                counts[usize::from(code)] += 1;
            }
            counts
        };
        let add = |mut a: Vec<u64>, b: Vec<u64>| {
            a.iter_mut().zip(b).for_each(|(a, b)| *a += b);
            a
        };
        let counts = pictures.par_iter().fold(none, count).reduce(none, add);
        Ok(Self::of_counts(&counts, coverage))
    }

    /// The smallest set of patterns that covers the share. Of equally frequent ones the smaller number comes first.
    fn of_counts(counts: &[u64], coverage: f64) -> Self {
        let mut order: Vec<usize> = (0..counts.len()).filter(|&pattern| counts[pattern] > 0).collect();
        order.sort_by_key(|&pattern| (std::cmp::Reverse(counts[pattern]), pattern));
        let needed = coverage * counts.iter().sum::<u64>() as f64;
        let (mut bins, mut count, mut covered) = (vec![None; counts.len()], 0, 0);
        for pattern in order {
            if covered as f64 >= needed {
                break;
            }
            bins[pattern] = Some(count);
            count += 1;
            covered += counts[pattern];
        }
        DominantPatterns { bins, count }
    }

    /// How many patterns were kept.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The bin of a pattern, if it is a dominant one.
    pub fn bin(&self, pattern: u16) -> Option<usize> {
        self.bins.get(usize::from(pattern)).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::circle::Circle;

    #[test]
    fn the_smallest_set_that_covers_the_share_is_kept() {
        // 100 occurrences: 50 + 20 are 70, with either of the tens 80.
        let counts = [10, 0, 50, 10, 20, 4, 6, 0];
        let kept = DominantPatterns::of_counts(&counts, 0.8);
        assert_eq!(kept.count(), 3);
        assert_eq!([2, 4, 0, 3, 6, 1].map(|p| kept.bin(p)), [Some(0), Some(1), Some(2), None, None, None]);
        assert_eq!(DominantPatterns::of_counts(&counts, 0.81).count(), 4);
        // Patterns that never occur are not kept even for all of the occurrences.
        assert_eq!(DominantPatterns::of_counts(&counts, 1.0).count(), 6);
        assert_eq!(kept.bin(9999), None);
    }

    #[test]
    fn patterns_are_learned_from_the_pictures() {
        let neighbours = Neighbours::new(Circle::default()).unwrap();
        let flat = vec![GrayImage::from_pixel(6, 6, image::Luma([9])); 3];
        let kept = DominantPatterns::learn(&flat, &neighbours, 0.8).unwrap();
        assert_eq!((kept.count(), kept.bin(255), kept.bin(0)), (1, Some(0), None));
        for coverage in [0.0, 1.1, f64::NAN] {
            assert!(DominantPatterns::learn(&flat, &neighbours, coverage).is_err());
        }
    }
}
