// The products of a Winograd convolution: M[p] = U[p]ᵀ · V[p] at every point p of the transforms, with U [points, inner,
// outer], V [points, inner, tiles] and M [points, outer, tiles]. Where there are few blocks, M is [parts, points, outer, tiles]:
// each part of the inner dimension has sums of its own. The sizes are multiples of the blocks, so that nothing
// is checked in the loops.

struct Params {
    u_offset: u32,
    v_offset: u32,
    m_offset: u32,
    // A multiple of 16.
    inner: u32,
    outer: u32,
    tiles: u32,
    points: u32,
    // Steps of the inner dimension in one part of it, a multiple of 16.
    part: u32,
    // What matrix units multiply the factors with, or 0 where that is measured, and where it lies then.
    left_scale: f32,
    right_scale: f32,
    measured_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read> v: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> m: array<vec4<f32>>;
