// The products of a Winograd convolution (`shared/winograd_product.wgsl`) in f32.
//
//   multiply           64 × 64 of M by 128 invocations, each 8 × 4, from blocks in workgroup memory
//   multiply_blocked   32 × 16 of M by one invocation, in registers only: software adapters

@group(0) @binding(1) var<storage, read> u: array<vec4<u32>>;

// Whether U is stored in f16, eight values in a vec4<u32>.
override U_F16: bool = false;

// Four values of U, counted in fours.
fn u_quad(at: u32) -> vec4<f32> {
    if (U_F16) {
        let eight = u[at / 2u];
        let four = select(eight.xy, eight.zw, at % 2u == 1u);
        return vec4<f32>(unpack2x16float(four.x), unpack2x16float(four.y));
    }
    return bitcast<vec4<f32>>(u[at]);
}

// -------------------------------------------------------------------------------------------------------- multiply
//
// Two blocks of eight rows of U and V take turns: while one is multiplied, the next rows are on their way.

const STEP: u32 = 8u;
// vec4s in a row of a block, and in a block.
const QUADS: u32 = 16u;
const BLOCK: u32 = 128u;

var<workgroup> u_block: array<vec4<f32>, 256>;
var<workgroup> v_block: array<vec4<f32>, 256>;

// Eight filters by four tiles.
struct Sums {
    f0: vec4<f32>,
    f1: vec4<f32>,
    f2: vec4<f32>,
    f3: vec4<f32>,
    f4: vec4<f32>,
    f5: vec4<f32>,
    f6: vec4<f32>,
    f7: vec4<f32>,
}

fn add_row(s: Sums, row: u32, column: u32) -> Sums {
    let a = u_block[row];
    let b = u_block[row + 1u];
    let t = v_block[column];
    return Sums(
        fma(vec4<f32>(a.x), t, s.f0),
        fma(vec4<f32>(a.y), t, s.f1),
        fma(vec4<f32>(a.z), t, s.f2),
        fma(vec4<f32>(a.w), t, s.f3),
        fma(vec4<f32>(b.x), t, s.f4),
        fma(vec4<f32>(b.y), t, s.f5),
        fma(vec4<f32>(b.z), t, s.f6),
        fma(vec4<f32>(b.w), t, s.f7),
    );
}

fn add_block(sums: Sums, row: u32, column: u32) -> Sums {
    var s = add_row(sums, row, column);
    s = add_row(s, row + QUADS, column + QUADS);
    s = add_row(s, row + 2u * QUADS, column + 2u * QUADS);
    s = add_row(s, row + 3u * QUADS, column + 3u * QUADS);
    s = add_row(s, row + 4u * QUADS, column + 4u * QUADS);
    s = add_row(s, row + 5u * QUADS, column + 5u * QUADS);
    s = add_row(s, row + 6u * QUADS, column + 6u * QUADS);
    return add_row(s, row + 7u * QUADS, column + 7u * QUADS);
}

@compute @workgroup_size(128)
fn multiply(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Along x: blocks of tiles; along y: blocks of filters; along z: points, part by part.
    let u_row = params.outer / 4u;
    let v_row = params.tiles / 4u;
    let first = group.z / params.points * params.part;
    let end = min(first + params.part, params.inner);
    // This invocation brings one vec4 of every block.
    let k = local / QUADS;
    let quad = local % QUADS;
    let step = group.z % params.points * params.inner + first + k;
    var u_at = params.u_offset / 4u + step * u_row + group.y * QUADS + quad;
    var v_at = params.v_offset / 4u + step * v_row + group.x * QUADS + quad;
    let u_step = STEP * u_row;
    let v_step = STEP * v_row;
    u_block[local] = u_quad(u_at);
    v_block[local] = v[v_at];
    workgroupBarrier();
    var sums: Sums;
    let row = k * 2u;
    for (var start = first; start < end; start += 2u * STEP) {
        var u_next = u_quad(u_at + u_step);
        var v_next = v[v_at + v_step];
        sums = add_block(sums, row, quad);
        u_block[BLOCK + local] = u_next;
        v_block[BLOCK + local] = v_next;
        workgroupBarrier();
        // After the last rows the present ones are read again, and not used.
        let more = select(0u, 2u, start + 2u * STEP < end);
        u_at += more * u_step;
        v_at += more * v_step;
        u_next = u_quad(u_at);
        v_next = v[v_at];
        sums = add_block(sums, BLOCK + row, BLOCK + quad);
        u_block[local] = u_next;
        v_block[local] = v_next;
        workgroupBarrier();
    }
    let at = params.m_offset / 4u + (group.z * params.outer + group.y * 64u + k * 8u) * v_row + group.x * QUADS + quad;
    m[at] = sums.f0;
    m[at + v_row] = sums.f1;
    m[at + 2u * v_row] = sums.f2;
    m[at + 3u * v_row] = sums.f3;
    m[at + 4u * v_row] = sums.f4;
    m[at + 5u * v_row] = sums.f5;
    m[at + 6u * v_row] = sums.f6;
    m[at + 7u * v_row] = sums.f7;
}

