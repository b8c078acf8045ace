// Walks over the elements of up to three values at once, in row order over dimensions that may be of any strides.

struct Params {
    // From the outermost dimension on: its size, and the strides of a, b and out in it.
    dims: array<vec4<u32>, 8>,
    // Invocations, or workgroups, that have something to do.
    length: u32,
    // Dimensions of the walk, and how many of them are walked over by the elements of a sum's result; the terms of each
    // are in the others.
    count: u32,
    kept: u32,
    terms: u32,
    a_offset: u32,
    b_offset: u32,
    out_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
    // What a sum is multiplied with, or what a border or a mask is filled with.
    number: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// Where element `i` of a walk over the dimensions from `first` to one before `end` lies in a, b and out.
fn walk(i: u32, first: u32, end: u32) -> vec3<u32> {
    var rest = i;
    var at = vec3<u32>();
    for (var d = end; d > first; d--) {
        let dim = params.dims[d - 1u];
        at += (rest % dim.x) * dim.yzw;
        rest /= dim.x;
    }
    return at;
}
