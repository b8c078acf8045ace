// Softmax over one dimension, and its gradient. A row is the classes that sum to 1: those of one sample (and one pixel,
// where there are any).
//
//   forward, backward            one invocation per row: few classes
//   forward_wide, backward_wide  one workgroup per row: many classes

struct Params {
    rows: u32,
    classes: u32,
    // Values between two classes of one row.
    inner: u32,
    x_offset: u32,
    dy_offset: u32,
    out_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// x in the forward pass, y in the backward pass.
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// Where a row begins.
fn row_start(row: u32) -> u32 {
    return row / params.inner * params.classes * params.inner + row % params.inner;
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = (group.y * params.grid + group.x) * 64u + local;
    if (row >= params.rows) { return; }
    let start = row_start(row);
    var maximum = x[params.x_offset + start];
    for (var c = 1u; c < params.classes; c++) {
        maximum = max(maximum, x[params.x_offset + start + c * params.inner]);
    }
    var sum = 0.0;
    for (var c = 0u; c < params.classes; c++) {
        sum += exp(x[params.x_offset + start + c * params.inner] - maximum);
    }
    for (var c = 0u; c < params.classes; c++) {
        let i = start + c * params.inner;
        out[params.out_offset + i] = exp(x[params.x_offset + i] - maximum) / sum;
    }
}

@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = (group.y * params.grid + group.x) * 64u + local;
    if (row >= params.rows) { return; }
    let start = row_start(row);
    var sum = 0.0;
    for (var c = 0u; c < params.classes; c++) {
        let i = start + c * params.inner;
        sum += x[params.x_offset + i] * dy[params.dy_offset + i];
    }
    for (var c = 0u; c < params.classes; c++) {
        let i = start + c * params.inner;
        out[params.out_offset + i] = x[params.x_offset + i] * (dy[params.dy_offset + i] - sum);
    }
}

var<workgroup> partial: array<f32, 64>;

fn sum_of_all(value: f32, local: u32) -> f32 {
    partial[local] = value;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    // With a barrier before and after it: the memory is free for the next sum.
    return workgroupUniformLoad(&partial[0]);
}

fn maximum_of_all(value: f32, local: u32) -> f32 {
    partial[local] = value;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] = max(partial[local], partial[local + half]); }
    }
    // With a barrier before and after it: the memory is free for the next use.
    return workgroupUniformLoad(&partial[0]);
}

@compute @workgroup_size(64)
fn forward_wide(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = group.y * params.grid + group.x;
    if (row >= params.rows) { return; }
    let start = row_start(row);
    var maximum = x[params.x_offset + start];
    for (var c = local; c < params.classes; c += 64u) {
        maximum = max(maximum, x[params.x_offset + start + c * params.inner]);
    }
    maximum = maximum_of_all(maximum, local);
    var sum = 0.0;
    for (var c = local; c < params.classes; c += 64u) {
        sum += exp(x[params.x_offset + start + c * params.inner] - maximum);
    }
    sum = sum_of_all(sum, local);
    for (var c = local; c < params.classes; c += 64u) {
        let i = start + c * params.inner;
        out[params.out_offset + i] = exp(x[params.x_offset + i] - maximum) / sum;
    }
}

@compute @workgroup_size(64)
fn backward_wide(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = group.y * params.grid + group.x;
    if (row >= params.rows) { return; }
    let start = row_start(row);
    var sum = 0.0;
    for (var c = local; c < params.classes; c += 64u) {
        let i = start + c * params.inner;
        sum += x[params.x_offset + i] * dy[params.dy_offset + i];
    }
    sum = sum_of_all(sum, local);
    for (var c = local; c < params.classes; c += 64u) {
        let i = start + c * params.inner;
        out[params.out_offset + i] = x[params.x_offset + i] * (dy[params.dy_offset + i] - sum);
    }
}
