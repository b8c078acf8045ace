// The gradient of a convolution's filters as a product of matrices (`shared/conv2d_product.wgsl`) by matrix units
// (`shared/matrix.wgsl`). The inner dimension is made of all taps of one plane after the other. Columns are channels at one
// place of the filters after the other, so that four neighbours see the same place of x.

fn inner_range(group: vec3<u32>) -> vec2<u32> {
    let first = group.z * product.part;
    return vec2<u32>(first, min(first + product.part, product.planes * product.taps.x * product.taps.y));
}

// A place of the inner dimension: plane, row, column. One past the last is the last.
fn tap_at(inner: u32) -> vec3<u32> {
    let taps = product.taps.x * product.taps.y;
    let at = min(inner, product.planes * taps - 1u);
    return vec3<u32>(at / taps, at % taps / product.taps.y, at % product.taps.y);
}

fn left_quad(group: vec3<u32>, inner: u32, quad: u32) -> vec4<f32> {
    let tap = tap_at(inner);
    let rows = min(group.y * 64u + quad * 4u + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(product.rows - 1u));
    let at = rows * product.weight_row
        + (product.weight_offset + tap.x * product.weight_plane + tap.y * product.taps.y + tap.z);
    return vec4<f32>(weight[at.x], weight[at.y], weight[at.z], weight[at.w]);
}

// Zero past the end of the part.
fn right_quad(group: vec3<u32>, inner: u32, quad: u32) -> vec4<f32> {
    let tap = tap_at(inner);
    let channels = channels_at((group.x + product.first_group) * 16u + quad);
    let at = origin_of(channels) + vec2<i32>(tap.yz) * product.direction;
    let exists = is_inside(at) && inner < inner_range(group).y;
    let near = index_of(0u, at) + tap.x * product.plane;
    let all = min(channels.x + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(product.images - 1u));
    return x_quad(near + all * product.image, vec4<bool>(exists));
}

fn store_eight(group: vec3<u32>, row: u32, column: u32, sums: Eight) {
    let quad = (group.x + product.first_group) * 16u + column / 4u;
    store_channels(group, row, quad, sums.low);
    store_channels(group, row, quad + 1u, sums.high);
}

fn store_channels(group: vec3<u32>, row: u32, quad: u32, sums: vec4<f32>) {
    let first = channels_at(quad);
    let at = place_in_y(first) + group.z * product.y_part + vec4<u32>(0u, 1u, 2u, 3u) * product.y_image;
    let exists = quad < channel_quads() * product.grid.x * product.grid.y;
    store_row(group.y * 64u + row, at, select(0u, product.images - first.x, exists), sums);
}
