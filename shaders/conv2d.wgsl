// 2-D convolution and its two gradients, over NCHW tensors and OIHW weights.
//
//   direct           one invocation makes 8 filters × 4 neighbouring pixels of y: few channels
//   gemm             y, and dx, as a product of matrices, tiles in workgroup memory (implicit GEMM)
//   gemm_weight      dweight, the same way
//   pack             the filters, in the order in which gemm reads them
//   sum_parts        the sum of what was made in parts of the inner dimension
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
    dilation_y: u32,
    dilation_x: u32,
    // Filters of a group; `channels` are those of a group too.
    group_filters: u32,
    // Values between the same place in two images of x, and of y and dy.
    x_image: u32,
    y_image: u32,
    x_offset: u32,
    weight_offset: u32,
    bias_offset: u32,
    y_offset: u32,
    // Whether the result is added to what is there.
    accumulate: u32,
    // First workgroup along x, for grids of more than 65,535.
    first_group: u32,
    // What the activation function is made with.
    low: f32,
    high: f32,
    // How much further than the same value of y the residual lies (modulo 2^32).
    residual_shift: u32,
}

// The size of the filters where it is known at compile time, so that the divisions by it are cheap; 0 where it is not.
override KERNEL: u32 = 0u;

@group(0) @binding(0) var<uniform> params: Params;

@group(0) @binding(1) var<storage, read> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dbias: array<f32>;

fn kernel_height() -> u32 { return select(KERNEL, params.kernel_height, KERNEL == 0u); }
fn kernel_width() -> u32 { return select(KERNEL, params.kernel_width, KERNEL == 0u); }

// ---------------------------------------------------------------------------------------------------------- direct

const DIRECT_FILTERS: u32 = 8u;
const DIRECT_PIXELS: u32 = 4u;

@compute @workgroup_size(64)
fn direct(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Along x: groups of 4 neighbouring pixels in a row of the output; along y: groups of 8 filters, which see the same
    // channels; along z: images.
    let strips = (params.out_width + DIRECT_PIXELS - 1u) / DIRECT_PIXELS;
    let strip = (group.x + params.first_group) * 64u + local;
    if (strip >= strips * params.out_height) { return; }
    let oy = strip / strips;
    let ox = strip % strips * DIRECT_PIXELS;
    let blocks = (params.group_filters + DIRECT_FILTERS - 1u) / DIRECT_FILTERS;
    let channel_group = group.y / blocks;
    let first = channel_group * params.group_filters + group.y % blocks * DIRECT_FILTERS;
    let last = (channel_group + 1u) * params.group_filters - 1u;

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
    let image = params.x_offset + group.z * params.x_image
        + channel_group * params.channels * params.height * params.width;
    var place = 0u;
    for (var c = 0u; c < params.channels; c++) {
        for (var ky = 0u; ky < kernel_height(); ky++) {
            let iy = i32(oy * params.stride_y + ky * params.dilation_y) - i32(params.padding_y);
            let row_exists = iy >= 0 && iy < i32(params.height);
            let line = image + (c * params.height + u32(max(iy, 0))) * params.width;
            for (var kx = 0u; kx < kernel_width(); kx++) {
                let ix = columns + vec4<i32>(i32(kx * params.dilation_x));
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
                y[at + p] = finished(params.low, params.high, sums[f][p], 0.0, at + p + params.residual_shift);
            }
        }
    }
}

// ------------------------------------------------------------------------------------------------------------ gemm
//
// `shared/conv2d_product.wgsl` says what is multiplied, `shared/tiles.wgsl` how tiles are.

@group(0) @binding(4) var<storage, read_write> packing: array<vec4<f32>>;

// Stores the sums of one column quad: the first `count` columns, which begin at these places in the first row.
fn store(sums: ptr<function, array<vec4<f32>, 16>>, quad: u32, row: u32, at: vec4<u32>, count: u32) {
    let second = quad == 1u;
    store_row(row, at, count, select((*sums)[0], (*sums)[4], second));
    store_row(row + 1u, at, count, select((*sums)[1], (*sums)[5], second));
    store_row(row + 2u, at, count, select((*sums)[2], (*sums)[6], second));
    store_row(row + 3u, at, count, select((*sums)[3], (*sums)[7], second));
    if (ROW_QUADS == 2u) {
        store_row(row + 4u * ROW_STEP, at, count, select((*sums)[8], (*sums)[12], second));
        store_row(row + 4u * ROW_STEP + 1u, at, count, select((*sums)[9], (*sums)[13], second));
        store_row(row + 4u * ROW_STEP + 2u, at, count, select((*sums)[10], (*sums)[14], second));
        store_row(row + 4u * ROW_STEP + 3u, at, count, select((*sums)[11], (*sums)[15], second));
    }
}

