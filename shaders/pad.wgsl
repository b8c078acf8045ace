// A value with a border of one number. One invocation per element of the result. Bindings: shared/walk.wgsl. A dimension
// here is its size in the result, the stride of the input in it, how many elements come before the input, and how many the
// input has.

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    var rest = i;
    var at = 0u;
    var inside = true;
    for (var d = params.count; d > 0u; d--) {
        let dim = params.dims[d - 1u];
        // Before the input this wraps around to a large number.
        let place = rest % dim.x - dim.z;
        rest /= dim.x;
        inside = inside && place < dim.w;
        at += place * dim.y;
    }
    let value = a[params.a_offset + select(0u, at, inside)];
    out[params.out_offset + i] = select(params.number, value, inside);
}
