// Winograd's minimal filtering F(4×4, 3×3) for convolutions with 3×3 filters and step 1 (Lavin & Gray 2015): what goes
// into the products of `conv2d_winograd.wgsl` and what comes out of them.
//
//   weight            U = G g Gᵀ of every filter and channel, [36, inner, outer]
//   weight_f16        the same in f16, two columns in a u32
//   input             V = Bᵀ d B of every window of 6×6 values of x, [36, inner, tiles]
//   output            y = Aᵀ M A + bias of every tile of 4×4 values of y, from M [36, outer, tiles]
//   output_gradient   the same without bias, where y is the gradient of the input
//
// and for the gradient of the weights, a sum over all tiles:
//
//   input_by_tile     V of every window, [36, inner, outer]: rows are tiles, columns channels
//   output_by_tile    A dy Aᵀ of every tile of 4×4 values of dy, in the same way by filters
//   weight_gradient   dweight = Gᵀ M G, from M [36, outer, tiles]: rows are filters, columns channels
//
// The points of interpolation are 0, ±√½, ±√2 and ∞: the transforms' constants stay nearer to 1 than with 0, ±1, ±2 and
// ∞, which keeps the error small. Rows and columns that are there to fill the products' blocks are zeros.

// √½, √2 and their cubes.
const P: f32 = 0.70710678;
const Q: f32 = 1.41421356;
const P3: f32 = 0.35355339;
const Q3: f32 = 2.82842712;

// Six values in a row.
struct Six {
    a: vec4<f32>,
    b: vec2<f32>,
}

// G times a column of three.
fn weight_column(g: vec3<f32>) -> Six {
    let p = (g.x + 0.5 * g.z) / -1.5;
    let q = (g.x + 2.0 * g.z) / 6.0;
    let odd_p = P / -1.5 * g.y;
    let odd_q = Q / 6.0 * g.y;
    return Six(vec4<f32>(g.x, p + odd_p, p - odd_p, q + odd_q), vec2<f32>(q - odd_q, g.z));
}

// The points of one value of U, by columns.
struct Points {
    c0: Six,
    c1: Six,
    c2: Six,
    c3: Six,
    c4: Six,
    c5: Six,
}

fn weight_points(column: u32, row: u32) -> Points {
    let f = select(column, row, ROTATE);
    let c = select(row, column, ROTATE);
    let exists = f < params.filters && c < params.channels;
    let first = params.weight_offset + select(0u, (f * params.channels + c) * 9u, exists);
    let r0 = weight_column(taps(first, 0u, exists));
    let r1 = weight_column(taps(first, 3u, exists));
    let r2 = weight_column(taps(first, 6u, exists));
    return Points(
        weight_column(vec3<f32>(r0.a.x, r1.a.x, r2.a.x)),
        weight_column(vec3<f32>(r0.a.y, r1.a.y, r2.a.y)),
        weight_column(vec3<f32>(r0.a.z, r1.a.z, r2.a.z)),
        weight_column(vec3<f32>(r0.a.w, r1.a.w, r2.a.w)),
        weight_column(vec3<f32>(r0.b.x, r1.b.x, r2.b.x)),
        weight_column(vec3<f32>(r0.b.y, r1.b.y, r2.b.y)),
    );
}

fn store_six(at: u32, plane: u32, values: Six) {
    u[at] = values.a.x;
    u[at + plane] = values.a.y;
    u[at + 2u * plane] = values.a.z;
    u[at + 3u * plane] = values.a.w;
    u[at + 4u * plane] = values.b.x;
    u[at + 5u * plane] = values.b.y;
}

@compute @workgroup_size(64)
fn weight(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: columns of U; along y: its rows.
    if (id.x >= params.outer) { return; }
    let plane = params.inner * params.outer;
    let at = params.u_offset + id.y * params.outer + id.x;
    let points = weight_points(id.x, id.y);
    // Points are counted by columns; those of the products only have to be the same in U and V.
    store_six(at, plane, points.c0);
    store_six(at + 6u * plane, plane, points.c1);
    store_six(at + 12u * plane, plane, points.c2);
    store_six(at + 18u * plane, plane, points.c3);
    store_six(at + 24u * plane, plane, points.c4);
    store_six(at + 30u * plane, plane, points.c5);
}

fn store_pairs(at: u32, plane: u32, a: Six, b: Six) {
    u_pairs[at] = pair_f16(a.a.x, b.a.x);
    u_pairs[at + plane] = pair_f16(a.a.y, b.a.y);
    u_pairs[at + 2u * plane] = pair_f16(a.a.z, b.a.z);
    u_pairs[at + 3u * plane] = pair_f16(a.a.w, b.a.w);
    u_pairs[at + 4u * plane] = pair_f16(a.b.x, b.b.x);
    u_pairs[at + 5u * plane] = pair_f16(a.b.y, b.b.y);
}

