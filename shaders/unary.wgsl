// Elementary functions, value by value, and their gradients. `low` is what an ELU tends to, negated, or an exponent.
//
// Devices may compute exp, log, sin, cos and tanh with few correct digits: those here are exact to some units in the last
// place wherever sums and products are. The polynomials are minimax fits.

// The function's number, as `value` has them.
override FUNCTION: u32 = 0u;

const LOG2_E: f32 = 1.442695;
// ln 2 in two parts, the first of few bits, so that its product with a whole number is exact; π / 2 in three.
const LN_2_HIGH: f32 = 0.693359375;
const LN_2_LOW: f32 = -2.1219444e-4;
const TWO_BY_PI: f32 = 0.63661977;
const HALF_PI_HIGH: f32 = 1.5703125;
const HALF_PI_MIDDLE: f32 = 4.837513e-4;
const HALF_PI_LOW: f32 = 7.54979e-8;
const TWO_BY_ROOT_PI: f32 = 1.1283792;
const SMALLEST_NORMAL: f32 = 1.1754944e-38;
const LARGEST: f32 = 3.4028235e38;

fn power_of_two(k: i32) -> f32 {
    return bitcast<f32>((k + 127) << 23u);
}

// e^r − 1 − r for r within half of ln 2 (Cephes).
fn exponential_rest(r: f32) -> f32 {
    let series = ((((1.9875691e-4 * r + 1.3982e-3) * r + 8.333452e-3) * r + 4.1665796e-2) * r + 1.6666665e-1) * r;
    return (series + 0.5) * (r * r);
}

// e^x is 2^k e^r with r within half of ln 2. What is far outside of f32's range becomes infinity, or 0.
fn exponential(x: f32) -> f32 {
    let above = select(x, -110.0, x < -110.0);
    let inside = select(above, 100.0, above > 100.0);
    let k = round(inside * LOG2_E);
    let r = inside - k * LN_2_HIGH - k * LN_2_LOW;
    // In two factors, since 2^k alone may be out of range.
    let half = i32(k) / 2;
    return (exponential_rest(r) + r + 1.0) * power_of_two(half) * power_of_two(i32(k) - half);
}

// e^x − 1 for x up to 0.
fn exponential_minus_1(x: f32) -> f32 {
    return select(exponential(x) - 1.0, exponential_rest(x) + x, x > -0.34);
}

// x is 2^k (1 + f) with 1 + f between √½ and √2.
fn logarithm(x: f32) -> f32 {
    let is_tiny = x < SMALLEST_NORMAL;
    let bits = bitcast<i32>(select(x, x * 33554432.0, is_tiny));
    let exponent = (bits - 0x3f3504f3) >> 23u;
    let f = bitcast<f32>(bits - (exponent << 23u)) - 1.0;
    let k = f32(exponent) - select(0.0, 25.0, is_tiny);
    let rest = ((((((-7.9737917e-2 * f + 1.2655510e-1) * f - 1.2989333e-1) * f + 1.4209971e-1) * f - 1.6641580e-1) * f
        + 2.0001200e-1) * f - 2.5000304e-1) * f + 3.3333331e-1;
    let found = f * f * f * rest + k * LN_2_LOW - 0.5 * f * f + f + k * LN_2_HIGH;
    // Infinity, or not a number, is what the device has for it.
    return select(log(x), found, x > 0.0 && x <= LARGEST);
}

// The sine of x and so many quarters of a turn.
fn sine(x: f32, quarters: i32) -> f32 {
    let k = round(x * TWO_BY_PI);
    let r = x - k * HALF_PI_HIGH - k * HALF_PI_MIDDLE - k * HALF_PI_LOW;
    let s = r * r;
    let of_sine = r + r * s * ((-1.9584832e-4 * s + 8.332733e-3) * s - 1.6666664e-1);
    let of_cosine = 1.0 - 0.5 * s + s * s * ((2.4667244e-5 * s - 1.3889122e-3) * s + 4.1666672e-2);
    let quarter = i32(k) + quarters;
    let found = select(of_sine, of_cosine, (quarter & 1) != 0);
    return select(found, -found, (quarter & 2) != 0);
}

