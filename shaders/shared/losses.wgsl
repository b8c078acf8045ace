// A mean over the elements of two values, and its gradient: `loss_of` and `gradient_of` are the shader's own. One workgroup
// does all: a batch has few answers, and the loss is one sum over them.

struct Params {
    length: u32,
    x_offset: u32,
    target_offset: u32,
    loss_offset: u32,
    gradient_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> targets: array<f32>;
@group(0) @binding(3) var<storage, read_write> loss: array<f32>;
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>;

const GROUP: u32 = 256u;

var<workgroup> partial: array<vec2<f32>, 256>;

@compute @workgroup_size(256)
fn forward(@builtin(local_invocation_index) local: u32) {
    // The sum of the losses, and how many there are.
    var sums = vec2<f32>();
    for (var i = local; i < params.length; i += GROUP) {
        sums += loss_of(x[params.x_offset + i], targets[params.target_offset + i]);
    }
    partial[local] = sums;
    for (var half = GROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    let total = workgroupUniformLoad(&partial[0]);
    let count = max(total.y, 1.0);
    if (local == 0u) { loss[params.loss_offset] = total.x / count; }
    for (var i = local; i < params.length; i += GROUP) {
        let value = gradient_of(x[params.x_offset + i], targets[params.target_offset + i]);
        gradient[params.gradient_offset + i] = value / count;
    }
}