// 8 inner places × 8 row quads per workgroup, so that both sides see whole stretches of memory.
@compute @workgroup_size(64)
fn pack(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let taps = product.taps.x * product.taps.y;
    // Counted as in the weights: taps run fastest.
    let inner = (group.x + product.first_group) * 8u + local % 8u;
    let quad = group.y * 8u + local / 8u;
    if (inner >= packed_planes() * taps || quad >= packed_rows()) { return; }
    let plane = inner / taps;
    let tap = inner % taps;
    let at = product.weight_offset + plane * product.weight_plane
        + tap / product.taps.y * product.weight_tap.x + tap % product.taps.y * product.weight_tap.y;
    var values = vec4<f32>();
    if (plane < product.planes) {
        let rows = quad * 4u + vec4<u32>(0u, 1u, 2u, 3u);
        let places = at + min(rows, vec4<u32>(product.rows - 1u)) * product.weight_row;
        let found = vec4<f32>(weight[places.x], weight[places.y], weight[places.z], weight[places.w]);
        values = select(vec4<f32>(), found, rows < vec4<u32>(product.rows));
    }
    packing[product.packed_offset + (tap * packed_planes() + plane) * packed_rows() + quad] = values;
}

// The planes run in the hot loop: for each tap, where it meets x is found once.
@compute @workgroup_size(INVOCATIONS)
fn gemm(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let k = local / QUADS;
    let first_place = place_at((group.x + product.first_group) * TILE + local % QUADS * 4u);
    let first_plane = group.z * product.part;
    let planes = min(first_plane + product.part, product.planes);
    let a_step = STEP * packed_rows();
    let a_quad = product.packed_offset + min(group.y * QUADS + local % QUADS, packed_rows() - 1u);
    let b_step = STEP * product.plane;
    let b_last = (planes - 1u) * product.plane;

    var sums: array<vec4<f32>, 16>;
    var half = 0u;
    for (var tap_y = 0u; tap_y < product.taps.x; tap_y++) {
        for (var tap_x = 0u; tap_x < product.taps.y; tap_x++) {
            let shift = vec2<i32>(i32(tap_y) * product.direction.x, i32(tap_x) * product.direction.y);
            let place1 = next_place(first_place);
            let place2 = next_place(place1);
            let place3 = next_place(place2);
            let at0 = origin_of(first_place) + shift;
            let at1 = origin_of(place1) + shift;
            let at2 = origin_of(place2) + shift;
            let at3 = origin_of(place3) + shift;
            let inside = vec4<bool>(is_inside(at0), is_inside(at1), is_inside(at2), is_inside(at3));
            let at = vec4<u32>(
                index_of(first_place.x, at0),
                index_of(place1.x, at1),
                index_of(place2.x, at2),
                index_of(place3.x, at3),
            );
            var a_at = a_quad + ((tap_y * product.taps.y + tap_x) * packed_planes() + first_plane + k) * packed_rows();
            var b_at = (first_plane + k) * product.plane;
            var a = packed[a_at];
            var b = x_quad(at + min(b_at, b_last), inside & vec4<bool>(first_plane + k < planes));
            for (var plane = first_plane; plane < planes; plane += STEP) {
                a_tile[half + local] = a;
                b_tile[half + local] = b;
                workgroupBarrier();
                a_at += a_step;
                b_at += b_step;
                if (plane + STEP < planes) {
                    a = packed[a_at];
                    b = x_quad(at + min(b_at, b_last), inside & vec4<bool>(plane + STEP + k < planes));
                }
                multiply(&sums, half, local);
                half ^= HALF;
            }
        }
    }
    let row = group.y * TILE + local / COLUMN_STEP * 4u;
    for (var i = 0u; i < 2u; i++) {
        let column = (group.x + product.first_group) * TILE + (local % COLUMN_STEP + i * COLUMN_STEP) * 4u;
        let at0 = place_at(column);
        let at1 = next_place(at0);
        let at2 = next_place(at1);
        let at3 = next_place(at2);
        let at = vec4<u32>(place_in_y(at0), place_in_y(at1), place_in_y(at2), place_in_y(at3));
        store(&sums, i, row, at + group.z * product.y_part, columns() - min(column, columns()));
    }
}

