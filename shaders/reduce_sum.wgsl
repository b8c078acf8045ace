// Sums over dimensions. Bindings and entry points: shared/walk.wgsl and shared/sums.wgsl.

fn term(at: vec3<u32>) -> f32 {
    return a[params.a_offset + at.x];
}
