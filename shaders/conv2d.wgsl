// 2-D convolution and its two gradients, over NCHW tensors and OIHW weights.
//
//   direct           one invocation makes 8 filters × 4 neighbouring pixels of y: few channels
//   blocked          one invocation makes 8 filters × 8×8 pixels, for 3×3 filters with step 1: software adapters
//   gemm             y as a matrix product, filters × pixels, tiles in workgroup memory (implicit GEMM)
//   gemm_input       dx the same way: channels × pixels, a sum over filters and places in the filter
//   gemm_weight      dweight: filters × places in the filter, a sum over pixels
//   bias_gradient    dbias: a sum over pixels
//
// A dispatch may see a part only of the images or filters; the offsets say where its parts begin in the bindings.

struct Params {
    images: u32,
    channels: u32,
    height: u32,
    width: u32,
    filters: u32,
    out_height: u32,
    out_width: u32,
    kernel_height: u32,
    kernel_width: u32,
    stride_y: u32,
    stride_x: u32,
    padding_y: u32,
    padding_x: u32,
    // Values between the same place in two images of y and dy.
    y_image: u32,
    x_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    y_offset: u32,
    // Whether the result is added to what is there.
    accumulate: u32,
    // First workgroup along x, for grids of more than 65,535.
    first_group: u32,
}

// The size of the filters where it is known at compile time, so that the divisions by it are cheap; 0 where it is not.
override KERNEL: u32 = 0u;
override RELU: bool = false;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> dx: array<f32>;

@group(0) @binding(2) var<storage, read> gradient: array<f32>;
@group(0) @binding(3) var<storage, read_write> dweight: array<f32>;
@group(0) @binding(2) var<storage, read_write> dbias: array<f32>;

fn kernel_height() -> u32 { return select(KERNEL, params.kernel_height, KERNEL == 0u); }
fn kernel_width() -> u32 { return select(KERNEL, params.kernel_width, KERNEL == 0u); }

fn activate(value: f32) -> f32 {
    // Not max(): a NaN must stay one.
    return select(value, 0.0, RELU && value < 0.0);
}

// ---------------------------------------------------------------------------------------------------------- direct

const DIRECT_FILTERS: u32 = 8u;
const DIRECT_PIXELS: u32 = 4u;

@compute @workgroup_size(64)
fn direct(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Along x: groups of 4 neighbouring pixels in a row of the output; along y: groups of 8 filters; along z: images.
    let strips = (params.out_width + DIRECT_PIXELS - 1u) / DIRECT_PIXELS;
    let strip = (group.x + params.first_group) * 64u + local;
    if (strip >= strips * params.out_height) { return; }
    let oy = strip / strips;
    let ox = strip % strips * DIRECT_PIXELS;
    let first = group.y * DIRECT_FILTERS;
    let last = params.filters - 1u;

    var sums: array<vec4<f32>, 8>;
    let filter_size = params.channels * kernel_height() * kernel_width();
    // Filters past the last repeat it, and are not stored.
    var row: array<u32, 8>;
    for (var f = 0u; f < DIRECT_FILTERS; f++) {
        row[f] = params.weight_offset + min(first + f, last) * filter_size;
        sums[f] = vec4<f32>(bias[params.bias_offset + min(first + f, last)]);
    }
    let columns = vec4<i32>(i32(ox * params.stride_x) - i32(params.padding_x))
        + vec4<i32>(0, 1, 2, 3) * i32(params.stride_x);
    let image = params.x_offset + group.z * params.channels * params.height * params.width;
    var place = 0u;
    for (var c = 0u; c < params.channels; c++) {
        for (var ky = 0u; ky < kernel_height(); ky++) {
            let iy = i32(oy * params.stride_y + ky) - i32(params.padding_y);
            let row_exists = iy >= 0 && iy < i32(params.height);
            let line = image + (c * params.height + u32(max(iy, 0))) * params.width;
            for (var kx = 0u; kx < kernel_width(); kx++) {
                let ix = columns + vec4<i32>(i32(kx));
                let exists = vec4<bool>(row_exists) & (ix >= vec4<i32>(0)) & (ix < vec4<i32>(i32(params.width)));
                let at = select(vec4<u32>(image), vec4<u32>(line) + vec4<u32>(ix), exists);
                let values = select(vec4<f32>(), vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]), exists);
                sums[0] += weight[row[0] + place] * values;
                sums[1] += weight[row[1] + place] * values;
                sums[2] += weight[row[2] + place] * values;
                sums[3] += weight[row[3] + place] * values;
                sums[4] += weight[row[4] + place] * values;
                sums[5] += weight[row[5] + place] * values;
                sums[6] += weight[row[6] + place] * values;
                sums[7] += weight[row[7] + place] * values;
                place++;
            }
        }
    }
    let plane = params.out_height * params.out_width;
    for (var f = 0u; f < DIRECT_FILTERS; f++) {
        let at = params.y_offset + group.z * params.y_image + (first + f) * plane + oy * params.out_width + ox;
        for (var p = 0u; p < DIRECT_PIXELS; p++) {
            if (first + f <= last && ox + p < params.out_width) {
                y[at + p] = activate(sums[f][p]);
            }
        }
    }
}


