//! What steps have become: dispatches that are ready to be encoded, and what they keep alive.

use std::sync::{Arc, Mutex, PoisonError};

use super::binding::Open;
use super::buffer::Storage;
use super::device::{CountedBuffer, Gpu, Pipeline};
use super::kernel::Kernel;
use super::parameter::Parameter;

/// One dispatch, ready to be encoded.
pub(super) struct Dispatch {
    pub pipeline: Arc<Pipeline>,
    pub group: Group,
    pub grid: [u32; 3],
    pub flops: u64,
    /// The step of the program that it belongs to.
    pub step: usize,
    pub kernel: &'static Kernel,
}

/// What a dispatch reads and writes.
pub(super) enum Group {
    Own(wgpu::BindGroup),
    /// Buffers of the application among others: the number of the bind group in a binding.
    Bound(usize),
}

impl Dispatch {
    /// `bound` are the bind groups of a binding.
    pub fn encode(&self, pass: &mut wgpu::ComputePass, bound: &[wgpu::BindGroup]) {
        let group = match &self.group {
            Group::Own(group) => group,
            Group::Bound(number) => &bound[*number],
        };
        pass.set_pipeline(&self.pipeline.pipeline);
        pass.set_bind_group(0, group, &[]);
        pass.dispatch_workgroups(self.grid[0], self.grid[1], self.grid[2]);
    }
}

/// What a program has become: its dispatches, and the memory that they need besides the program's values.
pub(super) struct Compiled {
    pub dispatches: Vec<Dispatch>,
    /// What those dispatches need that are bound to buffers of the application.
    pub open: Vec<Open>,
    pub parameters: CountedBuffer,
    pub scratch: Vec<Storage>,
    pub packed: Vec<Arc<Packed>>,
}

/// A parameter in another layout, on the device.
pub(super) struct Packed {
    parameter: Arc<Parameter>,
    pub storage: Storage,
    pack: Compiled,
    /// After how many changes of the parameter it was packed.
    made: Mutex<Option<u64>>,
}

impl Packed {
    /// What these dispatches make of the parameter, as yet to be made.
    pub fn new(parameter: Arc<Parameter>, storage: Storage, pack: Compiled) -> Self {
        Packed { parameter, storage, pack, made: Mutex::default() }
    }

    /// Packs the parameter if it has changed since.
    pub fn refresh(&self, gpu: &Gpu) {
        // The lock is held until the work is submitted, so that no other plan overtakes it.
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let changes = self.parameter.changes();
        if *made != Some(changes) {
            let mut encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            self.encode(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
            gpu.submit(encoder.finish());
            *made = Some(changes);
        }
    }

    /// Adds the packing to work that the application submits, whenever it does: where the parameter is trained, nobody
    /// knows now what it will be then.
    pub fn refresh_within(&self, gpu: &Gpu, pass: &mut wgpu::ComputePass) {
        if self.parameter.is_trained() { self.encode(pass) } else { self.refresh(gpu) }
    }

    fn encode(&self, pass: &mut wgpu::ComputePass) {
        self.pack.dispatches.iter().for_each(|dispatch: &Dispatch| dispatch.encode(pass, &[]));
    }
}
