//! Running a program on the GPU.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::buffer::{GUARD, GUARD_WORD, Storage};
use super::compile::{Compiler, Dispatch, Operands};
use super::device::{CountedBuffer, Gpu};
use super::picture::GpuPicture;
use super::resize::Resizer;
use crate::error::{Error, Result};
use crate::ops::{Crop, Filter, Normalization, Op, RunState};
use crate::program::{self, Place, Program, ValueId, plan_memory};
use crate::tensor::{Parameters, Tensor};

/// Parameters in device memory, shared by the plans that use them.
pub(crate) struct GpuModel {
    gpu: Gpu,
    parameters: BTreeMap<String, (Vec<usize>, Storage)>,
}

impl GpuModel {
    pub fn new(gpu: &Gpu, parameters: &Parameters) -> Result<Self> {
        let upload = |(name, tensor): (&String, &Tensor)| {
            let storage = gpu.storage_by_rows(name, tensor.shape(), 0)?;
            storage.write(gpu, tensor.data());
            Ok((name.clone(), (tensor.shape().to_vec(), storage)))
        };
        let parameters = gpu.guarded(|| parameters.iter().map(upload).collect::<Result<_>>())?;
        Ok(GpuModel { gpu: gpu.clone(), parameters })
    }

    pub fn parameters(&self) -> Result<Parameters> {
        let download = |(name, (shape, storage)): (&String, &(Vec<usize>, Storage))| {
            let staging = self.gpu.guarded(|| Staging::new(&self.gpu, storage))?;
            staging.copy(&self.gpu, storage);
            let tensor = Tensor::new(shape.clone(), staging.read_blocking(&self.gpu)?)?;
            Ok((name.clone(), tensor))
        };
        self.parameters.iter().map(download).collect()
    }
}

/// A program on the GPU: memory, pipelines and bind groups, ready to run again and again.
///
/// A [`crate::Plan`] gives access to it where it runs on a GPU, for applications that keep their data there.
pub struct GpuPlan {
    gpu: Gpu,
    program: Arc<Program>,
    values: Vec<Storage>,
    dispatches: Vec<Dispatch>,
    _parameters: CountedBuffer,
    state: CountedBuffer,
    staging: BTreeMap<ValueId, Staging>,
    resizers: BTreeMap<ValueId, Resizer>,
    timer: Option<Timer>,
    checked: bool,
}

/// What changes from run to run, as the kernels see it.
#[repr(C)]
#[derive(Clone, Copy, bytemuck::Pod, bytemuck::Zeroable)]
struct State {
    seed: [u32; 2],
    step: u32,
    learning_rate: f32,
    corrections: [f32; 2],
    padding: [u32; 2],
}

impl GpuPlan {
    pub(crate) fn new(
        gpu: &Gpu,
        program: Arc<Program>,
        model: &GpuModel,
        checked: bool,
        kernel: Option<&str>,
    ) -> Result<Self> {
        gpu.check()?;
        let plan = gpu.guarded(|| {
            let values = allocate(gpu, &program, model, checked)?;
            let uniform = wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST;
            let state = gpu.create_buffer("state", size_of::<State>() as u64, uniform)?;
            let mut compiler = Compiler::new(gpu, kernel);
            for (index, step) in program.steps.iter().enumerate() {
                let storages = |ids: &[ValueId]| ids.iter().map(|&id| &values[id]).collect::<Vec<_>>();
                let (inputs, outputs) = (storages(&step.inputs), storages(&step.outputs));
                let operands = Operands {
                    inputs: &inputs,
                    shapes: &program.shapes(&step.inputs),
                    outputs: &outputs,
                    output_shapes: &program.shapes(&step.outputs),
                };
                compiler.step(index, &step.op, &operands).map_err(|error| in_step(&step.name, error))?;
            }
            let (dispatches, parameters) = compiler.finish(&state)?;
            let mut staging = BTreeMap::new();
            for &output in &program.outputs {
                staging.insert(output, Staging::new(gpu, &values[output])?);
            }
            Ok(GpuPlan {
                gpu: gpu.clone(),
                program: program.clone(),
                values,
                dispatches,
                _parameters: parameters,
                state,
                staging,
                resizers: BTreeMap::new(),
                timer: None,
                checked,
            })
        })?;
        Ok(plan)
    }

