// Draws a heat map over a rectangle, smoothly between the centres of its places.

struct Look {
    // Width and height of the map.
    size: vec2<u32>,
    opacity: f32,
}

@group(0) @binding(0) var<uniform> look: Look;
@group(0) @binding(1) var<storage, read> heat: array<f32>;

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

fn value(x: u32, y: u32) -> f32 {
    return heat[y * look.size.x + x];
}

@fragment
fn color(corner: Corner) -> @location(0) vec4<f32> {
    let last = look.size - 1u;
    let place = clamp(corner.place * vec2<f32>(look.size) - 0.5, vec2(0.0), vec2<f32>(last));
    let low = vec2<u32>(place);
    let high = min(low + 1u, last);
    let between = fract(place);
    let top = mix(value(low.x, low.y), value(high.x, low.y), between.x);
    let bottom = mix(value(low.x, high.y), value(high.x, high.y), between.x);
    let heat = mix(top, bottom, between.y);
    // From blue through green to red; egui wants colours multiplied by their opacity.
    let color = clamp(vec3(2.0 * heat - 0.8, 1.2 - abs(2.4 * heat - 1.2), 1.0 - 2.0 * heat), vec3(0.0), vec3(1.0));
    return vec4(color, 1.0) * (look.opacity * sqrt(heat));
}
