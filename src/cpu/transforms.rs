//! The one-dimensional transforms of minimal filtering, for vectors of values. Two of them in a row, down and across,
//! are those of two dimensions.

use pulp::Simd;

/// Transforms that give `M` outputs of a filter of 3 from `P` points.
pub(super) trait Transform<const P: usize, const M: usize>: Send + Sync {
    /// `Bᵀ d`
    fn input<S: Simd>(simd: S, d: [S::f32s; P]) -> [S::f32s; P];
    /// `G g`
    fn filter<S: Simd>(simd: S, g: [S::f32s; 3]) -> [S::f32s; P];
    /// `Aᵀ m`
    fn output<S: Simd>(simd: S, m: [S::f32s; P]) -> [S::f32s; M];
    /// `A dy`: [`output`](Self::output) backwards.
    fn output_gradient<S: Simd>(simd: S, dy: [S::f32s; M]) -> [S::f32s; P];
    /// `Gᵀ du`: [`filter`](Self::filter) backwards.
    fn filter_gradient<S: Simd>(simd: S, du: [S::f32s; P]) -> [S::f32s; 3];
}

/// `factor · a`
#[inline(always)]
fn scaled<S: Simd>(simd: S, factor: f32, a: S::f32s) -> S::f32s {
    simd.mul_f32s(simd.splat_f32s(factor), a)
}

/// `factor · a + b`
#[inline(always)]
fn add_scaled<S: Simd>(simd: S, factor: f32, a: S::f32s, b: S::f32s) -> S::f32s {
    simd.mul_add_e_f32s(simd.splat_f32s(factor), a, b)
}

/// F(2, 3) with the points 0, ±1 and ∞.
pub(super) struct F2;

impl Transform<4, 2> for F2 {
    #[inline(always)]
    fn input<S: Simd>(simd: S, [d0, d1, d2, d3]: [S::f32s; 4]) -> [S::f32s; 4] {
        [simd.sub_f32s(d0, d2), simd.add_f32s(d1, d2), simd.sub_f32s(d2, d1), simd.sub_f32s(d1, d3)]
    }

    #[inline(always)]
    fn filter<S: Simd>(simd: S, [g0, g1, g2]: [S::f32s; 3]) -> [S::f32s; 4] {
        let half = simd.splat_f32s(0.5);
        let (outer, middle) = (simd.mul_f32s(half, simd.add_f32s(g0, g2)), simd.mul_f32s(half, g1));
        [g0, simd.add_f32s(outer, middle), simd.sub_f32s(outer, middle), g2]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [m0, m1, m2, m3]: [S::f32s; 4]) -> [S::f32s; 2] {
        let (sum, difference) = (simd.add_f32s(m1, m2), simd.sub_f32s(m1, m2));
        [simd.add_f32s(m0, sum), simd.sub_f32s(difference, m3)]
    }

    #[inline(always)]
    fn output_gradient<S: Simd>(simd: S, [y0, y1]: [S::f32s; 2]) -> [S::f32s; 4] {
        [y0, simd.add_f32s(y0, y1), simd.sub_f32s(y0, y1), simd.sub_f32s(simd.splat_f32s(0.0), y1)]
    }

    #[inline(always)]
    fn filter_gradient<S: Simd>(simd: S, [u0, u1, u2, u3]: [S::f32s; 4]) -> [S::f32s; 3] {
        let (sum, difference) = (simd.add_f32s(u1, u2), simd.sub_f32s(u1, u2));
        [add_scaled(simd, 0.5, sum, u0), scaled(simd, 0.5, difference), add_scaled(simd, 0.5, sum, u3)]
    }
}

/// F(4, 3) with the points 0, ±√½, ±√2 and ∞: they lie evenly around 1, so that powers of them neither grow nor shrink
/// much, and errors stay smaller than with ±1 and ±2.
pub(super) struct F4;

/// √2 and √½.
const B: f32 = std::f32::consts::SQRT_2;
const A: f32 = std::f32::consts::FRAC_1_SQRT_2;

