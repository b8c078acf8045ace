// A number wherever a mask is above 0. Bindings and entry points: shared/walk.wgsl and shared/pairs.wgsl.

fn combined(x: f32, mask: f32) -> f32 {
    return select(x, params.number, mask > 0.0);
}
