use std::f32::consts::FRAC_2_SQRT_PI;

use super::PART;
use crate::ops::Unary;
use crate::parallel::*;

pub(super) fn forward(op: Unary, x: &[f32], y: &mut [f32]) {
    match op {
        Unary::Abs => each(x, y, f32::abs),
        Unary::Sqrt => each(x, y, f32::sqrt),
        Unary::Reciprocal => each(x, y, f32::recip),
        Unary::Exp => each(x, y, f32::exp),
        Unary::Log => each(x, y, f32::ln),
        Unary::Sin => each(x, y, f32::sin),
        Unary::Cos => each(x, y, f32::cos),
        Unary::Tanh => each(x, y, f32::tanh),
        Unary::Erf => each(x, y, erf),
        Unary::Floor => each(x, y, f32::floor),
        Unary::Ceil => each(x, y, f32::ceil),
        Unary::Round => each(x, y, f32::round_ties_even),
        Unary::Sign => each(x, y, sign),
        Unary::Elu { alpha } => each(x, y, |x| if x > 0.0 { x } else { alpha * x.exp_m1() }),
        Unary::Softplus => each(x, y, |x| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        Unary::Softsign => each(x, y, |x| x / (1.0 + x.abs())),
        Unary::Pow { exponent } => each(x, y, |x| x.powf(exponent)),
    }
}

pub(super) fn backward(op: Unary, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    match op {
        Unary::Abs => gradient(x, dy, dx, sign),
        Unary::Sqrt => gradient(x, dy, dx, |x| 0.5 / x.sqrt()),
        Unary::Reciprocal => gradient(x, dy, dx, |x| -1.0 / (x * x)),
        Unary::Exp => gradient(x, dy, dx, f32::exp),
        Unary::Log => gradient(x, dy, dx, f32::recip),
        Unary::Sin => gradient(x, dy, dx, f32::cos),
        Unary::Cos => gradient(x, dy, dx, |x| -x.sin()),
        Unary::Tanh => gradient(x, dy, dx, |x| 1.0 - x.tanh() * x.tanh()),
        Unary::Erf => gradient(x, dy, dx, |x| FRAC_2_SQRT_PI * (-x * x).exp()),
        Unary::Floor | Unary::Ceil | Unary::Round | Unary::Sign => dx.fill(0.0),
        Unary::Elu { alpha } => gradient(x, dy, dx, |x| if x > 0.0 { 1.0 } else { alpha * x.exp() }),
        Unary::Softplus => gradient(x, dy, dx, |x| 1.0 / (1.0 + (-x).exp())),
        Unary::Softsign => gradient(x, dy, dx, |x| 1.0 / ((1.0 + x.abs()) * (1.0 + x.abs()))),
        Unary::Pow { exponent } => gradient(x, dy, dx, |x| exponent * x.powf(exponent - 1.0)),
    }
}

/// Not a number stays one.
fn sign(x: f32) -> f32 {
    match x {
        _ if x > 0.0 => 1.0,
        _ if x < 0.0 => -1.0,
        _ => x,
    }
}

/// The error function to some units in the last place: below 1 a polynomial in x², then 1 − e^−p with another p for
/// −ln(1 − erf x), which leaves 1 from 4 on. Both are minimax fits of this library.
fn erf(x: f32) -> f32 {
    let (z, s) = (x.abs(), x * x);
    if z < 1.0 {
        let series =
            ((((7.853_847e-5 * s - 8.010_189e-4) * s + 5.188_327_3e-3) * s - 2.685_381_1e-2) * s + 1.128_358_5e-1) * s;
        return x * ((series - 3.761_262_6e-1) * s + FRAC_2_SQRT_PI);
    }
    let z = if z > 4.0 { 4.0 } else { z };
    let inner = (((1.334_542e-5 * z - 3.181_885_4e-4) * z + 3.441_242e-3) * z - 2.263_861_9e-2) * z;
    let power = (((inner + 1.033_554_75e-1) * z + 6.390_472e-1) * z + 1.125_956_9) * z + 7.484_277e-4;
    (1.0 - (-power).exp()).copysign(x)
}

fn each(x: &[f32], y: &mut [f32], f: impl Fn(f32) -> f32 + Sync) {
    y.par_chunks_mut(PART).zip(x.par_chunks(PART)).for_each(|(y, x)| {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = f(x));
    });
}

fn gradient(x: &[f32], dy: &[f32], dx: &mut [f32], derivative: impl Fn(f32) -> f32 + Sync) {
    dx.par_chunks_mut(PART).zip(x.par_chunks(PART)).zip(dy.par_chunks(PART)).for_each(|((dx, x), dy)| {
        for ((dx, &x), &dy) in dx.iter_mut().zip(x).zip(dy) {
            let slope = derivative(x);
            // No product with 0: what is infinite must not become NaN.
            *dx = if slope == 0.0 { 0.0 } else { slope * dy };
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_function_is_exact_to_a_few_units_in_the_last_place() {
        // Of mathematical tables (Abramowitz, Stegun 1964: 7.1), on both sides of where the polynomials meet.
        for (x, wanted) in [
            (1e-20f32, 1.128_379_167_1e-20f64),
            (0.25, 0.276_326_390_168_236_93),
            (0.5, 0.520_499_877_813_046_5),
            (0.968_75, 0.829_319_150_593_315_2),
            (1.0, 0.842_700_792_949_714_9),
            (1.5, 0.966_105_146_475_310_8),
            (2.5, 0.999_593_047_982_555),
            (4.0, 0.999_999_984_582_742_1),
            (1e30, 1.0),
        ] {
            for (found, wanted) in [(erf(x), wanted), (erf(-x), -wanted)] {
                let error = (f64::from(found) - wanted).abs() / wanted.abs();
                assert!(error < 3.0 * f64::from(f32::EPSILON), "erf({x}) is {found}, off by {error:e}");
            }
        }
        assert!(erf(f32::NAN).is_nan() && erf(0.0) == 0.0);
    }
}
