// Stochastic gradient descent with momentum, Nesterov's variant and weight decay. One invocation per value.

struct Params {
    length: u32,
    momentum: f32,
    weight_decay: f32,
    nesterov: u32,
    learning_rate_factor: f32,
    parameter_offset: u32,
    gradient_offset: u32,
    velocity_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> velocity: array<f32>;
@group(0) @binding(4) var<uniform> state: State;

@compute @workgroup_size(256)
fn update(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    let before = parameter[params.parameter_offset + i];
    let d = gradient[params.gradient_offset + i] + params.weight_decay * before;
    let v = params.momentum * velocity[params.velocity_offset + i] + d;
    let direction = select(v, d + params.momentum * v, params.nesterov != 0u);
    velocity[params.velocity_offset + i] = v;
    let rate = params.learning_rate_factor * state.learning_rate;
    parameter[params.parameter_offset + i] = before - rate * direction;
}
