use super::PART;
use crate::ops::Activation;
use crate::parallel::*;

/// 1 / √2 and √(2 / π).
const ROOT_HALF: f32 = std::f32::consts::FRAC_1_SQRT_2;
const ROOT_2_BY_PI: f32 = 0.797_884_6;

/// The factor of x³ in GELU's approximation.
const CUBIC: f32 = 0.044_715;

pub(super) fn forward(op: Activation, x: &[f32], y: &mut [f32]) {
    match op {
        // Comparisons with NaN are false, so that NaN stays.
        Activation::Relu => map(x, y, |x| if x < 0.0 { 0.0 } else { x }),
        Activation::Clip { min, max } => map(x, y, |x| {
            let x = if x < min { min } else { x };
            if x > max { max } else { x }
        }),
        Activation::LeakyRelu { negative_slope } => map(x, y, |x| if x < 0.0 { negative_slope * x } else { x }),
        Activation::Sigmoid => map(x, y, sigmoid),
        Activation::Hardswish => map(x, y, |x| x * (x + 3.0).clamp(0.0, 6.0) / 6.0),
        Activation::Silu => map(x, y, |x| x * sigmoid(x)),
        Activation::Gelu => map(x, y, |x| x * normal(x)),
        Activation::GeluTanh => map(x, y, |x| 0.5 * x * (1.0 + inner(x).tanh())),
    }
}

/// `seen` is y of the functions whose derivative follows from it, else x.
pub(super) fn backward(op: Activation, seen: &[f32], dy: &[f32], dx: &mut [f32]) {
    match op {
        Activation::Relu => map2(seen, dy, dx, |y, dy| if y > 0.0 { dy } else { 0.0 }),
        Activation::Clip { min, max } => map2(seen, dy, dx, |y, dy| if y > min && y < max { dy } else { 0.0 }),
        Activation::LeakyRelu { negative_slope } => {
            map2(seen, dy, dx, |y, dy| if y > 0.0 { dy } else { negative_slope * dy });
        }
        Activation::Sigmoid => map2(seen, dy, dx, |y, dy| dy * y * (1.0 - y)),
        Activation::Hardswish => map2(seen, dy, dx, |x, dy| match x {
            _ if x <= -3.0 => 0.0,
            _ if x >= 3.0 => dy,
            _ => dy * (2.0 * x + 3.0) / 6.0,
        }),
        Activation::Silu => map2(seen, dy, dx, |x, dy| {
            let s = sigmoid(x);
            dy * (s + x * s * (1.0 - s))
        }),
        Activation::Gelu => map2(seen, dy, dx, |x, dy| {
            // The density of the normal distribution: its 1 / √(2π) is half of √(2 / π).
            let density = 0.5 * ROOT_2_BY_PI * (-0.5 * x * x).exp();
            dy * (normal(x) + x * density)
        }),
        Activation::GeluTanh => map2(seen, dy, dx, |x, dy| {
            let t = inner(x).tanh();
            let slope = ROOT_2_BY_PI * (1.0 + 3.0 * CUBIC * x * x);
            dy * (0.5 * (1.0 + t) + 0.5 * x * (1.0 - t * t) * slope)
        }),
    }
}

fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

/// What GELU's approximation takes the tanh of.
fn inner(x: f32) -> f32 {
    ROOT_2_BY_PI * (x + CUBIC * x * x * x)
}

/// The normal distribution's Φ: half of 1 + erf(x / √2).
fn normal(x: f32) -> f32 {
    0.5 * (1.0 + erf(x * ROOT_HALF))
}

/// The error function within 1.5e-7 (Abramowitz, Stegun 1964: 7.1.26).
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let series = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t + 0.254_829_6) * t;
    (1.0 - series * (-x * x).exp()).copysign(x)
}

fn map(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32 + Sync) {
    y.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(y, x)| {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x));
    });
}

fn map2(a: &[f32], b: &[f32], y: &mut [f32], f: impl Fn(f32, f32) -> f32 + Sync) {
    y.par_chunks_mut(PART).zip(a.par_chunks(PART)).zip(b.par_chunks(PART)).for_each(|((y, a), b)| {
        y.iter_mut().zip(a).zip(b).for_each(|((y, &a), &b)| *y = f(a, b));
    });
}
