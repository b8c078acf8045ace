// Parametric rectified linear unit and its gradients.
//
//   forward         one invocation per value
//   backward_input  dx, one invocation per value
//   backward_slope  dslope, one workgroup per channel

struct Params {
    images: u32,
    channels: u32,
    inner: u32,
    x_offset: u32,
    slope_offset: u32,
    dy_offset: u32,
    out_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
    // Whether the result is added to what is there.
    accumulate: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> slope: array<f32>;
@group(0) @binding(3) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;

// What a value is multiplied with; PyTorch counts 0 among the negative values.
fn factor(i: u32) -> f32 {
    let channel = i / params.inner % params.channels;
    return select(slope[params.slope_offset + channel], 1.0, x[params.x_offset + i] > 0.0);
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.images * params.channels * params.inner) { return; }
    out[params.out_offset + i] = factor(i) * x[params.x_offset + i];
}

@compute @workgroup_size(256)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.images * params.channels * params.inner) { return; }
    out[params.out_offset + i] = factor(i) * dy[params.dy_offset + i];
}

var<workgroup> partial: array<f32, 256>;

@compute @workgroup_size(256)
fn backward_slope(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = group.y * params.grid + group.x;
    // Every invocation of the group leaves or stays: the channel is theirs in common.
    if (channel >= params.channels) { return; }
    var sum = 0.0;
    for (var k = local; k < params.images * params.inner; k += 256u) {
        let i = (k / params.inner * params.channels + channel) * params.inner + k % params.inner;
        let value = x[params.x_offset + i];
        sum += select(value * dy[params.dy_offset + i], 0.0, value > 0.0);
    }
    partial[local] = sum;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    if (local == 0u) {
        let at = params.out_offset + channel;
        out[at] = select(0.0, out[at], params.accumulate != 0u) + partial[0];
    }
}
