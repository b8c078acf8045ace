// Maximum over windows, and its gradient. One invocation per value of the result.

struct Params {
    planes: u32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    x_offset: u32,
    // Down and to the right.
    kernel: vec2<u32>,
    stride: vec2<u32>,
    padding: vec2<u32>,
    dy_offset: u32,
    out_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

struct Maximum {
    place: u32,
    value: f32,
}

// The first maximum of a window in row order.
fn first_maximum(plane: u32, oy: u32, ox: u32) -> Maximum {
    // Counted with the padding before the input.
    let start = vec2<u32>(oy, ox) * params.stride;
    let first = max(start, params.padding) - params.padding;
    let reached = max(start + params.kernel, params.padding) - params.padding;
    let end = min(reached, vec2<u32>(params.height, params.width));
    let top_left = first.x * params.width + first.y;
    var best = Maximum(top_left, x[params.x_offset + plane + top_left]);
    for (var iy = first.x; iy < end.x; iy++) {
        for (var ix = first.y; ix < end.y; ix++) {
            let place = iy * params.width + ix;
            let value = x[params.x_offset + plane + place];
            // A NaN counts as a maximum, so that it is not hidden.
            if (value > best.value || value != value) { best = Maximum(place, value); }
        }
    }
    return best;
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let out_plane = params.out_height * params.out_width;
    if (i >= params.planes * out_plane) { return; }
    let within = i % out_plane;
    let plane = i / out_plane * params.height * params.width;
    out[params.out_offset + i] = first_maximum(plane, within / params.out_width, within % params.out_width).value;
}

// The first window, down and to the right, that holds the element at this place, which counts the padding before it.
fn first_window(padded: vec2<u32>) -> vec2<u32> {
    return select(vec2<u32>(), (padded - params.kernel) / params.stride + 1u, padded >= params.kernel);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let in_plane = params.height * params.width;
    if (i >= params.planes * in_plane) { return; }
    let place = i % in_plane;
    let plane = i / in_plane;
    let padded = vec2<u32>(place / params.width, place % params.width) + params.padding;
    let first = first_window(padded);
    let end = min(padded / params.stride + 1u, vec2<u32>(params.out_height, params.out_width));
    var sum = 0.0;
    for (var oy = first.x; oy < end.x; oy++) {
        for (var ox = first.y; ox < end.y; ox++) {
            if (first_maximum(plane * in_plane, oy, ox).place == place) {
                sum += dy[params.dy_offset + (plane * params.out_height + oy) * params.out_width + ox];
            }
        }
    }
    out[params.out_offset + i] = sum;
}
