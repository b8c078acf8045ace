// What the transforms of Winograd's minimal filtering have in common, whatever the size of their tiles.

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
    // The parts of the products' inner dimension, whose sums are to be added up, and the values between two of them in M.
    parts: u32,
    m_part: u32,
    // Whether the result is added to what is there.
    accumulate: u32,
    // What the activation function is made with.
    low: f32,
    high: f32,
    // How much further than the same value of y the residual lies (modulo 2^32).
    residual_shift: u32,
}

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
@group(0) @binding(4) var<storage, read> residual: array<f32>;

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

// A value of x, of a row that may not exist; zero outside of it.
fn x_at(line: u32, column: i32, row_exists: bool) -> f32 {
    let exists = row_exists && column >= 0 && column < i32(params.width);
    return select(0.0, x[select(params.x_offset, line + u32(column), exists)], exists);
}

// A tile of a plane.
struct Tile {
    exists: bool,
    // Where the plane begins.
    plane: u32,
    // The row and the column that the tile's window begins with.
    top: i32,
    left: i32,
}

// The tile at a place of this dispatch, of `size` values a side.
fn tile_at(place: u32, channel: u32, size: u32) -> Tile {
    let exists = place < params.tile_count && channel < params.channels;
    let tile = params.first_tile + place;
    let within = tile % params.tiles_image;
    let first = params.x_offset + tile / params.tiles_image * params.x_image + channel * params.height * params.width;
    return Tile(
        exists,
        select(params.x_offset, first, exists),
        i32(within / params.tiles_across * size) - i32(params.padding_y),
        i32(within % params.tiles_across * size) - i32(params.padding_x),
    );
}

// Where the first point of a value lies in what the gradient of the weights is made from: [points, inner, outer].
fn by_tile(tile: u32, column: u32) -> u32 {
    return params.v_offset + tile * params.outer + column;
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
    var before = 0.0;
    if (params.accumulate != 0u) { before = y[at + column]; }
    y[at + column] = finished(params.low, params.high, value, before, at + column + params.residual_shift);
}

// Three taps of a filter's gradient.
fn store_taps(at: u32, values: vec3<f32>) {
    let sums = select(values, values + vec3<f32>(y[at], y[at + 1u], y[at + 2u]), params.accumulate != 0u);
    y[at] = sums.x;
    y[at + 1u] = sums.y;
    y[at + 2u] = sums.z;
}

// What `part_points` of a tile's transform makes of each part of M, added up.
fn output_points(at: u32, plane: u32) -> vec4<f32> {
    var sum = part_points(at, plane);
    for (var part = 1u; part < params.parts; part++) {
        sum += part_points(at + part * params.m_part, plane);
    }
    return sum;
}
