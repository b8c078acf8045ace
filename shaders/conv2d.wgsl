// 2-D convolution and its two gradients, over NCHW tensors and OIHW weights.
//
//   direct           one invocation makes 8 filters × 4 neighbouring pixels of y: few channels
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
