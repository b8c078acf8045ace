//! Running a program on the GPU.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::augment::Augmenter;
use super::binding::{Binding, Open, Port, Ports};
use super::buffer::{GUARD, Storage};
use super::compile::{Compiler, Operands};
use super::device::Gpu;
use super::dispatch::Compiled;
use super::parameter::Parameter;
use super::picture::GpuPixels;
use super::precision::Precision;
use super::prologue::Prologue;
use super::read_back::ReadBack;
use super::resize::Resizer;
use super::state::State;
use super::timer::Timer;
#[cfg(target_family = "wasm")]
use super::web::Last;
use super::work::{Work, alive};
#[cfg(not(target_family = "wasm"))]
use super::worker::Last;
use crate::error::{Error, Result};
use crate::image::bytes::Bytes;
use crate::ops::{Crop, Filter, Normalization, Op, RunState, Variation};
use crate::program::{self, Place, Program, Span, ValueId, plan_memory};
use crate::tensor::{Parameters, Tensor};

/// Parameters in device memory, shared by the plans that use them.
pub(crate) struct GpuModel {
    gpu: Gpu,
    parameters: BTreeMap<String, (Vec<usize>, Storage)>,
}

impl GpuModel {
    pub fn new(gpu: &Gpu, parameters: &Parameters) -> Result<Self> {
        gpu.check_limits()?;
        let upload = |(name, tensor): (&String, &Tensor)| {
            let storage = gpu.storage_by_rows(name, tensor.shape(), 0)?;
            let storage = Storage { parameter: Some(Arc::new(Parameter::new(tensor.data()))), ..storage };
            storage.write(gpu, tensor.data());
            Ok((name.clone(), (tensor.shape().to_vec(), storage)))
        };
        let parameters = gpu.guarded(|| parameters.iter().map(upload).collect::<Result<_>>())?;
        Ok(GpuModel { gpu: gpu.clone(), parameters })
    }

    pub fn parameters(&self) -> Result<Parameters> {
        let download = |(name, (shape, storage)): (&String, &(Vec<usize>, Storage))| {
            Ok((name.clone(), Tensor::new(shape.clone(), read_once(&self.gpu, storage)?)?))
        };
        self.parameters.iter().map(download).collect()
    }

    /// Writes new values of all parameters, whose names and shapes have been checked.
    pub fn set_parameters(&self, parameters: &Parameters) -> Result<()> {
        self.gpu.check()?;
        let parts = || self.parameters.iter().filter_map(|(name, (_, storage))| Some((storage, parameters.get(name)?)));
        let refuses = |storage: &Storage, tensor: &Tensor| {
            storage.parameter.as_ref().is_some_and(|parameter| !parameter.accepts(tensor.data()))
        };
        if let Some((storage, _)) = parts().find(|(storage, tensor)| refuses(storage, tensor)) {
            let reason = "a plan stores it in f16, which does not hold the new values: drop that plan before";
            return Err(Error::invalid(&storage.name, reason));
        }
        let load = |(storage, tensor): (&Storage, &Tensor)| {
            storage.write(&self.gpu, tensor.data());
            storage.parameter.iter().for_each(|parameter| parameter.load(tensor.data()));
        };
        parts().for_each(load);
        alive(&self.gpu)
    }
}

/// A program on the GPU: memory, pipelines and bind groups, ready to run again and again.
///
/// A [`crate::Plan`] gives access to it where it runs on a GPU, for applications that keep their data there.
///
/// ```no_run
/// use vultus::{Plan, wgpu};
///
/// fn run_in(plan: &Plan, encoder: &mut wgpu::CommandEncoder, values: &wgpu::Buffer) -> vultus::Result<()> {
///     let Some(plan) = plan.gpu() else { return Ok(()) };
///     if let Some((input, start)) = plan.input_buffer(0) {
///         encoder.copy_buffer_to_buffer(values, 0, input, start, values.size());
///     }
///     plan.encode(encoder)
/// }
/// ```
pub struct GpuPlan {
    work: Arc<Work>,
    open: Vec<Open>,
    /// Of values that are read although they are not outputs.
    others: BTreeMap<ValueId, ReadBack>,
    resizers: BTreeMap<ValueId, Resizer>,
    augmenters: BTreeMap<ValueId, Augmenter>,
    timer: Option<Timer>,
    last: Last,
}

