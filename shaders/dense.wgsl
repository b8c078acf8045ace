// Fully connected layers and their gradients, as products of matrices with any strides.
//
//   rows        y = act(a · bᵀ + bias) for a few rows of a: each row of b is read once (bound by bandwidth)
//   rows_quads  the same where rows are made of whole vec4s: four rows of b per workgroup
//   rows_f16    the same where b is stored in f16 and its rows are made of whole eights
//   pack_f16    what rows_f16 reads as b
//   matmul      c = act(a · b + bias), tiles in workgroup memory
//   sum_parts   the sum of what matmul made in parts of the inner dimension
//   columns     sums of columns (dbias)

@group(0) @binding(1) var<storage, read> a_quads: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> b_quads: array<vec4<f32>>;
// Eight values in f16.
@group(0) @binding(2) var<storage, read> b_eights: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> c_pairs: array<u32>;

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
        store(first + local, column, 0u, partial[0][local]);
    }
}

var<workgroup> partials: array<mat4x4<f32>, 64>;

@compute @workgroup_size(64)
fn rows_quads(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let column = (group.x + params.first_group) * 4u;
    let first = group.y * ROWS;
    // Rows and columns past the last repeat it, and are not stored.
    let next = vec4<u32>(0u, 1u, 2u, 3u);
    let a_at = (params.a_offset + min(first + next, vec4<u32>(params.rows - 1u)) * params.a_row) / 4u;
    let b_at = (params.b_offset + min(column + next, vec4<u32>(params.columns - 1u)) * params.b_column) / 4u;
    // By columns: four rows each.
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var k = local; k < params.inner / 4u; k += 64u) {
        let b0 = b_quads[b_at.x + k];
        let b1 = b_quads[b_at.y + k];
        let b2 = b_quads[b_at.z + k];
        let b3 = b_quads[b_at.w + k];
        let rows = mat4x4<f32>(a_quads[a_at.x + k], a_quads[a_at.y + k], a_quads[a_at.z + k], a_quads[a_at.w + k]);
        sum0 += b0 * rows;
        sum1 += b1 * rows;
        sum2 += b2 * rows;
        sum3 += b3 * rows;
    }
    store_sums(local, first, column, mat4x4<f32>(sum0, sum1, sum2, sum3));
}

// Adds up and stores what the invocations have of four rows and four columns.
fn store_sums(local: u32, first: u32, column: u32, sums: mat4x4<f32>) {
    partials[local] = sums;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partials[local] += partials[local + half]; }
    }
    workgroupBarrier();
    if (local < 16u && first + local % 4u < params.rows && column + local / 4u < params.columns) {
        store(first + local % 4u, column + local / 4u, 0u, partials[0][local / 4u][local % 4u]);
    }
}

// Four rows of a.
fn a_rows(at: vec4<u32>) -> mat4x4<f32> {
    return mat4x4<f32>(a_quads[at.x], a_quads[at.y], a_quads[at.z], a_quads[at.w]);
}

// Eight values of a row of b times those of four rows of a, whose halves these are.
fn multiply_f16(b: vec4<u32>, a0: mat4x4<f32>, a1: mat4x4<f32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(b.x), unpack2x16float(b.y)) * a0
        + vec4<f32>(unpack2x16float(b.z), unpack2x16float(b.w)) * a1;
}

@compute @workgroup_size(64)
fn rows_f16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let column = (group.x + params.first_group) * 4u;
    let first = group.y * ROWS;
    // Rows and columns past the last repeat it, and are not stored.
    let next = vec4<u32>(0u, 1u, 2u, 3u);
    let a_at = (params.a_offset + min(first + next, vec4<u32>(params.rows - 1u)) * params.a_row) / 4u;
    let b_at = (params.b_offset + min(column + next, vec4<u32>(params.columns - 1u)) * params.b_column) / 8u;
    // By columns: four rows each.
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    for (var k = local; k < params.inner / 8u; k += 64u) {
        let a0 = a_rows(a_at + 2u * k);
        let a1 = a_rows(a_at + 2u * k + 1u);
        sum0 += multiply_f16(b_eights[b_at.x + k], a0, a1);
        sum1 += multiply_f16(b_eights[b_at.y + k], a0, a1);
        sum2 += multiply_f16(b_eights[b_at.z + k], a0, a1);
        sum3 += multiply_f16(b_eights[b_at.w + k], a0, a1);
    }
    store_sums(local, first, column, mat4x4<f32>(sum0, sum1, sum2, sum3));
}

