// Mean over windows that give an output of a fixed size, and its gradient. One invocation per value of the result.

struct Params {
    planes: u32,
    height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    in_offset: u32,
    out_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// x in the forward pass, dy in the backward pass.
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

// The inputs that output `o` is the mean of: the first, and one past the last.
fn window(o: u32, input: u32, output: u32) -> vec2<u32> {
    return vec2<u32>(o * input / output, ((o + 1u) * input + output - 1u) / output);
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let out_plane = params.out_height * params.out_width;
    if (i >= params.planes * out_plane) { return; }
    let plane = i / out_plane * params.height;
    let rows = window(i % out_plane / params.out_width, params.height, params.out_height);
    let columns = window(i % params.out_width, params.width, params.out_width);
    var sum = 0.0;
    for (var y = rows.x; y < rows.y; y++) {
        for (var x = columns.x; x < columns.y; x++) {
            sum += source[params.in_offset + (plane + y) * params.width + x];
        }
    }
    out[params.out_offset + i] = sum / f32((rows.y - rows.x) * (columns.y - columns.x));
}

// The outputs whose windows hold input `i`: the first, and one past the last.
fn windows_of(i: u32, input: u32, output: u32) -> vec2<u32> {
    return vec2<u32>(i * output / input, ((i + 1u) * output + input - 1u) / input);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let in_plane = params.height * params.width;
    if (i >= params.planes * in_plane) { return; }
    let plane = i / in_plane * params.out_height;
    let rows = windows_of(i % in_plane / params.width, params.height, params.out_height);
    let columns = windows_of(i % params.width, params.width, params.out_width);
    var sum = 0.0;
    for (var oy = rows.x; oy < rows.y; oy++) {
        let height = window(oy, params.height, params.out_height);
        for (var ox = columns.x; ox < columns.y; ox++) {
            let width = window(ox, params.width, params.out_width);
            let count = f32((height.y - height.x) * (width.y - width.x));
            sum += source[params.in_offset + (plane + oy) * params.out_width + ox] / count;
        }
    }
    out[params.out_offset + i] = sum;
}
