// Depthwise convolutions, in which each filter sees one channel, and their two gradients.
//
//   forward           one invocation makes 4 neighbouring pixels of a row of y
//   backward_input    the same for dx
//   backward_weight   a workgroup sums up the gradient of one tap of a filter over images and pixels
//
// A dispatch may see a part only of the images; the offsets say where its parts begin in the bindings.

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
    dilation_y: u32,
    dilation_x: u32,
    padding_y: u32,
    padding_x: u32,
    x_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    y_offset: u32,
    // Whether the result is added to what is there.
    accumulate: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
    // What the activation function is made with.
    low: f32,
    high: f32,
    // How much further than the same value of y the residual lies (modulo 2^32).
    residual_shift: u32,
}

// The size of the filters where it is known at compile time, so that loops over them are unrolled; 0 where it is not.
override KERNEL: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
@group(0) @binding(5) var<storage, read> residual: array<f32>;

@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(4) var<storage, read_write> dweight: array<f32>;

const PIXELS: u32 = 4u;

fn kernel_height() -> u32 { return select(KERNEL, params.kernel_height, KERNEL == 0u); }
fn kernel_width() -> u32 { return select(KERNEL, params.kernel_width, KERNEL == 0u); }

// Some pixels of a row: the plane, the row, and the first column.
struct Strip {
    plane: u32,
    row: u32,
    column: u32,
}

fn strip_at(group: vec3<u32>, local: u32, height: u32, width: u32) -> Strip {
    let index = (group.y * params.grid + group.x) * 64u + local;
    let strips = (width + PIXELS - 1u) / PIXELS;
    return Strip(index / (strips * height), index / strips % height, index % strips * PIXELS);
}

fn store_sum(at: u32, sum: f32) {
    y[at] = finished(params.low, params.high, sum, 0.0, at + params.residual_shift);
}

// Stores the pixels of a strip that exist.
fn store(at: u32, count: u32, sums: vec4<f32>) {
    if (count > 0u) { store_sum(at, sums.x); }
    if (count > 1u) { store_sum(at + 1u, sums.y); }
    if (count > 2u) { store_sum(at + 2u, sums.z); }
    if (count > 3u) { store_sum(at + 3u, sums.w); }
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let strip = strip_at(group, local, params.out_height, params.out_width);
    if (strip.plane >= params.images * params.filters) { return; }
    let filter_index = strip.plane % params.filters;
    let channel = strip.plane / params.filters * params.channels + filter_index / (params.filters / params.channels);
    let plane = params.x_offset + channel * params.height * params.width;
    let columns = (vec4<i32>(i32(strip.column)) + vec4<i32>(0, 1, 2, 3)) * i32(params.stride_x)
        - i32(params.padding_x);
    var tap = params.weight_offset + filter_index * kernel_height() * kernel_width();
    var sums = vec4<f32>(bias[params.bias_offset + filter_index]);
    for (var ky = 0u; ky < kernel_height(); ky++) {
        let iy = i32(strip.row * params.stride_y + ky * params.dilation_y) - i32(params.padding_y);
        let row_exists = iy >= 0 && iy < i32(params.height);
        let line = plane + u32(max(iy, 0)) * params.width;
        for (var kx = 0u; kx < kernel_width(); kx++) {
            let ix = columns + i32(kx * params.dilation_x);
            let exists = vec4<bool>(row_exists) & (ix >= vec4<i32>(0)) & (ix < vec4<i32>(i32(params.width)));
            let at = select(vec4<u32>(plane), vec4<u32>(line) + vec4<u32>(ix), exists);
            sums += weight[tap] * select(vec4<f32>(), vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]), exists);
            tap++;
        }
    }
    let at = params.y_offset + (strip.plane * params.out_height + strip.row) * params.out_width + strip.column;
    store(at, params.out_width - strip.column, sums);
}

// Here x is the gradient of the output, and y that of the input.
@compute @workgroup_size(64)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let strip = strip_at(group, local, params.height, params.width);
    if (strip.plane >= params.images * params.channels) { return; }
    let of_channel = params.filters / params.channels;
    let stride = vec4<i32>(i32(params.stride_x));
    let columns = vec4<i32>(i32(strip.column + params.padding_x)) + vec4<i32>(0, 1, 2, 3);
    var sums = vec4<f32>();
    for (var part = 0u; part < of_channel; part++) {
        // Filters of one channel follow each other, and so do the planes that they make.
        let map = strip.plane * of_channel + part;
        let plane = params.x_offset + map * params.out_height * params.out_width;
        var tap = params.weight_offset + map % params.filters * kernel_height() * kernel_width();
        for (var ky = 0u; ky < kernel_height(); ky++) {
            let reached = i32(strip.row + params.padding_y) - i32(ky * params.dilation_y);
            let oy = reached / i32(params.stride_y);
            let row_exists = reached >= 0 && oy * i32(params.stride_y) == reached && oy < i32(params.out_height);
            let line = plane + u32(max(oy, 0)) * params.out_width;
            for (var kx = 0u; kx < kernel_width(); kx++) {
                let across = columns - i32(kx * params.dilation_x);
                let ox = across / stride;
                let exists = vec4<bool>(row_exists) & (across >= vec4<i32>(0)) & (ox * stride == across)
                    & (ox < vec4<i32>(i32(params.out_width)));
                let at = select(vec4<u32>(plane), vec4<u32>(line) + vec4<u32>(ox), exists);
                sums += weight[tap] * select(vec4<f32>(), vec4<f32>(x[at.x], x[at.y], x[at.z], x[at.w]), exists);
                tap++;
            }
        }
    }
    let at = params.y_offset + (strip.plane * params.height + strip.row) * params.width + strip.column;
    store(at, params.width - strip.column, sums);
}

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64)
fn backward_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Along x and on along y: taps of all filters.
    let index = group.y * params.grid + group.x;
    let taps = params.kernel_height * params.kernel_width;
    let filter_index = index / taps;
    let exists = filter_index < params.filters;
    let tap = index % taps;
    let shift_y = i32(tap / params.kernel_width * params.dilation_y) - i32(params.padding_y);
    let shift_x = i32(tap % params.kernel_width * params.dilation_x) - i32(params.padding_x);
    let channel = filter_index / (params.filters / params.channels);
    let pixels = params.out_height * params.out_width;
    var sum = 0.0;
    for (var i = local; i < select(0u, params.images * pixels, exists); i += 64u) {
        let image = i / pixels;
        let pixel = i % pixels;
        let iy = i32(pixel / params.out_width * params.stride_y) + shift_y;
        let ix = i32(pixel % params.out_width * params.stride_x) + shift_x;
        if (iy >= 0 && iy < i32(params.height) && ix >= 0 && ix < i32(params.width)) {
            let plane = params.x_offset + (image * params.channels + channel) * params.height * params.width;
            let at = params.y_offset + (image * params.filters + filter_index) * pixels + pixel;
            sum += x[plane + u32(iy) * params.width + u32(ix)] * dy[at];
        }
    }
    partial[local] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    if (local == 0u && exists) {
        let at = params.weight_offset + index;
        dweight[at] = select(0.0, dweight[at], params.accumulate != 0u) + partial[0];
    }
}
