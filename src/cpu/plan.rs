//! Running a program on the CPU.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use super::scratch::Scratch;
use super::{Algorithm, View, augment, resize, run, update};
use crate::error::Result;
use crate::image::bytes::Bytes;
use crate::ops::{Crop, Filter, Normalization, RunState, Variation};
use crate::program::{Place, Program, Span, Step, Storage, ValueId, plan_memory};
use crate::tensor::{Parameters, Tensor};
use crate::time::Instant;

/// The inner reference is shared with the tensor that the parameter came from, until training changes it.
type Shared = Arc<RwLock<Arc<Vec<f32>>>>;

/// Parameters in host memory, shared by the plans that use them.
pub(crate) struct CpuModel {
    parameters: BTreeMap<String, (Vec<usize>, Shared)>,
    /// How often parameters have changed.
    changes: Arc<AtomicU64>,
}

impl CpuModel {
    pub fn new(parameters: &Parameters) -> Self {
        let shared = |t: &Tensor| (t.shape().to_vec(), Arc::new(RwLock::new(t.shared())));
        let parameters = parameters.iter().map(|(name, t)| (name.clone(), shared(t))).collect();
        CpuModel { parameters, changes: Arc::default() }
    }

    pub fn parameters(&self) -> Result<Parameters> {
        let copy = |(name, (shape, data)): (&String, &(Vec<usize>, Shared))| {
            Ok((name.clone(), Tensor::from_shared(shape.clone(), read(data).clone())?))
        };
        self.parameters.iter().map(copy).collect()
    }

    /// Takes new values of all parameters, whose names and shapes have been checked.
    pub fn set_parameters(&self, parameters: &Parameters) {
        for (name, (_, shared)) in &self.parameters {
            if let Some(tensor) = parameters.get(name) {
                *shared.write().unwrap_or_else(PoisonError::into_inner) = tensor.shared();
            }
        }
        self.changes.fetch_add(1, Ordering::Release);
    }
}

/// A poisoned lock only says that another thread panicked; the numbers are still numbers.
fn read(data: &Shared) -> RwLockReadGuard<'_, Arc<Vec<f32>>> {
    data.read().unwrap_or_else(PoisonError::into_inner)
}

/// Where a value's numbers are.
#[derive(Clone)]
enum Location {
    Memory(usize),
    Shared(Shared),
}

/// A program with its memory.
pub(crate) struct CpuPlan {
    program: Arc<Program>,
    locations: Vec<Location>,
    memory: Vec<Vec<f32>>,
    /// How each step's convolution is computed; of no meaning for other steps.
    algorithms: Vec<Option<Algorithm>>,
    scratch: Scratch,
    /// How often the model's parameters have changed.
    changes: Arc<AtomicU64>,
    /// How often they had when the prologue ran.
    prepared: Option<u64>,
    /// Whether memory is filled with NaN before each run, so that a value read before it is written shows.
    checked: bool,
}

impl CpuPlan {
    /// `kernel` is the name of an [`Algorithm`] to be used wherever it can be; others are ignored.
    pub fn new(program: Arc<Program>, model: &CpuModel, checked: bool, kernel: Option<&str>) -> Self {
        let forced = Algorithm::ALL.into_iter().find(|algorithm| Some(algorithm.name()) == kernel);
        let algorithm = |step: &Step| {
            let output = &program.values[step.outputs[0]].shape;
            Algorithm::of(&step.op, &program.shapes(&step.inputs), output, forced)
        };
        let algorithms = program.steps.iter().map(algorithm).collect();
        let (places, slots) = plan_memory(&program);
        let mut memory: Vec<Vec<f32>> = slots.into_iter().map(|length| vec![0.0; length]).collect();
        let mut locations: Vec<Location> = Vec::new();
        for (value, place) in program.values.iter().zip(places) {
            locations.push(match (&value.storage, place) {
                (Storage::Parameter(name), _) => Location::Shared(model.parameters[name].1.clone()),
                (&Storage::View(base), _) => locations[base].clone(),
                (_, Place::Slot(slot)) => Location::Memory(slot),
                (storage, Place::Own) => {
                    memory.push(match storage {
                        Storage::Constant(data) => data.clone(),
                        _ => vec![0.0; value.len()],
                    });
                    Location::Memory(memory.len() - 1)
                }
            });
        }
        let (scratch, changes) = (Scratch::new(checked), model.changes.clone());
        CpuPlan { program, locations, memory, algorithms, scratch, changes, prepared: None, checked }
    }