// A column that no tap brings into x.
const NOWHERE: i32 = 0x40000000;

// The taps of a row run in the hot loop, row after row of all planes, and the other factor is read as it lies. Columns
// are channels here, at one place of the filters after the other: four neighbours see the same place of x, of which only
// the column must be found again in each step.
@compute @workgroup_size(INVOCATIONS)
fn gemm_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let k = local / QUADS;
    let channels = channels_at((group.x + product.first_group) * QUADS + local % QUADS);
    let origin = origin_of(channels);
    let row = group.y * TILE + local % QUADS * 4u;
    let taps = product.taps.y;
    let width = product.size.y;
    let image = product.image;
    let last = product.x_offset + (product.planes - 1u) * product.plane + product.images * image - 1u;
    let b_step = i32(STEP) * product.direction.y;

    let start = group.z * product.part;
    let end = min(start + product.part, product.planes * product.taps.x);
    var sums: array<vec4<f32>, 16>;
    var half = 0u;
    for (var line = start; line < end; line++) {
        let plane = line / product.taps.x;
        let tap_y = line % product.taps.x;
        let iy = origin.x + i32(tap_y) * product.direction.x;
        let from_column = select(NOWHERE, origin.y, u32(iy) < product.size.x);
        // May lie before x, but not where a tap is inside.
        let at = product.x_offset + channels.x * image + plane * product.plane + u32(iy) * width + u32(origin.y);
        let rows = min(row + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(product.rows - 1u)) * product.weight_row
            + (product.weight_offset + plane * product.weight_plane + tap_y * taps);
        var tap = k;
        var b_at = i32(k) * product.direction.y;
        for (var step = 0u; step < taps; step += STEP) {
            let places = rows + min(tap, taps - 1u);
            let a = vec4<f32>(weight[places.x], weight[places.y], weight[places.z], weight[places.w]);
            let inside = tap < taps && u32(from_column + b_at) < width;
            let near = select(product.x_offset, at + u32(b_at), inside);
            let b = vec4<f32>(
                x[near],
                x[min(near + image, last)],
                x[min(near + 2u * image, last)],
                x[min(near + 3u * image, last)],
            );
            a_tile[half + local] = a;
            b_tile[half + local] = select(vec4<f32>(), b, inside);
            workgroupBarrier();
            tap += STEP;
            b_at += b_step;
            multiply(&sums, half, local);
            half ^= HALF;
        }
    }
    let first_row = group.y * TILE + local / COLUMN_STEP * 4u;
    for (var i = 0u; i < 2u; i++) {
        let quad = (group.x + product.first_group) * QUADS + local % COLUMN_STEP + i * COLUMN_STEP;
        let first = channels_at(quad);
        let at = place_in_y(first) + group.z * product.y_part + vec4<u32>(0u, 1u, 2u, 3u) * product.y_image;
        let exists = quad < channel_quads() * product.grid.x * product.grid.y;
        store(&sums, i, first_row, at, select(0u, product.images - first.x, exists));
    }
}

// Adds the results of the parts of the inner dimension, the first part first.
@compute @workgroup_size(64)
fn sum_parts(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = (group.x + product.first_group) * 64u + local;
    let area = product.grid.x * product.grid.y;
    let image = index / (product.rows * area);
    if (image >= product.images) { return; }
    var sum = x[product.x_offset + index];
    for (var part = 1u; part < product.parts; part++) {
        sum += x[product.x_offset + part * product.y_part + index];
    }
    let row = index / area % product.rows;
    let place = index % area;
    let at = vec3<u32>(image, place / product.grid.y, place % product.grid.y);
    store_sum(row, place_in_y(at), sum);
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