// ------------------------------------------------------------------------------------------------ multiply_blocked

fn store_square(s: Square, at: u32, row: u32) {
    m[at] = s.f0;
    m[at + row] = s.f1;
    m[at + 2u * row] = s.f2;
    m[at + 3u * row] = s.f3;
}

fn store_strip(s: Strip, at: u32, row: u32) {
    store_square(s.t0, at, row);
    store_square(s.t1, at + 1u, row);
    store_square(s.t2, at + 2u, row);
    store_square(s.t3, at + 3u, row);
}

@compute @workgroup_size(32)
fn multiply_blocked(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Blocks of filters, then of tiles, then points, counted in one row.
    let down = params.outer / 32u;
    let across = params.tiles / 16u;
    let index = group.x * 32u + local;
    let point = index / (down * across);
    if (point >= params.points) { return; }
    let filter_block = index % down;
    let tile_block = index / down % across;
    let u_row = params.outer / 4u;
    let v_row = params.tiles / 4u;
    var u_at = params.u_offset / 4u + point * params.inner * u_row + filter_block * 8u;
    var v_at = params.v_offset / 4u + point * params.inner * v_row + tile_block * 4u;
    var s0: Strip;
    var s1: Strip;
    var s2: Strip;
    var s3: Strip;
    var s4: Strip;
    var s5: Strip;
    var s6: Strip;
    var s7: Strip;
    for (var k = 0u; k < params.inner; k++) {
        let t0 = v[v_at];
        let t1 = v[v_at + 1u];
        let t2 = v[v_at + 2u];
        let t3 = v[v_at + 3u];
        s0 = add_strip(s0, u_quad(u_at), t0, t1, t2, t3);
        s1 = add_strip(s1, u_quad(u_at + 1u), t0, t1, t2, t3);
        s2 = add_strip(s2, u_quad(u_at + 2u), t0, t1, t2, t3);
        s3 = add_strip(s3, u_quad(u_at + 3u), t0, t1, t2, t3);
        s4 = add_strip(s4, u_quad(u_at + 4u), t0, t1, t2, t3);
        s5 = add_strip(s5, u_quad(u_at + 5u), t0, t1, t2, t3);
        s6 = add_strip(s6, u_quad(u_at + 6u), t0, t1, t2, t3);
        s7 = add_strip(s7, u_quad(u_at + 7u), t0, t1, t2, t3);
        u_at += u_row;
        v_at += v_row;
    }
    let at = params.m_offset / 4u + (point * params.outer + filter_block * 32u) * v_row + tile_block * 4u;
    store_strip(s0, at, v_row);
    store_strip(s1, at + 4u * v_row, v_row);
    store_strip(s2, at + 8u * v_row, v_row);
    store_strip(s3, at + 12u * v_row, v_row);
    store_strip(s4, at + 16u * v_row, v_row);
    store_strip(s5, at + 20u * v_row, v_row);
    store_strip(s6, at + 24u * v_row, v_row);
    store_strip(s7, at + 28u * v_row, v_row);
}
