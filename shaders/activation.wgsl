// Activation functions and their gradients. One invocation per element.

struct Params {
    length: u32,
    x_offset: u32,
    dy_offset: u32,
    out_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
    // 0 ReLU, 1 clip, 2 leaky ReLU, 3 sigmoid, 4 hardswish, 5 SiLU, 6 GELU, 7 GELU by tanh.
    function: u32,
    // The minimum of a clip, or the slope of a leaky ReLU.
    low: f32,
    high: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
// x in the forward pass; in the backward pass y of functions 0 to 3, and x of the others.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

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

// Not max() and min(): a NaN must stay one.
fn activate(x: f32) -> f32 {
    switch (params.function) {
        case 0u: { return select(x, 0.0, x < 0.0); }
        case 1u: {
            let above = select(x, params.low, x < params.low);
            return select(above, params.high, above > params.high);
        }
        case 2u: { return select(x, params.low * x, x < 0.0); }
        case 3u: { return sigmoid(x); }
        case 4u: { return x * clamp(x + 3.0, 0.0, 6.0) / 6.0; }
        case 5u: { return x * sigmoid(x); }
        case 6u: { return x * normal(x); }
        default: { return 0.5 * x * (1.0 + gelu_tanh(x)); }
    }
}

fn derivative(seen: f32) -> f32 {
    switch (params.function) {
        case 0u: { return select(0.0, 1.0, seen > 0.0); }
        case 1u: { return select(0.0, 1.0, seen > params.low && seen < params.high); }
        case 2u: { return select(params.low, 1.0, seen > 0.0); }
        case 3u: { return seen * (1.0 - seen); }
        case 4u: {
            let inside = (2.0 * seen + 3.0) / 6.0;
            return select(select(inside, 1.0, seen >= 3.0), 0.0, seen <= -3.0);
        }
        case 5u: {
            let s = sigmoid(seen);
            return s + seen * s * (1.0 - s);
        }
        // The density of the normal distribution: its 1 / sqrt(2 pi) is half of sqrt(2 / pi).
        case 6u: { return normal(seen) + seen * 0.5 * ROOT_2_BY_PI * exp(-0.5 * seen * seen); }
        default: {
            let t = gelu_tanh(seen);
            return 0.5 * (1.0 + t) + 0.5 * seen * (1.0 - t * t) * ROOT_2_BY_PI * (1.0 + 3.0 * CUBIC * seen * seen);
        }
    }
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    out[params.out_offset + i] = activate(x[params.x_offset + i]);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    let gradient = dy[params.dy_offset + i];
    let factor = derivative(x[params.x_offset + i]);
    // No product with 0: what is infinite must not become NaN.
    out[params.out_offset + i] = select(factor * gradient, 0.0, factor == 0.0);
}