// --------------------------------------------------------------------------------------------------------- blocked
//
// Every value lies in a register of its own and no array is indexed, so that a compiler without loop unrolling keeps
// them there.

// Ten neighbouring values of one row of x.
struct Line {
    a: vec4<f32>,
    b: vec4<f32>,
    c: vec2<f32>,
}

// The columns of such a row, and whether they exist.
struct Columns {
    a: vec4<i32>,
    b: vec4<i32>,
    c: vec2<i32>,
}

// The ten rows of x that eight rows of y see.
struct Window {
    row0: Line,
    row1: Line,
    row2: Line,
    row3: Line,
    row4: Line,
    row5: Line,
    row6: Line,
    row7: Line,
    row8: Line,
    row9: Line,
}

// Eight neighbouring values of one row of y.
struct Strip {
    a: vec4<f32>,
    b: vec4<f32>,
}

// Eight rows of them, of one filter.
struct Block {
    row0: Strip,
    row1: Strip,
    row2: Strip,
    row3: Strip,
    row4: Strip,
    row5: Strip,
    row6: Strip,
    row7: Strip,
}

fn x_or_zero(line: u32, column: i32, row_exists: bool) -> f32 {
    let exists = row_exists && column >= 0 && column < i32(params.width);
    return select(0.0, x[select(params.x_offset, line + u32(column), exists)], exists);
}

fn line_at(plane: u32, iy: i32, at: Columns) -> Line {
    let exists = iy >= 0 && iy < i32(params.height);
    let line = plane + u32(max(iy, 0)) * params.width;
    return Line(
        vec4<f32>(
            x_or_zero(line, at.a.x, exists),
            x_or_zero(line, at.a.y, exists),
            x_or_zero(line, at.a.z, exists),
            x_or_zero(line, at.a.w, exists),
        ),
        vec4<f32>(
            x_or_zero(line, at.b.x, exists),
            x_or_zero(line, at.b.y, exists),
            x_or_zero(line, at.b.z, exists),
            x_or_zero(line, at.b.w, exists),
        ),
        vec2<f32>(x_or_zero(line, at.c.x, exists), x_or_zero(line, at.c.y, exists)),
    );
}

// Adds what one row of a filter makes of one row of x.
fn add_row(sum: Strip, w: vec3<f32>, line: Line) -> Strip {
    let a = fma(vec4<f32>(w.x), line.a, sum.a);
    let b = fma(vec4<f32>(w.x), line.b, sum.b);
    let a1 = fma(vec4<f32>(w.y), vec4<f32>(line.a.yzw, line.b.x), a);
    let b1 = fma(vec4<f32>(w.y), vec4<f32>(line.b.yzw, line.c.x), b);
    return Strip(
        fma(vec4<f32>(w.z), vec4<f32>(line.a.zw, line.b.xy), a1),
        fma(vec4<f32>(w.z), vec4<f32>(line.b.zw, line.c.xy), b1),
    );
}

