// Maximum over windows, and its gradient. One invocation per value of the result.

struct Params {
    planes: u32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    kernel: u32,
    stride: u32,
    padding: u32,
    x_offset: u32,
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
    let top = max(oy * params.stride, params.padding) - params.padding;
    let left = max(ox * params.stride, params.padding) - params.padding;
    let bottom = min(max(oy * params.stride + params.kernel, params.padding) - params.padding, params.height);
    let right = min(max(ox * params.stride + params.kernel, params.padding) - params.padding, params.width);
    var best = Maximum(top * params.width + left, x[params.x_offset + plane + top * params.width + left]);
    for (var iy = top; iy < bottom; iy++) {
        for (var ix = left; ix < right; ix++) {
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

// The windows that hold input `i` along one axis: the first, and one past the last.
fn windows(i: u32, size: u32) -> vec2<u32> {
    let padded = i + params.padding;
    let first = select(0u, (padded - params.kernel) / params.stride + 1u, padded >= params.kernel);
    return vec2<u32>(first, min(padded / params.stride + 1u, size));
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let in_plane = params.height * params.width;
    if (i >= params.planes * in_plane) { return; }
    let place = i % in_plane;
    let plane = i / in_plane;
    let rows = windows(place / params.width, params.out_height);
    let columns = windows(place % params.width, params.out_width);
    var sum = 0.0;
    for (var oy = rows.x; oy < rows.y; oy++) {
        for (var ox = columns.x; ox < columns.y; ox++) {
            if (first_maximum(plane * in_plane, oy, ox).place == place) {
                sum += dy[params.dy_offset + (plane * params.out_height + oy) * params.out_width + ox];
            }
        }
    }
    out[params.out_offset + i] = sum;
}