@compute @workgroup_size(64)
fn weight_f16(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: pairs of columns of U; along y: its rows.
    let row = params.outer / 2u;
    if (id.x >= row) { return; }
    let plane = params.inner * row;
    let at = params.u_offset + id.y * row + id.x;
    let a = weight_points(2u * id.x, id.y);
    let b = weight_points(2u * id.x + 1u, id.y);
    store_pairs(at, plane, a.c0, b.c0);
    store_pairs(at + 6u * plane, plane, a.c1, b.c1);
    store_pairs(at + 12u * plane, plane, a.c2, b.c2);
    store_pairs(at + 18u * plane, plane, a.c3, b.c3);
    store_pairs(at + 24u * plane, plane, a.c4, b.c4);
    store_pairs(at + 30u * plane, plane, a.c5, b.c5);
}

// Bᵀ times a column of six.
fn input_column(a: vec4<f32>, b: vec2<f32>) -> Six {
    let even_p = b.x - 2.0 * a.z;
    let even_q = b.x - 0.5 * a.z;
    let odd_p = P * a.w - Q * a.y;
    let odd_q = Q * a.w - P * a.y;
    return Six(
        vec4<f32>(a.x - 2.5 * a.z + b.x, even_p + odd_p, even_p - odd_p, even_q + odd_q),
        vec2<f32>(even_q - odd_q, a.y - 2.5 * a.w + b.y),
    );
}

// Six neighbouring values of one row of x, after the transform along it.
fn input_row(plane: u32, row: i32, left: i32, inside: bool) -> Six {
    let exists = inside && row >= 0 && row < i32(params.height);
    let line = plane + u32(max(row, 0)) * params.width;
    return input_column(
        vec4<f32>(
            x_at(line, left, exists),
            x_at(line, left + 1, exists),
            x_at(line, left + 2, exists),
            x_at(line, left + 3, exists),
        ),
        vec2<f32>(x_at(line, left + 4, exists), x_at(line, left + 5, exists)),
    );
}

fn store_points(at: u32, plane: u32, values: Six) {
    v[at] = values.a.x;
    v[at + plane] = values.a.y;
    v[at + 2u * plane] = values.a.z;
    v[at + 3u * plane] = values.a.w;
    v[at + 4u * plane] = values.b.x;
    v[at + 5u * plane] = values.b.y;
}

fn store_input(at: u32, plane: u32, a: vec4<f32>, b: vec2<f32>) {
    store_points(at, plane, input_column(a, b));
}

// The points of a window, which are stored so far apart from this place on.
fn store_window(at: u32, plane: u32, place: u32, channel: u32) {
    let tile = tile_at(place, channel, 4u);
    let r0 = input_row(tile.plane, tile.top, tile.left, tile.exists);
    let r1 = input_row(tile.plane, tile.top + 1, tile.left, tile.exists);
    let r2 = input_row(tile.plane, tile.top + 2, tile.left, tile.exists);
    let r3 = input_row(tile.plane, tile.top + 3, tile.left, tile.exists);
    let r4 = input_row(tile.plane, tile.top + 4, tile.left, tile.exists);
    let r5 = input_row(tile.plane, tile.top + 5, tile.left, tile.exists);
    store_input(at, plane, vec4<f32>(r0.a.x, r1.a.x, r2.a.x, r3.a.x), vec2<f32>(r4.a.x, r5.a.x));
    store_input(at + 6u * plane, plane, vec4<f32>(r0.a.y, r1.a.y, r2.a.y, r3.a.y), vec2<f32>(r4.a.y, r5.a.y));
    store_input(at + 12u * plane, plane, vec4<f32>(r0.a.z, r1.a.z, r2.a.z, r3.a.z), vec2<f32>(r4.a.z, r5.a.z));
    store_input(at + 18u * plane, plane, vec4<f32>(r0.a.w, r1.a.w, r2.a.w, r3.a.w), vec2<f32>(r4.a.w, r5.a.w));
    store_input(at + 24u * plane, plane, vec4<f32>(r0.b.x, r1.b.x, r2.b.x, r3.b.x), vec2<f32>(r4.b.x, r5.b.x));
    store_input(at + 30u * plane, plane, vec4<f32>(r0.b.y, r1.b.y, r2.b.y, r3.b.y), vec2<f32>(r4.b.y, r5.b.y));
}

