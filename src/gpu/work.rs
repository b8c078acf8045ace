//! What a plan gives the device in a run. It is shared with the device's own thread, which submits the runs that are awaited.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::binding::Ports;
use super::buffer::{GUARD, GUARD_WORD, Storage};
use super::device::{CountedBuffer, Gpu};
use super::dispatch::{Dispatch, Packed};
use super::parameter::Parameter;
use super::prologue::Prologue;
use super::read_back::{Mapping, ReadBack};
use super::state::State;
use crate::error::{Error, Result};
use crate::ops::{Op, RunState};
use crate::program::{Program, ValueId};
use crate::time::Instant;

/// Memory, pipelines and bind groups of a program, ready to run again and again.
pub(super) struct Work {
    pub gpu: Gpu,
    pub program: Arc<Program>,
    pub values: Vec<Storage>,
    pub dispatches: Vec<Dispatch>,
    /// What of it is the application's.
    pub ports: Arc<Ports>,
    pub scratch: Vec<Storage>,
    pub packed: Vec<Arc<Packed>>,
    /// The parameters that every run changes.
    pub trained: Vec<Arc<Parameter>>,
    pub prologue: Prologue,
    pub _parameters: CountedBuffer,
    pub state: CountedBuffer,
    /// What was last written there.
    pub written: Mutex<Option<State>>,
    /// Of the outputs that are in the plan's own memory.
    pub read_back: BTreeMap<ValueId, ReadBack>,
    /// When the last run was begun to be submitted, and its floating-point operations.
    pub started: Mutex<Option<(Instant, u64)>>,
    pub checked: bool,
}

