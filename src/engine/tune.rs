//! The tuner: measures the kernels that an operation may be done by on the very shapes, and lets only those win whose
//! result is the CPU's.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::cpu::{CpuModel, CpuPlan};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, GpuModel, GpuPlan, Precision, Tuned, candidates, tuning_key};
use crate::ops::{Op, RunState};
use crate::program::Program;
use crate::random::Random;
use crate::tensor::{Parameters, Tensor};
use crate::time::Instant;

/// Runs of a candidate that are timed; the fastest counts.
const RUNS: usize = 3;

/// What a candidate must be faster by than what the rules choose: less may be noise.
const GAIN: f64 = 0.95;

/// How far a result may be from the CPU's, relative to its largest magnitude: wrong kernels are wrong by far more, and
/// Winograd's rounding stays below.
const TOLERANCE: f32 = 1e-3;

/// How fast a processor is at least, to estimate how long the reference takes.
const FLOPS_PER_SECOND: f64 = 2e10;
const VALUES_PER_SECOND: f64 = 5e7;

/// Measures the operations of a program that have not been measured on this device, until its time for that is spent.
pub(crate) fn tune(gpu: &Gpu, program: &Program) {
    let start = Instant::now();
    // Meanwhile there is no time left: what is compiled here is not tuned itself.
    let left = gpu.take_tuning_time();
    let mut found = BTreeMap::new();
    for step in &program.steps {
        let shapes = program.shapes(&step.inputs);
        let key = tuning_key(&step.op, &shapes);
        if candidates(&step.op).is_empty() || gpu.is_tuned(&key) || found.contains_key(&key) {
            continue;
        }
        let values: usize = shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
        let reference = step.flops as f64 / FLOPS_PER_SECOND + values as f64 / VALUES_PER_SECOND;
        let remaining = left.saturating_sub(start.elapsed());
        if reference > remaining.as_secs_f64() {
            continue;
        }
        // An operation that cannot be measured (out of memory, say) is left to the rules.
        if let Ok(Some(tuned)) = measure(gpu, &step.op, &shapes, start + left) {
            found.insert(key, tuned);
        }
    }
    gpu.keep_tuned(found, left.saturating_sub(start.elapsed()));
}

/// The best candidate for one operation; `None` if the time is up before all were measured.
fn measure(gpu: &Gpu, op: &Op, shapes: &[&[usize]], deadline: Instant) -> Result<Option<Tuned>> {
    let mut random = Random::new(1);
    let inputs: Vec<Tensor> = shapes.iter().map(|&shape| Tensor::from_fn(shape, |_| random.uniform() - 0.5)).collect();
    let wanted = reference(op, shapes, &inputs)?;
    let trial = Trial::new(gpu, op, shapes, inputs, wanted)?;

    let mut plan = trial.compile(None)?;
    let rule_milliseconds = trial.run(&mut plan, f64::INFINITY)?;
    let mut best = rule_milliseconds.map(|milliseconds| (None, milliseconds));
    let mut wrong = Vec::new();
    let mut seen = vec![plan.kernels_of_step(0)];
    drop(plan);
    for name in candidates(op) {
        if Instant::now() > deadline {
            return Ok(None);
        }
        let mut plan = trial.compile(Some(name))?;
        let used = plan.kernels_of_step(0);
        // A candidate that does not suit the shapes gives way to what the rules choose.
        if seen.contains(&used) {
            continue;
        }
        seen.push(used);
        let fastest = best.as_ref().map_or(f64::INFINITY, |(_, milliseconds)| *milliseconds);
        let Some(milliseconds) = trial.run(&mut plan, fastest)? else {
            wrong.push(name.to_owned());
            continue;
        };
        let least = rule_milliseconds.map_or(f64::INFINITY, |rule| GAIN * rule);
        if milliseconds < best.as_ref().map_or(least, |(_, best)| best.min(least)) {
            best = Some((Some(name.to_owned()), milliseconds));
        }
    }
    let (kernel, milliseconds) = best.ok_or_else(|| Error::shape(op.name(), "no kernel is right on this device"))?;
    Ok(Some(Tuned { kernel, milliseconds, rule_milliseconds, wrong }))
}

