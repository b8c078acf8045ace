// The scales of a convolution's factors for `matrix.wgsl`.

@group(0) @binding(6) var<storage, read> measured: array<f32>;

fn scales() -> vec2<f32> {
    return known_scales(vec2<f32>(product.left_scale, product.right_scale), measured[product.measured_offset]);
}