impl Work {
    /// Adds the work of one run to commands of the application.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder, bound: &[wgpu::BindGroup]) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        self.prologue.refresh_within(&self.gpu, &mut pass, &self.dispatches);
        self.packed.iter().for_each(|packed| packed.refresh_within(&self.gpu, &mut pass));
        self.dispatches[self.prologue.len()..].iter().for_each(|dispatch| dispatch.encode(&mut pass, bound));
        self.trained.iter().for_each(|parameter| parameter.change());
    }

    /// Writes what changes from run to run, and computes anew what depends on parameters that have changed.
    pub fn prepare(&self, state: &RunState, share: f32) {
        self.write_state(state, share);
        if self.checked {
            self.guard();
        }
        self.prologue.refresh(&self.gpu, &self.dispatches, self.checked);
        self.packed.iter().for_each(|packed| packed.refresh(&self.gpu));
    }

    /// Submits one run in pieces of bounded work. The last piece copies these outputs to where they are read.
    pub fn submit(&self, state: &RunState, share: f32, copies: &[ValueId], bound: &[wgpu::BindGroup]) -> Result<()> {
        self.gpu.check()?;
        self.prepare(state, share);
        // What ends a step comes after all else.
        let in_all = |dispatch: &Dispatch| state.ends_step() || !self.program.steps[dispatch.step].op.ends_step();
        let dispatches = &self.dispatches[self.prologue.len()..self.dispatches.partition_point(in_all)];
        let flops = dispatches.iter().map(|dispatch| dispatch.flops).sum();
        *lock(&self.started) = Some((Instant::now(), flops));
        let most = self.gpu.flops_per_submission();
        let mut pieces = pieces(dispatches, |dispatch| dispatch.flops, most).peekable();
        while let Some(piece) = pieces.next() {
            let mut encoder = self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            {
                let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
                piece.iter().for_each(|dispatch| dispatch.encode(&mut pass, bound));
            }
            if pieces.peek().is_none() {
                self.encode_copies(&mut encoder, copies);
            }
            self.gpu.submit(encoder.finish());
        }
        if state.ends_step() {
            self.trained.iter().for_each(|parameter| parameter.change());
        }
        if self.checked {
            let mut guarded = self.guarded_values().map(|(_, storage)| storage).chain(&self.scratch);
            guarded.try_for_each(|storage| self.check_guards(&self.program.name, storage))?;
        }
        Ok(())
    }

    /// The last run is done: the device does as much in that time at least.
    pub fn learn_speed(&self) {
        let started = lock(&self.started).take();
        if let Some((start, flops)) = started {
            self.gpu.speed().saw(flops, start.elapsed());
        }
    }

    /// Copies these outputs to where they are read.
    pub fn copy(&self, outputs: &[ValueId]) {
        let mut encoder = self.gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.encode_copies(&mut encoder, outputs);
        self.gpu.submit(encoder.finish());
    }

    /// Asks for these outputs, which were copied.
    pub fn map(&self, outputs: &[ValueId]) -> Vec<Mapping> {
        outputs.iter().filter_map(|output| Some(self.read_back.get(output)?.map(&self.gpu))).collect()
    }

    fn encode_copies(&self, encoder: &mut wgpu::CommandEncoder, outputs: &[ValueId]) {
        let read_backs = outputs.iter().filter_map(|output| Some((*output, self.read_back.get(output)?)));
        read_backs.for_each(|(output, read_back)| read_back.encode_copy(encoder, &self.values[output]));
    }

    fn write_state(&self, state: &RunState, share: f32) {
        let adam = self.program.steps.iter().find_map(|step| match &step.op {
            Op::Adam(adam) => Some(adam),
            _ => None,
        });
        let state = State {
            seed: [state.seed as u32, (state.seed >> 32) as u32],
            step: state.step,
            learning_rate: state.learning_rate,
            corrections: adam.map_or([1.0; 2], |adam| adam.bias_corrections(state.step)),
            micro_batch: state.micro_batch,
            share,
        };
        // A write is a copy of its own before the run, which most runs do not need: nothing of this changes where nothing is
        // trained.
        let mut written = lock(&self.written);
        if written.as_ref().map(bytemuck::bytes_of) != Some(bytemuck::bytes_of(&state)) {
            self.gpu.queue().write_buffer(&self.state, 0, bytemuck::bytes_of(&state));
            *written = Some(state);
        }
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
        self.scratch.iter().for_each(|storage| storage.guard(&self.gpu, storage.len));
    }

    /// Whether the pattern around a value is still there.
    pub fn check_guards(&self, step: &str, storage: &Storage) -> Result<()> {
        for chunk in &storage.chunks {
            let size = chunk.buffer.size();
            let read_back = ReadBack::for_bytes(&self.gpu, std::iter::once(0..size))?;
            let mut encoder = self.gpu.device().create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&chunk.buffer, 0, &read_back.parts[0].0, 0, size);
            self.gpu.submit(encoder.finish());
            let words = read_back.read_blocking(&self.gpu)?;
            let intact = |words: &[f32]| words.iter().all(|word| word.to_bits() == GUARD_WORD);
            if !intact(&words[..GUARD]) || !intact(&words[words.len() - GUARD..]) {
                return Err(Error::OutOfBounds { step: step.to_owned(), value: storage.name.clone() });
            }
        }
        Ok(())
    }
}

/// The items in pieces of at most so many floating-point operations, but for a single one with more: at least one piece,
/// which is empty where there is nothing to do.
fn pieces<T>(items: &[T], flops: impl Fn(&T) -> u64, most: u64) -> impl Iterator<Item = &[T]> {
    let mut rest = Some(items);
    std::iter::from_fn(move || {
        let left = rest.take()?;
        let mut sum = 0u64;
        let fitting = left.iter().take_while(|item| {
            sum = sum.saturating_add(flops(item));
            sum <= most
        });
        let (piece, after) = left.split_at(fitting.count().max(1).min(left.len()));
        rest = (!after.is_empty()).then_some(after);
        Some(piece)
    })
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An error if the device is gone.
pub(super) fn alive(gpu: &Gpu) -> Result<()> {
    if gpu.is_lost() { Err(gpu.lost("it does not answer any more")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_bounded_and_leave_nothing_out() {
        let cut = |items: &[u64], most| pieces(items, |&item| item, most).map(<[u64]>::to_vec).collect::<Vec<_>>();
        assert_eq!(cut(&[3, 4, 2, 9, 1, 1], 7), [vec![3, 4], vec![2], vec![9], vec![1, 1]]);
        assert_eq!(cut(&[3, 4, 2, 9, 1, 1], u64::MAX), [vec![3, 4, 2, 9, 1, 1]]);
        assert_eq!(cut(&[u64::MAX, u64::MAX], 10), [vec![u64::MAX], vec![u64::MAX]]);
        assert_eq!(cut(&[], 7), [Vec::<u64>::new()]);
    }
}
