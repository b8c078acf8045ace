// Means over dimensions, and their gradient. Bindings and the forward pass: shared/walk.wgsl and shared/sums.wgsl.

fn term(at: vec3<u32>) -> f32 {
    return a[params.a_offset + at.x];
}

// One invocation per element of the input, which gets its share of what the mean gets.
@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    out[params.out_offset + i] = a[params.a_offset + walk(i, 0u, params.count).x] * params.number;
}
