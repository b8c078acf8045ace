// A product of matrices with any strides: c = act(a · b + bias).

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
    // What the activation function is made with.
    low: f32,
    high: f32,
    first_group: u32,
    // How much of the inner dimension each workgroup along z takes, the values between their results, and their number.
    part: u32,
    c_part: u32,
    parts: u32,
    // What matrix units multiply b and a with, or 0 where that is measured, and where it lies then.
    left_scale: f32,
    right_scale: f32,
    measured_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> c: array<f32>;

fn store(row: u32, column: u32, part: u32, sum: f32) {
    let at = params.c_offset + part * params.c_part + row * params.c_row + column;
    var value = sum;
    if (params.accumulate != 0u) { value += c[at]; }
    if (params.has_bias != 0u) { value += bias[params.bias_offset + column]; }
    c[at] = activated(params.low, params.high, value);
}
