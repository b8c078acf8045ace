// Another height and width, and the gradient. One invocation per element of the result. Places in the input are quotients of
// whole numbers, so that all devices take the same neighbours.

struct Params {
    planes: u32,
    bilinear: u32,
    in_offset: u32,
    out_offset: u32,
    // Height and width of the input and of the output of the forward pass.
    size: vec2<u32>,
    out_size: vec2<u32>,
    // Output o lies at max(step * o + shift, 0) / unit.
    step: vec2<u32>,
    shift: vec2<i32>,
    unit: vec2<u32>,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// x in the forward pass, dy in the backward pass.
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

// The place of an output along both axes, in units.
fn place(o: vec2<u32>) -> vec2<u32> {
    return vec2<u32>(max(vec2<i32>(o * params.step) + params.shift, vec2<i32>()));
}

// The weight of the neighbour after a place.
fn share(at: vec2<u32>) -> vec2<f32> {
    return select(vec2<f32>(), vec2<f32>(at % params.unit) / vec2<f32>(params.unit), params.bilinear != 0u);
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let out_plane = params.out_size.x * params.out_size.y;
    if (i >= params.planes * out_plane) { return; }
    let at = place(vec2<u32>(i % out_plane / params.out_size.y, i % params.out_size.y));
    let before = at / params.unit;
    let after = min(before + 1u, params.size - 1u);
    let part = share(at);
    let plane = params.in_offset + i / out_plane * params.size.x * params.size.y;
    let upper = plane + before.x * params.size.y;
    let lower = plane + after.x * params.size.y;
    let above = (1.0 - part.y) * source[upper + before.y] + part.y * source[upper + after.y];
    let below = (1.0 - part.y) * source[lower + before.y] + part.y * source[lower + after.y];
    out[params.out_offset + i] = (1.0 - part.x) * above + part.x * below;
}

// The first output whose place is not before this element, along both axes.
fn first_at(element: vec2<i32>) -> vec2<u32> {
    let distance = vec2<u32>(max(element * vec2<i32>(params.unit) - params.shift, vec2<i32>()));
    return select((distance + params.step - 1u) / params.step, vec2<u32>(), element <= vec2<i32>());
}

// The weight of an input in an output, along both axes.
fn weight(element: vec2<u32>, o: vec2<u32>) -> vec2<f32> {
    let at = place(o);
    let before = at / params.unit;
    let part = share(at);
    let first = select(vec2<f32>(), 1.0 - part, before == element);
    return first + select(vec2<f32>(), part, min(before + 1u, params.size - 1u) == element);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    let in_plane = params.size.x * params.size.y;
    if (i >= params.planes * in_plane) { return; }
    let element = vec2<u32>(i % in_plane / params.size.y, i % params.size.y);
    // Outputs between the neighbours before and after this element.
    let start = first_at(vec2<i32>(element) - i32(params.bilinear));
    let stop = min(first_at(vec2<i32>(element) + 1), params.out_size);
    let plane = params.in_offset + i / in_plane * params.out_size.x * params.out_size.y;
    var sum = 0.0;
    for (var y = start.x; y < stop.x; y++) {
        for (var x = start.y; x < stop.y; x++) {
            let both = weight(element, vec2<u32>(y, x));
            sum += both.x * both.y * source[plane + y * params.out_size.y + x];
        }
    }
    out[params.out_offset + i] = sum;
}
