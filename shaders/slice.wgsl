// A part of a value along its dimensions. One invocation per element of the result. Bindings: shared/walk.wgsl.

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    out[params.out_offset + i] = a[params.a_offset + walk(i, 0u, params.count).x];
}
