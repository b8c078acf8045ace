// The mean of squared differences, and its gradient. Bindings and the entry point: shared/losses.wgsl.

// What an element adds to the loss, and 1 if it counts.
fn loss_of(x: f32, y: f32) -> vec2<f32> {
    return vec2<f32>((x - y) * (x - y), 1.0);
}

fn gradient_of(x: f32, y: f32) -> f32 {
    return 2.0 * (x - y);
}
