// A number wherever a mask is not 0. Bindings and entry points: shared/walk.wgsl and shared/pairs.wgsl.

fn combined(x: f32, mask: f32) -> f32 {
    return select(params.number, x, mask == 0.0);
}
