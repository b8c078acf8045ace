// What matrix units do, as `matrix.wgsl` needs it, in plain WGSL: for tests. Each invocation of a subgroup has half a row
// of the sums, and reads the factors when they are multiplied.

struct Left {
    at: u32,
}

struct Right {
    at: u32,
}

struct Sums {
    low: vec4<f32>,
    high: vec4<f32>,
}

// Two values in f16 each.
override PAIRS: u32 = FACTOR / 2u;
var<workgroup> left_factor: array<u32, PAIRS>;
var<workgroup> right_factor: array<u32, PAIRS>;

fn rounded(x: vec4<f32>) -> vec4<f32> {
    let bits = bitcast<vec4<u32>>(x);
    let even = (bits + 0xfffu + ((bits >> vec4<u32>(13u)) & vec4<u32>(1u))) & vec4<u32>(0xffffe000u);
    // Below 2^-14, f16 has multiples of 2^-24.
    let tiny = round(x * 16777216.0) * 5.9604645e-8;
    let finite = select(bitcast<vec4<f32>>(even), tiny, abs(x) < vec4<f32>(6.1035156e-5));
    let value = select(finite, finite * 1e38, abs(finite) > vec4<f32>(65504.0));
    // The sum of a NaN may be a number.
    return select(value, x, (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u));
}

fn put_left(at: u32, values: vec4<f32>) {
    left_factor[at / 2u] = pack2x16float(values.xy);
    left_factor[at / 2u + 1u] = pack2x16float(values.zw);
}

fn put_right(at: u32, values: vec4<f32>) {
    right_factor[at / 2u] = pack2x16float(values.xy);
    right_factor[at / 2u + 1u] = pack2x16float(values.zw);
}

fn load_left(at: u32, lane: u32) -> Left {
    return Left(at + lane / 2u);
}

fn load_right(at: u32, lane: u32) -> Right {
    return Right(at + lane % 2u * 8u);
}

fn right_four(pair: u32) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(right_factor[pair]), unpack2x16float(right_factor[pair + 1u]));
}

fn multiply_add(a: Left, b: Right, sums: Sums) -> Sums {
    var low = sums.low;
    var high = sums.high;
    for (var k = 0u; k < STEP; k++) {
        let pair = unpack2x16float(left_factor[(a.at + k * PITCH) / 2u]);
        let value = vec4<f32>(select(pair.x, pair.y, a.at % 2u == 1u));
        let at = (b.at + k * PITCH) / 2u;
        low = fma(value, right_four(at), low);
        high = fma(value, right_four(at + 2u), high);
    }
    return Sums(low, high);
}

fn store_four(at: u32, values: vec4<f32>) {
    results[at] = values.x;
    results[at + 1u] = values.y;
    results[at + 2u] = values.z;
    results[at + 3u] = values.w;
}

fn store_sums(sums: Sums, at: u32, lane: u32) {
    let first = at + lane * 8u;
    store_four(first, sums.low);
    store_four(first + 4u, sums.high);
}
