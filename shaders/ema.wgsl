// The exponential moving average of a parameter, which forgets the first steps more quickly. One invocation per value.

struct Params {
    length: u32,
    decay: f32,
    average_offset: u32,
    parameter_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> average: array<f32>;
@group(0) @binding(2) var<storage, read> parameter: array<f32>;
@group(0) @binding(3) var<uniform> state: State;

@compute @workgroup_size(256)
fn update(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    let step = max(state.step, 1u);
    let decay = min(params.decay, f32(step - 1u) / (f32(step) + 8.0));
    // Nothing of it: what was there before the first step need not be a number.
    let kept = select(decay * average[params.average_offset + i], 0.0, decay == 0.0);
    average[params.average_offset + i] = kept + (1.0 - decay) * parameter[params.parameter_offset + i];
}
