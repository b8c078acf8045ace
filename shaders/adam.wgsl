// Adam and AdamW. One invocation per value.

struct Params {
    length: u32,
    beta1: f32,
    beta2: f32,
    epsilon: f32,
    weight_decay: f32,
    decoupled: u32,
    learning_rate_factor: f32,
    parameter_offset: u32,
    gradient_offset: u32,
    m_offset: u32,
    v_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> parameter: array<f32>;
@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> first_mean: array<f32>;
@group(0) @binding(4) var<storage, read_write> second_mean: array<f32>;
@group(0) @binding(5) var<uniform> state: State;

@compute @workgroup_size(256)
fn update(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    var value = parameter[params.parameter_offset + i];
    var g = gradient[params.gradient_offset + i];
    let decay = params.weight_decay * value;
    let rate = params.learning_rate_factor * state.learning_rate;
    if (params.decoupled != 0u) {
        value -= rate * decay;
    } else {
        g += decay;
    }
    let m = params.beta1 * first_mean[params.m_offset + i] + (1.0 - params.beta1) * g;
    let v = params.beta2 * second_mean[params.v_offset + i] + (1.0 - params.beta2) * g * g;
    first_mean[params.m_offset + i] = m;
    second_mean[params.v_offset + i] = v;
    let step_size = rate / state.corrections.x;
    parameter[params.parameter_offset + i] = value - step_size * m / (sqrt(v / state.corrections.y) + params.epsilon);
}
