// A batch of pictures in bytes, each varied in its own way, as a normalised NCHW tensor: moved, light, noise, erased.
// One invocation per four neighbouring pixels, which share a draw (shared/philox.wgsl), for all three channels.

struct Params {
    // Channel by channel in the order of the tensor: what is subtracted, and what the difference is divided by.
    mean: vec3<f32>,
    pictures: u32,
    deviation: vec3<f32>,
    height: u32,
    width: u32,
    // The words that each picture has room for.
    words: u32,
    out_offset: u32,
    gray: u32,
    bgr: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
}

struct Variation {
    // From a place in the tensor to the one in the picture as it was.
    x: array<f32, 3>,
    y: array<f32, 3>,
    gain: f32,
    offset: f32,
    // What the sum of four random bytes, less its mean, is multiplied with.
    noise: f32,
    // What is erased: the first two edges belong to it.
    left: u32,
    upper: u32,
    right: u32,
    lower: u32,
    seed_low: u32,
    seed_high: u32,
    // Bytes of a pixel: three, or one where it is gray.
    channels: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
// Bytes, the first of a word in the lowest bits.
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read> variations: array<Variation>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// Red, green and blue, of 0 to 255.
fn pixel(picture: u32, x: u32, y: u32) -> vec3<f32> {
    let channels = variations[picture].channels;
    let first = picture * params.words * 4u + (y * params.width + x) * channels;
    let bytes = first + vec3<u32>(0u, 1u, 2u) * min(channels - 1u, 1u);
    let words = vec3<u32>(pixels[bytes.x / 4u], pixels[bytes.y / 4u], pixels[bytes.z / 4u]);
    return vec3<f32>((words >> ((bytes % 4u) * 8u)) & vec3<u32>(0xffu));
}

// What is brought to a pixel's centre, between the four nearest pixels; border pixels go on around the picture.
fn moved(picture: u32, x: u32, y: u32) -> vec3<f32> {
    let centre = vec2<f32>(f32(x), f32(y)) + 0.5;
    let across = variations[picture].x;
    let down = variations[picture].y;
    let from_x = across[0] * centre.x + across[1] * centre.y + across[2] - 0.5;
    let from_y = down[0] * centre.x + down[1] * centre.y + down[2] - 0.5;
    let last = vec2<u32>(params.width, params.height) - 1u;
    let place = clamp(vec2<f32>(from_x, from_y), vec2<f32>(), vec2<f32>(last));
    let low = min(vec2<u32>(place), last);
    let high = min(low + 1u, last);
    let part = place - vec2<f32>(low);
    let a = pixel(picture, low.x, low.y);
    let c = pixel(picture, low.x, high.y);
    let upper = a + (pixel(picture, high.x, low.y) - a) * part.x;
    let lower = c + (pixel(picture, high.x, high.y) - c) * part.x;
    return upper + (lower - upper) * part.y;
}

// The sum of a word's bytes, less its mean.
fn noise_of(word: u32) -> f32 {
    let bytes = (vec4<u32>(word) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu);
    return f32(bytes.x + bytes.y + bytes.z + bytes.w) - 510.0;
}

fn within(value: vec3<f32>) -> vec3<f32> {
    return clamp(value, vec3<f32>(0.0), vec3<f32>(255.0));
}

@compute @workgroup_size(64)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let plane = params.height * params.width;
    let quads = (plane + 3u) / 4u;
    let i = (group.y * params.grid + group.x) * 64u + local;
    if (i >= params.pictures * quads) { return; }
    let picture = i / quads;
    let quad = i % quads;
    let seed = vec2<u32>(variations[picture].seed_low, variations[picture].seed_high);
    let factor = variations[picture].noise;
    let left = variations[picture].left;
    let right = variations[picture].right;
    let upper = variations[picture].upper;
    let lower = variations[picture].lower;
    // The second number of a counter says what is drawn: 0 noise, 1 what is erased.
    var noise = vec4<u32>();
    if (factor > 0.0) { noise = philox4x32(vec4<u32>(quad, 0u, 0u, 0u), seed); }
    var erased = vec4<u32>();
    if (left < right && upper < lower) { erased = philox4x32(vec4<u32>(quad, 1u, 0u, 0u), seed); }
    for (var part = 0u; part < 4u && quad * 4u + part < plane; part++) {
        let place = quad * 4u + part;
        let x = place % params.width;
        let y = place / params.width;
        var value = moved(picture, x, y);
        value = within(value * variations[picture].gain + variations[picture].offset);
        if (factor > 0.0) { value = within(value + noise_of(noise[part]) * factor); }
        if (x >= left && x < right && y >= upper && y < lower) { value = vec3<f32>(f32(erased[part] >> 24u)); }
        let given = normalized(value, params.gray != 0u, params.bgr != 0u, params.mean, params.deviation);
        let at = params.out_offset + picture * 3u * plane + place;
        out[at] = given.x;
        out[at + plane] = given.y;
        out[at + 2u * plane] = given.z;
    }
}
