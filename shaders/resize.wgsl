// From pixels to a normalised NCHW tensor: crop, resize, gray, order of channels, mean and deviation.
// One invocation per pixel of the tensor, for all three channels; one tensor per crop.

struct Params {
    // Channel by channel in the order of the tensor: what is subtracted, and what the difference is divided by.
    mean: vec3<f32>,
    crops: u32,
    deviation: vec3<f32>,
    height: u32,
    width: u32,
    // Bytes from one row of the picture to the next, and of one pixel: up to 4 are one for each channel, of 0 to 255; 8 are
    // numbers in f16, 12 and 16 in f32, of 0 to 1.
    row_bytes: u32,
    pixel_bytes: u32,
    out_offset: u32,
    gray: u32,
    bgr: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
    // Whether a pixel begins with blue, and whether its numbers are linear light.
    swapped: u32,
    linear: u32,
}

struct Crop {
    left: u32,
    top: u32,
    width: u32,
    height: u32,
    mirror: u32,
}

// Whether pixels may be other than bytes as they are stored. Software adapters run both sides of a condition.
override ANY: bool = false;

@group(0) @binding(0) var<uniform> params: Params;
// Bytes, the first of a word in the lowest bits.
@group(0) @binding(1) var<storage, read> pixels: array<u32>;
@group(0) @binding(2) var<storage, read> crops: array<Crop>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

// Red, green and blue, of 0 to 255.
fn pixel(x: u32, y: u32) -> vec3<f32> {
    let first = y * params.row_bytes + x * params.pixel_bytes;
    var rgb: vec3<f32>;
    if (!ANY || params.pixel_bytes <= 4u) {
        for (var c = 0u; c < 3u; c++) {
            let byte = first + c;
            rgb[c] = f32((pixels[byte / 4u] >> (byte % 4u * 8u)) & 0xffu);
        }
    } else {
        rgb = 255.0 * numbers(first / 4u);
    }
    rgb = select(rgb, rgb.bgr, params.swapped != 0u);
    if (ANY && params.linear != 0u) { rgb = 255.0 * encoded(rgb / 255.0); }
    return rgb;
}

// A pixel in floating point that begins with this word.
fn numbers(word: u32) -> vec3<f32> {
    if (params.pixel_bytes == 8u) {
        return vec3(unpack2x16float(pixels[word]), unpack2x16float(pixels[word + 1u]).x);
    }
    return bitcast<vec3<f32>>(vec3(pixels[word], pixels[word + 1u], pixels[word + 2u]));
}

// Linear light as sRGB encodes it (IEC 61966-2-1); both 0 to 1.
fn encoded(given: vec3<f32>) -> vec3<f32> {
    let light = clamp(given, vec3(0.0), vec3(1.0));
    return select(1.055 * pow(light, vec3(1.0 / 2.4)) - 0.055, 12.92 * light, light <= vec3(0.0031308));
}

fn store(index: u32, rgb: vec3<f32>) {
    let plane = params.height * params.width;
    let at = params.out_offset + index / plane * 3u * plane + index % plane;
    let value = normalized(rgb, params.gray != 0u, params.bgr != 0u, params.mean, params.deviation);
    out[at] = value.x;
    out[at + plane] = value.y;
    out[at + 2u * plane] = value.z;
}

// The column of a tensor's pixel, as if nothing were mirrored.
fn column(i: u32, mirror: u32) -> u32 {
    let x = i % params.width;
    return select(x, params.width - 1u - x, mirror != 0u);
}

// The mean of all pixels that a new pixel touches.
@compute @workgroup_size(64)
fn area(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 64u + local;
    let plane = params.height * params.width;
    if (i >= params.crops * plane) { return; }
    let crop = crops[i / plane];
    let oy = i % plane / params.width;
    let ox = column(i, crop.mirror);
    let top = oy * crop.height / params.height;
    let bottom = ((oy + 1u) * crop.height + params.height - 1u) / params.height;
    let left = ox * crop.width / params.width;
    let right = ((ox + 1u) * crop.width + params.width - 1u) / params.width;
    var sum = vec3<f32>();
    for (var y = top; y < bottom; y++) {
        for (var x = left; x < right; x++) {
            sum += pixel(crop.left + x, crop.top + y);
        }
    }
    store(i, sum / f32((bottom - top) * (right - left)));
}

// Between the four nearest pixels, with half-pixel centres.
@compute @workgroup_size(64)
fn bilinear(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.y * params.grid + group.x) * 64u + local;
    let plane = params.height * params.width;
    if (i >= params.crops * plane) { return; }
    let crop = crops[i / plane];
    let corner = vec2<u32>(crop.left, crop.top);
    let size = vec2<u32>(crop.width, crop.height);
    let place = vec2<f32>(f32(column(i, crop.mirror)), f32(i % plane / params.width));
    let scale = vec2<f32>(size) / vec2<f32>(f32(params.width), f32(params.height));
    let position = max((place + 0.5) * scale - 0.5, vec2<f32>());
    let low = min(vec2<u32>(position), size - 1u);
    let high = min(low + 1u, size - 1u);
    let part = position - vec2<f32>(low);
    let upper = mix_pixels(corner, low.x, high.x, low.y, part.x);
    let lower = mix_pixels(corner, low.x, high.x, high.y, part.x);
    store(i, upper + (lower - upper) * part.y);
}

fn mix_pixels(corner: vec2<u32>, left: u32, right: u32, y: u32, part: f32) -> vec3<f32> {
    let a = pixel(corner.x + left, corner.y + y);
    return a + (pixel(corner.x + right, corner.y + y) - a) * part;
}