impl GpuPlan {
    pub(crate) fn new(
        gpu: &Gpu,
        program: Arc<Program>,
        model: &GpuModel,
        bound: &[Port],
        checked: bool,
        kernel: Option<&str>,
        precision: Precision,
    ) -> Result<Self> {
        gpu.check()?;
        gpu.check_precision(precision)?;
        let plan = gpu.guarded(|| {
            let ports = Arc::new(Ports::new(gpu, &program, bound)?);
            let mut values = allocate(gpu, &program, model, &ports, checked)?;
            let prologue = &program.steps[..program.prologue];
            for &result in prologue.iter().flat_map(|step| &step.outputs) {
                values[result].parameter = Some(Arc::new(Parameter::computed()));
            }
            let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            let state = gpu.create_buffer("state", size_of::<State>() as u64, uniform)?;
            let changed = program.steps.iter().flat_map(|step| step.op.in_place().iter().map(|&i| step.inputs[i]));
            let trained: Vec<Arc<Parameter>> = changed.filter_map(|value| values[value].parameter.clone()).collect();
            let mut compiler = Compiler::new(gpu, kernel, checked);
            compiler.compute_in(precision, &trained);
            let mut index = 0;
            while index < program.steps.len() {
                let name = &program.steps[index].name;
                index += add_step(&mut compiler, &program, &values, index).map_err(|error| in_step(name, error))?;
            }
            let stand_ins: Vec<&wgpu::Buffer> = ports.stand_ins().collect();
            let Compiled { dispatches, open, parameters, scratch, packed } =
                compiler.finish(Some(&state), &stand_ins)?;
            trained.iter().for_each(|parameter| parameter.train());
            let owned = |ids: &[ValueId]| -> Vec<Arc<Parameter>> {
                ids.iter().filter_map(|&id| values[id].parameter.clone()).collect()
            };
            let prologue = Prologue::new(
                dispatches.partition_point(|dispatch| dispatch.step < program.prologue),
                prologue.iter().flat_map(|step| owned(&step.inputs)).collect(),
                prologue.iter().flat_map(|step| owned(&step.outputs)).collect(),
            );
            let mut read_back = BTreeMap::new();
            for &output in program.outputs.iter().filter(|&&output| !ports.holds(program.base(output))) {
                read_back.insert(output, ReadBack::new(gpu, &values[output])?);
            }
            let work = Work {
                gpu: gpu.clone(),
                program: program.clone(),
                values,
                dispatches,
                ports,
                scratch,
                packed,
                trained,
                prologue,
                _parameters: parameters,
                state,
                written: Mutex::default(),
                read_back,
                started: Mutex::default(),
                checked,
            };
            Ok(GpuPlan {
                work: Arc::new(work),
                open,
                others: BTreeMap::new(),
                resizers: BTreeMap::new(),
                augmenters: BTreeMap::new(),
                timer: None,
                last: Last::default(),
            })
        })?;
        Ok(plan)
    }

    /// The device that the plan runs on.
    pub fn gpu(&self) -> &Gpu {
        &self.work.gpu
    }

    /// How many dispatches a run has.
    #[doc(hidden)]
    pub fn dispatches(&self) -> usize {
        self.work.dispatches.len() - self.work.prologue.len()
    }

    /// The buffer of an input and where in it the values begin (in bytes), for applications that fill it on the device. It
    /// has `COPY_DST` and `STORAGE`. `None` if there are fewer inputs, or it is in a buffer of the application.
    pub fn input_buffer(&self, index: usize) -> Option<(&wgpu::Buffer, u64)> {
        self.buffer(*self.work.program.inputs.get(index)?)
    }

    /// The buffer of an output and where in it the values begin (in bytes), for applications that go on with it on the
    /// device. It has `COPY_SRC` and `STORAGE`. `None` if there are fewer outputs, or it is in a buffer of the application.
    pub fn output_buffer(&self, index: usize) -> Option<(&wgpu::Buffer, u64)> {
        self.buffer(*self.work.program.outputs.get(index)?)
    }

    fn buffer(&self, value: ValueId) -> Option<(&wgpu::Buffer, u64)> {
        let chunk = &self.work.values[value].chunks[0];
        (!self.work.ports.holds(self.work.program.base(value))).then_some((&chunk.buffer, 4 * chunk.guard as u64))
    }

