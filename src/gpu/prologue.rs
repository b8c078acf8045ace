//! The steps of a plan that depend on parameters only: they run again when one of these has changed.

use std::sync::{Arc, Mutex, PoisonError};

use super::device::Gpu;
use super::dispatch::Dispatch;
use super::parameter::Parameter;

pub(super) struct Prologue {
    /// How many of the plan's dispatches it has, at the beginning.
    dispatches: usize,
    /// The parameters that it reads.
    sources: Vec<Arc<Parameter>>,
    /// What it makes, of which kernels may keep packed forms.
    results: Vec<Arc<Parameter>>,
    /// After how many changes of each source it ran.
    made: Mutex<Option<Vec<u64>>>,
}

impl Prologue {
    pub fn new(dispatches: usize, sources: Vec<Arc<Parameter>>, results: Vec<Arc<Parameter>>) -> Self {
        Prologue { dispatches, sources, results, made: Mutex::default() }
    }

    pub fn len(&self) -> usize {
        self.dispatches
    }

    /// Submits its work if a parameter has changed since it ran, or if its results are gone.
    pub fn refresh(&self, gpu: &Gpu, dispatches: &[Dispatch], are_gone: bool) {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.sources.iter().map(|source| source.changes());
        let is_new = made.as_ref().is_some_and(|made| made.iter().copied().eq(changes.clone()));
        if self.dispatches == 0 || is_new && !are_gone {
            return;
        }
        let changes = changes.collect();
        let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        self.encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()), dispatches);
        gpu.submit(encoder.finish());
        *made = Some(changes);
    }

    /// Adds its work to what the application submits, whenever it does: where a source is trained, nobody knows now what it
    /// will be then.
    pub fn refresh_within(&self, gpu: &Gpu, pass: &mut wgpu::ComputePass, dispatches: &[Dispatch]) {
        if self.sources.iter().any(|source| source.is_trained()) {
            self.results.iter().for_each(|result| result.train());
            self.encode(pass, dispatches);
        } else {
            self.refresh(gpu, dispatches, false);
        }
    }

    fn encode(&self, pass: &mut wgpu::ComputePass, dispatches: &[Dispatch]) {
        dispatches[..self.dispatches].iter().for_each(|dispatch| dispatch.encode(pass, &[]));
        self.results.iter().for_each(|result| result.change());
    }
}
