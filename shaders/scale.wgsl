// The power of two that brings the largest magnitude of a gradient between 2^8 and 2^9, so that matrix units
// (`shared/matrix.wgsl`) can take it in f16: Winograd's transforms make it up to 52 times as large.
//
//   largest   finds the largest magnitude of what each workgroup goes over
//   power     makes the power of two of these

struct Params {
    length: u32,
    x_offset: u32,
    out_offset: u32,
    // Values from one that an invocation looks at to the next.
    stride: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;

var<workgroup> found: array<u32, 256>;

// Of what is looked at from this place on, as bits: magnitudes are in the order of theirs, with NaN above all.
fn largest_from(first: u32, local: u32) -> u32 {
    var largest = 0u;
    for (var i = first; i < params.length; i += params.stride) {
        largest = max(largest, bitcast<u32>(x[params.x_offset + i]) & 0x7fffffffu);
    }
    found[local] = largest;
    for (var half = 128u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { found[local] = max(found[local], found[local + half]); }
    }
    return found[0];
}

@compute @workgroup_size(256)
fn largest(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let bits = largest_from(group.x * 256u + local, local);
    if (local == 0u) { out[params.out_offset + group.x] = bitcast<f32>(bits); }
}

// At most 2^60 and at least 2^-60, so that what takes it away again is a number too.
@compute @workgroup_size(256)
fn power(@builtin(local_invocation_index) local: u32) {
    let exponent = largest_from(local, local) >> 23u;
    // An exponent is stored with 127 added to it.
    if (local == 0u) { out[params.out_offset] = bitcast<f32>(clamp(262u - exponent, 67u, 187u) << 23u); }
}
