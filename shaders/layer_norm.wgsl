// Layer normalisation over rows of features, and its gradients.
//
//   forward           one workgroup per row
//   backward_input    dx, one workgroup per row, which leaves mean and inverse deviation of the row
//   backward_sums     sums over some rows for each feature, one invocation per feature
//   merge             dweight and dbias from these, one invocation per feature

struct Params {
    rows: u32,
    features: u32,
    eps: f32,
    // Rows that an invocation of `backward_sums` takes; the first part of this dispatch, and all parts.
    part: u32,
    first_part: u32,
    parts: u32,
    x_offset: u32,
    weight_offset: u32,
    // The bias, or dy.
    other_offset: u32,
    moments_offset: u32,
    out_offset: u32,
    out2_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> other: array<f32>;
@group(0) @binding(4) var<storage, read> moments: array<f32>;
@group(0) @binding(5) var<storage, read_write> out: array<f32>;
@group(0) @binding(6) var<storage, read_write> out2: array<f32>;

// Invocations of a workgroup that sums.
const TOTAL: u32 = 64u;

// Mean of a row, and one by its standard deviation.
fn row_moments(at: u32, local: u32) -> vec2<f32> {
    var sum = 0.0;
    for (var i = local; i < params.features; i += 64u) { sum += x[at + i]; }
    let mean = total(vec2<f32>(sum, 0.0), local).x / f32(params.features);
    var squares = 0.0;
    for (var i = local; i < params.features; i += 64u) {
        let distance = x[at + i] - mean;
        squares += distance * distance;
    }
    let variance = total(vec2<f32>(squares, 0.0), local).x / f32(params.features);
    return vec2<f32>(mean, 1.0 / sqrt(variance + params.eps));
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = group.y * params.grid + group.x;
    if (row >= params.rows) { return; }
    let at = params.x_offset + row * params.features;
    let found = row_moments(at, local);
    for (var i = local; i < params.features; i += 64u) {
        let normal = (x[at + i] - found.x) * found.y;
        out[params.out_offset + row * params.features + i] =
            normal * weight[params.weight_offset + i] + other[params.other_offset + i];
    }
}

@compute @workgroup_size(64)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = group.y * params.grid + group.x;
    if (row >= params.rows) { return; }
    let at = params.x_offset + row * params.features;
    let dy_at = params.other_offset + row * params.features;
    let found = row_moments(at, local);
    var sums = vec2<f32>();
    for (var i = local; i < params.features; i += 64u) {
        let g = weight[params.weight_offset + i] * other[dy_at + i];
        sums += vec2<f32>(g, g * (x[at + i] - found.x) * found.y);
    }
    let means = total(sums, local) / f32(params.features);
    for (var i = local; i < params.features; i += 64u) {
        let g = weight[params.weight_offset + i] * other[dy_at + i];
        let normal = (x[at + i] - found.x) * found.y;
        out[params.out_offset + row * params.features + i] = found.y * (g - means.x - normal * means.y);
    }
    if (local == 0u) {
        out2[params.out2_offset + 2u * row] = found.x;
        out2[params.out2_offset + 2u * row + 1u] = found.y;
    }
}

@compute @workgroup_size(64)
fn backward_sums(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let feature = group.x * 64u + local;
    if (feature >= params.features) { return; }
    var sums = vec2<f32>();
    let end = min((group.y + 1u) * params.part, params.rows);
    for (var row = group.y * params.part; row < end; row++) {
        let i = row * params.features + feature;
        let gradient = other[params.other_offset + i];
        let mean = moments[params.moments_offset + 2u * row];
        let inverse = moments[params.moments_offset + 2u * row + 1u];
        sums += vec2<f32>((x[params.x_offset + i] - mean) * inverse * gradient, gradient);
    }
    let at = params.out_offset + 2u * ((params.first_part + group.y) * params.features + feature);
    out[at] = sums.x;
    out[at + 1u] = sums.y;
}

@compute @workgroup_size(64)
fn merge(@builtin(global_invocation_id) id: vec3<u32>) {
    let feature = id.x;
    if (feature >= params.features) { return; }
    var sums = vec2<f32>();
    for (var part = 0u; part < params.parts; part++) {
        let at = params.x_offset + 2u * (part * params.features + feature);
        sums += vec2<f32>(x[at], x[at + 1u]);
    }
    out[params.out_offset + feature] = sums.x;
    out2[params.out2_offset + feature] = sums.y;
}
