//! Kernels for matrix units against the ordinary ones on the very device, before they are used for the first time: some
//! drivers add sums up wrongly.

use std::sync::Arc;

use crate::error::Result;
use crate::gpu::{Gpu, GpuModel, GpuPlan, Precision};
use crate::ops::{Conv2d, Conv2dBackwardWeight, Dense, Op, RunState};
use crate::program::Program;
use crate::random::Random;
use crate::tensor::{Parameters, Tensor};

/// How far a result may be from that of the ordinary kernel, relative to the largest. The inputs are such that both are
/// exact, whatever the order of the sums; a remainder that is left out is 2⁻¹² of a number.
const TOLERANCE: f32 = 1e-5;

/// Refuses a plan whose kernels for matrix units give wrong results on this device. Each is tried out once.
pub(super) fn verify(gpu: &Gpu, precision: Precision, plan: &GpuPlan) -> Result<()> {
    for kernel in plan.matrix_kernels() {
        let wrong = match gpu.verdict(kernel) {
            Some(wrong) => wrong,
            None => {
                let wrong = compare(gpu, precision, kernel)?;
                gpu.keep_verdict(kernel, wrong.clone());
                wrong
            }
        };
        if let Some(difference) = wrong {
            let reason = format!("its matrix units do not multiply rightly in {kernel}, which gives {difference}");
            return Err(gpu.refused_precision(precision, reason));
        }
    }
    Ok(())
}

/// What is wrong with a kernel, if anything is.
fn compare(gpu: &Gpu, precision: Precision, kernel: &str) -> Result<Option<String>> {
    let (op, shapes, ordinary) = problem(kernel);
    let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
    let program = Arc::new(Program::single(op, &shapes)?);
    let mut random = Random::new(1);
    let inputs: Vec<Tensor> =
        shapes.iter().map(|&shape| Tensor::from_fn(shape, |_| number(&mut random, precision))).collect();
    let model = GpuModel::new(gpu, &Parameters::new())?;
    let run = |precision| -> Result<Vec<f32>> {
        let mut plan = GpuPlan::new(gpu, program.clone(), &model, &[], false, Some(ordinary), precision)?;
        program.inputs.iter().zip(&inputs).for_each(|(&id, input)| plan.write(id, input.data()));
        plan.submit(&RunState::default(), 1.0, &program.outputs)?;
        plan.read_copied(program.outputs[0])
    };
    Ok(difference(&run(precision)?, &run(Precision::F32)?))
}

/// An operation that a kernel does, on inputs that fill blocks in no dimension, and the kernel or algorithm to do it in the
/// same way in f32.
fn problem(kernel: &str) -> (Op, Vec<Vec<usize>>, &'static str) {
    if kernel.starts_with("dense/") {
        return (Op::Dense(Dense::default()), vec![vec![67, 139], vec![75, 139], vec![75]], "dense/matmul_64");
    }
    let conv = Conv2d::square(3, 1, 1);
    if kernel.contains("gemm_weight") {
        let op = Op::Conv2dBackwardWeight(Conv2dBackwardWeight(conv));
        return (op, vec![vec![2, 37, 11, 13], vec![2, 70, 11, 13]], "conv2d/gemm_weight_64");
    }
    let ordinary = if kernel.contains("winograd") { "conv2d/winograd2" } else { "conv2d/gemm_64" };
    (Op::Conv2d(conv), vec![vec![2, 37, 11, 13], vec![70, 37, 3, 3], vec![70]], ordinary)
}

/// A small multiple of a power of two: what the transforms and products make of such numbers is exact. In two parts, also
/// one with a remainder of which the product with a remainder, which is left out, is too small to be seen.
fn number(random: &mut Random, precision: Precision) -> f32 {
    let mut whole = |most: f32| (random.uniform() * (2.0 * most + 1.0)).floor() - most;
    let large = whole(3.0);
    if precision == Precision::Split { large + whole(1.0) / 4096.0 } else { large }
}

/// Where two results are furthest apart, if that is too far.
fn difference(found: &[f32], wanted: &[f32]) -> Option<String> {
    let largest = wanted.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let agrees = |found: f32, wanted: f32| (found - wanted).abs() <= TOLERANCE * largest;
    let mut pairs = found.iter().zip(wanted);
    let wrong = pairs.find(|&(&found, &wanted)| !agrees(found, wanted));
    wrong.map(|(found, wanted)| format!("{found} instead of {wanted}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told() {
        assert_eq!(difference(&[1.0, -4.0], &[1.00003, -4.0]), None);
        assert_eq!(difference(&[1.0, -4.0], &[1.00005, -4.0]).unwrap(), "1 instead of 1.00005");
        assert_eq!(difference(&[f32::NAN], &[1.0]).unwrap(), "NaN instead of 1");
    }
}
