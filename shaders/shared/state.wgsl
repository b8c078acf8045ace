// What changes from run to run.

struct State {
    seed: vec2<u32>,
    step: u32,
    learning_rate: f32,
    // 1 − beta^step for both of Adam's means, computed in f64 because betas are near 1.
    corrections: vec2<f32>,
    micro_batch: u32,
    // What this micro-batch weighs among all of the step so far.
    share: f32,
}
