// Fully connected layers and their gradients, as products of matrices with any strides.
//
//   rows     y = act(a · bᵀ + bias) for a few rows of a: one workgroup reads one row of b once (bound by bandwidth)
//   matmul   c = act(a · b + bias), tiles in workgroup memory
//   columns  sums of columns (dbias)

struct Params {
    rows: u32,
    columns: u32,
    inner: u32,
    // Values between neighbours along the two dimensions of each matrix.
    a_row: u32,
    a_inner: u32,
    b_inner: u32,
    b_column: u32,
    c_row: u32,
    a_offset: u32,
    b_offset: u32,
    bias_offset: u32,
    c_offset: u32,
    // Whether the result is added to what is there.
    accumulate: u32,
    has_bias: u32,
    relu: u32,
    first_group: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

fn store(row: u32, column: u32, sum: f32) {
    let at = params.c_offset + row * params.c_row + column;
    var value = sum;
    if (params.accumulate != 0u) { value += c[at]; }
    if (params.has_bias != 0u) { value += bias[params.bias_offset + column]; }
    // Not max(): a NaN must stay one.
    c[at] = select(value, 0.0, params.relu != 0u && value < 0.0);
}

// ------------------------------------------------------------------------------------------------------------ rows

const ROWS: u32 = 4u;

var<workgroup> partial: array<vec4<f32>, 64>;

@compute @workgroup_size(64)
fn rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let column = group.x + params.first_group;
    let first = group.y * ROWS;
    let last = params.rows - 1u;
    // Rows past the last repeat it, and are not stored.
    let start = vec4<u32>(params.a_offset)
        + min(vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last)) * params.a_row;
    let b_start = params.b_offset + column * params.b_column;
    var sum = vec4<f32>();
    for (var k = local; k < params.inner; k += 64u) {
        let at = start + vec4<u32>(k * params.a_inner);
        sum += b[b_start + k * params.b_inner] * vec4<f32>(a[at.x], a[at.y], a[at.z], a[at.w]);
    }
    partial[local] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    workgroupBarrier();
    if (local < ROWS && first + local <= last) {
        store(first + local, column, partial[0][local]);
    }
}

// ---------------------------------------------------------------------------------------------------------- matmul
//
// 64 invocations make a tile of 32 × 32, each 4 × 4 of it, in steps of 16 along the inner dimension.

const TILE: u32 = 32u;
const STEP: u32 = 16u;
const QUADS: u32 = 8u;

var<workgroup> a_tile: array<vec4<f32>, 128>;
var<workgroup> b_tile: array<vec4<f32>, 128>;

fn a_at(row: u32, k: u32) -> f32 {
    if (row >= params.rows || k >= params.inner) { return 0.0; }
    return a[params.a_offset + row * params.a_row + k * params.a_inner];
}

fn b_at(k: u32, column: u32) -> f32 {
    if (column >= params.columns || k >= params.inner) { return 0.0; }
    return b[params.b_offset + k * params.b_inner + column * params.b_column];
}

@compute @workgroup_size(64)
fn matmul(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first_column = (group.x + params.first_group) * TILE;
    let first_row = group.y * TILE;
    let row = local / 8u;
    let column = local % 8u;
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var start = 0u; start < params.inner; start += STEP) {
        for (var i = local; i < STEP * QUADS; i += 64u) {
            let k = start + i / QUADS;
            let m = first_row + i % QUADS * 4u;
            let n = first_column + i % QUADS * 4u;
            a_tile[i] = vec4<f32>(a_at(m, k), a_at(m + 1u, k), a_at(m + 2u, k), a_at(m + 3u, k));
            b_tile[i] = vec4<f32>(b_at(k, n), b_at(k, n + 1u), b_at(k, n + 2u), b_at(k, n + 3u));
        }
        workgroupBarrier();
        for (var k = 0u; k < STEP; k++) {
            let left = a_tile[k * QUADS + row];
            let right = b_tile[k * QUADS + column];
            sum0 += left.x * right;
            sum1 += left.y * right;
            sum2 += left.z * right;
            sum3 += left.w * right;
        }
        workgroupBarrier();
    }
    let sums = array<vec4<f32>, 4>(sum0, sum1, sum2, sum3);
    for (var i = 0u; i < 4u; i++) {
        for (var j = 0u; j < 4u; j++) {
            let m = first_row + row * 4u + i;
            let n = first_column + column * 4u + j;
            if (m < params.rows && n < params.columns) { store(m, n, sums[i][j]); }
        }
    }
}

// --------------------------------------------------------------------------------------------------------- columns

@compute @workgroup_size(64)
fn columns(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let column = (group.x + params.first_group) * 64u + local;
    if (column >= params.columns) { return; }
    var sum = 0.0;
    for (var row = 0u; row < params.rows; row++) {
        sum += a[params.a_offset + row * params.a_row + column];
    }
    store(0u, column, sum);
}
