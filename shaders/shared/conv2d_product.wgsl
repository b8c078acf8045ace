// A product of matrices, rows × columns, where the columns are places of a grid in each of some images, and the inner
// dimension is made of planes of x and the taps that are read in each:
//
//                  rows       columns                  planes     taps                    is read
//   y              filters    pixels of y              channels   places in a filter      x
//   dx             channels   pixels of x              filters    places in a filter      dy
//   dweight        filters    places in the filters    images     pixels of y             x
//
// (In dx, at a step of s, pixels whose places differ by a multiple of s see the same places of the filters: each of the
// s × s such grids is a product of its own.) Place `at` of the grid meets, with tap `t`, the value at
// origin + at · step + t · direction of a plane, or zero outside of it.

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;

// Pairs are of height and width, or of what belongs to a step down and to one across.
struct Product {
    grid: vec2<u32>,
    taps: vec2<u32>,
    // The planes that are read: their size, and below the values between two of them, and between those of two images.
    size: vec2<u32>,
    origin: vec2<i32>,
    step: vec2<i32>,
    direction: vec2<i32>,
    // Values between neighbours in the other factor: the filters, or dy.
    weight_tap: vec2<u32>,
    // The same in the result.
    y_place: vec2<u32>,
    images: u32,
    rows: u32,
    planes: u32,
    plane: u32,
    image: u32,
    x_offset: u32,
    weight_offset: u32,
    weight_row: u32,
    weight_plane: u32,
    // Where the packed weights begin, in vec4s.
    packed_offset: u32,
    y_offset: u32,
    y_image: u32,
    y_row: u32,
    bias_offset: u32,
    has_bias: u32,
    // What the activation function is made with.
    low: f32,
    high: f32,
    // How much further than the same value of y the residual lies (modulo 2^32).
    residual_shift: u32,
    // Whether the result is added to what is there.
    accumulate: u32,
    // How much of the inner dimension (planes in `gemm`, rows of taps in `gemm_weight`) each workgroup along z takes,
    // the values between their results, and how many there are.
    part: u32,
    y_part: u32,
    parts: u32,
    // First workgroup along x, for grids of more than 65,535.
    first_group: u32,
    // What matrix units multiply the factors with, or 0 where that is measured, and where it lies then.
    left_scale: f32,
    right_scale: f32,
    measured_offset: u32,
}

@group(0) @binding(0) var<uniform> product: Product;
@group(0) @binding(2) var<storage, read> packed: array<vec4<f32>>;
fn columns() -> u32 { return product.images * product.grid.x * product.grid.y; }

// A place of the grid, counted through all images: image, row, column. One past the last is the last.
fn place_at(index: u32) -> vec3<u32> {
    let at = min(index, columns() - 1u);
    let places = product.grid.x * product.grid.y;
    let within = at % places;
    return vec3<u32>(at / places, within / product.grid.y, within % product.grid.y);
}

// The place after `at`, or `at` itself if it is the last.
fn next_place(at: vec3<u32>) -> vec3<u32> {
    if (at.z + 1u < product.grid.y) { return vec3<u32>(at.xy, at.z + 1u); }
    if (at.y + 1u < product.grid.x) { return vec3<u32>(at.x, at.y + 1u, 0u); }
    if (at.x + 1u < product.images) { return vec3<u32>(at.x + 1u, 0u, 0u); }
    return at;
}

// Where place `at` of the grid lies in the first plane, in rows and columns.
fn origin_of(at: vec3<u32>) -> vec2<i32> {
    return product.origin + vec2<i32>(at.yz) * product.step;
}

fn is_inside(at: vec2<i32>) -> bool {
    return u32(at.x) < product.size.x && u32(at.y) < product.size.y;
}

// The index in x of what place `at` of the grid meets with a tap in the first plane; of its neighbour if there is none.
fn index_of(image: u32, at: vec2<i32>) -> u32 {
    let near = vec2<u32>(clamp(at, vec2<i32>(0), vec2<i32>(i32(product.size.x) - 1, i32(product.size.y) - 1)));
    return product.x_offset + image * product.image + near.x * product.size.y + near.y;
}

fn x_quad(at: vec4<u32>, exists: vec4<bool>) -> vec4<f32> {
    return select(vec4<f32>(), vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]), exists);
}

fn store_sum(row: u32, at: u32, value: f32) {
    let place = at + row * product.y_row;
    var sum = value;
    if (product.has_bias != 0u) { sum += bias[product.bias_offset + row]; }
    var before = 0.0;
    if (product.accumulate != 0u) { before = y[place]; }
    y[place] = finished(product.low, product.high, sum, before, place + product.residual_shift);
}

fn store_row(row: u32, at: vec4<u32>, count: u32, values: vec4<f32>) {
    if (row >= product.rows) { return; }
    if (count > 0u) { store_sum(row, at.x, values.x); }
    if (count > 1u) { store_sum(row, at.y, values.y); }
    if (count > 2u) { store_sum(row, at.z, values.z); }
    if (count > 3u) { store_sum(row, at.w, values.w); }
}

fn place_in_y(at: vec3<u32>) -> u32 {
    return product.y_offset + at.x * product.y_image + at.y * product.y_place.x + at.z * product.y_place.y;
}

// Rows and planes of the packed weights: [tap][plane][row / 4], planes filled up with zeros to a multiple of 8.
fn packed_rows() -> u32 { return (product.rows + 3u) / 4u; }
fn packed_planes() -> u32 { return (product.planes + 7u) / 8u * 8u; }

// In dweight neighbouring columns are channels at the same place of the filters.
fn channel_quads() -> u32 { return (product.images + 3u) / 4u; }

// The first of four neighbouring channels at one place of the filters: channel, row, column.
fn channels_at(quad: u32) -> vec3<u32> {
    let places = product.grid.x * product.grid.y;
    let place = min(quad / channel_quads(), places - 1u);
    return vec3<u32>(quad % channel_quads() * 4u, place / product.grid.y, place % product.grid.y);
}
