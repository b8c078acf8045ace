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
// The number of each row's class or, for soft targets, a probability for each row and class.
@group(0) @binding(2) var<storage, read> targets: array<f32>;
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
    let value = targets[params.target_offset + row];
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

// Whether a row of soft targets is not to be ignored.
fn has_target(row: u32) -> bool {
    return targets[params.target_offset + row * params.classes] >= 0.0;
}

// The target of a class in a row, smoothed and weighted.
fn weighted_target(row: u32, c: u32) -> f32 {
    let smoothed = (1.0 - params.label_smoothing) * targets[params.target_offset + row * params.classes + c]
        + params.label_smoothing / f32(params.classes);
    return class_weight[params.weight_offset + c] * smoothed;
}

@compute @workgroup_size(256)
fn forward_soft(@builtin(local_invocation_index) local: u32) {
    // The sum of the losses and the number of the rows.
    var sums = vec2<f32>();
    for (var row = local; row < params.rows; row += GROUP) {
        if (!has_target(row)) { continue; }
        let start = params.logits_offset + row * params.classes;
        let n = normalizer(start);
        for (var c = 0u; c < params.classes; c++) {
            sums.x -= weighted_target(row, c) * (logits[start + c] - n.x - log(n.y));
        }
        sums.y += 1.0;
    }
    let total = sum_of_all(sums, local);
    if (local == 0u) {
        loss[params.loss_offset] = select(0.0, total.x / total.y, total.y > 0.0);
    }

    for (var row = local; row < params.rows; row += GROUP) {
        let start = params.logits_offset + row * params.classes;
        let n = normalizer(start);
        let counts = has_target(row);
        var all = 0.0;
        for (var c = 0u; c < params.classes; c++) { all += weighted_target(row, c); }
        for (var c = 0u; c < params.classes; c++) {
            var value = 0.0;
            if (counts) {
                value = (exp(logits[start + c] - n.x) / n.y * all - weighted_target(row, c)) / total.y;
            }
            gradient[params.gradient_offset + row * params.classes + c] = value;
        }
    }
}