@compute @workgroup_size(64)
fn input(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: tiles; along y: channels.
    if (id.x >= params.tiles) { return; }
    let plane = params.inner * params.tiles;
    store_window(params.v_offset + id.y * params.tiles + id.x, plane, id.x, id.y);
}

// Workgroups of eight tiles by eight channels: what neighbours read and what they write lies side by side.
@compute @workgroup_size(8, 8)
fn input_by_tile(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: channels; along y: tiles.
    store_window(by_tile(id.y, id.x), params.inner * params.outer, id.y, id.x);
}

// A times a column of four.
fn spread_column(y: vec4<f32>) -> Six {
    let even_p = y.x + 0.5 * y.z;
    let odd_p = P * y.y + P3 * y.w;
    let even_q = y.x + 2.0 * y.z;
    let odd_q = Q * y.y + Q3 * y.w;
    return Six(vec4<f32>(y.x, even_p + odd_p, even_p - odd_p, even_q + odd_q), vec2<f32>(even_q - odd_q, y.w));
}

// Four neighbouring values of one row of dy, spread along it.
fn spread_row(plane: u32, row: i32, left: i32, inside: bool) -> Six {
    let exists = inside && row < i32(params.height);
    let line = plane + u32(row) * params.width;
    return spread_column(
        vec4<f32>(
            x_at(line, left, exists),
            x_at(line, left + 1, exists),
            x_at(line, left + 2, exists),
            x_at(line, left + 3, exists),
        ),
    );
}

@compute @workgroup_size(8, 8)
fn output_by_tile(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: filters; along y: tiles.
    let tile = tile_at(id.y, id.x, 4u);
    let r0 = spread_row(tile.plane, tile.top, tile.left, tile.exists);
    let r1 = spread_row(tile.plane, tile.top + 1, tile.left, tile.exists);
    let r2 = spread_row(tile.plane, tile.top + 2, tile.left, tile.exists);
    let r3 = spread_row(tile.plane, tile.top + 3, tile.left, tile.exists);
    let plane = params.inner * params.outer;
    let at = by_tile(id.y, id.x);
    store_points(at, plane, spread_column(vec4<f32>(r0.a.x, r1.a.x, r2.a.x, r3.a.x)));
    store_points(at + 6u * plane, plane, spread_column(vec4<f32>(r0.a.y, r1.a.y, r2.a.y, r3.a.y)));
    store_points(at + 12u * plane, plane, spread_column(vec4<f32>(r0.a.z, r1.a.z, r2.a.z, r3.a.z)));
    store_points(at + 18u * plane, plane, spread_column(vec4<f32>(r0.a.w, r1.a.w, r2.a.w, r3.a.w)));
    store_points(at + 24u * plane, plane, spread_column(vec4<f32>(r0.b.x, r1.b.x, r2.b.x, r3.b.x)));
    store_points(at + 30u * plane, plane, spread_column(vec4<f32>(r0.b.y, r1.b.y, r2.b.y, r3.b.y)));
}

// Aᵀ times a column of six.
fn output_column(m0: f32, m1: f32, m2: f32, m3: f32, m4: f32, m5: f32) -> vec4<f32> {
    let even_p = m1 + m2;
    let odd_p = m1 - m2;
    let even_q = m3 + m4;
    let odd_q = m3 - m4;
    return vec4<f32>(
        m0 + even_p + even_q,
        P * odd_p + Q * odd_q,
        0.5 * even_p + 2.0 * even_q,
        P3 * odd_p + Q3 * odd_q + m5,
    );
}

// One column of the tile in one part of M.
fn m_column(at: u32, plane: u32) -> Six {
    let first = vec4<f32>(m[at], m[at + plane], m[at + 2u * plane], m[at + 3u * plane]);
    return Six(first, vec2<f32>(m[at + 4u * plane], m[at + 5u * plane]));
}

// The same, transformed.
fn part_points(at: u32, plane: u32) -> vec4<f32> {
    let c = m_column(at, plane);
    return output_column(c.a.x, c.a.y, c.a.z, c.a.w, c.b.x, c.b.y);
}

fn store_row(tile: vec2<u32>, row: u32, first: u32, b: f32, values: vec4<f32>) {
    if (tile.y + row >= stored_size().y) { return; }
    let at = first + (tile.y + row) * stored_size().x + tile.x;
    store_output(at, tile.x, 0u, values.x + b);
    store_output(at, tile.x, 1u, values.y + b);
    store_output(at, tile.x, 2u, values.z + b);
    store_output(at, tile.x, 3u, values.w + b);
}

