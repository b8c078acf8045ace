// Mean over windows, and its gradient. One invocation per element of the result.

struct Params {
    planes: u32,
    count_include_pad: u32,
    in_offset: u32,
    out_offset: u32,
    // Height and width.
    size: vec2<u32>,
    out_size: vec2<u32>,
    kernel: vec2<u32>,
    stride: vec2<u32>,
    padding: vec2<u32>,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// x in the forward pass, dy in the backward pass.
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

// Where the window of an output begins in the input, and one past its end.
fn first(o: vec2<u32>) -> vec2<u32> {
    return max(o * params.stride, params.padding) - params.padding;
}

fn end(o: vec2<u32>) -> vec2<u32> {
    return min(max(o * params.stride + params.kernel, params.padding) - params.padding, params.size);
}

// How many elements a window counts.
fn count(o: vec2<u32>) -> f32 {
    let padded = min(o * params.stride + params.kernel, params.size + 2u * params.padding) - o * params.stride;
    let counted = select(end(o) - first(o), padded, params.count_include_pad != 0u);
    return f32(counted.x * counted.y);
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let out_plane = params.out_size.x * params.out_size.y;
    if (i >= params.planes * out_plane) { return; }
    let o = vec2<u32>(i % out_plane / params.out_size.y, i % params.out_size.y);
    let plane = i / out_plane * params.size.x;
    let start = first(o);
    let stop = end(o);
    var sum = 0.0;
    for (var y = start.x; y < stop.x; y++) {
        for (var x = start.y; x < stop.y; x++) {
            sum += source[params.in_offset + (plane + y) * params.size.y + x];
        }
    }
    out[params.out_offset + i] = sum / count(o);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let in_plane = params.size.x * params.size.y;
    if (i >= params.planes * in_plane) { return; }
    let plane = i / in_plane * params.out_size.x;
    let padded = vec2<u32>(i % in_plane / params.size.y, i % params.size.y) + params.padding;
    // The windows that hold this input: the first, and one past the last.
    let start = select(vec2<u32>(), (padded - params.kernel) / params.stride + 1u, padded >= params.kernel);
    let stop = min(padded / params.stride + 1u, params.out_size);
    var sum = 0.0;
    for (var y = start.x; y < stop.x; y++) {
        for (var x = start.y; x < stop.y; x++) {
            sum += source[params.in_offset + (plane + y) * params.out_size.y + x] / count(vec2<u32>(y, x));
        }
    }
    out[params.out_offset + i] = sum;
}