    /// Adds the work of one run to the application's own commands. How much goes into one submission is then the
    /// application's choice. What changes from run to run (the step, the learning rate, …) is what it was in the plan's
    /// last run of its own.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if inputs or outputs are to be buffers of the application: see
    /// [`GpuPlan::encode_bound`].
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        self.last.wait();
        self.work.encode(encoder, self.work.ports.groups(None)?);
        Ok(())
    }

    /// Makes buffers of the application the inputs and outputs that [`Options::bound`](crate::Options::bound) names. The
    /// values are f32 in row order from the binding's offset on, for the whole batch; what else is in the buffer stays as
    /// it is. A buffer needs the usage `STORAGE`, an offset that is a multiple of the device's
    /// `min_storage_buffer_offset_alignment`, and room. Inputs may share a buffer. An output needs one that is no other input
    /// or output, since no shader may read and write a buffer at once.
    ///
    /// A binding is made once for buffers that are used again and again, as a bind group of wgpu is.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if one of those inputs and outputs has no buffer or several, or a buffer lacks something
    /// of the above; [`Error::Shape`] if it is too small; [`Error::Device`] if it was destroyed or is another device's
    /// (but for one of another `wgpu::Instance`, which wgpu cannot tell apart); [`Error::DeviceLost`] if the device is gone.
    pub fn bind(&self, buffers: &[(Port, wgpu::BufferBinding)]) -> Result<Binding> {
        let work = &self.work;
        work.gpu.check()?;
        let own = work.values.iter().flat_map(|storage| &storage.chunks).map(|chunk| &**chunk.buffer);
        let binding = work.ports.bind(&work.gpu, buffers, &self.open, own)?;
        alive(&work.gpu)?;
        Ok(binding)
    }

    /// As [`GpuPlan::encode`], with buffers of the application, which are read and written in place.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if the binding is another plan's.
    pub fn encode_bound(&self, encoder: &mut wgpu::CommandEncoder, binding: &Binding) -> Result<()> {
        self.last.wait();
        self.work.encode(encoder, self.work.ports.groups(Some(binding))?);
        Ok(())
    }

    /// Refuses to touch a value from outside that is in a buffer of the application.
    pub(crate) fn check_own(&self, value: ValueId) -> Result<()> {
        self.work.ports.check_own(self.work.program.base(value))
    }

    /// The kernels for matrix units that it runs.
    pub(crate) fn matrix_kernels(&self) -> BTreeSet<&'static str> {
        let all = self.work.dispatches.iter().map(|dispatch| dispatch.kernel);
        all.filter(|kernel| kernel.matrix_source.is_some()).map(|kernel| kernel.name).collect()
    }

    pub(crate) fn kernels_of_step(&self, step: usize) -> Vec<&'static str> {
        self.work.dispatches.iter().filter(|d| d.step == step).map(|d| d.kernel.name).collect()
    }

    pub(crate) fn write(&mut self, value: ValueId, data: &[f32]) {
        self.last.wait();
        self.work.values[value].write(&self.work.gpu, data);
    }

    /// Writes these values, and says so if there is no device any more to take them.
    pub(crate) fn write_all(&mut self, values: &[(ValueId, &Tensor)]) -> Result<()> {
        self.work.gpu.check()?;
        values.iter().for_each(|(value, tensor)| self.write(*value, tensor.data()));
        alive(&self.work.gpu)
    }

    pub(crate) fn write_picture(
        &mut self,
        value: ValueId,
        pixels: &GpuPixels,
        crops: &[Crop],
        filter: Filter,
        normalization: &Normalization,
    ) -> Result<()> {
        self.fill("resize", value, crops.len(), |plan| {
            let (gpu, storage) = (&plan.work.gpu, &plan.work.values[value]);
            let shape = &plan.work.program.values[value].shape;
            let resizer = match plan.resizers.entry(value) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Resizer::new(gpu, shape, gpu.whole(storage)?)?),
            };
            resizer.run(gpu, pixels, crops, filter, normalization)
        })
    }

    pub(crate) fn write_varied(
        &mut self,
        value: ValueId,
        pictures: &[Bytes],
        variations: &[Variation],
        normalization: &Normalization,
    ) -> Result<()> {
        self.fill("augment", value, pictures.len(), |plan| {
            let (gpu, storage) = (&plan.work.gpu, &plan.work.values[value]);
            let shape = &plan.work.program.values[value].shape;
            let augmenter = match plan.augmenters.entry(value) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Augmenter::new(gpu, shape, storage)?),
            };
            augmenter.run(gpu, pictures, variations, normalization)
        })
    }

    /// Fills the first images of an input by work of its own before the run, which a checked plan looks at.
    fn fill(
        &mut self,
        operation: &str,
        value: ValueId,
        images: usize,
        fill: impl FnOnce(&mut Self) -> Result<()>,
    ) -> Result<()> {
        let gpu = self.work.gpu.clone();
        gpu.check()?;
        self.check_own(value)?;
        self.last.wait();
        let work = &self.work;
        if work.checked {
            let image: usize = work.program.values[value].shape[1..].iter().product();
            work.values[value].guard(&gpu, images * image);
        }
        gpu.guarded(|| fill(self))?;
        let work = &self.work;
        if work.checked { work.check_guards(operation, &work.values[value]) } else { Ok(()) }
    }

    /// Submits one run, in pieces of bounded work, and does not wait for it. `share` is what this micro-batch weighs among
    /// all of its step so far. The last piece copies these outputs to where they are read: a driver may make another
    /// submission wait for the run (Mesa's software driver does).
    pub(crate) fn submit(&mut self, state: &RunState, share: f32, copies: &[ValueId]) -> Result<()> {
        self.last.wait();
        self.work.submit(state, share, copies, self.work.ports.groups(None)?)
    }

    /// Submits one run on buffers of the application.
    pub(crate) fn submit_bound(&mut self, binding: &Binding) -> Result<()> {
        self.last.wait();
        let bound = self.work.ports.groups(Some(binding))?;
        // A buffer may have been destroyed meanwhile.
        self.work.gpu.guarded(|| self.work.submit(&RunState::default(), 1.0, &[], bound))
    }

    /// The values of an output that `submit` has copied, or of a value that `copy` has, once the work submitted so far is
    /// done.
    pub(crate) fn read_copied(&self, output: ValueId) -> Result<Vec<f32>> {
        let read_back = self.work.read_back.get(&output).or_else(|| self.others.get(&output));
        let Some(read_back) = read_back else {
            return Err(Error::invalid(&self.work.program.name, "a value is read that was not copied"));
        };
        let values = read_back.read_blocking(&self.work.gpu)?;
        self.work.learn_speed();
        Ok(values)
    }

    /// Writes these inputs, runs, and reads these outputs, without blocking.
    pub(crate) async fn run_later(
        &mut self,
        inputs: Vec<(ValueId, Vec<f32>)>,
        outputs: Vec<ValueId>,
    ) -> Result<Vec<Vec<f32>>> {
        self.work.ports.groups(None)?;
        let work = self.work.clone();
        let begin = move || {
            work.gpu.guarded(|| {
                inputs.iter().for_each(|(value, data)| work.values[*value].write(&work.gpu, data));
                work.submit(&RunState::default(), 1.0, &outputs, work.ports.groups(None)?)?;
                Ok(work.map(&outputs))
            })
        };
        let values = self.work.gpu.read_later(&self.last, begin).await?;
        self.work.learn_speed();
        Ok(values)
    }

    /// Reads these outputs of the last run, without blocking; `copies` where the run has not copied them itself.
    pub(crate) async fn read_later(&mut self, outputs: Vec<ValueId>, copies: bool) -> Result<Vec<Vec<f32>>> {
        outputs.iter().try_for_each(|&output| self.check_own(output))?;
        let work = self.work.clone();
        let begin = move || {
            work.gpu.guarded(|| {
                if copies {
                    work.copy(&outputs);
                }
                Ok(work.map(&outputs))
            })
        };
        self.work.gpu.read_later(&self.last, begin).await
    }

    /// The values of any value that is still there, for what is seldom read: keeps no buffer for the next time.
    pub(crate) fn read_once(&self, value: ValueId) -> Result<Vec<f32>> {
        self.last.wait();
        self.work.gpu.check()?;
        read_once(&self.work.gpu, &self.work.values[value])
    }

    /// Copies the values of an output, or of any other value that is still there, to where they are read.
    pub(crate) fn copy(&mut self, value: ValueId) -> Result<()> {
        self.check_own(value)?;
        self.last.wait();
        let (gpu, storage) = (&self.work.gpu, &self.work.values[value]);
        let read_back = match (self.work.read_back.get(&value), self.others.entry(value)) {
            (Some(output), _) => output,
            (None, Entry::Occupied(entry)) => entry.into_mut(),
            (None, Entry::Vacant(entry)) => entry.insert(gpu.guarded(|| ReadBack::new(gpu, storage))?),
        };
        read_back.copy(gpu, storage);
        Ok(())
    }

    /// Waits until everything submitted is done.
    pub(crate) fn wait(&self) -> Result<()> {
        self.last.wait();
        self.work.gpu.wait()?;
        self.work.learn_speed();
        alive(&self.work.gpu)
    }

    /// Runs once; when each step ran, by the device's own clock where it has one. A step of several dispatches took what
    /// these took.
    pub(crate) fn profile(&mut self, state: &RunState) -> Result<Vec<Span>> {
        self.last.wait();
        let work = &self.work;
        work.gpu.check()?;
        work.ports.groups(None)?;
        work.prepare(state, 1.0);
        let dispatches = &work.dispatches[work.prologue.len()..];
        let timer = match &mut self.timer {
            Some(timer) => timer,
            None => self.timer.insert(Timer::new(&work.gpu, dispatches.len())?),
        };
        let measured = work.gpu.guarded(|| timer.run(&work.gpu, dispatches))?;
        work.trained.iter().for_each(|parameter| parameter.change());
        let mut steps: Vec<Option<Span>> = vec![None; work.program.steps.len()];
        for (dispatch, span) in dispatches.iter().zip(measured) {
            match &mut steps[dispatch.step] {
                Some(step) => step.milliseconds += span.milliseconds,
                first => *first = Some(span),
            }
        }
        // A step without dispatches is done by the one before, when that ends.
        let mut end = 0.0;
        let spans = steps.into_iter().skip(work.program.prologue).map(|step| {
            let span = step.unwrap_or(Span { start: end, milliseconds: 0.0 });
            end = span.start + span.milliseconds;
            span
        });
        Ok(spans.collect())
    }
}

