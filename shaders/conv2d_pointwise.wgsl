// Pointwise convolutions in registers only, for software adapters, on which workgroup memory is slow. Planes are made of
// whole vec4s.
//
//   forward   one invocation makes 16 filters × 16 neighbouring pixels of y
//   pack      the filters side by side for each channel, as forward reads them

struct Params {
    images: u32,
    // vec4s of a plane of x or y.
    plane: u32,
    channels: u32,
    filters: u32,
    // The filters with those that fill the last block, which are zeros.
    outer: u32,
    x_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    y_offset: u32,
    residual_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
    // What the activation function is made with.
    low: f32,
    high: f32,
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> weight: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding(5) var<storage, read> residual: array<vec4<f32>>;

@group(0) @binding(1) var<storage, read> filters: array<f32>;
@group(0) @binding(2) var<storage, read_write> packed: array<f32>;

const INVOCATIONS: u32 = 32u;
const FILTERS: u32 = 16u;
const QUADS: u32 = 4u;

// Where the invocation's block begins: the image, the filter, and the vec4 of each plane.
struct Place {
    image: u32,
    first_filter: u32,
    quad: u32,
}

fn store_quad(place: Place, filter_index: u32, quad: u32, sum: vec4<f32>) {
    let f = place.first_filter + filter_index;
    if (f >= params.filters || place.quad + quad >= params.plane) { return; }
    let at = (place.image * params.filters + f) * params.plane + place.quad + quad;
    var value = sum + bias[params.bias_offset + f];
    if (RESIDUAL) { value += residual[params.residual_offset / 4u + at]; }
    y[params.y_offset / 4u + at] = vec4<f32>(
        activated(params.low, params.high, value.x),
        activated(params.low, params.high, value.y),
        activated(params.low, params.high, value.z),
        activated(params.low, params.high, value.w),
    );
}

fn store_square(place: Place, filter_index: u32, quad: u32, sums: Square) {
    store_quad(place, filter_index, quad, sums.f0);
    store_quad(place, filter_index + 1u, quad, sums.f1);
    store_quad(place, filter_index + 2u, quad, sums.f2);
    store_quad(place, filter_index + 3u, quad, sums.f3);
}

fn store_strip(place: Place, filter_index: u32, sums: Strip) {
    store_square(place, filter_index, 0u, sums.t0);
    store_square(place, filter_index, 1u, sums.t1);
    store_square(place, filter_index, 2u, sums.t2);
    store_square(place, filter_index, 3u, sums.t3);
}

@compute @workgroup_size(INVOCATIONS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Blocks of filters, then of pixels, then images, counted in one row.
    let index = (group.y * params.grid + group.x) * INVOCATIONS + local;
    let down = params.outer / FILTERS;
    let across = (params.plane + QUADS - 1u) / QUADS;
    let place = Place(index / down / across, index % down * FILTERS, index / down % across * QUADS);
    if (place.image >= params.images) { return; }
    // vec4s past the last repeat it, and are not stored.
    let quads = min(vec4<u32>(place.quad) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.plane - 1u));
    var x_at = vec4<u32>(params.x_offset / 4u + place.image * params.channels * params.plane) + quads;
    var weight_at = (params.weight_offset + place.first_filter) / 4u;
    var s0: Strip;
    var s1: Strip;
    var s2: Strip;
    var s3: Strip;
    for (var c = 0u; c < params.channels; c++) {
        let t0 = x[x_at.x];
        let t1 = x[x_at.y];
        let t2 = x[x_at.z];
        let t3 = x[x_at.w];
        s0 = add_strip(s0, weight[weight_at], t0, t1, t2, t3);
        s1 = add_strip(s1, weight[weight_at + 1u], t0, t1, t2, t3);
        s2 = add_strip(s2, weight[weight_at + 2u], t0, t1, t2, t3);
        s3 = add_strip(s3, weight[weight_at + 3u], t0, t1, t2, t3);
        x_at += vec4<u32>(params.plane);
        weight_at += params.outer / 4u;
    }
    store_strip(place, 0u, s0);
    store_strip(place, 4u, s1);
    store_strip(place, 8u, s2);
    store_strip(place, 12u, s3);
}

@compute @workgroup_size(64)
fn pack(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 64u + local;
    if (i >= params.channels * params.outer) { return; }
    let c = i / params.outer;
    let f = i % params.outer;
    let exists = f < params.filters;
    let at = params.weight_offset + select(0u, f * params.channels + c, exists);
    packed[params.y_offset + i] = select(0.0, filters[at], exists);
}
