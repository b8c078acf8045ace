//! The tuner: measures the kernels that an operation may be done by on the very shapes, and lets only those win whose
//! result is the CPU's. In a batch of many images two different ones are repeated, so that the CPU need not compute them all.

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
        let remaining = left.saturating_sub(start.elapsed());
        if reference_seconds(&step.op, &shapes, step.flops) > remaining.as_secs_f64() {
            continue;
        }
        // An operation that cannot be measured (out of memory, say) is left to the rules.
        if let Ok(Some(tuned)) = measure(gpu, &step.op, &shapes, start + left) {
            found.insert(key, tuned);
        }
    }
    gpu.keep_tuned(found, left.saturating_sub(start.elapsed()));
}

/// How long the reference for an operation of so many floating-point operations takes at most.
fn reference_seconds(op: &Op, shapes: &[&[usize]], flops: u64) -> f64 {
    let images = Images::of(op, shapes);
    let share = images.as_ref().map_or(1.0, |images| DISTINCT as f64 / images.which.len() as f64);
    let shapes = images.map_or_else(|| owned(shapes), |images| images.distinct_shapes(shapes));
    let values: usize = shapes.iter().map(|shape| shape.iter().product::<usize>()).sum();
    share * flops as f64 / FLOPS_PER_SECOND + values as f64 / VALUES_PER_SECOND
}

fn owned(shapes: &[&[usize]]) -> Vec<Vec<usize>> {
    shapes.iter().map(|shape| shape.to_vec()).collect()
}