fn read_once(gpu: &Gpu, storage: &Storage) -> Result<Vec<f32>> {
    let read_back = gpu.guarded(|| ReadBack::new(gpu, storage))?;
    read_back.copy(gpu, storage);
    read_back.read_blocking(gpu)
}

/// Adds the dispatches of a step, and of the one behind it where one kernel does both; how many steps that were.
fn add_step(compiler: &mut Compiler, program: &Program, values: &[Storage], index: usize) -> Result<usize> {
    let storages = |ids: &[ValueId]| ids.iter().map(|&id| &values[id]).collect::<Vec<_>>();
    let step = &program.steps[index];
    let (inputs, outputs) = (storages(&step.inputs), storages(&step.outputs));
    let (shapes, output_shapes) = (program.shapes(&step.inputs), program.shapes(&step.outputs));
    let operands = Operands { inputs: &inputs, shapes: &shapes, outputs: &outputs, output_shapes: &output_shapes };
    if let (Op::Conv2d(conv), Some(pool)) = (&step.op, program.pool_after(index)) {
        let (outputs, output_shapes) = (storages(&pool.outputs), program.shapes(&pool.outputs));
        let pooled = Operands { outputs: &outputs, output_shapes: &output_shapes, ..operands };
        if compiler.pooled_step(index, conv, operands.output_shapes[0], &pooled)? {
            return Ok(2);
        }
    }
    compiler.step(index, &step.op, &operands)?;
    Ok(1)
}

