// Sums over dimensions: `term` is the shader's own. The order of the terms is fixed.
//
//   forward       one invocation per result: few terms, or neighbouring results whose terms are neighbours
//   forward_wide  one workgroup per result

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 64u + local;
    if (i >= params.length) { return; }
    let start = walk(i, 0u, params.kept);
    var sum = 0.0;
    for (var t = 0u; t < params.terms; t++) {
        sum += term(start + walk(t, params.kept, params.count));
    }
    out[params.out_offset + i] = sum * params.number;
}

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn forward_wide(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = group.y * params.grid + group.x;
    if (i >= params.length) { return; }
    let start = walk(i, 0u, params.kept);
    var sum = 0.0;
    for (var t = local; t < params.terms; t += 64u) {
        sum += term(start + walk(t, params.kept, params.count));
    }
    partial[local] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    if (local == 0u) { out[params.out_offset + i] = partial[0] * params.number; }
}
