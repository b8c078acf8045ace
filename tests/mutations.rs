//! Kernels that are wrong on purpose: the comparison with the CPU twins must notice each of them.

mod compare;

use compare::twins::{self, Twins};
use compare::{Comparison, fresh_gpu};
use vultus::Random;
use vultus::gpu::{Gpu, kernels, shader_source};

/// What a wrong kernel is noticed by.
const WRONG_VALUE: &str = "instead of";
const NOT_WRITTEN: &str = "NaN at place";
const OUTSIDE: &str = "wrote outside of its output";

/// A change to a shader: its name, the operation and the kernel that must fail, the text that is replaced, the text in
/// its place, and how the comparison fails.
type Mutation = (&'static str, &'static str, &'static str, &'static str, &'static str, &'static str);

const BACKWARD_INPUT: &str = "conv2d_backward_input";
const BACKWARD_WEIGHT: &str = "conv2d_backward_weight";

const MUTATIONS: &[Mutation] = &[
    ("conv2d", "conv2d", "conv2d/direct", "bias[params.bias_offset", "0.0 * bias[params.bias_offset", WRONG_VALUE),
    ("conv2d", "conv2d", "conv2d/direct", "params.padding_x", "(params.padding_x * 0u)", WRONG_VALUE),
    ("conv2d", "conv2d", "conv2d/direct", "params.y_offset +", "1u + params.y_offset +", OUTSIDE),
    ("conv2d", "conv2d", "conv2d/direct", "ky * params.dilation_y", "ky", WRONG_VALUE),
    ("conv2d", "conv2d", "conv2d/direct", "+ channel_group * params.channels", "+ 0u * params.channels", WRONG_VALUE),
    ("conv2d", "conv2d", "conv2d/direct", "params.high, sums[f][p]", "params.low, sums[f][p]", WRONG_VALUE),
    ("conv2d", "conv2d", "conv2d/direct", "(RESIDUAL)", "(false)", WRONG_VALUE),
    (
        "conv2d",
        "conv2d",
        "conv2d/gemm",
        "(product.low, product.high, sum,",
        "(product.low, product.low, sum,",
        WRONG_VALUE,
    ),
    ("conv2d", "conv2d", "conv2d/gemm", "(RESIDUAL)", "(false)", WRONG_VALUE),
    ("conv2d_depthwise", "conv2d", "conv2d/depthwise", "(RESIDUAL)", "(false)", WRONG_VALUE),
    ("conv2d", BACKWARD_INPUT, "conv2d/gemm", "(BACKWARD)", "(false)", WRONG_VALUE),
    ("conv2d", BACKWARD_INPUT, "conv2d/gemm", "seen > low && ", "", WRONG_VALUE),
    ("conv2d_winograd2", BACKWARD_INPUT, "conv2d/winograd2", "(BACKWARD)", "(false)", WRONG_VALUE),
    (
        "conv2d_winograd4",
        BACKWARD_INPUT,
        "conv2d/winograd4",
        "before + chained(derivative(low, high, residual[at]), sum)",
        "before + sum",
        WRONG_VALUE,
    ),
    ("conv2d_depthwise", BACKWARD_INPUT, "conv2d/depthwise_input", "(BACKWARD)", "(false)", WRONG_VALUE),
    ("conv2d_pointwise", "conv2d", "conv2d/pointwise", "(RESIDUAL)", "(false)", WRONG_VALUE),
    ("conv2d_pointwise", "conv2d", "conv2d/pointwise", "params.high, value.w)", "params.low, value.w)", WRONG_VALUE),
    ("conv2d_pointwise", "conv2d", "conv2d/pointwise", "sum + bias[", "sum - bias[", WRONG_VALUE),
    ("conv2d_pointwise", "conv2d", "conv2d/pointwise", "f >= params.filters || ", "", OUTSIDE),
    ("conv2d_pointwise", "conv2d", "conv2d/pointwise", "select(0.0, filters[at], exists)", "1.0", WRONG_VALUE),
    ("conv2d_pointwise", "conv2d", "conv2d/pointwise", "index / down / across,", "0u,", NOT_WRITTEN),
    ("conv2d_winograd2", "conv2d", "conv2d/winograd2", "(RESIDUAL)", "(false)", WRONG_VALUE),
    ("conv2d_depthwise_rows", "conv2d", "conv2d/depthwise_rows", "(RESIDUAL)", "(false)", WRONG_VALUE),
    ("conv2d_depthwise_rows", "conv2d", "conv2d/depthwise_rows", "params.high, sum,", "params.low, sum,", WRONG_VALUE),
    (
        "conv2d_depthwise_rows",
        "conv2d",
        "conv2d/depthwise_rows",
        "i32(column) - i32(params.padding_x)",
        "i32(column)",
        WRONG_VALUE,
    ),
    (
        "conv2d_depthwise_rows",
        "conv2d",
        "conv2d/depthwise_rows",
        "/ (params.filters / params.channels)",
        "",
        WRONG_VALUE,
    ),
    (
        "conv2d_depthwise_rows",
        "conv2d",
        "conv2d/depthwise_rows",
        "vec4<f32>(line.first.zw, line.last)",
        "line.first",
        WRONG_VALUE,
    ),
    ("conv2d_depthwise_rows", "conv2d", "conv2d/depthwise_rows", "rows > 3u", "rows > 4u", NOT_WRITTEN),
    ("conv2d_depthwise_rows", "conv2d", "conv2d/depthwise_rows", "if (exists) {", "if (true) {", OUTSIDE),
    ("conv2d_depthwise_rows", "conv2d", "conv2d/depthwise_rows", "group.x * INVOCATIONS", "0u", NOT_WRITTEN),
    ("conv2d_depthwise", "conv2d", "conv2d/depthwise", "ky * params.dilation_y", "ky", WRONG_VALUE),
    ("conv2d_depthwise", "conv2d", "conv2d/depthwise", "- i32(params.padding_x);", ";", WRONG_VALUE),
    ("conv2d_depthwise", "conv2d", "conv2d/depthwise", "(count > 3u)", "(count > 4u)", NOT_WRITTEN),
    ("conv2d_depthwise", "conv2d", "conv2d/depthwise", "(count > 1u)", "(true)", OUTSIDE),
    ("conv2d_depthwise", "conv2d", "conv2d/depthwise", "/ (params.filters / params.channels)", "", WRONG_VALUE),
    (
        "conv2d_depthwise",
        "conv2d",
        "conv2d/depthwise",
        "(params.low, params.high, sum,",
        "(params.low, params.low, sum,",
        WRONG_VALUE,
    ),
    (
        "conv2d_depthwise",
        BACKWARD_INPUT,
        "conv2d/depthwise_input",
        "oy * i32(params.stride_y) == reached",
        "true",
        WRONG_VALUE,
    ),
    ("conv2d_depthwise", BACKWARD_INPUT, "conv2d/depthwise_input", "part < of_channel", "part < 1u", WRONG_VALUE),
    ("conv2d_depthwise", BACKWARD_WEIGHT, "conv2d/depthwise_weight", "partial[local + half]", "0.0", WRONG_VALUE),
    (
        "conv2d_depthwise",
        BACKWARD_WEIGHT,
        "conv2d/depthwise_weight",
        "let at = params.weight_offset + index;",
        "let at = params.weight_offset + index + 1u;",
        OUTSIDE,
    ),
    ("conv2d", "conv2d", "conv2d/gemm", "bias[product.bias_offset", "0.0 * bias[product.bias_offset", WRONG_VALUE),
    ("conv2d", "conv2d", "conv2d/gemm", "return product.y_offset", "return 1u + product.y_offset", OUTSIDE),
    ("conv2d", "conv2d", "conv2d/gemm", "(row >= product.rows)", "(row > product.rows)", OUTSIDE),
    ("conv2d", "conv2d", "conv2d/gemm", "count > 3u", "count > 4u", NOT_WRITTEN),
    ("conv2d", "conv2d", "conv2d/gemm", "part = 1u; part", "part = 2u; part", WRONG_VALUE),
    // Scratch memory is guarded too, and full of NaN.
    ("conv2d", "conv2d", "conv2d/gemm", "packing[product", "packing[1u + product", OUTSIDE),
    ("conv2d", "conv2d", "conv2d/gemm", "inner >= packed_planes()", "inner >= product.planes", NOT_WRITTEN),
    ("conv2d", BACKWARD_INPUT, "conv2d/gemm", "i32(tap_x) * product.direction.y", "i32(tap_x)", WRONG_VALUE),
    ("conv2d", BACKWARD_INPUT, "conv2d/gemm", "(row >= product.rows)", "(row + 1u >= product.rows)", NOT_WRITTEN),
    ("conv2d", BACKWARD_WEIGHT, "conv2d/gemm_weight", "tap < taps &&", "", WRONG_VALUE),
    ("conv2d", BACKWARD_WEIGHT, "conv2d/gemm_weight", "select(0u, product", "select(4u, product", OUTSIDE),
    ("conv2d", BACKWARD_WEIGHT, "conv2d/gemm_weight", "partial[local + half]", "0.0", WRONG_VALUE),
    ("conv2d_winograd2", "conv2d", "conv2d/winograd2", "params.padding_x", "(params.padding_x * 0u)", WRONG_VALUE),
    ("conv2d_winograd2", "conv2d", "conv2d/winograd2", "params.y_offset +", "1u + params.y_offset +", OUTSIDE),
    ("conv2d_winograd2", "conv2d", "conv2d/winograd2", "0.5, 0.5, 1.0);", "0.5, 0.4, 1.0);", WRONG_VALUE),
    (
        "conv2d_winograd4",
        "conv2d",
        "conv2d/winograd4",
        "finished(params.low, params.high,",
        "finished(params.low, params.low,",
        WRONG_VALUE,
    ),
    ("conv2d_winograd4", "conv2d", "conv2d/winograd4", "params.m_offset +", "1u + params.m_offset +", WRONG_VALUE),
    ("conv2d_winograd4", "conv2d", "conv2d/winograd4", "params.v_offset +", "1u + params.v_offset +", OUTSIDE),
    (
        "conv2d_winograd4",
        "conv2d",
        "conv2d/winograd4",
        "(id.x >= params.tiles)",
        "(id.x + 1u >= params.tiles)",
        NOT_WRITTEN,
    ),
    ("conv2d_winograd4", "conv2d", "conv2d/winograd4", "P: f32 = 0.707", "P: f32 = 0.708", WRONG_VALUE),
    ("conv2d_winograd4", BACKWARD_INPUT, "conv2d/winograd4", "vec3<u32>(8u) - at", "at", WRONG_VALUE),
    ("conv2d_winograd4", BACKWARD_WEIGHT, "conv2d/winograd4", "- i32(params.padding_y)", "", WRONG_VALUE),
    ("conv2d_winograd4", BACKWARD_WEIGHT, "conv2d/winograd4", "P3 * y.w", "P * y.w", WRONG_VALUE),
    (
        "conv2d_winograd4",
        BACKWARD_WEIGHT,
        "conv2d/winograd4",
        "inside && row < i32(params.height)",
        "inside && row + 1 < i32(params.height)",
        WRONG_VALUE,
    ),
    ("conv2d_winograd4", BACKWARD_WEIGHT, "conv2d/winograd4", "(m1 + m2) / -1.5", "(m1 - m2) / -1.5", WRONG_VALUE),
    ("conv2d_winograd4", BACKWARD_WEIGHT, "conv2d/winograd4", "part * params.m_part", "0u", WRONG_VALUE),
    (
        "conv2d_winograd4",
        BACKWARD_WEIGHT,
        "conv2d/winograd4",
        "store_taps(first + 6u",
        "store_taps(first + 7u",
        OUTSIDE,
    ),
    ("conv2d_winograd2", BACKWARD_WEIGHT, "conv2d/winograd2", "params.first_tile + place", "0u * place", WRONG_VALUE),
    (
        "conv2d_winograd2",
        BACKWARD_WEIGHT,
        "conv2d/winograd2",
        "left, exists), x_at(line, left + 1,",
        "left, exists), x_at(line, left,",
        WRONG_VALUE,
    ),
    ("conv2d_winograd2", BACKWARD_WEIGHT, "conv2d/winograd2", "part < params.parts", "part < 1u", WRONG_VALUE),
    (
        "conv2d_winograd2",
        BACKWARD_WEIGHT,
        "conv2d/winograd2",
        "first + 3u, gradient[1]",
        "first + 3u, gradient[2]",
        WRONG_VALUE,
    ),
    (
        "conv2d_winograd2",
        BACKWARD_WEIGHT,
        "conv2d/winograd2_blocked",
        "* params.channels + id.x) * 9u",
        "* params.channels) * 9u",
        NOT_WRITTEN,
    ),
    ("conv2d_winograd", "conv2d", "conv2d/winograd4", "params.m_offset / 4u", "params.m_offset / 4u + 1u", OUTSIDE),
    ("conv2d_winograd", "conv2d", "conv2d/winograd2", "first + params.part", "first + 16u", WRONG_VALUE),
    ("conv2d_winograd", "conv2d", "conv2d/winograd4", "group.z / params.points", "0u", WRONG_VALUE),
    ("conv2d_winograd2", "conv2d", "conv2d/winograd2", "part = 1u; part", "part = 2u; part", WRONG_VALUE),
    ("conv2d_winograd4", "conv2d", "conv2d/winograd4", "part * params.m_part", "params.m_part", WRONG_VALUE),
    ("conv2d_winograd", "conv2d", "conv2d/winograd4", "select(0u, 2u,", "select(0u, 1u,", WRONG_VALUE),
    ("conv2d_winograd", "conv2d", "conv2d/winograd4_blocked", "k < params.inner", "k + 1u < params.inner", WRONG_VALUE),
    (
        "conv2d_winograd",
        "conv2d",
        "conv2d/winograd2_blocked",
        "point >= params.points",
        "point + 1u >= params.points",
        NOT_WRITTEN,
    ),
    ("conv2d_winograd", "conv2d", "winograd2 in f16", "eight.xy, eight.zw", "eight.xy, eight.xy", WRONG_VALUE),
    ("conv2d_winograd", "conv2d", "winograd4_blocked in f16", "(four.y)", "(four.x)", WRONG_VALUE),
    ("conv2d_winograd2", "conv2d", "winograd2 in f16", "2u * id.x + 1u, id.y", "2u * id.x, id.y", WRONG_VALUE),
    ("conv2d_winograd2", "conv2d", "winograd2 in f16", "pair_f16(a.w, b.w)", "pair_f16(a.w, b.z)", WRONG_VALUE),
    ("conv2d_winograd4", "conv2d", "winograd4 in f16", "pair_f16(a.b.y, b.b.y)", "pair_f16(b.b.y, a.b.y)", WRONG_VALUE),
    ("conv2d_winograd4", "conv2d", "winograd4 in f16", "plane, a.c5, b.c5", "plane, a.c5, b.c4", WRONG_VALUE),
    // By matrix units: what all of them share, then what is a shader's own.
    ("conv2d_winograd_matrix", "conv2d", "winograd2 by matrix units in f16", "b1, *s01", "b0, *s01", WRONG_VALUE),
    ("conv2d_winograd_matrix", "conv2d", "winograd2 by matrix units in split", "a1, b0_rest,", "a1, b0,", WRONG_VALUE),
    ("conv2d_winograd_matrix", "conv2d", "winograd4 by matrix units in split", "a0_rest, b1,", "a0, b1,", WRONG_VALUE),
    ("conv2d_winograd_matrix", "conv2d", "winograd2 by matrix units in split", "* REMAINDER_SCALE", "", WRONG_VALUE),
    (
        "conv2d_winograd_matrix",
        "conv2d",
        "winograd2 by matrix units in f16",
        "start += STEP",
        "start += 32u",
        WRONG_VALUE,
    ),
    ("conv2d_winograd_matrix", "conv2d", "winograd2 by matrix units in f16", "group.y * 64u + row", "row", NOT_WRITTEN),
    ("conv2d_matrix", "conv2d", "gemm_64 by matrix units in f16", "(place2) + shift", "(place2)", WRONG_VALUE),
    ("conv2d_matrix", "conv2d", "gemm_64 by matrix units in f16", "tap == met_tap", "true", WRONG_VALUE),
    (
        "conv2d_matrix",
        "conv2d",
        "gemm_64 by matrix units in split",
        "met_inside & vec4<bool>",
        "vec4<bool>",
        WRONG_VALUE,
    ),
    (
        "conv2d_matrix",
        "conv2d",
        "gemm_64 by matrix units in f16",
        "(row >= product.rows)",
        "(row > product.rows)",
        OUTSIDE,
    ),
    (
        "conv2d_matrix",
        "conv2d",
        "gemm_64 by matrix units in f16",
        "first + 4u, sums.high",
        "first, sums.high",
        NOT_WRITTEN,
    ),
    (
        "conv2d_weight_matrix",
        BACKWARD_WEIGHT,
        "gemm_weight_64 by matrix units in f16",
        "&& inner < inner_range(group).y",
        "",
        WRONG_VALUE,
    ),
    (
        "conv2d_weight_matrix",
        BACKWARD_WEIGHT,
        "gemm_weight_64 by matrix units in split",
        "tap.y * product.taps.y + tap.z",
        "tap.z",
        WRONG_VALUE,
    ),
    (
        "conv2d_weight_matrix",
        BACKWARD_WEIGHT,
        "gemm_weight_64 by matrix units in f16",
        "tap.x * product.plane",
        "0u",
        WRONG_VALUE,
    ),
    (
        "conv2d_weight_matrix",
        BACKWARD_WEIGHT,
        "gemm_weight_64 by matrix units in f16",
        "16u + column / 4u",
        "0u + column / 4u",
        NOT_WRITTEN,
    ),
    (
        "conv2d_weight_matrix",
        BACKWARD_WEIGHT,
        "gemm_weight_64 by matrix units in f16",
        "quad + 1u, sums.high",
        "quad, sums.high",
        NOT_WRITTEN,
    ),
    ("conv2d_matrix", BACKWARD_INPUT, "gemm_64 by matrix units in f16", "scale.x * scale.y", "scale.x", WRONG_VALUE),
    (
        "conv2d_winograd_matrix",
        BACKWARD_WEIGHT,
        "winograd2 by matrix units in f16",
        "given == vec2<f32>()",
        "vec2<bool>()",
        WRONG_VALUE,
    ),
    (
        "dense_matrix",
        "dense_backward_weight",
        "matmul_64 by matrix units in f16",
        "0x7f000000u",
        "0x7e800000u",
        WRONG_VALUE,
    ),
    ("dense_matrix", "dense", "matmul_64 by matrix units in f16", "first.x + 4u + i < params.rows", "true", OUTSIDE),
    ("dense_matrix", "dense", "matmul_64 by matrix units in f16", "first.y >= params.columns", "false", OUTSIDE),
    (
        "dense_matrix",
        "dense",
        "matmul_64 by matrix units in split",
        "inner < inner_range(group).y",
        "true",
        WRONG_VALUE,
    ),
    ("dense_matrix", "dense", "matmul_64 by matrix units in f16", "value += bias[", "value -= bias[", WRONG_VALUE),
    ("dense", "dense", "dense/rows", "value += bias[", "value -= bias[", WRONG_VALUE),
    ("dense", "dense", "dense/rows", "activated(params.low, params.high, value)", "value", WRONG_VALUE),
    ("dense", "dense", "dense/rows", "partial[local + half]", "vec4<f32>()", WRONG_VALUE),
    ("dense", "dense", "dense/rows_quads", "partials[local + half]", "mat4x4<f32>()", WRONG_VALUE),
    ("dense", "dense", "dense/rows_quads", "column + local / 4u < params.columns", "true", OUTSIDE),
    ("dense", "dense", "dense/rows_f16", "b_eights[b_at.w + k]", "b_eights[b_at.z + k]", WRONG_VALUE),
    ("dense", "dense", "dense/rows_f16", "unpack2x16float(b.w)", "unpack2x16float(b.z)", WRONG_VALUE),
    ("dense", "dense", "dense/rows_f16", "column + local / 4u < params.columns", "true", OUTSIDE),
    ("dense", "dense", "dense/rows_f16", "bits + 0xfffu", "bits", WRONG_VALUE),
    ("dense", "dense", "dense/rows_f16", "i >= params.columns *", "i + 1u >= params.columns *", WRONG_VALUE),
    ("dense", "dense", "dense/matmul", "column + 3u < params.columns", "column + 3u <= params.columns", OUTSIDE),
    ("dense", "dense", "dense/matmul", "(row >= params.rows)", "(row + 1u >= params.rows)", NOT_WRITTEN),
    ("dense", "dense", "dense/matmul", "step + k < end", "true", WRONG_VALUE),
    ("dense", "dense", "dense/matmul", "part = 1u; part", "part = 2u; part", WRONG_VALUE),
    ("dense", "dense_backward_weight", "", "row < params.rows;", "row + 1u < params.rows;", WRONG_VALUE),
    ("activation", "activation", "", "(i >= params.length)", "(i > params.length)", OUTSIDE),
    ("activation", "activation", "", "(i >= params.length)", "(i + 1u >= params.length)", NOT_WRITTEN),
    // Each function and its derivative: ReLU, clip, leaky ReLU, sigmoid, hardswish, SiLU, GELU and that by tanh.
    ("activation", "activation", "", "select(x, 0.0, x < 0.0)", "x", WRONG_VALUE),
    ("activation", "activation_backward", "", "(0.0, 1.0, seen > 0.0)", "(0.0, 1.0, seen >= 0.0)", WRONG_VALUE),
    ("activation", "activation", "", "above > high", "false", WRONG_VALUE),
    ("activation", "activation_backward", "", "seen > low && ", "", WRONG_VALUE),
    ("activation", "activation", "", "low * x, x < 0.0", "x, x < 0.0", WRONG_VALUE),
    ("activation", "activation_backward", "", "low, 1.0, seen > 0.0", "low, 1.0, seen >= 0.0", WRONG_VALUE),
    ("activation", "activation", "", "return sigmoid(x)", "return sigmoid(0.999 * x)", WRONG_VALUE),
    ("activation", "activation_backward", "", "seen * (1.0 - seen)", "seen", WRONG_VALUE),
    ("activation", "activation", "", "clamp(x + 3.0, 0.0, 6.0)", "(x + 3.0)", WRONG_VALUE),
    ("activation", "activation_backward", "", "seen <= -3.0", "seen <= -3.1", WRONG_VALUE),
    ("activation", "activation", "", "return x * sigmoid(x)", "return x * sigmoid(0.999 * x)", WRONG_VALUE),
    ("activation", "activation_backward", "", "s + seen * s * (1.0 - s)", "s", WRONG_VALUE),
    ("activation", "activation", "", "1.0614054 * t", "1.0624054 * t", WRONG_VALUE),
    ("activation", "activation_backward", "", "seen * 0.5 * ROOT_2_BY_PI", "seen * ROOT_2_BY_PI", WRONG_VALUE),
    ("activation", "activation", "", "(1.0 + gelu_tanh(x))", "(1.0 + gelu_tanh(0.999 * x))", WRONG_VALUE),
    ("activation", "activation", "", "-15.0, 15.0", "-1000.0, 1000.0", NOT_WRITTEN),
    ("activation", "activation_backward", "", "3.0 * CUBIC", "CUBIC", WRONG_VALUE),
    ("unary", "unary", "", "(i >= params.length)", "(i > params.length)", OUTSIDE),
    ("unary", "unary_backward", "", "(i >= params.length)", "(i + 1u >= params.length)", NOT_WRITTEN),
    // Each function and its derivative, in the order of their numbers.
    ("unary", "unary", "", "return abs(x)", "return x", WRONG_VALUE),
    ("unary", "unary_backward", "", "-1.0, x < 0.0)", "1.0, x < 0.0)", WRONG_VALUE),
    ("unary", "unary", "", "return sqrt(x)", "return x", WRONG_VALUE),
    ("unary", "unary_backward", "", "0.5 / sqrt(x)", "1.0 / sqrt(x)", WRONG_VALUE),
    ("unary", "unary", "", "return 1.0 / x", "return x", WRONG_VALUE),
    ("unary", "unary_backward", "", "-1.0 / (x * x)", "-1.0 / x", WRONG_VALUE),
    ("unary", "unary", "", "6665e-1) * r", "6665e-1) + r", WRONG_VALUE),
    ("unary", "unary", "", "power_of_two(half) *", "", WRONG_VALUE),
    ("unary", "unary_backward", "", "case 3u: { return exponential(x)", "case 3u: { return x", WRONG_VALUE),
    ("unary", "unary", "", "k * LN_2_HIGH;", "k;", WRONG_VALUE),
    ("unary", "unary_backward", "", "case 4u: { return 1.0 / x", "case 4u: { return x", WRONG_VALUE),
    ("unary", "unary", "", "k * HALF_PI_MIDDLE", "0.0", WRONG_VALUE),
    ("unary", "unary", "", "(quarter & 2) != 0", "false", WRONG_VALUE),
    ("unary", "unary_backward", "", "-sine(x, 0)", "sine(x, 0)", WRONG_VALUE),
    ("unary", "unary", "", "3.3333328e-1", "3.3433328e-1", WRONG_VALUE),
    ("unary", "unary", "", "select(far, -far, x < 0.0), z > 0.625)", "far, z > 0.625)", WRONG_VALUE),
    ("unary", "unary_backward", "", "1.0 - y * y", "1.0 - y", WRONG_VALUE),
    ("unary", "unary", "", "+ TWO_BY_ROOT_PI;", "+ 1.1293791;", WRONG_VALUE),
    ("unary", "unary", "", "6.390472e-1", "6.391472e-1", WRONG_VALUE),
    ("unary", "unary_backward", "", "TWO_BY_ROOT_PI *", "", WRONG_VALUE),
    ("unary", "unary", "", "return floor(x)", "return ceil(x)", WRONG_VALUE),
    ("unary", "unary", "", "return ceil(x)", "return floor(x)", WRONG_VALUE),
    ("unary", "unary", "", "return round(x)", "return floor(x)", WRONG_VALUE),
    ("unary", "unary_backward", "", "12u: { return 0.0; }", "12u: { return 1.0; }", WRONG_VALUE),
    ("unary", "unary", "", "return signed_one(x)", "return x", WRONG_VALUE),
    ("unary", "unary", "", "exponential_rest(x) + x, x > -0.34", "x, x > -0.34", WRONG_VALUE),
    ("unary", "unary_backward", "", "exponential(min(x, 0.0)), 1.0,", "exponential(x), x,", WRONG_VALUE),
    ("unary", "unary", "", "max(x, 0.0) +", "", WRONG_VALUE),
    ("unary", "unary_backward", "", "return logistic(x)", "return logistic(-x)", WRONG_VALUE),
    ("unary", "unary", "", "x / (1.0 + abs(x))", "x / (1.0 + x)", WRONG_VALUE),
    ("unary", "unary_backward", "", "(1.0 + abs(x)) * (1.0 + abs(x))", "(1.0 + abs(x))", WRONG_VALUE),
    ("unary", "unary", "", "-magnitude, is_odd", "magnitude, is_odd", WRONG_VALUE),
    ("unary", "unary_backward", "", "params.low - 1.0", "params.low", WRONG_VALUE),
    ("add", "add", "", "x + y", "x - y", WRONG_VALUE),
    ("add", "add", "", "(i >= params.length)", "(i > params.length)", OUTSIDE),
    ("prelu", "prelu", "", "/ params.inner %", "%", WRONG_VALUE),
    ("prelu", "prelu_backward", "", "sum += select", "sum = select", WRONG_VALUE),
    ("prelu", "prelu_backward", "", "params.out_offset + channel", "params.out_offset + channel + 1u", OUTSIDE),
    ("max_pool2d", "max_pool2d", "", "start + params.kernel,", "start + params.kernel - 1u,", WRONG_VALUE),
    ("max_pool2d", "max_pool2d_backward", "", "value > best.value", "value >= best.value", WRONG_VALUE),
    ("max_pool2d", "max_pool2d_backward", "", "maximum > 0.0", "maximum >= 0.0", WRONG_VALUE),
    ("max_pool2d", "max_pool2d_backward", "max_pool2d/backward", "maximum.place == place", "true", WRONG_VALUE),
    ("max_pool2d", "max_pool2d_backward", "max_pool2d/backward_apart", "at == place", "at != place", WRONG_VALUE),
    ("max_pool2d", "max_pool2d_backward", "max_pool2d/backward_apart", "+ params.kernel - 1u) /", ") /", NOT_WRITTEN),
    (
        "max_pool2d",
        "max_pool2d_backward",
        "",
        "(i >= params.planes * in_plane)",
        "(i > params.planes * in_plane)",
        OUTSIDE,
    ),
    ("adaptive_avg_pool2d", "adaptive_avg_pool2d", "", "+ output - 1u", "", WRONG_VALUE),
    ("adaptive_avg_pool2d", "adaptive_avg_pool2d_backward", "", "/ count", "", WRONG_VALUE),
    ("mul", "mul", "", "x * y", "x + y", WRONG_VALUE),
    ("mul", "mul", "", "rest /= dim.x", "rest /= dim.x + 1u", WRONG_VALUE),
    ("masked_fill", "masked_fill", "", "mask > 0.0", "mask >= 0.0", WRONG_VALUE),
    ("masked_fill", "masked_fill", "", "params.number", "0.0", WRONG_VALUE),
    ("reduce_sum", "reduce_sum", "reduce_sum/forward", "t < params.terms", "t + 1u < params.terms", WRONG_VALUE),
    ("reduce_sum", "reduce_sum", "reduce_sum/forward_wide", "partial[local + half]", "0.0", WRONG_VALUE),
    ("mul_reduce", "mul_reduce", "", "* b[params.b_offset + at.y]", "", WRONG_VALUE),
    ("mul_reduce", "mul_reduce", "", "(i >= params.length)", "(i + 1u >= params.length)", NOT_WRITTEN),
    ("reduce_mean", "reduce_mean", "", "sum * params.number", "sum", WRONG_VALUE),
    ("reduce_mean", "reduce_mean_backward", "", "] * params.number", "]", WRONG_VALUE),
    ("avg_pool2d", "avg_pool2d", "", "/ count(o)", "/ f32(params.kernel.x * params.kernel.y)", WRONG_VALUE),
    ("avg_pool2d", "avg_pool2d_backward", "", "/ params.stride + 1u, padded", "/ params.stride, padded", WRONG_VALUE),
    ("concat", "concat", "", "walk(i, 0u, params.count).z", "i", NOT_WRITTEN),
    ("concat", "concat", "", "[params.a_offset + i]", "[params.a_offset + i + 1u]", WRONG_VALUE),
    ("slice", "slice", "", "* dim.yzw", "* dim.zzw", WRONG_VALUE),
    ("slice", "slice", "", "[params.out_offset + i]", "[params.out_offset + i + 1u]", OUTSIDE),
    ("pad", "pad", "", "place < dim.w", "place <= dim.w", WRONG_VALUE),
    ("pad", "pad", "", "select(params.number, value, inside)", "value", WRONG_VALUE),
    ("transpose", "transpose", "transpose/forward", "* dim.yzw", "* dim.zzw", WRONG_VALUE),
    ("transpose", "transpose", "transpose/tiled", "column * rows + row", "row * columns + column", WRONG_VALUE),
    ("transpose", "transpose", "transpose/tiled", "row < rows && column < columns", "true", OUTSIDE),
    ("upsample", "upsample", "", "o * params.step", "o * (params.step + 1u)", WRONG_VALUE),
    ("upsample", "upsample_backward", "", " - i32(params.bilinear)", "", WRONG_VALUE),
    ("stochastic_depth", "stochastic_depth", "", ">= params.threshold", "< params.threshold", WRONG_VALUE),
    ("stochastic_depth", "stochastic_depth", "", "* params.scale", "", WRONG_VALUE),
    ("mse_loss", "mse_loss", "", "2.0 * (x - y)", "(x - y)", WRONG_VALUE),
    ("mse_loss", "mse_loss", "", "loss[params.loss_offset]", "loss[params.loss_offset + 1u]", OUTSIDE),
    ("binary_cross_entropy", "binary_cross_entropy", "", "y >= 0.0", "true", WRONG_VALUE),
    ("binary_cross_entropy", "binary_cross_entropy", "", "max(x, 0.0)", "x", WRONG_VALUE),
    ("softmax", "softmax", "softmax/forward", "/ sum;", ";", WRONG_VALUE),
    ("softmax", "softmax", "softmax/forward_wide", "c = local;", "c = local + 1u;", NOT_WRITTEN),
    ("softmax", "softmax_backward", "softmax/backward", "- sum)", ")", WRONG_VALUE),
    ("softmax", "softmax_backward", "softmax/backward_wide", "partial[local + half]", "0.0", WRONG_VALUE),
    ("cross_entropy", "cross_entropy", "", "value /= total.y", "value /= f32(params.rows)", WRONG_VALUE),
    ("cross_entropy", "cross_entropy", "", "- soft * smooth_sum", "", WRONG_VALUE),
    ("cross_entropy", "cross_entropy", "", "loss[params.loss_offset]", "loss[params.loss_offset + 1u]", OUTSIDE),
    (
        "cross_entropy",
        "cross_entropy",
        "",
        "return class_weight[params.weight_offset + c] * smoothed",
        "return smoothed",
        WRONG_VALUE,
    ),
    ("cross_entropy", "cross_entropy", "", "sums.y += 1.0", "sums.y += 2.0", WRONG_VALUE),
    ("cross_entropy", "cross_entropy", "", "n.y * all -", "n.y -", WRONG_VALUE),
    ("cross_entropy", "cross_entropy", "", "if (counts)", "if (true)", WRONG_VALUE),
    ("dropout", "dropout", "", "round < 10u", "round < 9u", WRONG_VALUE),
    ("dropout", "dropout", "", "* params.scale", "", WRONG_VALUE),
    ("sgd", "sgd", "", "params.weight_decay * before", "0.0", WRONG_VALUE),
    ("sgd", "sgd", "", "d + params.momentum * v,", "v,", WRONG_VALUE),
    ("sgd", "sgd", "", "(i >= params.length)", "(i > params.length)", OUTSIDE),
    ("sgd", "sgd", "", "params.learning_rate_factor *", "", WRONG_VALUE),
    ("adam", "adam", "", "params.learning_rate_factor *", "", WRONG_VALUE),
    ("adam", "adam", "", "/ state.corrections.y", "", WRONG_VALUE),
    ("adam", "adam", "", "params.decoupled != 0u", "true", WRONG_VALUE),
    ("adam", "adam", "", "(i >= params.length)", "(i > params.length)", OUTSIDE),
    ("ema", "ema", "", "min(params.decay, f32(step - 1u)", "(f32(step - 1u)", WRONG_VALUE),
    ("ema", "ema", "", "f32(step - 1u)", "f32(step)", WRONG_VALUE),
    ("accumulate", "accumulate", "", "1.0 - state.share", "1.0", WRONG_VALUE),
    ("accumulate", "accumulate", "", "+ state.share * gradient", "+ gradient", WRONG_VALUE),
    // A mean of two guards would be a guard, and so would an average.
    ("accumulate", "accumulate", "", "mean[params.mean_offset + i] =", "mean[params.mean_offset + i + 1u] =", OUTSIDE),
    ("dropout", "dropout", "", "state.micro_batch *", "0u *", WRONG_VALUE),
    ("ema", "ema", "", "average[params.average_offset + i] =", "average[params.average_offset + i + 1u] =", OUTSIDE),
    ("batch_norm2d", "batch_norm2d", "", "* scale + bias", "* scale - bias", WRONG_VALUE),
    ("batch_norm2d", "batch_norm2d", "", "(i >= params.length)", "(i > params.length)", OUTSIDE),
    (
        "batch_norm2d",
        "batch_norm2d_statistics",
        "",
        "squares += distance * distance",
        "squares += distance",
        WRONG_VALUE,
    ),
    (
        "batch_norm2d",
        "batch_norm2d_statistics",
        "",
        "min(first + params.part,",
        "max(first + params.part,",
        WRONG_VALUE,
    ),
    ("batch_norm2d", "batch_norm2d_statistics", "", "part < params.parts", "part + 1u < params.parts", WRONG_VALUE),
    ("batch_norm2d", "batch_norm2d_running", "", "1.0 - params.momentum", "params.momentum", WRONG_VALUE),
    ("batch_norm2d", "batch_norm2d_running", "", "(params.factor *", "(1.0 *", WRONG_VALUE),
    ("batch_norm2d", "batch_norm2d_backward", "", "params.training != 0u", "params.training == 0u", WRONG_VALUE),
    ("batch_norm2d", "batch_norm2d_backward", "", "+ distance * of_var", "", WRONG_VALUE),
    (
        "batch_norm2d",
        "batch_norm2d_backward",
        "",
        "out2[params.out2_offset + channel] = sums.y",
        "out2[params.out2_offset + channel + 1u] = sums.y",
        OUTSIDE,
    ),
    ("batch_norm2d", "batch_norm2d_fold", "", "= scale * a[", "= a[", WRONG_VALUE),
    ("batch_norm2d", "batch_norm2d_fold", "", "(row >= params.length)", "(row > params.length)", OUTSIDE),
    (
        "layer_norm",
        "layer_norm",
        "",
        "+ other[params.other_offset + i]",
        "- other[params.other_offset + i]",
        WRONG_VALUE,
    ),
    ("layer_norm", "layer_norm", "", "variance + params.eps", "variance + 0.1", WRONG_VALUE),
    ("layer_norm", "layer_norm_backward", "", "- normal * means.y", "", WRONG_VALUE),
    ("layer_norm", "layer_norm_backward", "", "part < params.parts", "part + 1u < params.parts", WRONG_VALUE),
    (
        "layer_norm",
        "layer_norm_backward",
        "",
        "out[params.out_offset + feature]",
        "out[params.out_offset + feature + 1u]",
        OUTSIDE,
    ),
    ("matmul", "matmul", "", "params.alpha *", "", WRONG_VALUE),
    (
        "matmul",
        "matmul",
        "",
        "params.inner - 1u) * params.b_inner",
        "params.inner - 1u) * params.b_column",
        WRONG_VALUE,
    ),
    ("matmul", "matmul", "", "(row >= params.rows)", "(row > params.rows)", OUTSIDE),
    ("matmul", "matmul", "", "group.y * params.a_matrix", "0u", WRONG_VALUE),
    ("relative_position_bias", "relative_position_bias", "", "- u / params.width;", ";", WRONG_VALUE),
    ("relative_position_bias", "relative_position_bias_backward", "", "u32(max(across, 0))", "0u", WRONG_VALUE),
    ("relative_position_bias", "relative_position_bias_backward", "", "sum += scores", "sum = scores", WRONG_VALUE),
];