// The largest values of two rows, in pairs.
fn pooled(a: vec4<f32>, b: vec4<f32>) -> vec2<f32> {
    return vec2<f32>(larger(larger(a.x, a.y), larger(b.x, b.y)), larger(larger(a.z, a.w), larger(b.z, b.w)));
}

fn store_pair(tile: vec2<u32>, row: u32, first: u32, b: f32, values: vec2<f32>) {
    if (tile.y + row >= stored_size().y) { return; }
    let at = first + (tile.y + row) * stored_size().x + tile.x;
    store_output(at, tile.x, 0u, values.x + b);
    store_output(at, tile.x, 1u, values.y + b);
}

fn store_tile(id: vec3<u32>, b: f32) {
    let plane = params.outer * params.tiles;
    let at = params.m_offset + id.y * params.tiles + id.x;
    let c0 = output_points(at, plane);
    let c1 = output_points(at + 6u * plane, plane);
    let c2 = output_points(at + 12u * plane, plane);
    let c3 = output_points(at + 18u * plane, plane);
    let c4 = output_points(at + 24u * plane, plane);
    let c5 = output_points(at + 30u * plane, plane);

    let index = params.first_tile + id.x;
    let within = index % params.tiles_image;
    let tile = vec2<u32>(within % params.tiles_across, within / params.tiles_across) * 4u;
    let first = params.y_offset + index / params.tiles_image * params.y_image
        + id.y * stored_size().x * stored_size().y;
    let r0 = output_column(c0.x, c1.x, c2.x, c3.x, c4.x, c5.x);
    let r1 = output_column(c0.y, c1.y, c2.y, c3.y, c4.y, c5.y);
    let r2 = output_column(c0.z, c1.z, c2.z, c3.z, c4.z, c5.z);
    let r3 = output_column(c0.w, c1.w, c2.w, c3.w, c4.w, c5.w);
    if (POOL) {
        store_pair(tile / 2u, 0u, first, b, pooled(r0, r1));
        store_pair(tile / 2u, 1u, first, b, pooled(r2, r3));
        return;
    }
    store_row(tile, 0u, first, b, r0);
    store_row(tile, 1u, first, b, r1);
    store_row(tile, 2u, first, b, r2);
    store_row(tile, 3u, first, b, r3);
}

@compute @workgroup_size(64)
fn output(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: tiles; along y: filters.
    if (id.x < params.tile_count) { store_tile(id, bias[params.bias_offset + id.y]); }
}

@compute @workgroup_size(64)
fn output_gradient(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x < params.tile_count) { store_tile(id, 0.0); }
}

// Gᵀ times a column of six.
fn gradient_column(m0: f32, m1: f32, m2: f32, m3: f32, m4: f32, m5: f32) -> vec3<f32> {
    let even_p = (m1 + m2) / -1.5;
    let even_q = (m3 + m4) / 6.0;
    return vec3<f32>(
        m0 + even_p + even_q,
        P / -1.5 * (m1 - m2) + Q / 6.0 * (m3 - m4),
        0.5 * even_p + 2.0 * even_q + m5,
    );
}

// One column of the tile in one part of M, transformed.
fn gradient_part(at: u32, plane: u32) -> vec3<f32> {
    let c = m_column(at, plane);
    return gradient_column(c.a.x, c.a.y, c.a.z, c.a.w, c.b.x, c.b.y);
}

// One column of M's tile, transformed.
fn gradient_points(at: u32, plane: u32) -> vec3<f32> {
    var sum = gradient_part(at, plane);
    for (var part = 1u; part < params.parts; part++) {
        sum += gradient_part(at + part * params.m_part, plane);
    }
    return sum;
}

@compute @workgroup_size(64)
fn weight_gradient(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: channels; along y: filters.
    if (id.x >= params.channels) { return; }
    let plane = params.outer * params.tiles;
    let at = params.m_offset + id.y * params.tiles + id.x;
    let c0 = gradient_points(at, plane);
    let c1 = gradient_points(at + 6u * plane, plane);
    let c2 = gradient_points(at + 12u * plane, plane);
    let c3 = gradient_points(at + 18u * plane, plane);
    let c4 = gradient_points(at + 24u * plane, plane);
    let c5 = gradient_points(at + 30u * plane, plane);
    let first = params.y_offset + (id.y * params.channels + id.x) * 9u;
    store_taps(first, gradient_column(c0.x, c1.x, c2.x, c3.x, c4.x, c5.x));
    store_taps(first + 3u, gradient_column(c0.y, c1.y, c2.y, c3.y, c4.y, c5.y));
    store_taps(first + 6u, gradient_column(c0.z, c1.z, c2.z, c3.z, c4.z, c5.z));
}
