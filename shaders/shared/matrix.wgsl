// Products of matrices in blocks of 64×64 by matrix units, which multiply f16 numbers and add the products up in f32.
// `matrix_units.wgsl` has what these do themselves; `matrix_emulated.wgsl` has the same in plain WGSL, so that all the
// rest can be tried out anywhere:
//
//   rounded                 four values to the nearest that f16 has, ties to even; what is too large becomes infinite
//   put_left, put_right     four neighbouring values, which f16 has, into workgroup memory
//   load_left, load_right   a tile of 16×16 from there
//   multiply_add            the product of two tiles, added to sums
//   store_sums              sums into `results`
//
// The shader's own are the part of the inner dimension that a workgroup takes (`inner_range`), four neighbouring rows of
// the left factor and columns of the right one at a place of the inner dimension (`left_quad`, `right_quad`), which are
// zero outside of it, the powers of two that the factors are multiplied with to suit f16 (`scales`), and what becomes of
// eight neighbouring sums of a row (`store_eight`).
//
// A workgroup is four subgroups of 32 invocations, each of which makes 32×32 of the block. Factors lie in workgroup
// memory as [part][inner][row or column].

// The parts of a number: 1 is the nearest f16; 2 are that and, times 2^11, the f16 nearest to what remains, so that it
// does not become too small for f16. The product of the two remainders is left out, which is 2^-22 of the whole at most.
override PARTS: u32 = 1u;

const REMAINDER_SCALE: f32 = 2048.0;

const TILE: u32 = 16u;
// How much of the inner dimension is in workgroup memory.
const STEP: u32 = 16u;
// Values from one place of the inner dimension to the next: a few more than there are, so that they begin in other banks.
const PITCH: u32 = 72u;
const PART: u32 = STEP * PITCH;
override FACTOR: u32 = PARTS * PART;

// A tile of each subgroup.
var<workgroup> results: array<f32, 1024>;

// The scales that are given, and in the place of 0 the one that was measured.
fn known_scales(given: vec2<f32>, measured: f32) -> vec2<f32> {
    return select(given, vec2<f32>(measured), given == vec2<f32>());
}

// Of a power of two, exactly.
fn reciprocal(power: f32) -> f32 {
    return bitcast<f32>(0x7f000000u - bitcast<u32>(power));
}

fn stage_left(inner: u32, quad: u32, scaled: vec4<f32>) {
    let at = inner * PITCH + quad * 4u;
    let high = rounded(scaled);
    put_left(at, high);
    if (PARTS == 2u) { put_left(PART + at, rounded((scaled - high) * REMAINDER_SCALE)); }
}

fn stage_right(inner: u32, quad: u32, scaled: vec4<f32>) {
    let at = inner * PITCH + quad * 4u;
    let high = rounded(scaled);
    put_right(at, high);
    if (PARTS == 2u) { put_right(PART + at, rounded((scaled - high) * REMAINDER_SCALE)); }
}

// Adds what the staged factors make of 2×2 tiles: their sums, and apart from these those with a remainder.
fn multiply_staged(
    local: u32,
    s00: ptr<function, Sums>,
    s01: ptr<function, Sums>,
    s10: ptr<function, Sums>,
    s11: ptr<function, Sums>,
    r00: ptr<function, Sums>,
    r01: ptr<function, Sums>,
    r10: ptr<function, Sums>,
    r11: ptr<function, Sums>,
) {
    let lane = local % 32u;
    let row = local / 64u * 32u;
    let column = local / 32u % 2u * 32u;
    let a0 = load_left(row, lane);
    let a1 = load_left(row + TILE, lane);
    let b0 = load_right(column, lane);
    let b1 = load_right(column + TILE, lane);
    if (PARTS == 2u) {
        let a0_rest = load_left(PART + row, lane);
        let a1_rest = load_left(PART + row + TILE, lane);
        *r00 = multiply_add(a0_rest, b0, *r00);
        *r01 = multiply_add(a0_rest, b1, *r01);
        *r10 = multiply_add(a1_rest, b0, *r10);
        *r11 = multiply_add(a1_rest, b1, *r11);
        let b0_rest = load_right(PART + column, lane);
        let b1_rest = load_right(PART + column + TILE, lane);
        *r00 = multiply_add(a0, b0_rest, *r00);
        *r01 = multiply_add(a0, b1_rest, *r01);
        *r10 = multiply_add(a1, b0_rest, *r10);
        *r11 = multiply_add(a1, b1_rest, *r11);
    }
    *s00 = multiply_add(a0, b0, *s00);
    *s01 = multiply_add(a0, b1, *s01);
    *s10 = multiply_add(a1, b0, *s10);
    *s11 = multiply_add(a1, b1, *s11);
}