// Adds what one channel of a filter, whose weights begin at `at`, makes of a window.
fn add_channel(sum: Block, at: u32, see: Window) -> Block {
    let top = vec3<f32>(weight[at], weight[at + 1u], weight[at + 2u]);
    let middle = vec3<f32>(weight[at + 3u], weight[at + 4u], weight[at + 5u]);
    let bottom = vec3<f32>(weight[at + 6u], weight[at + 7u], weight[at + 8u]);
    return Block(
        add_row(add_row(add_row(sum.row0, top, see.row0), middle, see.row1), bottom, see.row2),
        add_row(add_row(add_row(sum.row1, top, see.row1), middle, see.row2), bottom, see.row3),
        add_row(add_row(add_row(sum.row2, top, see.row2), middle, see.row3), bottom, see.row4),
        add_row(add_row(add_row(sum.row3, top, see.row3), middle, see.row4), bottom, see.row5),
        add_row(add_row(add_row(sum.row4, top, see.row4), middle, see.row5), bottom, see.row6),
        add_row(add_row(add_row(sum.row5, top, see.row5), middle, see.row6), bottom, see.row7),
        add_row(add_row(add_row(sum.row6, top, see.row6), middle, see.row7), bottom, see.row8),
        add_row(add_row(add_row(sum.row7, top, see.row7), middle, see.row8), bottom, see.row9),
    );
}

fn store_value(at: u32, ox: u32, value: f32) {
    if (ox < params.out_width) { y[at + ox] = activate(value); }
}

fn store_strip(strip: Strip, at: u32, oy: u32, ox: u32, b: f32) {
    if (oy >= params.out_height) { return; }
    let line = at + oy * params.out_width;
    store_value(line, ox, strip.a.x + b);
    store_value(line, ox + 1u, strip.a.y + b);
    store_value(line, ox + 2u, strip.a.z + b);
    store_value(line, ox + 3u, strip.a.w + b);
    store_value(line, ox + 4u, strip.b.x + b);
    store_value(line, ox + 5u, strip.b.y + b);
    store_value(line, ox + 6u, strip.b.z + b);
    store_value(line, ox + 7u, strip.b.w + b);
}

fn store_block(block: Block, image: u32, filter_index: u32, oy: u32, ox: u32) {
    if (filter_index >= params.filters) { return; }
    let at = params.y_offset + image * params.y_image + filter_index * params.out_height * params.out_width;
    let b = bias[params.bias_offset + filter_index];
    store_strip(block.row0, at, oy, ox, b);
    store_strip(block.row1, at, oy + 1u, ox, b);
    store_strip(block.row2, at, oy + 2u, ox, b);
    store_strip(block.row3, at, oy + 3u, ox, b);
    store_strip(block.row4, at, oy + 4u, ox, b);
    store_strip(block.row5, at, oy + 5u, ox, b);
    store_strip(block.row6, at, oy + 6u, ox, b);
    store_strip(block.row7, at, oy + 7u, ox, b);
}