/// The same for `resize`, which is no operation of a network.
const RESIZE_MUTATIONS: &[(&str, &str, &str)] = &[
    ("+ 0.5) * scale", ") * scale", WRONG_VALUE),
    ("size - 1u)", "size)", WRONG_VALUE),
    ("mirror != 0u", "mirror == 0u", WRONG_VALUE),
    ("params.width - 1u - x", "params.width - x", WRONG_VALUE),
    ("rgb.zyx", "rgb", WRONG_VALUE),
    ("rgb.bgr", "rgb", WRONG_VALUE),
    ("unpack2x16float(pixels[word + 1u]).x", "unpack2x16float(pixels[word + 1u]).y", WRONG_VALUE),
    ("pixels[word + 2u]", "pixels[word + 3u]", WRONG_VALUE),
    ("ANY && params.linear != 0u", "false", WRONG_VALUE),
    ("1.0 / 2.4", "1.0 / 2.2", WRONG_VALUE),
    ("clamp(given, vec3(0.0), vec3(1.0))", "max(given, vec3(0.0))", WRONG_VALUE),
    ("+ params.height - 1u", "", WRONG_VALUE),
    ("rgb.x * 0.299", "rgb.x * 0.3", WRONG_VALUE),
    ("(i >= params.crops * plane)", "(i + 1u >= params.crops * plane)", NOT_WRITTEN),
    ("out[at + 2u * plane]", "out[at + 2u * plane + 1u]", OUTSIDE),
];

