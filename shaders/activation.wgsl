// Activation functions and their gradients. The derivatives of functions 1 to 4 see y, those of the others x; either is
// bound as x. `low` is the minimum of a clip, or the slope of a leaky ReLU; `high` is the maximum of a clip.

fn derivative(seen: f32) -> f32 {
    switch (FUNCTION) {
        case 1u: { return select(0.0, 1.0, seen > 0.0); }
        case 2u: { return select(0.0, 1.0, seen > params.low && seen < params.high); }
        case 3u: { return select(params.low, 1.0, seen > 0.0); }
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

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = element(group, local);
    if (i >= params.length) { return; }
    out[params.out_offset + i] = activated(params.low, params.high, x[params.x_offset + i]);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = element(group, local);
    if (i >= params.length) { return; }
    out[params.out_offset + i] = chained(derivative(x[params.x_offset + i]), dy[params.dy_offset + i]);
}
