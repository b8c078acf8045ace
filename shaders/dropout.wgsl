// Dropout with random numbers from counters (shared/philox.wgsl). One invocation per four values, which share one draw.

struct Params {
    length: u32,
    // The first value of this dispatch, divided by 4, in the whole tensor.
    first_quad: u32,
    // As many of these as the whole tensor has belong to each micro-batch.
    quads: u32,
    layer: u32,
    // Words below it are dropped.
    threshold: u32,
    scale: f32,
    x_offset: u32,
    out_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<uniform> state: State;

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let quad = (group.y * params.grid + group.x) * 256u + local;
    if (quad * 4u >= params.length) { return; }
    let counter = vec4<u32>(state.micro_batch * params.quads + params.first_quad + quad, state.step, params.layer, 0u);
    let words = philox4x32(counter, state.seed);
    for (var i = 0u; i < 4u && quad * 4u + i < params.length; i++) {
        let value = x[params.x_offset + quad * 4u + i] * params.scale;
        out[params.out_offset + quad * 4u + i] = select(value, 0.0, words[i] < params.threshold);
    }
}
