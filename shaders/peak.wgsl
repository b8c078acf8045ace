// What a device reaches at most: multiply-adds that touch no memory, and a copy that computes nothing.

struct Params {
    // Groups of four values.
    length: u32,
    // Loops of the multiply-adds.
    rounds: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> out: array<vec4<f32>>;

const HALF: vec4<f32> = vec4<f32>(0.5);

// Each of three sums of four values goes from s to s/2 + 1/2, eight times per round: 192 operations. More sums would not
// stay in the registers of a software adapter, fewer would wait for each other.
@compute @workgroup_size(256)
fn multiply_add(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    var a = vec4<f32>(f32(local));
    var b = a + 1.0;
    var c = a + 2.0;
    for (var round = 0u; round < params.rounds; round++) {
        a = fma(a, HALF, HALF); b = fma(b, HALF, HALF); c = fma(c, HALF, HALF);
        a = fma(a, HALF, HALF); b = fma(b, HALF, HALF); c = fma(c, HALF, HALF);
        a = fma(a, HALF, HALF); b = fma(b, HALF, HALF); c = fma(c, HALF, HALF);
        a = fma(a, HALF, HALF); b = fma(b, HALF, HALF); c = fma(c, HALF, HALF);
        a = fma(a, HALF, HALF); b = fma(b, HALF, HALF); c = fma(c, HALF, HALF);
        a = fma(a, HALF, HALF); b = fma(b, HALF, HALF); c = fma(c, HALF, HALF);
        a = fma(a, HALF, HALF); b = fma(b, HALF, HALF); c = fma(c, HALF, HALF);
        a = fma(a, HALF, HALF); b = fma(b, HALF, HALF); c = fma(c, HALF, HALF);
    }
    out[i] = a + b + c;
}

@compute @workgroup_size(256)
fn copy(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 256u + local;
    if (i >= params.length) { return; }
    out[i] = x[i];
}
