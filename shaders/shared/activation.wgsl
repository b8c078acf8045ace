// Activation functions by their numbers: 0 none, 1 ReLU, 2 clip, 3 leaky ReLU, 4 sigmoid, 5 hardswish, 6 SiLU, 7 GELU, 8 GELU by
// tanh. A constant of the pipeline, so that no time goes into the others.
override FUNCTION: u32 = 0u;

const ROOT_HALF: f32 = 0.70710678;
const ROOT_2_BY_PI: f32 = 0.79788456;
const CUBIC: f32 = 0.044715;

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-x));
}

// The normal distribution's cumulative function; erf within 1.5e-7 (Abramowitz, Stegun 1964: 7.1.26).
fn normal(x: f32) -> f32 {
    let z = abs(x) * ROOT_HALF;
    let t = 1.0 / (1.0 + 0.3275911 * z);
    let series = ((((1.0614054 * t - 1.453152) * t + 1.4214137) * t - 0.28449674) * t + 0.2548296) * t;
    let erf = 1.0 - series * exp(-z * z);
    return 0.5 * (1.0 + select(erf, -erf, x < 0.0));
}

// tanh in GELU's approximation. Beyond 15 it is 1 in f32, and exp of what lies far beyond is not a number on all devices.
fn gelu_tanh(x: f32) -> f32 {
    let inner = clamp(ROOT_2_BY_PI * (x + CUBIC * x * x * x), -15.0, 15.0);
    let e = exp(2.0 * inner);
    return (e - 1.0) / (e + 1.0);
}

// `low` is the minimum of a clip, or the slope of a leaky ReLU; `high` is the maximum of a clip. Not max() and min(): a NaN
// must stay one.
fn activated(low: f32, high: f32, x: f32) -> f32 {
    switch (FUNCTION) {
        case 0u: { return x; }
        case 1u: { return select(x, 0.0, x < 0.0); }
        case 2u: {
            let above = select(x, low, x < low);
            return select(above, high, above > high);
        }
        case 3u: { return select(x, low * x, x < 0.0); }
        case 4u: { return sigmoid(x); }
        case 5u: { return x * clamp(x + 3.0, 0.0, 6.0) / 6.0; }
        case 6u: { return x * sigmoid(x); }
        case 7u: { return x * normal(x); }
        default: { return 0.5 * x * (1.0 + gelu_tanh(x)); }
    }
}

// Of functions 1 to 4 `seen` is y, of the others x.
fn derivative(low: f32, high: f32, seen: f32) -> f32 {
    switch (FUNCTION) {
        case 1u: { return select(0.0, 1.0, seen > 0.0); }
        case 2u: { return select(0.0, 1.0, seen > low && seen < high); }
        case 3u: { return select(low, 1.0, seen > 0.0); }
        case 4u: { return seen * (1.0 - seen); }
        case 5u: {
            let inside = (2.0 * seen + 3.0) / 6.0;
            return select(select(inside, 1.0, seen >= 3.0), 0.0, seen <= -3.0);
        }
        case 6u: {
            let s = sigmoid(seen);
            return s + seen * s * (1.0 - s);
        }
        // The density of the normal distribution: its 1 / sqrt(2 pi) is half of sqrt(2 / pi).
        case 7u: { return normal(seen) + seen * 0.5 * ROOT_2_BY_PI * exp(-0.5 * seen * seen); }
        default: {
            let t = gelu_tanh(seen);
            return 0.5 * (1.0 + t) + 0.5 * seen * (1.0 - t * t) * ROOT_2_BY_PI * (1.0 + 3.0 * CUBIC * seen * seen);
        }
    }
}