/// The best candidate for one operation; `None` if the time is up before all were measured.
fn measure(gpu: &Gpu, op: &Op, shapes: &[&[usize]], deadline: Instant) -> Result<Option<Tuned>> {
    let Example { inputs, wanted } = Example::new(op, shapes)?;
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

/// Inputs for an operation, and what the CPU makes of them.
struct Example {
    inputs: Vec<Tensor>,
    wanted: Vec<Vec<f32>>,
}

impl Example {
    fn new(op: &Op, shapes: &[&[usize]]) -> Result<Self> {
        let mut random = Random::new(1);
        let mut draw = |shape: Vec<usize>| Tensor::from_fn(shape, |_| random.uniform() - 0.5);
        let Some(images) = Images::of(op, shapes) else {
            let inputs: Vec<Tensor> = owned(shapes).into_iter().map(draw).collect();
            let wanted = reference(op, shapes, &inputs)?;
            return Ok(Example { inputs, wanted });
        };
        let few = images.distinct_shapes(shapes);
        let mut distinct: Vec<Tensor> = few.iter().cloned().map(&mut draw).collect();
        let repeated = |(index, tensor): (usize, &Tensor)| match images.inputs.contains(&index) {
            true => Tensor::new(shapes[index], images.repeat(tensor.data())),
            false => Ok(tensor.clone()),
        };
        let inputs = distinct.iter().enumerate().map(repeated).collect::<Result<_>>()?;
        if let Some(counted) = images.counted {
            images.count(distinct[counted].data_mut());
        }
        let few: Vec<&[usize]> = few.iter().map(Vec::as_slice).collect();
        let wanted = reference(op, &few, &distinct)?;
        let wanted = match images.counted {
            Some(_) => wanted,
            None => wanted.iter().map(|values| images.repeat(values)).collect(),
        };
        Ok(Example { inputs, wanted })
    }
}

/// Different images in the batch that a candidate is tried on: the CPU computes no more than these.
const DISTINCT: usize = 2;

/// A batch in which a few images are repeated in random order, so that what the CPU makes of these says what every image of the
/// result must be, or what the sum over the whole batch is.
struct Images {
    /// Which of the distinct images each image of the batch is.
    which: Vec<usize>,
    /// The inputs that have a batch.
    inputs: &'static [usize],
    /// Where the result is a sum over the batch, to which each image of this input contributes in proportion: that input.
    counted: Option<usize>,
}

impl Images {
    /// For an operation whose images are independent of each other, or added up, and a batch of more than the distinct ones.
    fn of(op: &Op, shapes: &[&[usize]]) -> Option<Self> {
        let (inputs, counted): (&'static [usize], _) = match op {
            Op::Conv2d(_) if shapes.len() > 3 => (&[0, 3], None),
            Op::Conv2dBackwardInput(_) if shapes.len() > 2 => (&[0, 2], None),
            Op::Conv2d(_) | Op::Dense(_) | Op::Conv2dBackwardInput(_) | Op::DenseBackwardInput => (&[0], None),
            Op::Conv2dBackwardWeight(_) | Op::DenseBackwardWeight => (&[0, 1], Some(1)),
            _ => return None,
        };
        let batch = shapes[0][0];
        let mut random = Random::new(2);
        // The first two are different, so that each is there.
        let which = (0..batch).map(|image| if image < DISTINCT { image } else { random.below(DISTINCT) });
        (batch > DISTINCT).then(|| Images { which: which.collect(), inputs, counted })
    }

    /// The shapes of the inputs with the distinct images only.
    fn distinct_shapes(&self, shapes: &[&[usize]]) -> Vec<Vec<usize>> {
        let mut shapes = owned(shapes);
        self.inputs.iter().for_each(|&input| shapes[input][0] = DISTINCT);
        shapes
    }

    /// The batch of these images.
    fn repeat(&self, distinct: &[f32]) -> Vec<f32> {
        let length = distinct.len() / DISTINCT;
        self.which.iter().flat_map(|image| &distinct[image * length..(image + 1) * length]).copied().collect()
    }

    /// Makes each of these images count as often as it is in the batch.
    fn count(&self, distinct: &mut [f32]) {
        let length = distinct.len() / DISTINCT;
        for (image, values) in distinct.chunks_exact_mut(length).enumerate() {
            let count = self.which.iter().filter(|&&which| which == image).count() as f32;
            values.iter_mut().for_each(|value| *value *= count);
        }
    }
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
    use crate::ops::{Conv2d, Conv2dBackwardInput, Conv2dBackwardWeight, Dense};

    #[test]
    fn what_is_wrong_does_not_agree() {
        let wanted = [1.0, -4.0, 0.0];
        assert!(agrees(&[1.003, -4.0, 0.003], &wanted));
        assert!(!agrees(&[1.005, -4.0, 0.0], &wanted));
        assert!(!agrees(&[1.0, -4.0], &wanted));
        assert!(!agrees(&[1.0, f32::NAN, 0.0], &wanted));
        assert!(!agrees(&[1.0, f32::INFINITY, 0.0], &wanted));
    }

    /// Operations on batches of seven, with the shapes of their inputs.
    fn batches() -> Vec<(Op, Vec<Vec<usize>>)> {
        let conv = Conv2d::square(3, 1, 1);
        let (x, weight, y) = (vec![7, 4, 6, 5], vec![8, 4, 3, 3], vec![7, 8, 6, 5]);
        let (rows, matrix, results) = (vec![7, 12], vec![5, 12], vec![7, 5]);
        vec![
            (conv.into(), vec![x.clone(), weight.clone(), vec![8]]),
            (conv.into(), vec![x.clone(), weight.clone(), vec![8], y.clone()]),
            (Conv2dBackwardInput::new(conv, [6, 5]).into(), vec![y.clone(), weight]),
            (Conv2dBackwardWeight(conv).into(), vec![x, y]),
            (Dense::default().into(), vec![rows.clone(), matrix.clone(), vec![5]]),
            (Op::DenseBackwardInput, vec![results.clone(), matrix]),
            (Op::DenseBackwardWeight, vec![rows, results]),
        ]
    }

    #[test]
    fn two_images_of_a_batch_say_what_all_of_it_must_give() {
        for (op, shapes) in batches() {
            let shapes: Vec<&[usize]> = shapes.iter().map(Vec::as_slice).collect();
            let example = Example::new(&op, &shapes).unwrap();
            let whole = reference(&op, &shapes, &example.inputs).unwrap();
            let are_equal = whole.len() == example.wanted.len()
                && whole.iter().zip(&example.wanted).all(|(whole, wanted)| agrees(whole, wanted));
            assert!(are_equal, "{}", op.name());
            // An image that is left out, or read in the place of another one, is seen.
            for (from, to) in [(0, 1), (1, 0)] {
                let mut inputs = example.inputs.clone();
                let length = inputs[0].len() / 7;
                inputs[0].data_mut().copy_within(from * length..(from + 1) * length, to * length);
                let other = reference(&op, &shapes, &inputs).unwrap();
                assert!(!agrees(&other[0], &example.wanted[0]), "{}: image {from} for {to}", op.name());
            }
        }
    }

    #[test]
    fn the_reference_of_a_batch_fits_the_time_for_tuning() {
        // The largest layer of VGG16 in a batch of 32, which the CPU computes in 6 s, and which two images stand for.
        let conv: Op = Conv2d::square(3, 1, 1).into();
        let seconds = |batch: usize| {
            let x = [batch, 64, 224, 224];
            let shapes: [&[usize]; 3] = [&x, &[64, 64, 3, 3], &[64]];
            let outputs = conv.output_shapes(&shapes).unwrap();
            reference_seconds(&conv, &shapes, conv.flops(&shapes, &outputs))
        };
        assert!((seconds(32) - seconds(2)).abs() < 1e-9);
        assert!(seconds(32) < 1.0, "{}", seconds(32));
        // What is not a batch of images is computed as it is.
        assert!(Images::of(&conv, &[&[2, 4, 6, 5], &[8, 4, 3, 3], &[8]]).is_none());
        assert!(Images::of(&Op::Softmax(Default::default()), &[&[7, 9]]).is_none());
    }
}
