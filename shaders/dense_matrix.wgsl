// Dense layers (`shared/dense_product.wgsl`) by matrix units (`shared/matrix.wgsl`). The left factor is b: rows of a block
// are columns of c.

@group(0) @binding(5) var<storage, read> measured: array<f32>;

fn scales() -> vec2<f32> {
    return known_scales(vec2<f32>(params.left_scale, params.right_scale), measured[params.measured_offset]);
}

fn inner_range(group: vec3<u32>) -> vec2<u32> {
    let first = group.z * params.part;
    return vec2<u32>(first, min(first + params.part, params.inner));
}

// Rows, columns and inner places past the last repeat it. Those of the inner dimension meet zeros on the other side; the
// others are not stored.
fn left_quad(group: vec3<u32>, inner: u32, quad: u32) -> vec4<f32> {
    let next = (group.x + params.first_group) * 64u + quad * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    let at = params.b_offset + min(next, vec4<u32>(params.columns - 1u)) * params.b_column
        + min(inner, params.inner - 1u) * params.b_inner;
    return vec4<f32>(b[at.x], b[at.y], b[at.z], b[at.w]);
}

fn right_quad(group: vec3<u32>, inner: u32, quad: u32) -> vec4<f32> {
    let next = group.y * 64u + quad * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    let at = params.a_offset + min(next, vec4<u32>(params.rows - 1u)) * params.a_row
        + min(inner, params.inner - 1u) * params.a_inner;
    return select(vec4<f32>(), vec4<f32>(a[at.x], a[at.y], a[at.z], a[at.w]), inner < inner_range(group).y);
}

fn store_eight(group: vec3<u32>, row: u32, column: u32, sums: Eight) {
    let first = vec2<u32>(group.y * 64u + column, (group.x + params.first_group) * 64u + row);
    if (first.y >= params.columns) { return; }
    for (var i = 0u; i < 4u; i++) {
        if (first.x + i < params.rows) { store(first.x + i, first.y, group.z, sums.low[i]); }
        if (first.x + 4u + i < params.rows) { store(first.x + 4u + i, first.y, group.z, sums.high[i]); }
    }
}
