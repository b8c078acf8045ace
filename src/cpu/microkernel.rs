//! The inner loop of every product of the CPU backend's own: a few rows times a few vectors, held in registers.

use pulp::Simd;

use super::epilogue::{Finish, Place};

/// The most vectors of a block: with as many rows as leave registers for a row of `b` and a value of `a`, no sum is ever
/// written to memory and read again within a product.
pub(super) const fn widest<S: Simd>() -> usize {
    if S::REGISTER_COUNT >= 32 { 3 } else { 2 }
}

/// How many of `left` vectors the next block takes: a single one is not left over where it can be helped.
fn block_width(left: usize, widest: usize) -> usize {
    if left == widest + 1 { left.div_ceil(2) } else { left.min(widest) }
}

/// How a row of vectors is cut into blocks of at most [`widest`]: where each begins, and how many vectors it has.
pub(super) fn blocks(vectors: usize, widest: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let mut start = 0;
    std::iter::from_fn(move || {
        let block = (start, block_width(vectors - start, widest));
        start += block.1;
        (block.1 > 0).then_some(block)
    })
}

/// The matrices of a product `c = a · b` or `c += a · b`.
pub(super) struct Product<'a> {
    /// `[rows, inner]`, a row every `a_stride` values.
    pub a: &'a [f32],
    pub a_stride: usize,
    /// `[inner, vectors · lanes]`, without gaps.
    pub b: &'a [f32],
    /// `[rows, vectors · lanes]`, a row every `c_stride` values.
    pub c: &'a mut [f32],
    pub c_stride: usize,
    pub rows: usize,
    pub inner: usize,
    /// The width of `b` in vectors: that of one of [`blocks`].
    pub vectors: usize,
    pub accumulate: bool,
}