@compute @workgroup_size(32)
fn blocked(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Blocks of 8 × 8 pixels, then groups of 8 filters, counted in one row; along z: images.
    let across = (params.out_width + 7u) / 8u;
    let blocks = across * ((params.out_height + 7u) / 8u);
    let index = (group.x + params.first_group) * 32u + local;
    let first = index / blocks * 8u;
    if (first >= params.filters) { return; }
    let ox = index % across * 8u;
    let oy = index % blocks / across * 8u;

    let size = params.channels * 9u;
    // Filters past the last repeat it, and are not stored.
    let rows_a = params.weight_offset + min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.filters - 1u)) * size;
    let rows_b = params.weight_offset + min(vec4<u32>(first) + vec4<u32>(4u, 5u, 6u, 7u), vec4<u32>(params.filters - 1u)) * size;
    let left = i32(ox) - i32(params.padding_x);
    let top = i32(oy) - i32(params.padding_y);
    let at = Columns(left + vec4<i32>(0, 1, 2, 3), left + vec4<i32>(4, 5, 6, 7), left + vec2<i32>(8, 9));
    var s0: Block;
    var s1: Block;
    var s2: Block;
    var s3: Block;
    var s4: Block;
    var s5: Block;
    var s6: Block;
    var s7: Block;
    for (var c = 0u; c < params.channels; c++) {
        let plane = params.x_offset + (group.z * params.channels + c) * params.height * params.width;
        let see = Window(
            line_at(plane, top, at),
            line_at(plane, top + 1, at),
            line_at(plane, top + 2, at),
            line_at(plane, top + 3, at),
            line_at(plane, top + 4, at),
            line_at(plane, top + 5, at),
            line_at(plane, top + 6, at),
            line_at(plane, top + 7, at),
            line_at(plane, top + 8, at),
            line_at(plane, top + 9, at),
        );
        s0 = add_channel(s0, rows_a.x + c * 9u, see);
        s1 = add_channel(s1, rows_a.y + c * 9u, see);
        s2 = add_channel(s2, rows_a.z + c * 9u, see);
        s3 = add_channel(s3, rows_a.w + c * 9u, see);
        s4 = add_channel(s4, rows_b.x + c * 9u, see);
        s5 = add_channel(s5, rows_b.y + c * 9u, see);
        s6 = add_channel(s6, rows_b.z + c * 9u, see);
        s7 = add_channel(s7, rows_b.w + c * 9u, see);
    }
    store_block(s0, group.z, first, oy, ox);
    store_block(s1, group.z, first + 1u, oy, ox);
    store_block(s2, group.z, first + 2u, oy, ox);
    store_block(s3, group.z, first + 3u, oy, ox);
    store_block(s4, group.z, first + 4u, oy, ox);
    store_block(s5, group.z, first + 5u, oy, ox);
    store_block(s6, group.z, first + 6u, oy, ox);
    store_block(s7, group.z, first + 7u, oy, ox);
}

// ------------------------------------------------------------------------------------------------------------ gemm
//
// 64 invocations make a tile of 64 × 64, each 8 × 8 of it, in steps of 16 along the inner dimension. Tiles lie in
// workgroup memory as [inner][row or column / 4]. A vec4 is always written by one invocation: two that wrote
// components of the same one would race.

const TILE: u32 = 64u;
const STEP: u32 = 16u;
const QUADS: u32 = 16u;

var<workgroup> a_tile: array<vec4<f32>, 256>;
var<workgroup> b_tile: array<vec4<f32>, 256>;

fn multiply(sums: ptr<function, array<vec4<f32>, 16>>, local: u32) {
    let row = local / 8u * 2u;
    let column = local % 8u * 2u;
    for (var k = 0u; k < STEP; k++) {
        let a0 = a_tile[k * QUADS + row];
        let a1 = a_tile[k * QUADS + row + 1u];
        let b0 = b_tile[k * QUADS + column];
        let b1 = b_tile[k * QUADS + column + 1u];
        (*sums)[0] += a0.x * b0;
        (*sums)[1] += a0.x * b1;
        (*sums)[2] += a0.y * b0;
        (*sums)[3] += a0.y * b1;
        (*sums)[4] += a0.z * b0;
        (*sums)[5] += a0.z * b1;
        (*sums)[6] += a0.w * b0;
        (*sums)[7] += a0.w * b1;
        (*sums)[8] += a1.x * b0;
        (*sums)[9] += a1.x * b1;
        (*sums)[10] += a1.y * b0;
        (*sums)[11] += a1.y * b1;
        (*sums)[12] += a1.z * b0;
        (*sums)[13] += a1.z * b1;
        (*sums)[14] += a1.w * b0;
        (*sums)[15] += a1.w * b1;
    }
}

// The place of a pixel of a plane of this width, counted through all images: image, row, column.
fn pixel_at(index: u32, height: u32, width: u32) -> vec3<u32> {
    let plane = height * width;
    let within = index % plane;
    return vec3<u32>(index / plane, within / width, within % width);
}

// A place in a filter, counted through its channels: channel, row, column.
fn tap_at(index: u32) -> vec3<u32> {
    return pixel_at(index, kernel_height(), kernel_width());
}

// The value of x that place `tap` of a filter meets at pixel `at` of y.
fn x_at(tap: vec3<u32>, at: vec3<u32>) -> f32 {
    let iy = i32(at.y * params.stride_y + tap.y) - i32(params.padding_y);
    let ix = i32(at.z * params.stride_x + tap.z) - i32(params.padding_x);
    if (iy < 0 || iy >= i32(params.height) || ix < 0 || ix >= i32(params.width)) { return 0.0; }
    return x[params.x_offset + ((at.x * params.channels + tap.x) * params.height + u32(iy)) * params.width + u32(ix)];
}