@compute @workgroup_size(64)
fn pack_f16(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.x + params.first_group) * 64u + local;
    if (i >= params.columns * params.inner / 8u) { return; }
    let first = params.a_offset / 4u + 2u * i;
    let low = a_quads[first];
    let high = a_quads[first + 1u];
    let at = params.c_offset + 4u * i;
    c_pairs[at] = pair_f16(low.x, low.y);
    c_pairs[at + 1u] = pair_f16(low.z, low.w);
    c_pairs[at + 2u] = pair_f16(high.x, high.y);
    c_pairs[at + 3u] = pair_f16(high.z, high.w);
}

// ---------------------------------------------------------------------------------------------------------- matmul

fn store_quad(row: u32, column: u32, part: u32, sums: vec4<f32>) {
    if (row >= params.rows) { return; }
    if (column < params.columns) { store(row, column, part, sums.x); }
    if (column + 1u < params.columns) { store(row, column + 1u, part, sums.y); }
    if (column + 2u < params.columns) { store(row, column + 2u, part, sums.z); }
    if (column + 3u < params.columns) { store(row, column + 3u, part, sums.w); }
}

@compute @workgroup_size(INVOCATIONS)
fn matmul(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let k = local / QUADS;
    let next = local % QUADS * 4u + vec4<u32>(0u, 1u, 2u, 3u);
    // Rows and columns past the last repeat it, and are not stored.
    let rows = params.a_offset + min(group.y * TILE + next, vec4<u32>(params.rows - 1u)) * params.a_row;
    let first_column = (group.x + params.first_group) * TILE;
    let columns = params.b_offset + min(first_column + next, vec4<u32>(params.columns - 1u)) * params.b_column;
    let start = group.z * params.part;
    let end = min(start + params.part, params.inner);
    let a_step = STEP * params.a_inner;
    let b_step = STEP * params.b_inner;
    let a_last = (end - 1u) * params.a_inner;
    let b_last = (end - 1u) * params.b_inner;

    var sums: array<vec4<f32>, 16>;
    var half = 0u;
    var a_at = (start + k) * params.a_inner;
    var b_at = (start + k) * params.b_inner;
    for (var step = start; step < end; step += STEP) {
        let m = rows + min(a_at, a_last);
        let n = columns + min(b_at, b_last);
        let a_quad = vec4<f32>(a[m.x], a[m.y], a[m.z], a[m.w]);
        let b_quad = vec4<f32>(b[n.x], b[n.y], b[n.z], b[n.w]);
        a_tile[half + local] = a_quad;
        b_tile[half + local] = select(vec4<f32>(), b_quad, step + k < end);
        workgroupBarrier();
        a_at += a_step;
        b_at += b_step;
        multiply(&sums, half, local);
        half ^= HALF;
    }
    let row = group.y * TILE + local / COLUMN_STEP * 4u;
    for (var i = 0u; i < 2u; i++) {
        let column = first_column + (local % COLUMN_STEP + i * COLUMN_STEP) * 4u;
        let second = i == 1u;
        store_quad(row, column, group.z, select(sums[0], sums[4], second));
        store_quad(row + 1u, column, group.z, select(sums[1], sums[5], second));
        store_quad(row + 2u, column, group.z, select(sums[2], sums[6], second));
        store_quad(row + 3u, column, group.z, select(sums[3], sums[7], second));
        if (ROW_QUADS == 2u) {
            store_quad(row + 4u * ROW_STEP, column, group.z, select(sums[8], sums[12], second));
            store_quad(row + 4u * ROW_STEP + 1u, column, group.z, select(sums[9], sums[13], second));
            store_quad(row + 4u * ROW_STEP + 2u, column, group.z, select(sums[10], sums[14], second));
            store_quad(row + 4u * ROW_STEP + 3u, column, group.z, select(sums[11], sums[15], second));
        }
    }
}

// Adds the results of the parts of the inner dimension, the first part first.
@compute @workgroup_size(64)
fn sum_parts(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = (group.x + params.first_group) * 64u + local;
    if (index >= params.rows * params.columns) { return; }
    var sum = a[params.a_offset + index];
    for (var part = 1u; part < params.parts; part++) {
        sum += a[params.a_offset + part * params.c_part + index];
    }
    store(index / params.columns, index % params.columns, 0u, sum);
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
    store(0u, column, 0u, sum);
}
