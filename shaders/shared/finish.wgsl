// What a convolution does with its sums before they are stored. At the same place of `residual` lies what is added before
// the activation, or what the gradient of the activation sees, which is then computed instead.
override BACKWARD: bool = false;

// `before` is what the result is added to; `at` is the place in `residual`.
fn finished(low: f32, high: f32, sum: f32, before: f32, at: u32) -> f32 {
    if (BACKWARD) { return before + chained(derivative(low, high, residual[at]), sum); }
    if (RESIDUAL) { return activated(low, high, before + sum + residual[at]); }
    return activated(low, high, before + sum);
}
