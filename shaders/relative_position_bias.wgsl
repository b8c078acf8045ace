// Biases of attention scores by the relative position of two tokens within a window, and their gradient.
//
//   forward   one invocation per score
//   backward  one workgroup per entry of the table and head

struct Params {
    length: u32,
    heads: u32,
    // Of the window.
    height: u32,
    width: u32,
    // Matrices of scores, of which `heads` are one window's.
    matrices: u32,
    // Whether the result is added to what is there.
    accumulate: u32,
    scores_offset: u32,
    table_offset: u32,
    out_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// Scores, or their gradient.
@group(0) @binding(1) var<storage, read> scores: array<f32>;
@group(0) @binding(2) var<storage, read> table: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    let tokens = params.height * params.width;
    let t = i / tokens % tokens;
    let u = i % tokens;
    let down = t / params.width + params.height - 1u - u / params.width;
    let across = t % params.width + params.width - 1u - u % params.width;
    let entry = down * (2u * params.width - 1u) + across;
    let head = i / (tokens * tokens) % params.heads;
    out[params.out_offset + i] = scores[params.scores_offset + i] + table[params.table_offset + entry * params.heads + head];
}

var<workgroup> partial: array<f32, 64>;

// Pairs of tokens at this distance lie in a part of the window as large as what remains of it.
@compute @workgroup_size(64)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let entry = group.x;
    let head = group.y;
    let tokens = params.height * params.width;
    let down = i32(entry / (2u * params.width - 1u)) - i32(params.height) + 1;
    let across = i32(entry % (2u * params.width - 1u)) - i32(params.width) + 1;
    let rows = params.height - u32(abs(down));
    let columns = params.width - u32(abs(across));
    let pairs = rows * columns;
    let windows = params.matrices / params.heads;
    var sum = 0.0;
    for (var i = local; i < windows * pairs; i += 64u) {
        let place = i % pairs;
        let row = place / columns + u32(max(down, 0));
        let column = place % columns + u32(max(across, 0));
        let t = row * params.width + column;
        let u = u32(i32(row) - down) * params.width + u32(i32(column) - across);
        let matrix = i / pairs * params.heads + head;
        sum += scores[params.scores_offset + (matrix * tokens + t) * tokens + u];
    }
    partial[local] = sum;
    for (var half = 32u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    if (local == 0u) {
        let at = params.out_offset + entry * params.heads + head;
        out[at] = select(0.0, out[at], params.accumulate != 0u) + partial[0];
    }
}
