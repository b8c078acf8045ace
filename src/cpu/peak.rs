//! The processor's peak, on all threads: multiply-adds in registers of the widest kind that it has, and additions in
//! place. A copy would move half as many bytes again as it counts: caches read what is about to be overwritten.

use std::hint::black_box;

use pulp::{Arch, Simd, WithSimd};

use crate::parallel::*;
use crate::peak::Peak;
use crate::time::Instant;

/// Runs of which the fastest counts.
const RUNS: usize = 8;
/// A run of multiply-adds takes some milliseconds: long enough to wake all threads and to be timed.
const ROUNDS: u64 = 2_000_000;
/// Sums that do not wait for each other: more than a multiply-add's latency times how many begin in a cycle, and few
/// enough for 16 registers.
const SUMS: usize = 12;
/// Values to add: 128 MiB.
const VALUES: usize = 32 << 20;
/// Values that a thread adds at once.
const CHUNK: usize = 1 << 18;

pub(crate) fn measure() -> Peak {
    let arch = Arch::new();
    let fastest = |run: &mut dyn FnMut() -> u64| {
        let rate = |_| {
            let start = Instant::now();
            run() as f64 / start.elapsed().as_secs_f64() / 1e9
        };
        (0..RUNS).map(rate).fold(0.0, f64::max)
    };
    let gflops = fastest(&mut || {
        let threads = broadcast(|| black_box(arch.dispatch(MultiplyAdds { rounds: ROUNDS })));
        threads.iter().map(|(_, operations)| operations).sum()
    });
    let from = vec![1.0f32; VALUES];
    let mut to = vec![0.0f32; VALUES];
    let gigabytes_per_second = fastest(&mut || {
        let chunks = to.par_chunks_mut(CHUNK).zip(from.par_chunks(CHUNK));
        chunks.for_each(|(to, from)| to.iter_mut().zip(from).for_each(|(to, from)| *to += from));
        black_box(&mut to);
        3 * size_of_val(from.as_slice()) as u64
    });
    Peak { gflops, gigabytes_per_second }
}

/// Multiply-adds on one thread: what they sum up to (in each lane), and how many operations they are.
struct MultiplyAdds {
    rounds: u64,
}

impl WithSimd for MultiplyAdds {
    type Output = (f32, u64);

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> Self::Output {
        let half = simd.splat_f32s(black_box(0.5));
        let mut sums: [S::f32s; SUMS] = std::array::from_fn(|i| simd.splat_f32s(black_box(i as f32)));
        for _ in 0..self.rounds {
            for sum in &mut sums {
                *sum = simd.mul_add_f32s(*sum, half, half);
            }
        }
        let total = sums.into_iter().fold(simd.splat_f32s(0.0), |total, sum| simd.add_f32s(total, sum));
        let lanes = size_of::<S::f32s>() / size_of::<f32>();
        (simd.reduce_sum_f32s(total) / lanes as f32, 2 * self.rounds * (SUMS * lanes) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_multiply_adds_are_made() {
        // From s, one round gives s/2 + 1/2, three give s/8 + 7/8.
        let (sum, operations) = Arch::new().dispatch(MultiplyAdds { rounds: 3 });
        assert_eq!(sum, (0..SUMS).map(|s| s as f32 / 8.0 + 7.0 / 8.0).sum::<f32>());
        assert_eq!(operations % (2 * 3 * SUMS as u64), 0);
    }
}