/// What the CPU backend computes.
fn reference(op: &Op, shapes: &[&[usize]], inputs: &[Tensor]) -> Result<Vec<Vec<f32>>> {
    let program = Arc::new(Program::single(op.clone(), shapes)?);
    let mut plan = CpuPlan::new(program.clone(), &CpuModel::new(&Parameters::new()), false, None);
    program.inputs.iter().zip(inputs).for_each(|(&id, input)| plan.write(id, input.data()));
    plan.run(&RunState::default(), 1.0);
    Ok(program.outputs.iter().map(|&id| plan.read(id)).collect())
}

/// One operation with its inputs on the GPU, and what must come out.
struct Trial {
    gpu: Gpu,
    program: Arc<Program>,
    model: GpuModel,
    inputs: Vec<Tensor>,
    wanted: Vec<Vec<f32>>,
}

impl Trial {
    fn new(gpu: &Gpu, op: &Op, shapes: &[&[usize]], inputs: Vec<Tensor>, wanted: Vec<Vec<f32>>) -> Result<Self> {
        let program = Arc::new(Program::single_with_parameters(op, shapes)?);
        let numbered = inputs.into_iter().enumerate();
        let (parameters, inputs): (Vec<_>, Vec<_>) = numbered.partition(|(i, _)| op.parameter_inputs().contains(i));
        let parameters = parameters.into_iter().map(|(i, tensor)| (Program::input_name(i), tensor)).collect();
        let model = GpuModel::new(gpu, &parameters)?;
        let inputs = inputs.into_iter().map(|(_, tensor)| tensor).collect();
        Ok(Trial { gpu: gpu.clone(), program, model, inputs, wanted })
    }

    /// A plan with this kernel, or by the rules.
    fn compile(&self, kernel: Option<&str>) -> Result<GpuPlan> {
        GpuPlan::new(&self.gpu, self.program.clone(), &self.model, &[], false, kernel, Precision::F32)
    }

    /// How long a plan takes, if its result is right. What takes far longer than the best so far is timed once.
    fn run(&self, plan: &mut GpuPlan, best: f64) -> Result<Option<f64>> {
        let state = RunState::default();
        self.program.inputs.iter().zip(&self.inputs).for_each(|(&id, input)| plan.write(id, input.data()));
        plan.submit(&state, 1.0, &self.program.outputs)?;
        for (&id, wanted) in self.program.outputs.iter().zip(&self.wanted) {
            if !agrees(&plan.read_copied(id)?, wanted) {
                return Ok(None);
            }
        }
        let mut once = || Ok(plan.profile(&state)?[0].milliseconds);
        let mut milliseconds: f64 = once()?;
        for _ in 0..if milliseconds < 2.0 * best { RUNS } else { 0 } {
            milliseconds = milliseconds.min(once()?);
        }
        Ok(Some(milliseconds))
    }
}

/// Whether no value is further away than the tolerance allows; a value that is not a number agrees with nothing.
fn agrees(found: &[f32], wanted: &[f32]) -> bool {
    let largest = wanted.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
    let mut pairs = found.iter().zip(wanted);
    found.len() == wanted.len() && pairs.all(|(found, wanted)| (found - wanted).abs() <= TOLERANCE * largest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_does_not_agree() {
        let wanted = [1.0, -4.0, 0.0];
        assert!(agrees(&[1.003, -4.0, 0.003], &wanted));
        assert!(!agrees(&[1.005, -4.0, 0.0], &wanted));
        assert!(!agrees(&[1.0, -4.0], &wanted));
        assert!(!agrees(&[1.0, f32::NAN, 0.0], &wanted));
        assert!(!agrees(&[1.0, f32::INFINITY, 0.0], &wanted));
    }
}