// Near 0 a polynomial; from 10 on it is 1.
fn hyperbolic_tangent(x: f32) -> f32 {
    let s = x * x;
    let series = (((-6.10038e-3 * s + 2.0999717e-2) * s - 5.3851448e-2) * s + 1.3332774e-1) * s - 3.3333328e-1;
    let z = abs(x);
    let far = 1.0 - 2.0 / (exponential(2.0 * min(z, 10.0)) + 1.0);
    return select(x + x * s * series, select(far, -far, x < 0.0), z > 0.625);
}

// Below 1 a polynomial in x², then 1 − e^−p with another p for −ln(1 − erf x), which leaves 1 from 4 on.
fn error_function(x: f32) -> f32 {
    let s = x * x;
    let series = (((((7.853847e-5 * s - 8.010189e-4) * s + 5.1883273e-3) * s - 2.6853811e-2) * s + 1.1283585e-1) * s
        - 3.7612626e-1) * s + TWO_BY_ROOT_PI;
    let z = min(abs(x), 4.0);
    let power = ((((((1.334542e-5 * z - 3.1818854e-4) * z + 3.441242e-3) * z - 2.2638619e-2) * z + 1.0335548e-1) * z
        + 6.390472e-1) * z + 1.1259569) * z + 7.484277e-4;
    let far = 1.0 - exponential(-power);
    return select(x * series, select(far, -far, x < 0.0), abs(x) >= 1.0);
}

fn logistic(x: f32) -> f32 {
    return 1.0 / (1.0 + exponential(-x));
}

fn power(x: f32, exponent: f32) -> f32 {
    let magnitude = exponential(exponent * logarithm(abs(x)));
    let is_odd = 2.0 * floor(0.5 * exponent) != exponent;
    // Of a number below 0 only a whole power is a number.
    let of_negative = select(logarithm(x), select(magnitude, -magnitude, is_odd), floor(exponent) == exponent);
    return select(select(magnitude, of_negative, x < 0.0), 1.0, exponent == 0.0);
}

// Not a number stays one.
fn signed_one(x: f32) -> f32 {
    return select(select(x, 1.0, x > 0.0), -1.0, x < 0.0);
}

fn value(x: f32) -> f32 {
    switch (FUNCTION) {
        case 0u: { return abs(x); }
        case 1u: { return sqrt(x); }
        case 2u: { return 1.0 / x; }
        case 3u: { return exponential(x); }
        case 4u: { return logarithm(x); }
        case 5u: { return sine(x, 0); }
        case 6u: { return sine(x, 1); }
        case 7u: { return hyperbolic_tangent(x); }
        case 8u: { return error_function(x); }
        case 9u: { return floor(x); }
        case 10u: { return ceil(x); }
        case 11u: { return round(x); }
        case 12u: { return signed_one(x); }
        case 13u: { return select(params.low * exponential_minus_1(min(x, 0.0)), x, x > 0.0); }
        case 14u: { return max(x, 0.0) + logarithm(1.0 + exponential(-abs(x))); }
        case 15u: { return x / (1.0 + abs(x)); }
        default: { return power(x, params.low); }
    }
}

fn derivative(x: f32) -> f32 {
    switch (FUNCTION) {
        case 0u: { return signed_one(x); }
        case 1u: { return 0.5 / sqrt(x); }
        case 2u: { return -1.0 / (x * x); }
        case 3u: { return exponential(x); }
        case 4u: { return 1.0 / x; }
        case 5u: { return sine(x, 1); }
        case 6u: { return -sine(x, 0); }
        case 7u: {
            let y = hyperbolic_tangent(x);
            return 1.0 - y * y;
        }
        case 8u: { return TWO_BY_ROOT_PI * exponential(-x * x); }
        case 9u, 10u, 11u, 12u: { return 0.0; }
        case 13u: { return select(params.low * exponential(min(x, 0.0)), 1.0, x > 0.0); }
        case 14u: { return logistic(x); }
        case 15u: { return 1.0 / ((1.0 + abs(x)) * (1.0 + abs(x))); }
        default: { return params.low * power(x, params.low - 1.0); }
    }
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = element(group, local);
    if (i >= params.length) { return; }
    out[params.out_offset + i] = value(x[params.x_offset + i]);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = element(group, local);
    if (i >= params.length) { return; }
    out[params.out_offset + i] = chained(derivative(x[params.x_offset + i]), dy[params.dy_offset + i]);
}