impl Product<'_> {
    #[inline(always)]
    pub fn run<S: Simd>(self, simd: S) {
        match (S::REGISTER_COUNT >= 32, self.vectors) {
            (true, 3) => self.blocks::<S, 8, 3>(simd),
            (true, 2) => self.blocks::<S, 8, 2>(simd),
            (true, _) => self.blocks::<S, 8, 1>(simd),
            (false, 2) => self.blocks::<S, 6, 2>(simd),
            (false, _) => self.blocks::<S, 8, 1>(simd),
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, const R: usize, const V: usize>(mut self, simd: S) {
        let mut row = 0;
        while row < self.rows {
            row += match self.rows - row {
                // Twice four rows are faster than six and two.
                left if left >= R && (R != 6 || left != 8) => self.block::<S, R, V>(simd, row),
                4.. => self.block::<S, 4, V>(simd, row),
                2.. => self.block::<S, 2, V>(simd, row),
                _ => self.block::<S, 1, V>(simd, row),
            };
        }
    }

    /// Some rows from this one on; how many.
    #[inline(always)]
    fn block<S: Simd, const R: usize, const V: usize>(&mut self, simd: S, row: usize) -> usize {
        let (inner, a) = (self.inner, &self.a[row * self.a_stride..]);
        let (b, _) = S::as_simd_f32s(&self.b[..inner * V * S::F32_LANES]).0.as_chunks::<V>();
        assert!(inner == 0 || (R - 1) * self.a_stride + inner <= a.len());
        let at = |r: usize| (row + r) * self.c_stride..(row + r) * self.c_stride + V * S::F32_LANES;
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        if self.accumulate {
            for (r, sums) in sums.iter_mut().enumerate() {
                sums.copy_from_slice(&S::as_simd_f32s(&self.c[at(r)]).0[..V]);
            }
        }
        let rows: [*const f32; R] = std::array::from_fn(|r| a.as_ptr().wrapping_add(r * self.a_stride));
        for (k, b) in b.iter().enumerate() {
            for r in 0..R {
                // SAFETY: k is below `inner`, and by the assertion the last row has so many values.
                let a = simd.splat_f32s(unsafe { *rows[r].add(k) });
                for v in 0..V {
                    sums[r][v] = simd.mul_add_e_f32s(a, b[v], sums[r][v]);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            S::as_mut_simd_f32s(&mut self.c[at(r)]).0.copy_from_slice(sums);
        }
        R
    }
}

/// A few rows of a product whose second matrix is not laid out: its rows are read from channels, each from as many places
/// as there are taps.
pub(super) struct ShiftedProduct<'a> {
    /// `[rows, channels, taps]`.
    pub a: &'a [f32],
    /// At most [`ShiftedProduct::ROWS`].
    pub rows: usize,
    /// From what the first tap meets in the first channel on, a channel every `b_stride` values.
    pub b: &'a [f32],
    pub b_stride: usize,
    pub channels: usize,
    /// How far from there what each tap meets lies.
    pub taps: &'a [u32],
    /// The width of the product in vectors: at most [`widest`].
    pub vectors: usize,
}

impl ShiftedProduct<'_> {
    /// The most rows: a multiple of all numbers that are computed at once.
    pub const ROWS: usize = 24;

    /// Hands over the sums of these rows of a whole.
    #[inline(always)]
    pub fn run<S: Simd>(self, simd: S, finish: &Finish, row: usize, places: &[Place]) {
        match self.vectors {
            3 => self.blocks::<S, 3>(simd, finish, row, places),
            2 => self.blocks::<S, 2>(simd, finish, row, places),
            _ => self.blocks::<S, 1>(simd, finish, row, places),
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, const V: usize>(self, simd: S, finish: &Finish, first: usize, places: &[Place]) {
        // Sums, a row of `b`, and a value of `a` in one more.
        let most = if 12 * V + V < S::REGISTER_COUNT {
            12
        } else if 8 * V + V < S::REGISTER_COUNT {
            8
        } else {
            6
        };
        let mut row = 0;
        while row < self.rows {
            let at = (finish, first + row, places);
            row += match (self.rows - row).min(most) {
                12.. => self.block::<S, 12, V>(simd, row, at),
                8.. => self.block::<S, 8, V>(simd, row, at),
                6.. => self.block::<S, 6, V>(simd, row, at),
                4.. => self.block::<S, 4, V>(simd, row, at),
                2.. => self.block::<S, 2, V>(simd, row, at),
                _ => self.block::<S, 1, V>(simd, row, at),
            };
        }
    }

    /// Some rows from this one on; how many.
    #[inline(always)]
    fn block<S: Simd, const R: usize, const V: usize>(
        &self,
        simd: S,
        row: usize,
        (finish, first, places): (&Finish, usize, &[Place]),
    ) -> usize {
        let (lanes, inner) = (S::F32_LANES, self.channels * self.taps.len());
        let a = &self.a[row * inner..][..R * inner];
        let furthest = self.taps.iter().max().map_or(0, |&tap| tap as usize);
        assert!((self.channels - 1) * self.b_stride + furthest + V * lanes <= self.b.len());
        let rows: [*const f32; R] = std::array::from_fn(|r| a.as_ptr().wrapping_add(r * inner));
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        let mut k = 0;
        for channel in 0..self.channels {
            for &tap in self.taps {
                let at = channel * self.b_stride + tap as usize;
                // SAFETY: the assertion holds for the last channel and the furthest tap.
                let from = unsafe { self.b.as_ptr().add(at) };
                let mut b = [simd.splat_f32s(0.0); V];
                for (v, b) in b.iter_mut().enumerate() {
                    // SAFETY: as above.
                    *b = unsafe { from.add(v * lanes).cast::<S::f32s>().read_unaligned() };
                }
                for r in 0..R {
                    // SAFETY: k is below `inner`, and so many values each row has.
                    let a = simd.splat_f32s(unsafe { *rows[r].add(k) });
                    for v in 0..V {
                        sums[r][v] = simd.mul_add_e_f32s(a, b[v], sums[r][v]);
                    }
                }
                k += 1;
            }
        }
        for (r, sums) in sums.into_iter().enumerate() {
            finish.write(simd, first + r, sums, places);
        }
        R
    }
}

/// The matrices of a product `c = aᵀ · b` or `c += aᵀ · b`. What is added to `c` is summed up by itself first, so that
/// the error of a long sum grows with the root of its parts.
pub(super) struct TransposedProduct<'a> {
    /// `[inner, COLUMNS]`, without gaps.
    pub a: &'a [f32],
    /// `[inner, vectors · lanes]`, without gaps.
    pub b: &'a [f32],
    /// `[COLUMNS, vectors · lanes]`, a row every `c_stride` values.
    pub c: &'a mut [f32],
    pub c_stride: usize,
    /// The width of `b` in vectors: that of one of [`blocks`].
    pub vectors: usize,
    pub accumulate: bool,
}

/// The columns of `a` in a [`TransposedProduct`]: a whole number of blocks of rows.
pub(super) const COLUMNS: usize = 16;

impl TransposedProduct<'_> {
    #[inline(always)]
    pub fn run<S: Simd>(self, simd: S) {
        match (S::REGISTER_COUNT >= 32, self.vectors) {
            (true, 3) => self.blocks::<S, 8, 3>(simd),
            (true, 2) => self.blocks::<S, 8, 2>(simd),
            (false, 2) => self.blocks::<S, 4, 2>(simd),
            (..) => self.blocks::<S, 8, 1>(simd),
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, const R: usize, const V: usize>(self, simd: S) {
        let (a, _) = self.a.as_chunks::<COLUMNS>();
        let (b, _) = S::as_simd_f32s(self.b).0.as_chunks::<V>();
        for first in (0..COLUMNS).step_by(R) {
            let mut sums = [[simd.splat_f32s(0.0); V]; R];
            for (a, b) in a.iter().zip(b) {
                let Some(a) = a[first..].first_chunk::<R>() else { break };
                for r in 0..R {
                    let a = simd.splat_f32s(a[r]);
                    for v in 0..V {
                        sums[r][v] = simd.mul_add_e_f32s(a, b[v], sums[r][v]);
                    }
                }
            }
            for (r, sums) in sums.iter().enumerate() {
                let c = &mut self.c[(first + r) * self.c_stride..][..V * S::F32_LANES];
                for (c, &sum) in S::as_mut_simd_f32s(c).0.iter_mut().zip(sums) {
                    *c = if self.accumulate { simd.add_f32s(*c, sum) } else { sum };
                }
            }
        }
    }
}