    /// The name of a step's kernel: the operation's where there is no choice.
    pub fn kernel_of_step(&self, step: usize) -> &'static str {
        self.algorithms[step].map_or(self.program.steps[step].op.name(), Algorithm::name)
    }

    pub fn write(&mut self, value: ValueId, data: &[f32]) {
        match &self.locations[value] {
            Location::Memory(index) => self.memory[*index][..data.len()].copy_from_slice(data),
            Location::Shared(shared) => {
                let mut values = shared.write().unwrap_or_else(PoisonError::into_inner);
                Arc::make_mut(&mut values).copy_from_slice(data);
                self.changes.fetch_add(1, Ordering::Release);
            }
        }
    }

    pub fn read(&self, value: ValueId) -> Vec<f32> {
        let length = self.program.values[value].len();
        match &self.locations[value] {
            Location::Memory(index) => self.memory[*index][..length].to_vec(),
            Location::Shared(shared) => read(shared).to_vec(),
        }
    }

    pub fn write_pixels<T: resize::Sample>(
        &mut self,
        value: ValueId,
        pixels: &resize::Pixels<T>,
        crops: &[Crop],
        filter: Filter,
        normalization: &Normalization,
    ) {
        let shape = &self.program.values[value].shape;
        let size = [shape[2], shape[3]];
        if let Location::Memory(index) = self.locations[value] {
            resize::forward(pixels, crops, size, filter, normalization, &mut self.memory[index]);
        }
    }

    pub fn write_varied(
        &mut self,
        value: ValueId,
        pictures: &[Bytes],
        variations: &[Variation],
        normalization: &Normalization,
    ) {
        if let Location::Memory(index) = self.locations[value] {
            augment::forward(pictures, variations, normalization, &mut self.memory[index]);
        }
    }

    /// Runs once; `share` is what this micro-batch weighs among all of its step so far.
    pub fn run(&mut self, state: &RunState, share: f32) {
        let program = self.program.clone();
        if self.checked {
            self.poison();
        }
        self.prepare(state);
        let steps = program.steps.iter().enumerate().skip(program.prologue);
        let steps = steps.filter(|(_, step)| state.ends_step() || !step.op.ends_step());
        steps.for_each(|(index, step)| self.run_step(index, step, state, share));
    }

    /// Runs the prologue if a parameter has changed since it ran, or its results are gone.
    fn prepare(&mut self, state: &RunState) {
        let program = self.program.clone();
        let changes = self.changes.load(Ordering::Acquire);
        if program.prologue > 0 && (self.checked || self.prepared != Some(changes)) {
            let steps = program.steps.iter().enumerate().take(program.prologue);
            steps.for_each(|(index, step)| self.run_step(index, step, state, 1.0));
            self.prepared = Some(changes);
        }
    }

    /// Runs once; when each step after the prologue ran.
    pub fn profile(&mut self, state: &RunState) -> Vec<Span> {
        let program = self.program.clone();
        self.prepare(state);
        let begin = Instant::now();
        let timed = |(index, step): (usize, &Step)| {
            let start = begin.elapsed().as_secs_f64() * 1e3;
            self.run_step(index, step, state, 1.0);
            Span { start, milliseconds: begin.elapsed().as_secs_f64() * 1e3 - start }
        };
        program.steps.iter().enumerate().skip(program.prologue).map(timed).collect()
    }

    fn poison(&mut self) {
        let program = self.program.clone();
        for step in program.steps.iter().filter(|step| step.op.in_place().is_empty()) {
            for &value in &step.outputs {
                if let Location::Memory(index) = self.locations[value] {
                    self.memory[index].fill(f32::NAN);
                }
            }
        }
    }

    fn run_step(&mut self, index: usize, step: &Step, state: &RunState, share: f32) {
        match step.op.in_place() {
            [] => self.run_apart(index, step, state),
            _ => self.run_in_place(step, state, share),
        }
    }

    fn run_apart(&mut self, index: usize, step: &Step, state: &RunState) {
        let program = self.program.clone();
        let owned: Vec<usize> = step
            .outputs
            .iter()
            .filter_map(|&v| if let Location::Memory(index) = self.locations[v] { Some(index) } else { None })
            .collect();
        let mut taken: Vec<Vec<f32>> = owned.iter().map(|&index| std::mem::take(&mut self.memory[index])).collect();
        let guards: Vec<Option<RwLockReadGuard<'_, Arc<Vec<f32>>>>> = step
            .inputs
            .iter()
            .map(|&v| if let Location::Shared(shared) = &self.locations[v] { Some(read(shared)) } else { None })
            .collect();
        let inputs: Vec<View> = step
            .inputs
            .iter()
            .zip(&guards)
            .map(|(&v, guard)| {
                let value = &program.values[v];
                let data = match (guard, &self.locations[v]) {
                    (Some(guard), _) => guard.as_slice(),
                    (None, Location::Memory(index)) => &self.memory[*index],
                    (None, Location::Shared(_)) => unreachable!("shared values have a guard"),
                };
                View { shape: &value.shape, data: &data[..value.len()] }
            })
            .collect();
        let mut outputs: Vec<&mut [f32]> =
            taken.iter_mut().zip(&step.outputs).map(|(memory, &v)| &mut memory[..program.values[v].len()]).collect();
        let algorithm = self.algorithms[index].unwrap_or(Algorithm::Direct);
        run(&step.op, algorithm, state, &inputs, &mut outputs, &self.scratch);
        drop(inputs);
        drop(guards);
        for (index, memory) in owned.into_iter().zip(taken) {
            self.memory[index] = memory;
        }
    }

    fn run_in_place(&mut self, step: &Step, state: &RunState, share: f32) {
        // What is changed comes first, then what it follows: a parameter and its gradient, or an average and a parameter.
        let places: Vec<Location> = step.inputs.iter().map(|&v| self.locations[v].clone()).collect();
        let mut taken: Vec<Vec<f32>> = places
            .iter()
            .map(|place| match place {
                Location::Memory(index) => std::mem::take(&mut self.memory[*index]),
                Location::Shared(_) => Vec::new(),
            })
            .collect();
        if let ([changed, followed, memory @ ..], [place, of_followed, ..]) = (taken.as_mut_slice(), places.as_slice())
        {
            let mut memory: Vec<&mut [f32]> = memory.iter_mut().map(Vec::as_mut_slice).collect();
            let guard = if let Location::Shared(shared) = of_followed { Some(read(shared)) } else { None };
            let followed = guard.as_ref().map_or(followed.as_slice(), |guard| guard.as_slice());
            match place {
                Location::Memory(_) => update(&step.op, state, share, changed, followed, &mut memory),
                Location::Shared(shared) => {
                    let mut parameter = shared.write().unwrap_or_else(PoisonError::into_inner);
                    let parameter: &mut Vec<f32> = Arc::make_mut(&mut parameter);
                    update(&step.op, state, share, parameter, followed, &mut memory);
                    self.changes.fetch_add(1, Ordering::Release);
                }
            }
        }
        for (place, data) in places.into_iter().zip(taken) {
            if let Location::Memory(index) = place {
                self.memory[index] = data;
            }
        }
    }
}