    /// The device that the plan runs on.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The buffer of the plan's first input and where in it the values begin (in bytes), for applications that fill it
    /// on the device. It has `COPY_DST` and `STORAGE`.
    pub fn input_buffer(&self) -> (&wgpu::Buffer, u64) {
        self.buffer(self.program.inputs[0])
    }

    /// The buffer of an output and where in it the values begin (in bytes), for applications that go on with it on the
    /// device. It has `COPY_SRC` and `STORAGE`. `None` if there are fewer outputs.
    pub fn output_buffer(&self, index: usize) -> Option<(&wgpu::Buffer, u64)> {
        self.program.outputs.get(index).map(|&value| self.buffer(value))
    }

    fn buffer(&self, value: ValueId) -> (&wgpu::Buffer, u64) {
        let chunk = &self.values[value].chunks[0];
        (&chunk.buffer, 4 * chunk.guard as u64)
    }

    /// Adds the work of one run to the application's own commands. How much goes into one submission is then the
    /// application's choice.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        self.dispatches.iter().for_each(|dispatch| dispatch.encode(&mut pass));
    }

    pub(crate) fn kernels_of_step(&self, step: usize) -> Vec<&'static str> {
        self.dispatches.iter().filter(|d| d.step == step).map(|d| d.kernel.name).collect()
    }

    pub(crate) fn write(&mut self, value: ValueId, data: &[f32]) {
        self.values[value].write(&self.gpu, data);
    }

    pub(crate) fn write_picture(
        &mut self,
        value: ValueId,
        picture: &GpuPicture,
        crops: &[Crop],
        filter: Filter,
        normalization: &Normalization,
    ) -> Result<()> {
        self.gpu.check()?;
        let shape = &self.program.values[value].shape;
        let storage = &self.values[value];
        if self.checked {
            storage.guard(&self.gpu, crops.len() * shape[1..].iter().product::<usize>());
        }
        self.gpu.guarded(|| {
            let resizer = match self.resizers.entry(value) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => entry.insert(Resizer::new(&self.gpu, shape, self.gpu.whole(storage)?)?),
            };
            resizer.run(&self.gpu, picture, crops, filter, normalization)
        })?;
        if self.checked { self.check_guards("resize", storage) } else { Ok(()) }
    }

    /// Submits one run, in pieces of bounded work, and does not wait for it.
    pub(crate) fn submit(&mut self, state: &RunState) -> Result<()> {
        self.gpu.check()?;
        self.write_state(state);
        if self.checked {
            self.guard();
        }
        let mut rest = self.dispatches.as_slice();
        while !rest.is_empty() {
            let mut flops = 0;
            let fitting = rest.iter().take_while(|dispatch| {
                flops += dispatch.flops;
                flops <= self.gpu.options().flops_per_submit
            });
            let count = fitting.count().max(1);
            let mut encoder = self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                rest[..count].iter().for_each(|dispatch| dispatch.encode(&mut pass));
            }
            self.gpu.queue().submit([encoder.finish()]);
            rest = &rest[count..];
        }
        if self.checked {
            self.guarded_values().try_for_each(|(_, storage)| self.check_guards(&self.program.name, storage))?;
        }
        Ok(())
    }

    /// The values of an output or of any other value that is still there, once the work submitted so far is done.
    pub(crate) fn read(&mut self, value: ValueId) -> Result<Vec<f32>> {
        let gpu = self.gpu.clone();
        self.staging(value)?.read_blocking(&gpu)
    }

    /// As `read`, without blocking: the future is ready some time after the device was polled.
    pub(crate) async fn read_async(&mut self, value: ValueId) -> Result<Vec<f32>> {
        let gpu = self.gpu.clone();
        self.staging(value)?.read(&gpu).await
    }

    fn staging(&mut self, value: ValueId) -> Result<&Staging> {
        let storage = &self.values[value];
        let staging = match self.staging.entry(value) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.gpu.guarded(|| Staging::new(&self.gpu, storage))?),
        };
        staging.copy(&self.gpu, storage);
        Ok(staging)
    }

    /// Waits until everything submitted is done.
    pub(crate) fn wait(&self) -> Result<()> {
        self.gpu.wait()?;
        if self.gpu.is_lost() { Err(self.gpu.lost("it does not answer any more")) } else { Ok(()) }
    }

    fn write_state(&self, state: &RunState) {
        let adam = self.program.steps.iter().find_map(|step| match &step.op {
            Op::Adam(adam) => Some(adam),
            _ => None,
        });
        let state = State {
            seed: [state.seed as u32, (state.seed >> 32) as u32],
            step: state.step,
            learning_rate: state.learning_rate,
            corrections: adam.map_or([1.0; 2], |adam| adam.bias_corrections(state.step)),
            padding: [0; 2],
        };
        self.gpu.queue().write_buffer(&self.state, 0, bytemuck::bytes_of(&state));
    }

    /// Runs once; the milliseconds of every step, by the device's own clock where it has one.
    pub(crate) fn profile(&mut self, state: &RunState) -> Result<Vec<f64>> {
        self.gpu.check()?;
        self.write_state(state);
        if self.timer.is_none() && self.gpu.device().features().contains(wgpu::Features::TIMESTAMP_QUERY) {
            self.timer = Some(Timer::new(&self.gpu, self.dispatches.len().min(MAX_TIMED))?);
        }
        let mut times = vec![0.0; self.program.steps.len()];
        match &self.timer {
            Some(timer) => {
                for dispatches in self.dispatches.chunks(MAX_TIMED) {
                    let measured = self.gpu.guarded(|| timer.run(&self.gpu, dispatches))?;
                    for (dispatch, time) in dispatches.iter().zip(measured) {
                        times[dispatch.step] += time;
                    }
                }
            }
            None => {
                for dispatch in &self.dispatches {
                    let start = std::time::Instant::now();
                    let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
                    dispatch.encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
                    self.gpu.queue().submit([encoder.finish()]);
                    self.wait()?;
                    times[dispatch.step] += start.elapsed().as_secs_f64() * 1e3;
                }
            }
        }
        Ok(times)
    }

    /// The values that are surrounded by guards, by number.
    fn guarded_values(&self) -> impl Iterator<Item = (ValueId, &Storage)> {
        self.values.iter().enumerate().filter(|(_, storage)| storage.chunks.iter().all(|chunk| chunk.guard > 0))
    }

    /// Surrounds every value with a pattern, and fills those that are yet to be computed with NaN.
    fn guard(&self) {
        for (id, storage) in self.guarded_values() {
            let computed =
                self.program.steps.iter().any(|step| step.op.in_place().is_empty() && step.outputs.contains(&id));
            storage.guard(&self.gpu, if computed { storage.len } else { 0 });
        }
    }

    /// Whether the pattern around a value is still there.
    fn check_guards(&self, step: &str, storage: &Storage) -> Result<()> {
        for chunk in &storage.chunks {
            let size = chunk.buffer.size();
            let staging = Staging::for_bytes(&self.gpu, &[0..size])?;
            let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&chunk.buffer, 0, &staging.parts[0].0, 0, size);
            self.gpu.queue().submit([encoder.finish()]);
            let words = staging.read_blocking(&self.gpu)?;
            let intact = |words: &[f32]| words.iter().all(|word| word.to_bits() == GUARD_WORD);
            if !intact(&words[..GUARD]) || !intact(&words[words.len() - GUARD..]) {
                return Err(Error::OutOfBounds { step: step.to_owned(), value: storage.name.clone() });
            }
        }
        Ok(())
    }
}

