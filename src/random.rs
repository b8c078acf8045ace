//! Random numbers from counters: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as
//! 1, 2, 3", 2011). The number at a place depends on key and counter only, so that the GPU and the CPU draw the same
//! ones in any order.

use crate::parallel::*;

const MULTIPLIERS: [u32; 2] = [0xD251_1F53, 0xCD9E_8D57];
const WEYL: [u32; 2] = [0x9E37_79B9, 0xBB67_AE85];

/// Four random words for this counter under this key.
pub(crate) fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(MULTIPLIERS[0]) * u64::from(counter[0]);
        let b = u64::from(MULTIPLIERS[1]) * u64::from(counter[2]);
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(WEYL[0]), key[1].wrapping_add(WEYL[1])];
    }
    counter
}

/// Numbers that one thread draws at a time.
const PART: usize = 1 << 14;

/// A stream of random numbers, the same on every machine for the same seed.
///
/// ```
/// use vultus::{Random, Tensor};
///
/// let mut random = Random::new(7);
/// let noise = Tensor::from_fn([2, 3], |_| random.normal());
/// let mut order: Vec<usize> = (0..5).collect();
/// random.shuffle(&mut order);
/// assert!((0.0..1.0).contains(&random.uniform()) && random.below(6) < 6);
///
/// let mut again = Random::new(7);
/// assert_eq!(Tensor::from_fn([2, 3], |_| again.normal()), noise);
/// ```
#[derive(Clone, Debug)]
pub struct Random {
    key: [u32; 2],
    counter: u64,
    words: [u32; 4],
    left: usize,
}

impl Random {
    /// The stream of this seed.
    pub fn new(seed: u64) -> Self {
        Random { key: [seed as u32, (seed >> 32) as u32], counter: 0, words: [0; 4], left: 0 }
    }

    /// 32 random bits.
    pub fn bits(&mut self) -> u32 {
        if self.left == 0 {
            self.words = philox4x32([self.counter as u32, (self.counter >> 32) as u32, 0, 0], self.key);
            self.counter += 1;
            self.left = 4;
        }
        self.left -= 1;
        self.words[3 - self.left]
    }

    /// A number in 0 (inclusive) to 1 (exclusive).
    pub fn uniform(&mut self) -> f32 {
        (self.bits() >> 8) as f32 / (1 << 24) as f32
    }

    /// A number of the standard normal distribution (Box and Muller, 1958).
    pub fn normal(&mut self) -> f32 {
        let radius = (-2.0 * f64::from(1.0 - self.uniform()).ln()).sqrt();
        (radius * (std::f64::consts::TAU * f64::from(self.uniform())).cos()) as f32
    }

    /// So many numbers of a normal distribution with this deviation, drawn on all threads: they are those that
    /// [`Random::normal`] gives one after the other.
    pub(crate) fn normals(&mut self, count: usize, deviation: f32) -> Vec<f32> {
        let start = self.clone();
        // A normal number takes two words.
        *self = start.ahead(2 * count as u64);
        let mut values = vec![0.0; count];
        values.par_chunks_mut(PART).enumerate().for_each(|(part, values)| {
            let mut random = start.ahead(2 * (part * PART) as u64);
            values.iter_mut().for_each(|value| *value = random.normal() * deviation);
        });
        values
    }

    /// The stream after so many words.
    fn ahead(&self, words: u64) -> Self {
        let place = 4 * self.counter - self.left as u64 + words;
        let mut random = Random { counter: place / 4, left: 0, ..self.clone() };
        for _ in 0..place % 4 {
            random.bits();
        }
        random
    }

    /// A whole number below `n`; 0 if `n` is 0.
    pub fn below(&mut self, n: usize) -> usize {
        ((u64::from(self.bits()) * n as u64) >> 32) as usize
    }

    /// Puts the items in random order (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn philox_gives_the_published_vectors() {
        let all = u32::MAX;
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8]);
        assert_eq!(philox4x32([all; 4], [all; 2]), [0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD]);
    }

    #[test]
    fn the_stream_has_the_moments_of_its_distributions() {
        let mut random = Random::new(7);
        let n = 20_000;
        let mean = |values: &[f32]| values.iter().sum::<f32>() / n as f32;
        let uniform: Vec<f32> = (0..n).map(|_| random.uniform()).collect();
        let normal: Vec<f32> = (0..n).map(|_| random.normal()).collect();
        let squares: Vec<f32> = normal.iter().map(|v| v * v).collect();
        // Four standard errors of each mean.
        assert_abs_diff_eq!(mean(&uniform), 0.5, epsilon = 4.0 * (1.0f32 / 12.0 / n as f32).sqrt());
        assert_abs_diff_eq!(mean(&normal), 0.0, epsilon = 4.0 * (1.0 / n as f32).sqrt());
        assert_abs_diff_eq!(mean(&squares), 1.0, epsilon = 4.0 * (2.0 / n as f32).sqrt());
    }

    #[test]
    fn many_numbers_at_once_are_those_of_the_stream() {
        // From any place in a block of four words, across parts and on.
        for (before, count) in [(0, 0), (0, 5), (1, 2 * PART + 7), (2, PART), (3, 3)] {
            let (mut one, mut all) = (Random::new(5), Random::new(5));
            for _ in 0..before {
                assert_eq!(one.bits(), all.bits());
            }
            let wanted: Vec<f32> = (0..count).map(|_| one.normal() * 0.25).collect();
            assert_eq!(all.normals(count, 0.25), wanted);
            assert_eq!(all.bits(), one.bits(), "the stream goes on after {before} words and {count} numbers");
        }
    }

    #[test]
    fn shuffling_keeps_every_item() {
        let mut items: Vec<usize> = (0..100).collect();
        Random::new(1).shuffle(&mut items);
        assert_ne!(items, (0..100).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..100).collect::<Vec<_>>());
    }
}
