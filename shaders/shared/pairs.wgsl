// Two values, element by element: `combined` is the shader's own. One invocation per element of the result.

// Values of one shape.
@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    out[params.out_offset + i] = combined(a[params.a_offset + i], b[params.b_offset + i]);
}

// Values that are repeated along dimensions.
@compute @workgroup_size(256)
fn broadcast(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    let at = walk(i, 0u, params.count);
    out[params.out_offset + i] = combined(a[params.a_offset + at.x], b[params.b_offset + at.y]);
}
