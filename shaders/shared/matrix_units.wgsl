// What matrix units do themselves, as `matrix.wgsl` needs it. All invocations of a subgroup must come along.

alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sums = coop_mat16x16<f32, C>;

var<workgroup> left_factor: array<f16, FACTOR>;
var<workgroup> right_factor: array<f16, FACTOR>;

// Whatever a device makes of what is too large for f16.
fn rounded(x: vec4<f32>) -> vec4<f32> {
    return select(vec4<f32>(vec4<f16>(x)), x * 1e38, abs(x) > vec4<f32>(65504.0));
}

fn put_left(at: u32, values: vec4<f32>) {
    let halves = vec4<f16>(values);
    left_factor[at] = halves.x;
    left_factor[at + 1u] = halves.y;
    left_factor[at + 2u] = halves.z;
    left_factor[at + 3u] = halves.w;
}

fn put_right(at: u32, values: vec4<f32>) {
    let halves = vec4<f16>(values);
    right_factor[at] = halves.x;
    right_factor[at + 1u] = halves.y;
    right_factor[at + 2u] = halves.z;
    right_factor[at + 3u] = halves.w;
}

// Neighbouring rows of the left factor lie side by side, as in a matrix that is stored by columns.
fn load_left(at: u32, lane: u32) -> Left {
    return coopLoad<Left>(&left_factor[at], PITCH);
}

fn load_right(at: u32, lane: u32) -> Right {
    return coopLoadT<Right>(&right_factor[at], PITCH);
}

fn multiply_add(a: Left, b: Right, sums: Sums) -> Sums {
    return coopMultiplyAdd(a, b, sums);
}

// Index and stride must be names: what is computed within the call is not written by naga 30.
fn store_sums(sums: Sums, at: u32, lane: u32) {
    coopStoreT(sums, &results[at], TILE);
}
