// Stochastic depth with random numbers from counters (shared/philox.wgsl). A workgroup does up to 1,024 elements of a sample.

struct Params {
    // Workgroups that have something to do.
    length: u32,
    // The first sample of this dispatch, and how many the whole batch has.
    first_sample: u32,
    samples: u32,
    // Elements of a sample, and the workgroups for them.
    elements: u32,
    blocks: u32,
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
    let i = group.y * params.grid + group.x;
    if (i >= params.length) { return; }
    let sample = i / params.blocks;
    let number = state.micro_batch * params.samples + params.first_sample + sample;
    let counter = vec4<u32>(number, state.step, params.layer, 1u);
    let stays = philox4x32(counter, state.seed).x >= params.threshold;
    let start = i % params.blocks * 1024u;
    for (var at = start + local; at < min(start + 1024u, params.elements); at += 256u) {
        let value = x[params.x_offset + sample * params.elements + at] * params.scale;
        out[params.out_offset + sample * params.elements + at] = select(0.0, value, stays);
    }
}