/// And for `augment`.
const AUGMENT_MUTATIONS: &[(&str, &str, &str)] = &[
    ("picture * params.words * 4u", "0u", WRONG_VALUE),
    ("min(channels - 1u, 1u)", "1u", WRONG_VALUE),
    ("min(channels - 1u, 1u)", "0u", WRONG_VALUE),
    ("params.width + x) * channels", "params.width + x)", WRONG_VALUE),
    ("f32(y)) + 0.5", "f32(y))", WRONG_VALUE),
    ("across[1] * centre.y", "across[1] * centre.x", WRONG_VALUE),
    ("+ across[2] - 0.5", "- 0.5", WRONG_VALUE),
    ("down[0] * centre.x", "down[1] * centre.x", WRONG_VALUE),
    ("+ down[2] - 0.5", "+ down[2]", WRONG_VALUE),
    ("high = min(low + 1u, last)", "high = low", WRONG_VALUE),
    ("- a) * part.x", "- a)", WRONG_VALUE),
    ("(lower - upper) * part.y", "(lower - upper)", WRONG_VALUE),
    ("value * variations[picture].gain", "value", WRONG_VALUE),
    ("+ variations[picture].offset", "", WRONG_VALUE),
    ("clamp(value, vec3<f32>(0.0), vec3<f32>(255.0))", "max(value, vec3<f32>(0.0))", WRONG_VALUE),
    ("clamp(value, vec3<f32>(0.0), vec3<f32>(255.0))", "min(value, vec3<f32>(255.0))", WRONG_VALUE),
    ("+ bytes.w) - 510.0", ") - 510.0", WRONG_VALUE),
    ("- 510.0", "- 500.0", WRONG_VALUE),
    ("noise_of(noise[part])", "noise_of(noise[0])", WRONG_VALUE),
    ("noise = philox4x32(vec4<u32>(quad, 0u", "noise = philox4x32(vec4<u32>(quad, 1u", WRONG_VALUE),
    ("erased = philox4x32(vec4<u32>(quad, 1u", "erased = philox4x32(vec4<u32>(0u, 1u", WRONG_VALUE),
    ("variations[picture].seed_high)", "0u)", WRONG_VALUE),
    ("vec2<u32>(variations[picture].seed_low,", "vec2<u32>(0u,", WRONG_VALUE),
    ("f32(erased[part] >> 24u)", "f32(erased[part] & 0xffu)", WRONG_VALUE),
    ("x >= left", "x > left", WRONG_VALUE),
    ("x < right &&", "x <= right &&", WRONG_VALUE),
    ("y >= upper", "y > upper", WRONG_VALUE),
    ("y < lower) {", "y <= lower) {", WRONG_VALUE),
    ("params.gray != 0u", "false", WRONG_VALUE),
    ("params.bgr != 0u", "false", WRONG_VALUE),
    ("- mean) / deviation", "- mean)", WRONG_VALUE),
    ("part < 4u", "part < 3u", NOT_WRITTEN),
    ("i >= params.pictures * quads", "i + 1u >= params.pictures * quads", NOT_WRITTEN),
    ("(plane + 3u) / 4u", "plane / 4u + u32(plane < 4u)", NOT_WRITTEN),
    ("out[at + 2u * plane]", "out[at + 5u * plane + 1u]", OUTSIDE),
];

