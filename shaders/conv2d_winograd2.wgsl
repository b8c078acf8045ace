// Winograd's minimal filtering F(2×2, 3×3) for convolutions with 3×3 filters and step 1 (Lavin & Gray 2015): what goes
// into the products of `conv2d_winograd.wgsl` and what comes out of them.
//
//   weight            U = G g Gᵀ of every filter and channel, [16, inner, outer]
//   weight_f16        the same in f16, two columns in a u32
//   input             V = Bᵀ d B of every window of 4×4 values of x, [16, inner, tiles]
//   output            y = Aᵀ M A + bias of every tile of 2×2 values of y, from M [16, outer, tiles], the sum of its parts
//   output_gradient   the same without bias, where y is the gradient of the input
//
// and for the gradient of the weights, a sum over all tiles:
//
//   input_by_tile     V of every window, [16, inner, outer]: rows are tiles, columns channels
//   output_by_tile    A dy Aᵀ of every tile of 2×2 values of dy, in the same way by filters
//   weight_gradient   dweight = Gᵀ M G, from M [16, outer, tiles]: rows are filters, columns channels
//
// The points of interpolation are 0, ±1 and ∞. Rows and columns that are there to fill the products' blocks are zeros.

// Matrices by their columns.
const G = mat3x4<f32>(1.0, 0.5, 0.5, 0.0, 0.0, 0.5, -0.5, 0.0, 0.0, 0.5, 0.5, 1.0);
const B_TRANSPOSED = mat4x4<f32>(1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 1.0, -1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0);
const A_TRANSPOSED = mat4x2<f32>(1.0, 0.0, 1.0, 1.0, 1.0, -1.0, 0.0, -1.0);

// The points of one value of U.
fn weight_points(column: u32, row: u32) -> mat4x4<f32> {
    let f = select(column, row, ROTATE);
    let c = select(row, column, ROTATE);
    let exists = f < params.filters && c < params.channels;
    let first = params.weight_offset + select(0u, (f * params.channels + c) * 9u, exists);
    let g = mat3x3<f32>(taps(first, 0u, exists), taps(first, 3u, exists), taps(first, 6u, exists));
    return G * g * transpose(G);
}

fn store_weight(at: u32, plane: u32, points: vec4<f32>) {
    u[at] = points.x;
    u[at + plane] = points.y;
    u[at + 2u * plane] = points.z;
    u[at + 3u * plane] = points.w;
}

@compute @workgroup_size(64)
fn weight(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: columns of U; along y: its rows.
    if (id.x >= params.outer) { return; }
    let plane = params.inner * params.outer;
    let at = params.u_offset + id.y * params.outer + id.x;
    let points = weight_points(id.x, id.y);
    store_weight(at, plane, points[0]);
    store_weight(at + 4u * plane, plane, points[1]);
    store_weight(at + 8u * plane, plane, points[2]);
    store_weight(at + 12u * plane, plane, points[3]);
}

fn store_pairs(at: u32, plane: u32, a: vec4<f32>, b: vec4<f32>) {
    u_pairs[at] = pair_f16(a.x, b.x);
    u_pairs[at + plane] = pair_f16(a.y, b.y);
    u_pairs[at + 2u * plane] = pair_f16(a.z, b.z);
    u_pairs[at + 3u * plane] = pair_f16(a.w, b.w);
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
    store_pairs(at, plane, a[0], b[0]);
    store_pairs(at + 4u * plane, plane, a[1], b[1]);
    store_pairs(at + 8u * plane, plane, a[2], b[2]);
    store_pairs(at + 12u * plane, plane, a[3], b[3]);
}

// Four neighbouring values of one row of x.
fn input_row(plane: u32, row: i32, left: i32, inside: bool) -> vec4<f32> {
    let exists = inside && row >= 0 && row < i32(params.height);
    let line = plane + u32(max(row, 0)) * params.width;
    return vec4<f32>(
        x_at(line, left, exists),
        x_at(line, left + 1, exists),
        x_at(line, left + 2, exists),
        x_at(line, left + 3, exists),
    );
}

fn store_points(at: u32, plane: u32, points: vec4<f32>) {
    v[at] = points.x;
    v[at + plane] = points.y;
    v[at + 2u * plane] = points.z;
    v[at + 3u * plane] = points.w;
}

// All points of a value, which are stored so far apart from this place on.
fn store_tile_points(at: u32, plane: u32, points: mat4x4<f32>) {
    store_points(at, plane, points[0]);
    store_points(at + 4u * plane, plane, points[1]);
    store_points(at + 8u * plane, plane, points[2]);
    store_points(at + 12u * plane, plane, points[3]);
}