impl Dispatch {
    fn encode(&self, pass: &mut wgpu::ComputePass) {
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.grid[0], self.grid[1], self.grid[2]);
    }
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

/// Memory for every value of a program. In a checked plan none share memory, and all are surrounded by guards.
fn allocate(gpu: &Gpu, program: &Program, model: &GpuModel, checked: bool) -> Result<Vec<Storage>> {
    let guard = if checked { GUARD } else { 0 };
    let (places, lengths) = plan_memory(program);
    let mut slots: Vec<Option<Storage>> = vec![None; lengths.len()];
    let mut make = |(value, place): (&program::Value, Place)| match (&value.storage, place) {
        (program::Storage::Parameter(name), _) => {
            let parameter = model.parameters.get(name).map(|(_, storage)| storage.clone());
            parameter.ok_or_else(|| Error::shape(name, "the model has no such parameter"))
        }
        (program::Storage::State, _) => gpu.storage_by_rows(&value.name, &value.shape, guard),
        (program::Storage::Constant(data), _) => {
            let storage = gpu.storage(&value.name, value.len(), guard)?;
            storage.write(gpu, data);
            Ok(storage)
        }
        (program::Storage::Activation, Place::Slot(slot)) if !checked => {
            let memory = match &slots[slot] {
                Some(memory) => memory.clone(),
                None => slots[slot].insert(gpu.storage("working memory", lengths[slot], 0)?).clone(),
            };
            let mut storage = Storage { name: value.name.clone(), len: value.len(), row: value.len(), ..memory };
            storage.chunks[0].values = 0..value.len();
            Ok(storage)
        }
        (program::Storage::Activation, _) => gpu.storage(&value.name, value.len(), guard),
    };
    program.values.iter().zip(places).map(&mut make).collect()
}