/// A device on which a shader was changed.
fn mutated(shader: &str, from: &str, to: &str) -> Gpu {
    let source = shader_source(shader).unwrap();
    assert!(source.contains(from), "{shader}.wgsl has no {from:?} any more: change it in another way");
    let gpu = fresh_gpu();
    gpu.replace_shader(shader, source.replace(from, to)).unwrap();
    gpu
}

#[test]
fn every_wrong_kernel_is_noticed() {
    let mut unnoticed = Vec::new();
    for &(shader, op, kernel, from, to, sign) in MUTATIONS {
        let gpu = mutated(shader, from, to);
        let family = ["_winograd", "_depthwise", "_pointwise", "_matrix", "_weight"]
            .into_iter()
            .fold(shader, |name, end| name.split(end).next().unwrap());
        let cases = (Twins::of(family).cases)().into_iter().filter(|case| case.op.name() == op);
        let small = cases.filter(|case| case.inputs(0)[0].len() < 1 << 16);
        let noticed = small.into_iter().any(|case| {
            let mut comparison = Comparison::default();
            // No other kernel needs to be compiled.
            twins::check_with(&gpu, &case, 1, |label| label.contains(kernel), &mut comparison);
            comparison.failures().iter().any(|failure| failure.contains(kernel) && failure.contains(sign))
        });
        if !noticed {
            unnoticed.push(format!("{shader}: {from:?} -> {to:?}, no {sign:?} from {op} {kernel}"));
        }
    }
    assert!(unnoticed.is_empty(), "unnoticed:\n{}", unnoticed.join("\n"));
}

