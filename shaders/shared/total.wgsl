// The sum over a workgroup of TOTAL invocations, a power of two: the same in each of them.

var<workgroup> partial: array<vec2<f32>, TOTAL>;

fn total(value: vec2<f32>, local: u32) -> vec2<f32> {
    workgroupBarrier();
    partial[local] = value;
    for (var half = TOTAL / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    workgroupBarrier();
    return partial[0];
}
