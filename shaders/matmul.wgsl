// Products of matrices, one for each of a batch. A workgroup makes a tile of 64 × 64 in steps of 16 along the inner
// dimension, which lie in workgroup memory; each of its 256 invocations makes 4 × 4 elements.

struct Params {
    rows: u32,
    columns: u32,
    inner: u32,
    // How far apart neighbours are along rows and columns, and the matrices of two neighbours in the batch (0 where all
    // share one).
    a_row: u32,
    a_inner: u32,
    a_matrix: u32,
    b_inner: u32,
    b_column: u32,
    b_matrix: u32,
    a_offset: u32,
    b_offset: u32,
    out_offset: u32,
    // Tiles along the columns, of which the grid's x goes through all rows, too.
    across: u32,
    alpha: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

const TILE: u32 = 64u;
const STEP: u32 = 16u;

// [inner][row or column]
var<workgroup> a_tile: array<f32, 1024>;
var<workgroup> b_tile: array<f32, 1024>;

@compute @workgroup_size(256)
fn product(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let first_row = group.x / params.across * TILE;
    let first_column = group.x % params.across * TILE;
    let a_at = params.a_offset + group.y * params.a_matrix;
    let b_at = params.b_offset + group.y * params.b_matrix;
    // What an invocation fetches: neighbours lie side by side in memory in either layout.
    let by_rows = params.a_inner == 1u;
    let by_columns = params.b_inner == 1u;
    let own_row = local / 16u * 4u;
    let own_column = local % 16u * 4u;
    var sums = mat4x4<f32>();
    for (var step = 0u; step < params.inner; step += STEP) {
        for (var i = local; i < TILE * STEP; i += 256u) {
            let row = select(i % TILE, i / STEP, by_rows);
            let a_k = select(i / TILE, i % STEP, by_rows);
            let a_in = first_row + row < params.rows && step + a_k < params.inner;
            let from_a = a_at + min(first_row + row, params.rows - 1u) * params.a_row
                + min(step + a_k, params.inner - 1u) * params.a_inner;
            a_tile[a_k * TILE + row] = select(0.0, a[from_a], a_in);
            let column = select(i % TILE, i / STEP, by_columns);
            let b_k = select(i / TILE, i % STEP, by_columns);
            let b_in = first_column + column < params.columns && step + b_k < params.inner;
            let from_b = b_at + min(step + b_k, params.inner - 1u) * params.b_inner
                + min(first_column + column, params.columns - 1u) * params.b_column;
            b_tile[b_k * TILE + column] = select(0.0, b[from_b], b_in);
        }
        workgroupBarrier();
        for (var k = 0u; k < STEP; k++) {
            let m = k * TILE + own_row;
            let n = k * TILE + own_column;
            let row = vec4<f32>(b_tile[n], b_tile[n + 1u], b_tile[n + 2u], b_tile[n + 3u]);
            sums[0] += a_tile[m] * row;
            sums[1] += a_tile[m + 1u] * row;
            sums[2] += a_tile[m + 2u] * row;
            sums[3] += a_tile[m + 3u] * row;
        }
        workgroupBarrier();
    }
    let out_at = params.out_offset + group.y * params.rows * params.columns;
    store(out_at, first_row + own_row, first_column + own_column, sums[0]);
    store(out_at, first_row + own_row + 1u, first_column + own_column, sums[1]);
    store(out_at, first_row + own_row + 2u, first_column + own_column, sums[2]);
    store(out_at, first_row + own_row + 3u, first_column + own_column, sums[3]);
}

fn store(out_at: u32, row: u32, column: u32, sums: vec4<f32>) {
    if (row >= params.rows) { return; }
    let values = params.alpha * sums;
    let at = out_at + row * params.columns + column;
    if (column < params.columns) { out[at] = values.x; }
    if (column + 1u < params.columns) { out[at + 1u] = values.y; }
    if (column + 2u < params.columns) { out[at + 2u] = values.z; }
    if (column + 3u < params.columns) { out[at + 3u] = values.w; }
}