/// Buffers through which a value is read back.
struct Staging {
    /// Each with the first byte to copy.
    parts: Vec<(CountedBuffer, u64)>,
}

impl Staging {
    fn new(gpu: &Gpu, storage: &Storage) -> Result<Self> {
        let range = |chunk: &super::buffer::Chunk| {
            let start = 4 * chunk.guard as u64;
            start..start + 4 * chunk.values.len() as u64
        };
        Self::for_bytes(gpu, &storage.chunks.iter().map(range).collect::<Vec<_>>())
    }

    fn for_bytes(gpu: &Gpu, ranges: &[std::ops::Range<u64>]) -> Result<Self> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let part = |r: &std::ops::Range<u64>| Ok((gpu.create_buffer("read-back", r.end - r.start, usage)?, r.start));
        Ok(Staging { parts: ranges.iter().map(part).collect::<Result<_>>()? })
    }

    fn copy(&self, gpu: &Gpu, storage: &Storage) {
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for ((staging, start), chunk) in self.parts.iter().zip(&storage.chunks) {
            encoder.copy_buffer_to_buffer(&chunk.buffer, *start, staging, 0, staging.size());
        }
        gpu.queue().submit([encoder.finish()]);
    }

    fn read_blocking(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        let answers = gpu.guarded(|| Ok(self.map()))?;
        gpu.wait()?;
        answers.iter().for_each(|answer| answer.wait());
        self.take(gpu, answers)
    }

    async fn read(&self, gpu: &Gpu) -> Result<Vec<f32>> {
        let answers = gpu.guarded(|| Ok(self.map()))?;
        // Ready once every mapping has answered; the application polls its device.
        std::future::poll_fn(|context| {
            let ready = answers.iter().all(|answer| answer.is_ready(context));
            if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
        })
        .await;
        self.take(gpu, answers)
    }

    fn map(&self) -> Vec<Arc<Answer>> {
        let map = |(buffer, _): &(CountedBuffer, u64)| {
            let answer = Arc::new(Answer::default());
            let sender = answer.clone();
            buffer.map_async(wgpu::MapMode::Read, .., move |result| sender.set(result));
            answer
        };
        self.parts.iter().map(map).collect()
    }

    fn take(&self, gpu: &Gpu, answers: Vec<Arc<Answer>>) -> Result<Vec<f32>> {
        let mut values = Vec::new();
        for ((buffer, _), answer) in self.parts.iter().zip(answers) {
            answer
                .result()
                .ok_or_else(|| gpu.lost("the read-back did not finish"))?
                .map_err(|e| gpu.lost(e.to_string()))?;
            {
                let mapped = buffer.slice(..).get_mapped_range().map_err(|e| gpu.refused(e.to_string()))?;
                values.extend_from_slice(bytemuck::cast_slice(&mapped));
            }
            buffer.unmap();
        }
        Ok(values)
    }
}