/// Names the layer in an error about a limit or a shape.
fn in_step(step: &str, error: Error) -> Error {
    match error {
        Error::Limit { what, needed, limit, available, advice } => {
            Error::Limit { what: format!("{step}: {what}"), needed, limit, available, advice }
        }
        other => other,
    }
}

/// Memory for every value of a program, but for those that the application has. In a checked plan none share memory, and
/// all are surrounded by guards.
fn allocate(gpu: &Gpu, program: &Program, model: &GpuModel, ports: &Ports, checked: bool) -> Result<Vec<Storage>> {
    let guard = if checked { GUARD } else { 0 };
    let (places, lengths) = plan_memory(program);
    let mut slots: Vec<Option<Storage>> = vec![None; lengths.len()];
    let mut values: Vec<Storage> = Vec::new();
    for (id, (value, place)) in program.values.iter().zip(places).enumerate() {
        if let Some(storage) = ports.storage(id, value) {
            values.push(storage);
            continue;
        }
        let storage = match (&value.storage, place) {
            (&program::Storage::View(base), _) => Storage { name: value.name.clone(), ..values[base].clone() },
            (program::Storage::Parameter(name), _) => {
                let parameter = model.parameters.get(name).map(|(_, storage)| storage.clone());
                parameter.ok_or_else(|| Error::unknown(&program.name, format!("parameter {name:?}"), None::<&str>))?
            }
            (program::Storage::Gradient | program::Storage::State, _) => {
                gpu.storage_by_rows(&value.name, &value.shape, guard)?
            }
            (program::Storage::Constant(data), _) => {
                let storage = gpu.storage(&value.name, value.len(), guard)?;
                storage.write(gpu, data);
                storage
            }
            (program::Storage::Activation, Place::Slot(slot)) if !checked => {
                let memory = match &slots[slot] {
                    Some(memory) => memory.clone(),
                    None => slots[slot].insert(gpu.storage("working memory", lengths[slot], 0)?).clone(),
                };
                let mut storage = Storage { name: value.name.clone(), len: value.len(), row: value.len(), ..memory };
                storage.chunks[0].values = 0..value.len();
                storage
            }
            (program::Storage::Activation, _) => gpu.storage(&value.name, value.len(), guard)?,
        };
        values.push(storage);
    }
    Ok(values)
}
