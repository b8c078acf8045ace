// Blocks of products in registers only, in structs: loops over arrays stay loops in drivers that do not unroll.

// Four filters by four pixels or tiles.
struct Square {
    f0: vec4<f32>,
    f1: vec4<f32>,
    f2: vec4<f32>,
    f3: vec4<f32>,
}

fn add(s: Square, a: vec4<f32>, t: vec4<f32>) -> Square {
    return Square(
        fma(vec4<f32>(a.x), t, s.f0),
        fma(vec4<f32>(a.y), t, s.f1),
        fma(vec4<f32>(a.z), t, s.f2),
        fma(vec4<f32>(a.w), t, s.f3),
    );
}

// Four filters by sixteen of them.
struct Strip {
    t0: Square,
    t1: Square,
    t2: Square,
    t3: Square,
}

fn add_strip(s: Strip, a: vec4<f32>, t0: vec4<f32>, t1: vec4<f32>, t2: vec4<f32>, t3: vec4<f32>) -> Strip {
    return Strip(add(s.t0, a, t0), add(s.t1, a, t1), add(s.t2, a, t2), add(s.t3, a, t3));
}
