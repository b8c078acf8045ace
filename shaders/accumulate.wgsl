// The mean of gradients over the micro-batches of one step. One invocation per value.

struct Params {
    length: u32,
    mean_offset: u32,
    gradient_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> mean: array<f32>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<uniform> state: State;

@compute @workgroup_size(256)
fn update(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    // Nothing of it: what the step before has left need not be a number.
    let kept = select((1.0 - state.share) * mean[params.mean_offset + i], 0.0, state.share == 1.0);
    mean[params.mean_offset + i] = kept + state.share * gradient[params.gradient_offset + i];
}
