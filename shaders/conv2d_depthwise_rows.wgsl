// Depthwise convolutions of 3×3 with step 1 in registers only, for software adapters, on which each value that is read or
// written costs more than the arithmetic on it: what a row's pixels have in common is read once.
//
//   forward   one invocation makes 4 × 4 neighbouring pixels of y

struct Params {
    channels: u32,
    height: u32,
    width: u32,
    filters: u32,
    out_height: u32,
    out_width: u32,
    padding_y: u32,
    padding_x: u32,
    x_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    y_offset: u32,
    // What the activation function is made with.
    low: f32,
    high: f32,
    // How much further than the same value of y the residual lies (modulo 2^32).
    residual_shift: u32,
}

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;

const INVOCATIONS: u32 = 32u;
const SIDE: u32 = 4u;

// Six neighbouring pixels of a row of x, those that 4 pixels of y need.
struct Line {
    first: vec4<f32>,
    last: vec2<f32>,
}

// Where the block's columns lie in a row of x, and which of them exist.
struct Columns {
    first: vec4<i32>,
    last: vec2<i32>,
    has_first: vec4<bool>,
    has_last: vec2<bool>,
}

fn columns_from(column: i32) -> Columns {
    let first = vec4<i32>(column) + vec4<i32>(0, 1, 2, 3);
    let last = vec2<i32>(column) + vec2<i32>(4, 5);
    let width = i32(params.width);
    return Columns(
        first,
        last,
        (first >= vec4<i32>(0)) & (first < vec4<i32>(width)),
        (last >= vec2<i32>(0)) & (last < vec2<i32>(width)),
    );
}

// Pixels outside are zeros; the plane's first one is read in their place.
fn line_at(plane: u32, row: i32, columns: Columns) -> Line {
    let row_exists = row >= 0 && row < i32(params.height);
    let line = i32(plane) + row * i32(params.width);
    let has_first = vec4<bool>(row_exists) & columns.has_first;
    let has_last = vec2<bool>(row_exists) & columns.has_last;
    let a = select(vec4<u32>(plane), vec4<u32>(vec4<i32>(line) + columns.first), has_first);
    let b = select(vec2<u32>(plane), vec2<u32>(vec2<i32>(line) + columns.last), has_last);
    return Line(
        select(vec4<f32>(), vec4<f32>(x[a.x], x[a.y], x[a.z], x[a.w]), has_first),
        select(vec2<f32>(), vec2<f32>(x[b.x], x[b.y]), has_last),
    );
}

// A row of the filter on a row of pixels, for 4 pixels of y.
fn add_row(sums: vec4<f32>, row: vec3<f32>, line: Line) -> vec4<f32> {
    var result = fma(vec4<f32>(row.x), line.first, sums);
    result = fma(vec4<f32>(row.y), vec4<f32>(line.first.yzw, line.last.x), result);
    return fma(vec4<f32>(row.z), vec4<f32>(line.first.zw, line.last), result);
}

fn store_pixel(at: u32, exists: bool, sum: f32) {
    if (exists) { y[at] = finished(params.low, params.high, sum, 0.0, at + params.residual_shift); }
}

fn store_row(at: u32, columns: u32, row_exists: bool, sums: vec4<f32>) {
    store_pixel(at, row_exists, sums.x);
    store_pixel(at + 1u, row_exists && columns > 1u, sums.y);
    store_pixel(at + 2u, row_exists && columns > 2u, sums.z);
    store_pixel(at + 3u, row_exists && columns > 3u, sums.w);
}

@compute @workgroup_size(INVOCATIONS)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Along x: blocks of a plane; along y: filters; along z: images. What is the same for a whole workgroup is read before
    // any branch: software adapters then read it once.
    let f = group.y;
    let tap = params.weight_offset + f * 9u;
    let top = vec3<f32>(weight[tap], weight[tap + 1u], weight[tap + 2u]);
    let middle = vec3<f32>(weight[tap + 3u], weight[tap + 4u], weight[tap + 5u]);
    let bottom = vec3<f32>(weight[tap + 6u], weight[tap + 7u], weight[tap + 8u]);
    let start = vec4<f32>(bias[params.bias_offset + f]);
    let block = group.x * INVOCATIONS + local;
    let across = (params.out_width + SIDE - 1u) / SIDE;
    let row = block / across * SIDE;
    let column = block % across * SIDE;
    if (row >= params.out_height) { return; }
    let channel = group.z * params.channels + f / (params.filters / params.channels);
    let plane = params.x_offset + channel * params.height * params.width;
    let columns = columns_from(i32(column) - i32(params.padding_x));
    let first = i32(row) - i32(params.padding_y);
    let l0 = line_at(plane, first, columns);
    let l1 = line_at(plane, first + 1, columns);
    let l2 = line_at(plane, first + 2, columns);
    let l3 = line_at(plane, first + 3, columns);
    let l4 = line_at(plane, first + 4, columns);
    let l5 = line_at(plane, first + 5, columns);
    let at = params.y_offset + ((group.z * params.filters + f) * params.out_height + row) * params.out_width + column;
    let count = params.out_width - column;
    let rows = params.out_height - row;
    let s0 = add_row(add_row(add_row(start, top, l0), middle, l1), bottom, l2);
    let s1 = add_row(add_row(add_row(start, top, l1), middle, l2), bottom, l3);
    let s2 = add_row(add_row(add_row(start, top, l2), middle, l3), bottom, l4);
    let s3 = add_row(add_row(add_row(start, top, l3), middle, l4), bottom, l5);
    store_row(at, count, true, s0);
    store_row(at + params.out_width, count, rows > 1u, s1);
    store_row(at + 2u * params.out_width, count, rows > 2u, s2);
    store_row(at + 3u * params.out_width, count, rows > 3u, s3);
}