fn window_points(place: u32, channel: u32) -> mat4x4<f32> {
    let tile = tile_at(place, channel, 2u);
    // The rows of the window are the matrix's columns.
    let window = mat4x4<f32>(
        input_row(tile.plane, tile.top, tile.left, tile.exists),
        input_row(tile.plane, tile.top + 1, tile.left, tile.exists),
        input_row(tile.plane, tile.top + 2, tile.left, tile.exists),
        input_row(tile.plane, tile.top + 3, tile.left, tile.exists),
    );
    return B_TRANSPOSED * window * transpose(B_TRANSPOSED);
}

@compute @workgroup_size(64)
fn input(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: tiles; along y: channels.
    if (id.x >= params.tiles) { return; }
    let at = params.v_offset + id.y * params.tiles + id.x;
    store_tile_points(at, params.inner * params.tiles, window_points(id.x, id.y));
}

// Workgroups of eight tiles by eight channels: what neighbours read and what they write lies side by side.
@compute @workgroup_size(8, 8)
fn input_by_tile(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: channels; along y: tiles.
    store_tile_points(by_tile(id.y, id.x), params.inner * params.outer, window_points(id.y, id.x));
}

// Two neighbouring values of one row of dy.
fn gradient_row(plane: u32, row: i32, left: i32, inside: bool) -> vec2<f32> {
    let exists = inside && row < i32(params.height);
    let line = plane + u32(row) * params.width;
    return vec2<f32>(x_at(line, left, exists), x_at(line, left + 1, exists));
}

@compute @workgroup_size(8, 8)
fn output_by_tile(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: filters; along y: tiles.
    let tile = tile_at(id.y, id.x, 2u);
    // The rows of the tile are the matrix's columns.
    let dy = mat2x2<f32>(
        gradient_row(tile.plane, tile.top, tile.left, tile.exists),
        gradient_row(tile.plane, tile.top + 1, tile.left, tile.exists),
    );
    let points = transpose(A_TRANSPOSED) * dy * A_TRANSPOSED;
    store_tile_points(by_tile(id.y, id.x), params.inner * params.outer, points);
}

// Four points of one part of M.
fn part_points(at: u32, plane: u32) -> vec4<f32> {
    return vec4<f32>(m[at], m[at + plane], m[at + 2u * plane], m[at + 3u * plane]);
}

fn store_row(tile: vec2<u32>, row: u32, first: u32, b: f32, values: vec2<f32>) {
    if (tile.y + row >= stored_size().y) { return; }
    let at = first + (tile.y + row) * stored_size().x + tile.x;
    store_output(at, tile.x, 0u, values.x + b);
    store_output(at, tile.x, 1u, values.y + b);
}

fn store_tile(id: vec3<u32>, b: f32) {
    let plane = params.outer * params.tiles;
    let at = params.m_offset + id.y * params.tiles + id.x;
    let points = mat4x4<f32>(
        output_points(at, plane),
        output_points(at + 4u * plane, plane),
        output_points(at + 8u * plane, plane),
        output_points(at + 12u * plane, plane),
    );
    let values = A_TRANSPOSED * points * transpose(A_TRANSPOSED);

    let index = params.first_tile + id.x;
    let within = index % params.tiles_image;
    let tile = vec2<u32>(within % params.tiles_across, within / params.tiles_across) * 2u;
    let first = params.y_offset + index / params.tiles_image * params.y_image
        + id.y * stored_size().x * stored_size().y;
    if (POOL) {
        let row = tile.y / 2u;
        if (row < stored_size().y) {
            let value = larger(larger(values[0].x, values[0].y), larger(values[1].x, values[1].y));
            store_output(first + row * stored_size().x + tile.x / 2u, tile.x / 2u, 0u, value + b);
        }
        return;
    }
    store_row(tile, 0u, first, b, values[0]);
    store_row(tile, 1u, first, b, values[1]);
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

@compute @workgroup_size(64)
fn weight_gradient(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: channels; along y: filters.
    if (id.x >= params.channels) { return; }
    let plane = params.outer * params.tiles;
    let at = params.m_offset + id.y * params.tiles + id.x;
    let points = mat4x4<f32>(
        output_points(at, plane),
        output_points(at + 4u * plane, plane),
        output_points(at + 8u * plane, plane),
        output_points(at + 12u * plane, plane),
    );
    // The rows of the filter are the matrix's columns, as those of the tiles were.
    let gradient = transpose(G) * points * G;
    let first = params.y_offset + (id.y * params.channels + id.x) * 9u;
    store_taps(first, gradient[0]);
    store_taps(first + 3u, gradient[1]);
    store_taps(first + 6u, gradient[2]);
}
