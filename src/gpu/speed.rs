//! How fast a device was seen to be, and how much work it is therefore given at a time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// What a submission is to take: long beside what submitting costs, short beside the patience of drivers' watchdogs (two
/// seconds and more), also where the device slows down to a tenth.
const SUBMISSION: f64 = 0.03;

/// Floating-point operations of a submission at least, and until something is known: a fifth of a second at 10 GFLOP/s.
const LEAST: u64 = 2_000_000_000;

/// Floating-point operations of one dispatch at most.
pub(super) const PER_DISPATCH: u64 = 20_000_000_000;

/// The fastest that a device was seen to be, in floating-point operations per second.
#[derive(Default)]
pub(super) struct Speed(AtomicU64);

impl Speed {
    /// So many operations were done within this time, whatever else was done in it: the device is at least as fast.
    pub fn saw(&self, flops: u64, time: Duration) {
        if !time.is_zero() {
            self.0.fetch_max((flops as f64 / time.as_secs_f64()) as u64, Ordering::Relaxed);
        }
    }

    /// Floating-point operations that are to be submitted together.
    pub fn per_submission(&self) -> u64 {
        ((self.0.load(Ordering::Relaxed) as f64 * SUBMISSION) as u64).max(LEAST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_grow_with_the_fastest_run_and_are_never_tiny() {
        let speed = Speed::default();
        assert_eq!(speed.per_submission(), LEAST);
        // 60 TFLOP/s.
        speed.saw(600_000_000_000, Duration::from_millis(10));
        assert_eq!(speed.per_submission(), 1_800_000_000_000);
        // A small run, whose fixed costs say little, and one that waited.
        speed.saw(1_000_000, Duration::from_millis(1));
        speed.saw(1_000_000, Duration::ZERO);
        speed.saw(1_000_000_000, Duration::from_secs(5));
        assert_eq!(speed.per_submission(), 1_800_000_000_000);
        // A slow device.
        let speed = Speed::default();
        speed.saw(1_000_000_000, Duration::from_secs(1));
        assert_eq!(speed.per_submission(), LEAST);
    }
}