@compute @workgroup_size(64)
fn gemm(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let filter_size = params.channels * kernel_height() * kernel_width();
    let plane = params.out_height * params.out_width;
    let pixels = params.images * plane;
    let first_pixel = (group.x + params.first_group) * TILE;
    let first_filter = group.y * TILE;

    // This invocation always fetches the same four pixels.
    var at: array<vec3<u32>, 4>;
    for (var p = 0u; p < 4u; p++) {
        at[p] = pixel_at(min(first_pixel + local % QUADS * 4u + p, pixels - 1u), params.out_height, params.out_width);
    }
    var sums: array<vec4<f32>, 16>;
    for (var start = 0u; start < filter_size; start += STEP) {
        for (var i = 0u; i < 4u; i++) {
            let ka = local % STEP;
            let quad = local / STEP + 4u * i;
            var a = vec4<f32>();
            for (var f = 0u; f < 4u; f++) {
                let row = first_filter + quad * 4u + f;
                if (row < params.filters && start + ka < filter_size) {
                    a[f] = weight[params.weight_offset + row * filter_size + start + ka];
                }
            }
            a_tile[ka * QUADS + quad] = a;
            let kb = local / QUADS + 4u * i;
            var b = vec4<f32>();
            if (start + kb < filter_size) {
                let tap = tap_at(start + kb);
                b = vec4<f32>(x_at(tap, at[0]), x_at(tap, at[1]), x_at(tap, at[2]), x_at(tap, at[3]));
            }
            b_tile[kb * QUADS + local % QUADS] = b;
        }
        workgroupBarrier();
        multiply(&sums, local);
        workgroupBarrier();
    }
    for (var p = 0u; p < 8u; p++) {
        let pixel = first_pixel + local % 8u * 8u + p;
        if (pixel >= pixels) { break; }
        let base = params.y_offset + pixel / plane * params.y_image + pixel % plane;
        for (var f = 0u; f < 8u; f++) {
            let row = first_filter + local / 8u * 8u + f;
            if (row >= params.filters) { break; }
            y[base + row * plane] = activate(sums[f * 2u + p / 4u][p % 4u] + bias[params.bias_offset + row]);
        }
    }
}

// The value of dy that reaches pixel `at` of x through place `tap` of a filter (here tap.x is the filter).
fn dy_at(tap: vec3<u32>, at: vec3<u32>) -> f32 {
    let sy = i32(at.y + params.padding_y) - i32(tap.y);
    let sx = i32(at.z + params.padding_x) - i32(tap.z);
    if (sy < 0 || sx < 0 || u32(sy) % params.stride_y != 0u || u32(sx) % params.stride_x != 0u) { return 0.0; }
    let oy = u32(sy) / params.stride_y;
    let ox = u32(sx) / params.stride_x;
    if (oy >= params.out_height || ox >= params.out_width) { return 0.0; }
    return dy[params.y_offset + at.x * params.y_image + (tap.x * params.out_height + oy) * params.out_width + ox];
}

