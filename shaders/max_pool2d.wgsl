// Maximum over windows, and its gradient. One invocation per value of the result, or per window where these share nothing.

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
    // 1: x is what a ReLU gave, and the gradient is of what that took.
    relu: u32,
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

// The part of a window's gradient that goes to its maximum.
fn gradient(plane: u32, oy: u32, ox: u32, maximum: f32) -> f32 {
    let value = dy[params.dy_offset + (plane * params.out_height + oy) * params.out_width + ox];
    return select(0.0, value, params.relu == 0u || maximum > 0.0);
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
            let maximum = first_maximum(plane * in_plane, oy, ox);
            if (maximum.place == place) { sum += gradient(plane, oy, ox, maximum.value); }
        }
    }
    out[params.out_offset + i] = sum;
}

@compute @workgroup_size(256)
fn backward_apart(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let size = vec2<u32>(params.height, params.width);
    // What is left over after the last window is a block, too.
    let blocks = (size + params.kernel - 1u) / params.kernel;
    if (i >= params.planes * blocks.x * blocks.y) { return; }
    let plane = i / (blocks.x * blocks.y);
    let block = vec2<u32>(i / blocks.y % blocks.x, i % blocks.y);
    // No value of the block, and no gradient.
    var place = params.height * params.width;
    var passed = 0.0;
    if (all(block < vec2<u32>(params.out_height, params.out_width))) {
        let maximum = first_maximum(plane * params.height * params.width, block.x, block.y);
        place = maximum.place;
        passed = gradient(plane, block.x, block.y, maximum.value);
    }
    let end = min((block + 1u) * params.kernel, size);
    let first = params.out_offset + plane * params.height * params.width;
    for (var y = block.x * params.kernel.x; y < end.x; y++) {
        for (var x = block.y * params.kernel.y; x < end.y; x++) {
            let at = y * params.width + x;
            out[first + at] = select(0.0, passed, at == place);
        }
    }
}
