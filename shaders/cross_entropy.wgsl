// Softmax and cross-entropy in one, with class weights and label smoothing: the loss, and the gradient of the logits.
// One workgroup does all: a batch has few rows, and the loss is one sum over them.

struct Params {
    rows: u32,
    classes: u32,
    label_smoothing: f32,
    logits_offset: u32,
    target_offset: u32,
    weight_offset: u32,
    loss_offset: u32,
    gradient_offset: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> class_of: array<f32>;
@group(0) @binding(3) var<storage, read> class_weight: array<f32>;
@group(0) @binding(4) var<storage, read_write> loss: array<f32>;
@group(0) @binding(5) var<storage, read_write> gradient: array<f32>;

const GROUP: u32 = 256u;

var<workgroup> partial: array<vec2<f32>, 256>;

fn sum_of_all(value: vec2<f32>, local: u32) -> vec2<f32> {
    partial[local] = value;
    for (var half = GROUP / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (local < half) { partial[local] += partial[local + half]; }
    }
    // With a barrier before and after it: the memory is free for the next sum.
    return workgroupUniformLoad(&partial[0]);
}

// The class of a row; the number of classes if it is to be ignored.
fn target_of(row: u32) -> u32 {
    let value = class_of[params.target_offset + row];
    if (value >= 0.0 && value < f32(params.classes)) { return u32(value); }
    return params.classes;
}

// The maximum of a row of logits, and the sum of their exponentials below it.
fn normalizer(start: u32) -> vec2<f32> {
    var maximum = logits[start];
    for (var c = 1u; c < params.classes; c++) { maximum = max(maximum, logits[start + c]); }
    var sum = 0.0;
    for (var c = 0u; c < params.classes; c++) { sum += exp(logits[start + c] - maximum); }
    return vec2<f32>(maximum, sum);
}

@compute @workgroup_size(256)
fn forward(@builtin(local_invocation_index) local: u32) {
    let hard = 1.0 - params.label_smoothing;
    let soft = params.label_smoothing / f32(params.classes);
    var weights = 0.0;
    for (var c = 0u; c < params.classes; c++) { weights += class_weight[params.weight_offset + c]; }

    // The sums of the losses and of the weights of the rows.
    var sums = vec2<f32>();
    for (var row = local; row < params.rows; row += GROUP) {
        let right = target_of(row);
        if (right == params.classes) { continue; }
        let start = params.logits_offset + row * params.classes;
        let n = normalizer(start);
        var smooth_sum = 0.0;
        for (var c = 0u; c < params.classes; c++) {
            smooth_sum += class_weight[params.weight_offset + c] * (logits[start + c] - n.x - log(n.y));
        }
        let weight = class_weight[params.weight_offset + right];
        sums += vec2<f32>(-hard * weight * (logits[start + right] - n.x - log(n.y)) - soft * smooth_sum, weight);
    }
    let total = sum_of_all(sums, local);
    if (local == 0u) {
        loss[params.loss_offset] = select(0.0, total.x / total.y, total.y > 0.0);
    }

    for (var row = local; row < params.rows; row += GROUP) {
        let right = target_of(row);
        let start = params.logits_offset + row * params.classes;
        let n = normalizer(start);
        for (var c = 0u; c < params.classes; c++) {
            var value = 0.0;
            if (right != params.classes && total.y > 0.0) {
                let p = exp(logits[start + c] - n.x) / n.y;
                let weight = class_weight[params.weight_offset + right];
                value = hard * weight * (p - select(0.0, 1.0, c == right))
                    + soft * (p * weights - class_weight[params.weight_offset + c]);
                value /= total.y;
            }
            gradient[params.gradient_offset + row * params.classes + c] = value;
        }
    }
}
