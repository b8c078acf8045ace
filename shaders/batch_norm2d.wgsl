// Batch normalisation: statistics of a batch, normalisation, gradients, and weights that take it along.
//
//   statistics      the moments of a part of one channel, one workgroup per part
//   merge           mean and variance of a channel from its parts, one invocation per channel
//   running         running statistics follow the batch's, one invocation per channel
//   forward         one invocation per element
//   backward_sums   sums over a part of one channel, one workgroup per part
//   merge_sums      dweight and dbias from these, one invocation per channel
//   backward_input  dx, one invocation per element
//   fold            a convolution's weights, one invocation per element
//   fold_bias       and its biases, one invocation per row

struct Params {
    // Elements of what is written, or images in this dispatch.
    length: u32,
    channels: u32,
    // Elements of one channel of one image.
    inner: u32,
    // Elements of a channel in one part, the first part of this dispatch, and all parts of a channel.
    part: u32,
    first_part: u32,
    parts: u32,
    // Whether mean and variance depend on x, and how many elements they are of.
    training: u32,
    count: f32,
    eps: f32,
    momentum: f32,
    factor: f32,
    a_offset: u32,
    b_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    mean_offset: u32,
    var_offset: u32,
    out_offset: u32,
    out2_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// x, or the weights of a convolution, or sums of parts.
@group(0) @binding(1) var<storage, read> a: array<f32>;
// dy, or the biases of a convolution.
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> weight: array<f32>;
// The bias; in `backward_input` dbias.
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read> mean: array<f32>;
@group(0) @binding(6) var<storage, read> variance: array<f32>;
// In `backward_input` dweight.
@group(0) @binding(7) var<storage, read> dweight: array<f32>;
@group(0) @binding(8) var<storage, read_write> out: array<f32>;
@group(0) @binding(9) var<storage, read_write> out2: array<f32>;

// Invocations of a workgroup that sums.
const TOTAL: u32 = 256u;

// Where element k of a channel lies.
fn place(channel: u32, k: u32) -> u32 {
    return (k / params.inner * params.channels + channel) * params.inner + k % params.inner;
}

// The elements of a channel that a part has: the first, and one past the last.
fn elements(part: u32) -> vec2<u32> {
    let first = part * params.part;
    return vec2<u32>(first, min(first + params.part, params.length * params.inner));
}

@compute @workgroup_size(256)
fn statistics(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = group.x;
    let range = elements(group.y);
    let count = f32(range.y - range.x);
    var sum = 0.0;
    for (var k = range.x + local; k < range.y; k += 256u) {
        sum += a[params.a_offset + place(channel, k)];
    }
    let center = total(vec2<f32>(sum, 0.0), local).x / count;
    var squares = 0.0;
    for (var k = range.x + local; k < range.y; k += 256u) {
        let distance = a[params.a_offset + place(channel, k)] - center;
        squares += distance * distance;
    }
    let moment = total(vec2<f32>(squares, 0.0), local).x;
    if (local == 0u) {
        let at = params.out_offset + 3u * (channel * params.parts + params.first_part + group.y);
        out[at] = count;
        out[at + 1u] = center;
        out[at + 2u] = moment;
    }
}

// Chan, Golub, LeVeque 1979: how the moments of two parts become those of both.
@compute @workgroup_size(64)
fn merge(@builtin(global_invocation_id) id: vec3<u32>) {
    let channel = id.x;
    if (channel >= params.channels) { return; }
    var count = 0.0;
    var center = 0.0;
    var moment = 0.0;
    for (var part = 0u; part < params.parts; part++) {
        let at = params.a_offset + 3u * (channel * params.parts + part);
        let both = count + a[at];
        let distance = a[at + 1u] - center;
        center += distance * (a[at] / both);
        moment += a[at + 2u] + distance * distance * (count * (a[at] / both));
        count = both;
    }
    out[params.out_offset + channel] = center;
    out2[params.out2_offset + channel] = moment / count;
}

@compute @workgroup_size(64)
fn running(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= params.length) { return; }
    let at = params.out_offset + id.x;
    out[at] = (1.0 - params.momentum) * out[at] + params.momentum * (params.factor * a[params.a_offset + id.x]);
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    let channel = i / params.inner % params.channels;
    let scale = weight[params.weight_offset + channel] / sqrt(variance[params.var_offset + channel] + params.eps);
    let distance = a[params.a_offset + i] - mean[params.mean_offset + channel];
    out[params.out_offset + i] = distance * scale + bias[params.bias_offset + channel];
}

// The sums of (x − mean) · dy and of dy.
@compute @workgroup_size(256)
fn backward_sums(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let channel = group.x;
    let range = elements(group.y);
    let center = mean[params.mean_offset + channel];
    var sums = vec2<f32>();
    for (var k = range.x + local; k < range.y; k += 256u) {
        let at = place(channel, k);
        let gradient = b[params.b_offset + at];
        sums += vec2<f32>((a[params.a_offset + at] - center) * gradient, gradient);
    }
    let all = total(sums, local);
    if (local == 0u) {
        let at = params.out_offset + 2u * (channel * params.parts + params.first_part + group.y);
        out[at] = all.x;
        out[at + 1u] = all.y;
    }
}

@compute @workgroup_size(64)
fn merge_sums(@builtin(global_invocation_id) id: vec3<u32>) {
    let channel = id.x;
    if (channel >= params.channels) { return; }
    var sums = vec2<f32>();
    for (var part = 0u; part < params.parts; part++) {
        let at = params.a_offset + 2u * (channel * params.parts + part);
        sums += vec2<f32>(a[at], a[at + 1u]);
    }
    out[params.out_offset + channel] = sums.x / sqrt(variance[params.var_offset + channel] + params.eps);
    out2[params.out2_offset + channel] = sums.y;
}

@compute @workgroup_size(256)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    let channel = i / params.inner % params.channels;
    let inverse = 1.0 / sqrt(variance[params.var_offset + channel] + params.eps);
    var gradient = b[params.b_offset + i];
    if (params.training != 0u) {
        let distance = a[params.a_offset + i] - mean[params.mean_offset + channel];
        let of_var = dweight[params.out2_offset + channel] * inverse / params.count;
        gradient -= bias[params.bias_offset + channel] / params.count + distance * of_var;
    }
    out[params.out_offset + i] = weight[params.weight_offset + channel] * inverse * gradient;
}

@compute @workgroup_size(256)
fn fold(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    let row = i / params.inner;
    let scale = weight[params.weight_offset + row] / sqrt(variance[params.var_offset + row] + params.eps);
    out[params.out_offset + i] = scale * a[params.a_offset + i];
}

@compute @workgroup_size(64)
fn fold_bias(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if (row >= params.length) { return; }
    let scale = weight[params.weight_offset + row] / sqrt(variance[params.var_offset + row] + params.eps);
    let distance = b[params.b_offset + row] - mean[params.mean_offset + row];
    out[params.out_offset + row] = distance * scale + bias[params.bias_offset + row];
}