impl Transform<6, 4> for F4 {
    #[inline(always)]
    fn input<S: Simd>(simd: S, [d0, d1, d2, d3, d4, d5]: [S::f32s; 6]) -> [S::f32s; 6] {
        let (even_a, even_b) = (add_scaled(simd, -2.0, d2, d4), add_scaled(simd, -0.5, d2, d4));
        let (odd_a, odd_b) = (add_scaled(simd, -2.0, d1, d3), add_scaled(simd, -0.5, d1, d3));
        [
            add_scaled(simd, -2.5, d2, simd.add_f32s(d0, d4)),
            add_scaled(simd, A, odd_a, even_a),
            add_scaled(simd, -A, odd_a, even_a),
            add_scaled(simd, B, odd_b, even_b),
            add_scaled(simd, -B, odd_b, even_b),
            add_scaled(simd, -2.5, d3, simd.add_f32s(d1, d5)),
        ]
    }

    #[inline(always)]
    fn filter<S: Simd>(simd: S, [g0, g1, g2]: [S::f32s; 3]) -> [S::f32s; 6] {
        let even_a = add_scaled(simd, -1.0 / 3.0, g2, scaled(simd, -2.0 / 3.0, g0));
        let even_b = add_scaled(simd, 1.0 / 3.0, g2, scaled(simd, 1.0 / 6.0, g0));
        [
            g0,
            add_scaled(simd, -B / 3.0, g1, even_a),
            add_scaled(simd, B / 3.0, g1, even_a),
            add_scaled(simd, B / 6.0, g1, even_b),
            add_scaled(simd, -B / 6.0, g1, even_b),
            g2,
        ]
    }

    #[inline(always)]
    fn output<S: Simd>(simd: S, [m0, m1, m2, m3, m4, m5]: [S::f32s; 6]) -> [S::f32s; 4] {
        let (even_a, odd_a) = (simd.add_f32s(m1, m2), simd.sub_f32s(m1, m2));
        let (even_b, odd_b) = (simd.add_f32s(m3, m4), simd.sub_f32s(m3, m4));
        [
            simd.add_f32s(m0, simd.add_f32s(even_a, even_b)),
            add_scaled(simd, A, odd_a, scaled(simd, B, odd_b)),
            add_scaled(simd, 0.5, even_a, scaled(simd, 2.0, even_b)),
            add_scaled(simd, A / 2.0, odd_a, add_scaled(simd, 2.0 * B, odd_b, m5)),
        ]
    }

    #[inline(always)]
    fn output_gradient<S: Simd>(simd: S, [y0, y1, y2, y3]: [S::f32s; 4]) -> [S::f32s; 6] {
        let (even_a, even_b) = (add_scaled(simd, 0.5, y2, y0), add_scaled(simd, 2.0, y2, y0));
        let (odd_a, odd_b) = (add_scaled(simd, 0.5, y3, y1), add_scaled(simd, 2.0, y3, y1));
        [
            y0,
            add_scaled(simd, A, odd_a, even_a),
            add_scaled(simd, -A, odd_a, even_a),
            add_scaled(simd, B, odd_b, even_b),
            add_scaled(simd, -B, odd_b, even_b),
            y3,
        ]
    }

    #[inline(always)]
    fn filter_gradient<S: Simd>(simd: S, [u0, u1, u2, u3, u4, u5]: [S::f32s; 6]) -> [S::f32s; 3] {
        let (even_a, odd_a) = (simd.add_f32s(u1, u2), simd.sub_f32s(u1, u2));
        let (even_b, odd_b) = (simd.add_f32s(u3, u4), simd.sub_f32s(u3, u4));
        [
            add_scaled(simd, -2.0 / 3.0, even_a, add_scaled(simd, 1.0 / 6.0, even_b, u0)),
            add_scaled(simd, -B / 3.0, odd_a, scaled(simd, B / 6.0, odd_b)),
            add_scaled(simd, 1.0 / 3.0, simd.sub_f32s(even_b, even_a), u5),
        ]
    }
}
