use pulp::{Arch, Simd, WithSimd};

use super::PART;
use crate::ops::Activation;
use crate::parallel::*;

/// 1 / √2 and √(2 / π).
const ROOT_HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
const ROOT_2_BY_PI: f32 = 0.797_884_6;

/// The factor of x³ in GELU's approximation.
const CUBIC: f32 = 0.044_715;

pub(super) fn forward(op: Activation, x: &[f32], y: &mut [f32]) {
    let arch = Arch::new();
    y.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(y, x)| {
        y.copy_from_slice(x);
        arch.dispatch(Apply { op, values: y });
    });
}

struct Apply<'a> {
    op: Activation,
    values: &'a mut [f32],
}

impl WithSimd for Apply<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        apply(Some(self.op), self.values);
    }
}

/// Applies a function in place, with the vectors of whoever calls it. The numbers do not depend on these.
#[inline(always)]
pub(super) fn apply(op: Option<Activation>, values: &mut [f32]) {
    match op {
        None => {}
        // Comparisons with NaN are false, so that NaN stays.
        Some(Activation::Relu) => change(values, |x| if x < 0.0 { 0.0 } else { x }),
        Some(Activation::Clip { min, max }) => change(values, |x| {
            let x = if x < min { min } else { x };
            if x > max { max } else { x }
        }),
        Some(Activation::LeakyRelu { negative_slope }) => {
            change(values, |x| if x < 0.0 { negative_slope * x } else { x });
        }
        Some(Activation::Sigmoid) => change(values, sigmoid),
        Some(Activation::Hardswish) => change(values, |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        Some(Activation::Silu) => change(values, |x| x * sigmoid(x)),
        Some(Activation::Gelu) => change(values, |x| x * normal(x)),
        Some(Activation::GeluTanh) => change(values, |x| 0.5 * x * (1.0 + tanh(inner(x)))),
    }
}

#[inline(always)]
fn change(values: &mut [f32], f: impl Fn(f32) -> f32) {
    values.iter_mut().for_each(|value| *value = f(*value));
}

/// `seen` is y of the functions whose derivative follows from it, else x.
pub(super) fn backward(op: Activation, seen: &[f32], dy: &[f32], dx: &mut [f32]) {
    let arch = Arch::new();
    dx.par_chunks_mut(PART).zip(seen.par_chunks(PART)).zip(dy.par_chunks(PART)).for_each(|((dx, seen), dy)| {
        dx.copy_from_slice(dy);
        arch.dispatch(Gradient { op, seen, values: dx });
    });
}

/// The same in place.
pub(super) fn backward_through(op: Activation, seen: &[f32], values: &mut [f32]) {
    let arch = Arch::new();
    values.par_chunks_mut(PART).zip(seen.par_chunks(PART)).for_each(|(values, seen)| {
        arch.dispatch(Gradient { op, seen, values });
    });
}

struct Gradient<'a> {
    op: Activation,
    seen: &'a [f32],
    values: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        chain(self.op, self.seen, self.values);
    }
}

/// Makes gradients of what a function gave those of what it took, with the vectors of whoever calls it. Without branches in
/// what is common, so that loops become vectors.
#[inline(always)]
pub(super) fn chain(op: Activation, seen: &[f32], values: &mut [f32]) {
    match op {
        Activation::Relu => change_by(seen, values, |y, dy| if y > 0.0 { dy } else { 0.0 }),
        Activation::Clip { min, max } => change_by(seen, values, |y, dy| if (y > min) & (y < max) { dy } else { 0.0 }),
        Activation::LeakyRelu { negative_slope } => {
            change_by(seen, values, |y, dy| if y > 0.0 { dy } else { negative_slope * dy });
        }
        Activation::Sigmoid => change_by(seen, values, |y, dy| dy * y * (1.0 - y)),
        Activation::Hardswish => change_by(seen, values, |x, dy| match x {
            _ if x <= -3.0 => 0.0,
            _ if x >= 3.0 => dy,
            _ => dy * (2.0 * x + 3.0) / 6.0,
        }),
        Activation::Silu => change_by(seen, values, |x, dy| {
            let s = sigmoid(x);
            dy * (s + x * s * (1.0 - s))
        }),
        Activation::Gelu => change_by(seen, values, |x, dy| {
            // The density of the normal distribution: its 1 / √(2π) is half of √(2 / π).
            let density = 0.5 * ROOT_2_BY_PI * exp(-0.5 * x * x);
            dy * (normal(x) + x * density)
        }),
        Activation::GeluTanh => change_by(seen, values, |x, dy| {
            let t = tanh(inner(x));
            let slope = ROOT_2_BY_PI * (1.0 + 3.0 * CUBIC * x * x);
            dy * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope)
        }),
    }
}

/// e^x within 2 units in the last place, without a branch, so that loops become vectors: 2^k · e^r with r within ±ln 2 / 2
/// and Cephes' polynomial. Beyond ±87 it is e^±87.
#[inline(always)]
fn exp(x: f32) -> f32 {
    /// Added to a number below 2^22, it leaves the nearest whole number in the last bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 87.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let k = rounded - ROUND;
    // ln 2 in two parts, the first of few bits, so that its product is exact.
    let r = x - k * 0.693_359_4 + k * 2.121_944_4e-4;
    let series =
        ((((1.987_569_1e-4 * r + 1.398_2e-3) * r + 8.333_452e-3) * r + 4.166_579_6e-2) * r + 1.666_666_5e-1) * r;
    let fraction = (series + 0.5) * (r * r) + r + 1.0;
    fraction * f32::from_bits((rounded.to_bits() << 23).wrapping_add(1.0f32.to_bits()))
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// In what follows only the sum with 1 counts.
#[inline(always)]
fn tanh(x: f32) -> f32 {
    let e = exp(2.0 * x);
    (e - 1.0) / (e + 1.0)
}

/// What GELU's approximation takes the tanh of.
#[inline(always)]
fn inner(x: f32) -> f32 {
    ROOT_2_BY_PI * (x + CUBIC * x * x * x)
}

/// The normal distribution's Φ: half of 1 + erf(x / √2).
#[inline(always)]
fn normal(x: f32) -> f32 {
    0.5 * (1.0 + erf(x * ROOT_HALF))
}

/// The error function within 1.5e-7 (Abramowitz, Stegun 1964: 7.1.26).
#[inline(always)]
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    (1.0 - series * exp(-x * x)).copysign(x)
}

#[inline(always)]
fn change_by(seen: &[f32], values: &mut [f32], f: impl Fn(f32, f32) -> f32) {
    values.iter_mut().zip(seen).for_each(|(value, seen)| *value = f(*seen, *value));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exponential_function_is_exact_to_a_few_units_in_the_last_place() {
        for i in -8700..=8700 {
            let x = i as f32 / 100.0;
            let wanted = f64::from(x).exp();
            let error = (f64::from(exp(x)) - wanted).abs() / wanted;
            // Two roundings of half a unit, and what the product with the polynomial adds.
            assert!(error < 2.0 * f64::from(f32::EPSILON), "exp({x}) is off by {error:e}");
        }
        assert!(exp(f32::NAN).is_nan() && exp(f32::NEG_INFINITY) < 1e-37 && exp(f32::INFINITY) > 1e37);
    }
}