@compute @workgroup_size(64)
fn gemm_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let taps = kernel_height() * kernel_width();
    let inner = params.filters * taps;
    let plane = params.height * params.width;
    let pixels = params.images * plane;
    let first_pixel = (group.x + params.first_group) * TILE;
    let first_channel = group.y * TILE;

    var at: array<vec3<u32>, 4>;
    for (var p = 0u; p < 4u; p++) {
        at[p] = pixel_at(min(first_pixel + local % QUADS * 4u + p, pixels - 1u), params.height, params.width);
    }
    var sums: array<vec4<f32>, 16>;
    for (var start = 0u; start < inner; start += STEP) {
        for (var i = 0u; i < 4u; i++) {
            let ka = local % STEP;
            let quad = local / STEP + 4u * i;
            var a = vec4<f32>();
            let index = start + ka;
            for (var c = 0u; c < 4u; c++) {
                let channel = first_channel + quad * 4u + c;
                if (channel < params.channels && index < inner) {
                    a[c] = weight[params.weight_offset + (index / taps * params.channels + channel) * taps + index % taps];
                }
            }
            a_tile[ka * QUADS + quad] = a;
            let kb = local / QUADS + 4u * i;
            var b = vec4<f32>();
            if (start + kb < inner) {
                let tap = tap_at(start + kb);
                b = vec4<f32>(dy_at(tap, at[0]), dy_at(tap, at[1]), dy_at(tap, at[2]), dy_at(tap, at[3]));
            }
            b_tile[kb * QUADS + local % QUADS] = b;
        }
        workgroupBarrier();
        multiply(&sums, local);
        workgroupBarrier();
    }
    for (var p = 0u; p < 8u; p++) {
        let pixel = first_pixel + local % 8u * 8u + p;
        if (pixel >= pixels) { break; }
        let base = params.x_offset + pixel / plane * params.channels * plane + pixel % plane;
        for (var c = 0u; c < 8u; c++) {
            let channel = first_channel + local / 8u * 8u + c;
            if (channel >= params.channels) { break; }
            let before = select(0.0, dx[base + channel * plane], params.accumulate != 0u);
            dx[base + channel * plane] = before + sums[c * 2u + p / 4u][p % 4u];
        }
    }
}

@compute @workgroup_size(64)
fn gemm_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let filter_size = params.channels * kernel_height() * kernel_width();
    let plane = params.out_height * params.out_width;
    let pixels = params.images * plane;
    let first_tap = (group.x + params.first_group) * TILE;
    let first_filter = group.y * TILE;

    var taps: array<vec3<u32>, 4>;
    for (var t = 0u; t < 4u; t++) {
        taps[t] = tap_at(min(first_tap + local % QUADS * 4u + t, filter_size - 1u));
    }
    var sums: array<vec4<f32>, 16>;
    for (var start = 0u; start < pixels; start += STEP) {
        for (var i = 0u; i < 4u; i++) {
            let ka = local % STEP;
            let quad = local / STEP + 4u * i;
            var a = vec4<f32>();
            if (start + ka < pixels) {
                let pixel = start + ka;
                let base = params.y_offset + pixel / plane * params.y_image + pixel % plane;
                for (var f = 0u; f < 4u; f++) {
                    let row = first_filter + quad * 4u + f;
                    if (row < params.filters) {
                        a[f] = gradient[base + row * plane];
                    }
                }
            }
            a_tile[ka * QUADS + quad] = a;
            let kb = local / QUADS + 4u * i;
            var b = vec4<f32>();
            if (start + kb < pixels) {
                let at = pixel_at(start + kb, params.out_height, params.out_width);
                b = vec4<f32>(x_at(taps[0], at), x_at(taps[1], at), x_at(taps[2], at), x_at(taps[3], at));
            }
            b_tile[kb * QUADS + local % QUADS] = b;
        }
        workgroupBarrier();
        multiply(&sums, local);
        workgroupBarrier();
    }
    for (var t = 0u; t < 8u; t++) {
        let tap = first_tap + local % 8u * 8u + t;
        if (tap >= filter_size) { break; }
        for (var f = 0u; f < 8u; f++) {
            let row = first_filter + local / 8u * 8u + f;
            if (row >= params.filters) { break; }
            let at = params.weight_offset + row * filter_size + tap;
            let before = select(0.0, dweight[at], params.accumulate != 0u);
            dweight[at] = before + sums[f * 2u + t / 4u][t % 4u];
        }
    }
}

// ------------------------------------------------------------------------------------------------------------ bias

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn bias_gradient(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let filter_index = group.x + params.first_group;
    let plane = params.out_height * params.out_width;
    var sum = 0.0;
    for (var pixel = local; pixel < params.images * plane; pixel += 64u) {
        sum += dy[params.y_offset + pixel / plane * params.y_image + filter_index * plane + pixel % plane];
    }
    partial[local] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    if (local == 0u) {
        let at = params.bias_offset + filter_index;
        dbias[at] = select(0.0, dbias[at], params.accumulate != 0u) + partial[0];
    }
}
