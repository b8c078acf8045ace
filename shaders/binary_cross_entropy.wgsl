// Sigmoid and cross-entropy in one, and the gradient. Bindings and the entry point: shared/losses.wgsl.

// What a logit adds to the loss, and 1 if it counts.
fn loss_of(x: f32, y: f32) -> vec2<f32> {
    let value = max(x, 0.0) - x * y + log(1.0 + exp(-abs(x)));
    return select(vec2<f32>(), vec2<f32>(value, 1.0), y >= 0.0);
}

fn gradient_of(x: f32, y: f32) -> f32 {
    // Of exp nothing large is asked, which not all devices give as an infinity.
    let small = exp(-abs(x));
    let sigmoid = select(small, 1.0, x >= 0.0) / (1.0 + small);
    return select(0.0, sigmoid - y, y >= 0.0);
}
