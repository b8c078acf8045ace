// Draws a network's output where it lies: a picture in three planes of f32, red, green and blue, encoded by sRGB.

override WIDTH: u32;
override HEIGHT: u32;
// Whether what is drawn on encodes by itself.
override DECODE: bool;

@group(0) @binding(0) var<storage, read> planes: array<f32>;

struct Corner {
    @builtin(position) position: vec4<f32>,
    // 0 to 1 from left to right and from top to bottom.
    @location(0) place: vec2<f32>,
}

@vertex
fn corner(@builtin(vertex_index) index: u32) -> Corner {
    let place = vec2(f32(index & 1u), f32(index >> 1u));
    return Corner(vec4(2.0 * place.x - 1.0, 1.0 - 2.0 * place.y, 0.0, 1.0), place);
}

fn pixel(x: u32, y: u32) -> vec3<f32> {
    let at = y * WIDTH + x;
    let plane = WIDTH * HEIGHT;
    return vec3(planes[at], planes[at + plane], planes[at + 2u * plane]);
}

@fragment
fn color(corner: Corner) -> @location(0) vec4<f32> {
    let last = vec2(WIDTH, HEIGHT) - 1u;
    let place = clamp(corner.place * vec2(f32(WIDTH), f32(HEIGHT)) - 0.5, vec2(0.0), vec2<f32>(last));
    let low = vec2<u32>(place);
    let high = min(low + 1u, last);
    let between = fract(place);
    let top = mix(pixel(low.x, low.y), pixel(high.x, low.y), between.x);
    let bottom = mix(pixel(low.x, high.y), pixel(high.x, high.y), between.x);
    let encoded = clamp(mix(top, bottom, between.y), vec3(0.0), vec3(1.0));
    let light = select(pow((encoded + 0.055) / 1.055, vec3(2.4)), encoded / 12.92, encoded <= vec3(0.04045));
    return vec4(select(encoded, light, DECODE), 1.0);
}
