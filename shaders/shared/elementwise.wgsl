// What functions of single values have in common. One invocation per element.

struct Params {
    length: u32,
    x_offset: u32,
    dy_offset: u32,
    out_offset: u32,
    // Workgroups along x: grids of more than 65,535 go on along y.
    grid: u32,
    // What the function is made with.
    low: f32,
    high: f32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;

fn element(group: vec3<u32>, local: u32) -> u32 {
    return (group.y * params.grid + group.x) * 256u + local;
}
