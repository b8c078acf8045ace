// Counts in which direction edges run, in steps of 10 degrees.

// What the network gives: the slopes along x of all pixels, then those along y.
@group(0) @binding(0) var<storage, read> slopes: array<f32>;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>, 18>;

@compute @workgroup_size(64)
fn count(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixels = arrayLength(&slopes) / 2u;
    if id.x >= pixels {
        return;
    }
    let slope = vec2(slopes[id.x], slopes[pixels + id.x]);
    if length(slope) > 1.0 {
        // An edge runs across its slope.
        let degrees = round((degrees(atan2(slope.y, slope.x)) + 90.0) / 10.0);
        atomicAdd(&counts[u32(degrees + 36.0) % 18u], 1u);
    }
}