/// The mutations of a shader that no check of these cases notices.
fn unnoticed<C>(
    shader: &str,
    mutations: &[(&str, &str, &str)],
    cases: &[C],
    check: impl Fn(&Gpu, &C, u64, &mut Comparison),
) -> Vec<String> {
    let mut unnoticed = Vec::new();
    for &(from, to, sign) in mutations {
        let (gpu, mut comparison) = (mutated(shader, from, to), Comparison::default());
        let is_noticed = cases.iter().zip(0..).any(|(case, seed)| {
            check(&gpu, case, seed, &mut comparison);
            comparison.failures().iter().any(|failure| failure.contains(sign))
        });
        if !is_noticed {
            unnoticed.push(format!("{from:?} -> {to:?}, no {sign:?}"));
        }
    }
    unnoticed
}

#[test]
fn every_wrong_resize_is_noticed() {
    let mut random = Random::new(1);
    // So many because few cases have only crops that are larger than the tensor, where some mistakes show.
    let cases: Vec<_> = (0..300).map(|_| vultus::ops::resize::random_case(&mut random)).collect();
    let unnoticed = unnoticed("resize", RESIZE_MUTATIONS, &cases, twins::check_resize);
    assert!(unnoticed.is_empty(), "unnoticed:\n{}", unnoticed.join("\n"));
}

