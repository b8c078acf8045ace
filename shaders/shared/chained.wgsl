// No product with 0: what is infinite must not become NaN.
fn chained(factor: f32, gradient: f32) -> f32 {
    return select(factor * gradient, 0.0, factor == 0.0);
}
