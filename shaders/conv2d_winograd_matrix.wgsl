// The products of a Winograd convolution (`shared/winograd_product.wgsl`) by matrix units (`shared/matrix.wgsl`). Rows are
// filters, columns tiles; along z lie the points of the transforms, part by part of the inner dimension.

@group(0) @binding(1) var<storage, read> u: array<vec4<f32>>;

@group(0) @binding(4) var<storage, read> measured: array<f32>;

fn scales() -> vec2<f32> {
    return known_scales(vec2<f32>(params.left_scale, params.right_scale), measured[params.measured_offset]);
}

fn inner_range(group: vec3<u32>) -> vec2<u32> {
    let first = group.z / params.points * params.part;
    return vec2<u32>(first, min(first + params.part, params.inner));
}

fn left_quad(group: vec3<u32>, inner: u32, quad: u32) -> vec4<f32> {
    return u[(params.u_offset + (group.z % params.points * params.inner + inner) * params.outer) / 4u + group.y * 16u + quad];
}

fn right_quad(group: vec3<u32>, inner: u32, quad: u32) -> vec4<f32> {
    return v[(params.v_offset + (group.z % params.points * params.inner + inner) * params.tiles) / 4u + group.x * 16u + quad];
}

fn store_eight(group: vec3<u32>, row: u32, column: u32, sums: Eight) {
    let at = (params.m_offset + (group.z * params.outer + group.y * 64u + row) * params.tiles) / 4u
        + group.x * 16u + column / 4u;
    m[at] = sums.low;
    m[at + 1u] = sums.high;
}