#[test]
fn every_wrong_augment_is_noticed() {
    let mut random = Random::new(1);
    let mut cases = vultus::ops::augment::cases();
    cases.extend((0..40).map(|_| vultus::ops::augment::random_case(&mut random)));
    let unnoticed = unnoticed("augment", AUGMENT_MUTATIONS, &cases, twins::check_augment);
    assert!(unnoticed.is_empty(), "unnoticed:\n{}", unnoticed.join("\n"));
}

#[test]
fn every_shader_has_a_wrong_one() {
    // Four have tests of their own: the two above, and those beside the measurements of peaks and of scales.
    for kernel in kernels().filter(|kernel| !matches!(kernel.shader, "augment" | "resize" | "peak" | "scale")) {
        assert!(MUTATIONS.iter().any(|mutation| mutation.0 == kernel.shader), "{}", kernel.shader);
    }
}

#[test]
fn a_shader_that_does_not_compile_is_an_error() {
    let gpu = fresh_gpu();
    gpu.replace_shader("activation", "fn forward( {").unwrap();
    let device = vultus::Device::Gpu(gpu.clone());
    let relu = vultus::ops::Activation::Relu.into();
    let compile = || device.compile_op(&relu, &[&[5]], &vultus::Options::default());
    assert!(matches!(compile(), Err(vultus::Error::Device { .. })));
    // The device goes on.
    gpu.replace_shader("activation", shader_source("activation").unwrap()).unwrap();
    let found = compile().unwrap().run(&vultus::Tensor::filled([5], -1.0)).unwrap();
    assert_eq!(found[0].data(), [0.0; 5]);
    assert!(matches!(gpu.replace_shader("none", ""), Err(vultus::Error::UnknownName { .. })));
}