/// The answer of a mapping, and who waits for it.
#[derive(Default)]
struct Answer {
    inner: std::sync::Mutex<(Option<std::result::Result<(), wgpu::BufferAsyncError>>, Option<std::task::Waker>)>,
    arrived: std::sync::Condvar,
}

/// How long an answer may take to arrive once the device has done everything.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

impl Answer {
    fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, (Option<std::result::Result<(), wgpu::BufferAsyncError>>, Option<std::task::Waker>)>
    {
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn set(&self, result: std::result::Result<(), wgpu::BufferAsyncError>) {
        let mut inner = self.lock();
        inner.0 = Some(result);
        if let Some(waker) = inner.1.take() {
            waker.wake();
        }
        self.arrived.notify_all();
    }

    /// Blocks until the answer is there. Where several threads wait for a device, one of them delivers the answers of
    /// all, and the others may come back a little earlier.
    fn wait(&self) {
        let missing = |inner: &mut (Option<_>, _)| inner.0.is_none();
        drop(self.arrived.wait_timeout_while(self.lock(), PATIENCE, missing));
    }

    fn is_ready(&self, context: &std::task::Context) -> bool {
        let mut inner = self.lock();
        inner.1 = Some(context.waker().clone());
        inner.0.is_some()
    }

    fn result(&self) -> Option<std::result::Result<(), wgpu::BufferAsyncError>> {
        self.lock().0.take()
    }
}

/// Dispatches that are timed with one set of queries.
const MAX_TIMED: usize = 1024;

/// Timestamps around every dispatch.
struct Timer {
    queries: wgpu::QuerySet,
    resolved: CountedBuffer,
    staging: Staging,
}

impl Timer {
    fn new(gpu: &Gpu, dispatches: usize) -> Result<Self> {
        let count = 2 * dispatches.max(1);
        let size = (count * size_of::<u64>()) as u64;
        gpu.guarded(|| {
            let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
            Ok(Timer {
                queries: gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
                    label: Some("timestamps"),
                    ty: wgpu::QueryType::Timestamp,
                    count: count as u32,
                }),
                resolved: gpu.create_buffer("timestamps", size, usage)?,
                staging: Staging::for_bytes(gpu, &[0..size])?,
            })
        })
    }

    /// Runs these dispatches; the milliseconds of each.
    fn run(&self, gpu: &Gpu, dispatches: &[Dispatch]) -> Result<Vec<f64>> {
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        for (dispatch, query) in dispatches.iter().zip((0u32..).step_by(2)) {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some(dispatch.kernel.name),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &self.queries,
                    beginning_of_pass_write_index: Some(query),
                    end_of_pass_write_index: Some(query + 1),
                }),
            });
            dispatch.encode(&mut pass);
        }
        let count = 2 * dispatches.len() as u32;
        encoder.resolve_query_set(&self.queries, 0..count, &self.resolved, 0);
        encoder.copy_buffer_to_buffer(&self.resolved, 0, &self.staging.parts[0].0, 0, self.resolved.size());
        gpu.queue().submit([encoder.finish()]);
        let words = self.staging.read_blocking(gpu)?;
        let tick = f64::from(gpu.queue().get_timestamp_period()) * 1e-6;
        let stamp = |pair: &[f32]| u64::from(pair[0].to_bits()) | u64::from(pair[1].to_bits()) << 32;
        let stamps: Vec<u64> = words.chunks_exact(2).map(stamp).collect();
        let elapsed = |pair: &[u64]| pair[1].saturating_sub(pair[0]) as f64 * tick;
        Ok(stamps.chunks_exact(2).take(dispatches.len()).map(elapsed).collect())
    }
}
