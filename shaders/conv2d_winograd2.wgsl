// Winograd's minimal filtering F(2×2, 3×3) for convolutions with 3×3 filters and step 1 (Lavin & Gray 2015): what goes
// into the products of `conv2d_winograd.wgsl` and what comes out of them.
//
//   weight            U = G g Gᵀ of every filter and channel, [16, inner, outer]
//   weight_f16        the same in f16, two columns in a u32
//   input             V = Bᵀ d B of every window of 4×4 values of x, [16, inner, tiles]
//   output            y = Aᵀ M A + bias of every tile of 2×2 values of y, from M [16, outer, tiles]
//   output_gradient   the same without bias, where y is the gradient of the input
//
// The points of interpolation are 0, ±1 and ∞. Rows and columns that are there to fill the products' blocks are zeros.

struct Params {
    channels: u32,
    height: u32,
    width: u32,
    filters: u32,
    out_height: u32,
    out_width: u32,
    padding_y: u32,
    padding_x: u32,
    // Values between the same place in two images of x and y.
    x_image: u32,
    y_image: u32,
    x_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    y_offset: u32,
    u_offset: u32,
    v_offset: u32,
    m_offset: u32,
    // The sizes of the products, with what fills them.
    inner: u32,
    outer: u32,
    tiles: u32,
    // Tiles of one row and of one image; the first one of this dispatch, counted through all images, and how many
    // there are.
    tiles_across: u32,
    tiles_image: u32,
    first_tile: u32,
    tile_count: u32,
    // Whether the result is added to what is there.
    accumulate: u32,
}

override RELU: bool = false;
// Whether y takes only the largest of each 2×2 values.
override POOL: bool = false;
// Whether filters are turned by 180 degrees, and filters and channels exchanged: the gradient of the input.
override ROTATE: bool = false;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> weight_values: array<f32>;
@group(0) @binding(2) var<storage, read_write> u: array<f32>;
@group(0) @binding(2) var<storage, read_write> u_pairs: array<u32>;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> v: array<f32>;

@group(0) @binding(1) var<storage, read> m: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

// Matrices by their columns.
const G = mat3x4<f32>(1.0, 0.5, 0.5, 0.0, 0.0, 0.5, -0.5, 0.0, 0.0, 0.5, 0.5, 1.0);
const B_TRANSPOSED = mat4x4<f32>(1.0, 0.0, 0.0, 0.0, 0.0, 1.0, -1.0, 1.0, -1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0);
const A_TRANSPOSED = mat4x2<f32>(1.0, 0.0, 1.0, 1.0, 1.0, -1.0, 0.0, -1.0);

// One row of a filter, which begins at `first`.
fn taps(first: u32, row: u32, exists: bool) -> vec3<f32> {
    let at = vec3<u32>(row) + vec3<u32>(0u, 1u, 2u);
    let turned = vec3<u32>(first) + select(at, vec3<u32>(8u) - at, ROTATE);
    return select(
        vec3<f32>(),
        vec3<f32>(weight_values[turned.x], weight_values[turned.y], weight_values[turned.z]),
        exists,
    );
}

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

// Two values as f16, rounded to the nearest and ties to even: pack2x16float alone may round either way.
fn pair_f16(a: f32, b: f32) -> u32 {
    let bits = bitcast<vec2<u32>>(vec2<f32>(a, b));
    let rounded = (bits + 0xfffu + ((bits >> vec2<u32>(13u)) & vec2<u32>(1u))) & vec2<u32>(0xffffe000u);
    // The sum of a NaN may be a number.
    let is_nan = (bits & vec2<u32>(0x7fffffffu)) > vec2<u32>(0x7f800000u);
    return pack2x16float(bitcast<vec2<f32>>(select(rounded, bits, is_nan)));
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

fn x_at(line: u32, column: i32, row_exists: bool) -> f32 {
    let exists = row_exists && column >= 0 && column < i32(params.width);
    return select(0.0, x[select(params.x_offset, line + u32(column), exists)], exists);
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

fn store_input(at: u32, plane: u32, points: vec4<f32>) {
    v[at] = points.x;
    v[at + plane] = points.y;
    v[at + 2u * plane] = points.z;
    v[at + 3u * plane] = points.w;
}

@compute @workgroup_size(64)
fn input(@builtin(global_invocation_id) id: vec3<u32>) {
    // Along x: tiles; along y: channels.
    if (id.x >= params.tiles) { return; }
    let inside = id.x < params.tile_count && id.y < params.channels;
    let tile = params.first_tile + id.x;
    let within = tile % params.tiles_image;
    let first = params.x_offset + tile / params.tiles_image * params.x_image + id.y * params.height * params.width;
    let image = select(params.x_offset, first, inside);
    let top = i32(within / params.tiles_across * 2u) - i32(params.padding_y);
    let left = i32(within % params.tiles_across * 2u) - i32(params.padding_x);
    // The rows of the window are the matrix's columns.
    let window = mat4x4<f32>(
        input_row(image, top, left, inside),
        input_row(image, top + 1, left, inside),
        input_row(image, top + 2, left, inside),
        input_row(image, top + 3, left, inside),
    );
    let points = B_TRANSPOSED * window * transpose(B_TRANSPOSED);
    let plane = params.inner * params.tiles;
    let at = params.v_offset + id.y * params.tiles + id.x;
    store_input(at, plane, points[0]);
    store_input(at + 4u * plane, plane, points[1]);
    store_input(at + 8u * plane, plane, points[2]);
    store_input(at + 12u * plane, plane, points[3]);
}

// Four points of M.
fn output_points(at: u32, plane: u32) -> vec4<f32> {
    return vec4<f32>(m[at], m[at + plane], m[at + 2u * plane], m[at + 3u * plane]);
}

// Of two values the larger; a NaN is larger than any number.
fn larger(a: f32, b: f32) -> f32 {
    return select(a, b, b > a || b != b);
}

// The size of y.
fn stored_size() -> vec2<u32> {
    return vec2<u32>(params.out_width, params.out_height) / select(1u, 2u, POOL);
}

fn store_output(at: u32, left: u32, column: u32, value: f32) {
    if (left + column >= stored_size().x) { return; }
    let sum = select(0.0, y[at + column], params.accumulate != 0u) + value;
    // Not max(): a NaN must stay one.
    y[at + column] = select(sum, 0.0, RELU && sum < 0.0);
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
