// Dimensions in another order. Bindings: shared/walk.wgsl.
//
//   forward  any order, one invocation per element of the result
//   tiled    matrices whose rows become columns: a workgroup reads and writes a tile of 32×32 by rows

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    out[params.out_offset + i] = a[params.a_offset + walk(i, 0u, params.count).x];
}

const TILE: u32 = 32u;

// A column more than is used, so that neighbours in a column lie in different banks.
var<workgroup> tile: array<f32, 1056>;

@compute @workgroup_size(256)
fn tiled(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = group.y * params.grid + group.x;
    if (i >= params.length) { return; }
    // The last two dimensions of the result; the others are the matrix's number.
    let rows = params.dims[params.count - 2u].x;
    let columns = params.dims[params.count - 1u].x;
    let across = (columns + TILE - 1u) / TILE;
    let tiles = (rows + TILE - 1u) / TILE * across;
    let matrix = i / tiles * rows * columns;
    let first_row = i % tiles / across * TILE;
    let first_column = i % tiles % across * TILE;
    // Along a row of the input, which is a column of the result.
    for (var at = local; at < TILE * TILE; at += 256u) {
        let row = first_row + at % TILE;
        let column = first_column + at / TILE;
        if (row < rows && column < columns) {
            tile[at / TILE * (TILE + 1u) + at % TILE] = a[params.a_offset + matrix + column * rows + row];
        }
    }
    workgroupBarrier();
    for (var at = local; at < TILE * TILE; at += 256u) {
        let row = first_row + at / TILE;
        let column = first_column + at % TILE;
        if (row < rows && column < columns) {
            out[params.out_offset + matrix + row * columns + column] = tile[at % TILE * (TILE + 1u) + at / TILE];
        }
    }
}
