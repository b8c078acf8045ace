//! The inner loop of every product of the CPU backend's own: a few rows times a few vectors, held in registers.

use pulp::Simd;

/// Rows of a block where there are 32 vector registers; half as many where there are 16.
const ROWS: usize = 8;

/// How many of `left` vectors the next block takes: 3 use the registers best, and a single one is not left over.
fn block_width(left: usize) -> usize {
    if left >= 3 && left != 4 { 3 } else { left.min(2) }
}

/// How a row of vectors is cut into blocks: where each begins, and how many vectors it has.
pub(super) fn blocks(vectors: usize) -> impl Iterator<Item = (usize, usize)> + Clone {
    let mut start = 0;
    std::iter::from_fn(move || {
        let block = (start, block_width(vectors - start));
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
    /// The width of `b` in vectors, 1 to 3: that of one of [`blocks`].
    pub vectors: usize,
    pub accumulate: bool,
}

impl Product<'_> {
    #[inline(always)]
    pub fn run<S: Simd>(self, simd: S) {
        match (S::REGISTER_COUNT >= 32, self.vectors) {
            (true, 3) => self.blocks::<S, ROWS, 3>(simd),
            (true, 2) => self.blocks::<S, ROWS, 2>(simd),
            (true, _) => self.blocks::<S, ROWS, 1>(simd),
            (false, 3) => self.blocks::<S, { ROWS / 2 }, 3>(simd),
            (false, 2) => self.blocks::<S, { ROWS / 2 }, 2>(simd),
            (false, _) => self.blocks::<S, { ROWS / 2 }, 1>(simd),
        }
    }

    #[inline(always)]
    fn blocks<S: Simd, const R: usize, const V: usize>(self, simd: S) {
        let b = &self.b[..self.inner * V * S::F32_LANES];
        let mut row = 0;
        while row < self.rows {
            let a = &self.a[row * self.a_stride..];
            let c = &mut self.c[row * self.c_stride..];
            if self.rows - row >= R {
                block::<S, R, V>(simd, (a, self.a_stride), b, (c, self.c_stride), self.inner, self.accumulate);
                row += R;
            } else {
                block::<S, 1, V>(simd, (a, self.a_stride), b, (c, self.c_stride), self.inner, self.accumulate);
                row += 1;
            }
        }
    }
}

#[inline(always)]
fn block<S: Simd, const R: usize, const V: usize>(
    simd: S,
    (a, a_stride): (&[f32], usize),
    b: &[f32],
    (c, c_stride): (&mut [f32], usize),
    inner: usize,
    accumulate: bool,
) {
    let rows: [&[f32]; R] = std::array::from_fn(|r| &a[r * a_stride..][..inner]);
    let (b, _) = S::as_simd_f32s(b).0.as_chunks::<V>();
    let mut sums = [[simd.splat_f32s(0.0); V]; R];
    if accumulate {
        for (r, sums) in sums.iter_mut().enumerate() {
            sums.copy_from_slice(&S::as_simd_f32s(&c[r * c_stride..][..V * S::F32_LANES]).0[..V]);
        }
    }
    for (k, b) in b[..inner].iter().enumerate() {
        for r in 0..R {
            let a = simd.splat_f32s(rows[r][k]);
            for v in 0..V {
                sums[r][v] = simd.mul_add_e_f32s(a, b[v], sums[r][v]);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        S::as_mut_simd_f32s(&mut c[r * c_stride..][..V * S::F32_LANES]).0.copy_from_slice(sums);
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
    /// The width of `b` in vectors, 1 to 3: that of one of [`blocks`].
    pub vectors: usize,
    pub accumulate: bool,
}

/// The columns of `a` in a [`TransposedProduct`]: a whole number of blocks of rows.
pub(super) const COLUMNS: usize = 16;

impl TransposedProduct<'_> {
    #[inline(always)]
    pub fn run<S: Simd>(self, simd: S) {
        match (S::REGISTER_COUNT >= 32, self.vectors) {
            (true, 3) => self.blocks::<S, ROWS, 3>(simd),
            (true, 2) => self.blocks::<S, ROWS, 2>(simd),
            (true, _) => self.blocks::<S, ROWS, 1>(simd),
            (false, 3) => self.blocks::<S, { ROWS / 2 }, 3>(simd),
            (false, 2) => self.blocks::<S, { ROWS / 2 }, 2>(simd),
            (false, _) => self.blocks::<S, { ROWS / 2 }, 1>(simd),
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
