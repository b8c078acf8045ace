// Activation functions and their gradients. The derivatives of functions 1 to 4 see y, those of the others x; either is
// bound as x. `low` is the minimum of a clip, or the slope of a leaky ReLU; `high` is the maximum of a clip.

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = element(group, local);
    if (i >= params.length) { return; }
    out[params.out_offset + i] = activated(params.low, params.high, x[params.x_offset + i]);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = element(group, local);
    if (i >= params.length) { return; }
    out[params.out_offset + i] = chained(derivative(params.low, params.high, x[params.x_offset + i]), dy[params.dy_offset + i]);
}
