//! The GPU's kernels against their CPU twins: every operation, every kernel, fixed and random cases. Memory is full of
//! NaN before each run, and guards around every buffer find writes beside it.

mod compare;

use std::collections::BTreeSet;

use compare::twins::{self, Twins};
use compare::{Comparison, checked, devices, gpu, run_op};
use vultus::gpu::kernels;
use vultus::ops::{Activation, Crop, Dropout, Filter, Normalization, Op, RunState};
use vultus::{Device, Options, Parameters, Random, Tensor};

/// Random cases per operation: a hundred, but fewer on a software adapter, which takes minutes for as many convolutions.
/// `VULTUS_RANDOM_CASES` asks for another number.
fn number_of_random_cases() -> usize {
    let asked = std::env::var("VULTUS_RANDOM_CASES").ok();
    asked.map_or(if gpu().is_software() { 30 } else { 100 }, |text| {
        text.parse().expect("VULTUS_RANDOM_CASES is a number")
    })
}

/// Checks all cases of one operation with all kernels that suit it, and that each of its kernels was used.
fn check(op: &str) {
    let twins = Twins::of(op);
    let mut comparison = Comparison::default();
    let mut used = BTreeSet::new();
    let mut random = Random::new(2014);
    let random_cases: Vec<_> = (0..number_of_random_cases()).map(|_| (twins.random_case)(&mut random)).collect();
    for (number, case) in (twins.cases)().iter().chain(&random_cases).enumerate() {
        used.extend(twins::check(&gpu(), case, number as u64, &mut comparison));
    }
    // A convolution with its max-pool is no single operation: `networks.rs` has it.
    let own = kernels().filter(|kernel| kernel.op() == op && !kernel.name.ends_with("_pool"));
    for kernel in own.filter(|kernel| !used.contains(kernel.name)) {
        comparison.fail(kernel.name, "no case has used it");
    }
    comparison.finish();
}

macro_rules! every_operation {
    ($($op:ident),+) => {
        $(#[test]
        fn $op() {
            check(stringify!($op));
        })+

        #[test]
        fn no_operation_is_left_out() {
            let tested = BTreeSet::from(["augment", "peak", "resize", "scale", $(stringify!($op)),+]);
            let operations: BTreeSet<&str> = kernels().map(vultus::gpu::Kernel::op).collect();
            assert_eq!(tested, operations);
        }
    };
}

every_operation!(
    accumulate,
    activation,
    adam,
    adaptive_avg_pool2d,
    add,
    avg_pool2d,
    batch_norm2d,
    binary_cross_entropy,
    concat,
    conv2d,
    cross_entropy,
    dense,
    dropout,
    ema,
    layer_norm,
    masked_fill,
    matmul,
    max_pool2d,
    mse_loss,
    mul,
    mul_reduce,
    pad,
    prelu,
    reduce_mean,
    reduce_sum,
    relative_position_bias,
    sgd,
    slice,
    softmax,
    stochastic_depth,
    transpose,
    unary,
    upsample
);

#[test]
fn augment() {
    let mut comparison = Comparison::default();
    let mut random = Random::new(2014);
    let random_cases: Vec<_> =
        (0..number_of_random_cases()).map(|_| vultus::ops::augment::random_case(&mut random)).collect();
    for (number, case) in vultus::ops::augment::cases().iter().chain(&random_cases).enumerate() {
        twins::check_augment(&gpu(), case, number as u64, &mut comparison);
    }
    comparison.finish();
}

#[test]
fn resize() {
    let mut comparison = Comparison::default();
    let mut random = Random::new(2014);
    for number in 0..number_of_random_cases() {
        let case = vultus::ops::resize::random_case(&mut random);
        twins::check_resize(&gpu(), &case, number as u64, &mut comparison);
    }
    comparison.finish();
}

/// What `mirror` means, whatever the other backend does: the same values, each row from right to left.
#[test]
fn a_mirrored_crop_is_the_crop_mirrored() {
    let (height, width) = (5, 7);
    let rgb: Vec<u8> = (0..3 * 20 * 16).map(|i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let crop = Crop { x: 3, y: 2, width: 13, height: 11, mirror: false };
    for device in devices() {
        let model = device.load(&twins::identity(height, width), &Parameters::new()).unwrap();
        let mut plan = model.compile(2, &checked()).unwrap();
        let picture = device.upload(&rgb, 20, 16).unwrap();
        for filter in [Filter::Area, Filter::Bilinear] {
            plan.set_picture(&picture, &[crop, crop.mirrored()], filter, &Normalization::CAFFE).unwrap();
            plan.execute().unwrap();
            let output = plan.outputs().unwrap().swap_remove(0);
            let (straight, mirrored) = output.data().split_at(3 * height * width);
            let turned: Vec<f32> = straight.chunks(width).flat_map(|row| row.iter().rev().copied()).collect();
            assert_eq!(mirrored, turned, "{device}, {filter:?}");
            assert_ne!(mirrored, straight, "{device}, {filter:?}");
        }
    }
}

/// Which of many ones dropout keeps.
fn kept(device: &Device, dropout: Dropout, state: &RunState) -> Vec<bool> {
    let ones = Tensor::filled([100_001], 1.0);
    let dropped = run_op(device, &Op::Dropout(dropout), &[ones], state, &checked()).unwrap();
    dropped[0].data().iter().map(|&value| value != 0.0).collect()
}

#[test]
fn masks_of_dropout_follow_seed_step_and_layer() {
    let state = RunState { step: 3, seed: 1 << 40 | 7, ..RunState::default() };
    let dropout = Dropout { probability: 0.3, layer: 2 };
    for device in [Device::Cpu, Device::Gpu(gpu())] {
        let mask = kept(&device, dropout, &state);
        assert_eq!(mask, kept(&Device::Cpu, dropout, &state), "{device}");
        for (what, dropout, state) in [
            ("step", dropout, RunState { step: 4, ..state }),
            ("low word of the seed", dropout, RunState { seed: state.seed + 1, ..state }),
            ("high word of the seed", dropout, RunState { seed: 7, ..state }),
            ("layer", Dropout { layer: 3, ..dropout }, state),
            ("micro-batch", dropout, RunState { micro_batch: 1, micro_batches: 2, ..state }),
        ] {
            let other = kept(&device, dropout, &state);
            // Independent masks agree where both keep or both drop: 0.58 of the places; identical ones in all.
            let equal = mask.iter().zip(&other).filter(|(a, b)| a == b).count() as f64 / mask.len() as f64;
            assert!((equal - 0.58).abs() < 0.01, "{what} on {device}: {equal} of the places are alike");
        }
    }
}

#[test]
fn dropout_drops_the_fraction_that_it_should() {
    for probability in [0.0, 0.1, 0.5, 0.9] {
        let kept = kept(&Device::Gpu(gpu()), Dropout { probability, layer: 0 }, &RunState::default());
        let dropped = kept.iter().filter(|&&kept| !kept).count() as f32;
        let (n, p) = (kept.len() as f32, probability);
        let deviation = (n * p * (1.0 - p)).sqrt();
        // Less than one in a million seeds fails at five standard deviations.
        assert!((dropped - n * p).abs() <= 5.0 * deviation, "{dropped} of {n} with a probability of {p}");
    }
}

#[test]
fn a_kernel_that_does_not_exist_is_refused() {
    for device in devices() {
        let options = Options { kernel: Some("activation/none".to_owned()), ..checked() };
        let refused = device.compile_op(&Activation::Relu.into(), &[&[3, 5]], &options).map(drop);
        assert!(refused.unwrap_err().to_string().contains("activation/none"));
    }
}
