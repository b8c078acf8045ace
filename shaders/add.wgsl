// The sum of two values. Bindings and entry points: shared/walk.wgsl and shared/pairs.wgsl.

fn combined(x: f32, y: f32) -> f32 {
    return x + y;
}