// Half of a row of a tile.
struct Eight {
    low: vec4<f32>,
    high: vec4<f32>,
}

fn result_quad(at: u32) -> vec4<f32> {
    return vec4<f32>(results[at], results[at + 1u], results[at + 2u], results[at + 3u]);
}

// What this invocation stores of a tile, times a factor.
fn eight_of(sums: Sums, rest: Sums, local: u32, factor: f32) -> Eight {
    let tile = local / 32u * 256u;
    let lane = local % 32u;
    // Half a row for each invocation.
    let at = tile + lane * 8u;
    workgroupBarrier();
    store_sums(sums, tile, lane);
    workgroupBarrier();
    var eight = Eight(result_quad(at), result_quad(at + 4u));
    if (PARTS == 2u) {
        workgroupBarrier();
        store_sums(rest, tile, lane);
        workgroupBarrier();
        eight.low += result_quad(at) / REMAINDER_SCALE;
        eight.high += result_quad(at + 4u) / REMAINDER_SCALE;
    }
    eight.low *= factor;
    eight.high *= factor;
    return eight;
}

@compute @workgroup_size(128)
fn multiply(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let range = inner_range(group);
    let first = range.x;
    let end = range.y;
    let scale = scales();
    // This invocation brings one quad of rows or columns at two places of the inner dimension.
    let k = local / 16u;
    let quad = local % 16u;
    var left0 = left_quad(group, first + k, quad);
    var left1 = left_quad(group, first + k + 8u, quad);
    var right0 = right_quad(group, first + k, quad);
    var right1 = right_quad(group, first + k + 8u, quad);
    var s00: Sums;
    var s01: Sums;
    var s10: Sums;
    var s11: Sums;
    var r00: Sums;
    var r01: Sums;
    var r10: Sums;
    var r11: Sums;
    for (var start = first; start < end; start += STEP) {
        stage_left(k, quad, left0 * scale.x);
        stage_left(k + 8u, quad, left1 * scale.x);
        stage_right(k, quad, right0 * scale.y);
        stage_right(k + 8u, quad, right1 * scale.y);
        workgroupBarrier();
        // The next ones are on their way meanwhile; after the last the present ones are read again, and not used.
        let next = select(start, start + STEP, start + STEP < end) + k;
        left0 = left_quad(group, next, quad);
        left1 = left_quad(group, next + 8u, quad);
        right0 = right_quad(group, next, quad);
        right1 = right_quad(group, next + 8u, quad);
        multiply_staged(local, &s00, &s01, &s10, &s11, &r00, &r01, &r10, &r11);
        workgroupBarrier();
    }
    let factor = reciprocal(scale.x * scale.y);
    let row = local / 64u * 32u + local % 32u / 2u;
    let column = local / 32u % 2u * 32u + local % 2u * 8u;
    store_eight(group, row, column, eight_of(s00, r00, local, factor));
    store_eight(group, row, column + TILE, eight_of(s01, r01, local, factor));
    store_eight(group, row + TILE, column, eight_of(s10, r10, local, factor));
    store_eight(group, row + TILE, column + TILE, eight_of(s11, r11, local, factor));
}
