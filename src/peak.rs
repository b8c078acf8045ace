//! What a device reaches at most: the roof over every kernel.

/// What a device reaches at most (Williams, Waterman, Patterson 2009: the roofline model).
///
/// ```no_run
/// let peak = vultus::Device::best().peak()?;
/// println!("{:.0} GFLOP/s, {:.0} GB/s", peak.gflops, peak.gigabytes_per_second);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Peak {
    /// 10⁹ floating-point operations per second in f32, of fused multiply-adds that touch no memory; each counts as two.
    pub gflops: f64,
    /// 10⁹ bytes per second, read and written, of a copy (on the CPU: an addition in place) larger than the caches.
    pub gigabytes_per_second: f64,
}

impl Peak {
    /// The least time for this many operations on this many bytes, in milliseconds: whichever takes longer. Work whose
    /// bytes come from a cache, or that reaches its result with fewer operations, can be faster.
    ///
    /// ```
    /// let peak = vultus::Peak { gflops: 100.0, gigabytes_per_second: 10.0 };
    /// assert_eq!(peak.least_milliseconds(1_000_000_000, 0), 10.0);
    /// assert_eq!(peak.least_milliseconds(1, 1_000_000_000), 100.0);
    /// ```
    pub fn least_milliseconds(&self, flops: u64, bytes: u64) -> f64 {
        (flops as f64 / self.gflops).max(bytes as f64 / self.gigabytes_per_second) / 1e6
    }
}
