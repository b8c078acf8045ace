//! What waits for drivers: adapters and devices as they are opened, and what devices say of what they were asked for.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::adapter::Adapter;
use super::device::{Gpu, GpuOptions};
use super::read_back::Mapping;
use super::worker::{self, Arriving, Last, Worker};
use crate::error::{Error, Result};

impl Adapter {
    /// As [`Adapter::all_async`], blocking.
    pub fn all() -> Vec<Adapter> {
        pollster::block_on(Adapter::all_async())
    }

    /// As [`Adapter::open_async`], blocking.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if the driver refuses.
    pub fn open(&self) -> Result<Gpu> {
        pollster::block_on(self.open_async())
    }

    /// A device with these features and limits only.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if the driver refuses.
    ///
    /// ```no_run
    /// use vultus::gpu::{Adapter, GpuOptions};
    /// use vultus::wgpu;
    ///
    /// // A device as wgpu gives it to an application that asks for nothing.
    /// let adapters = Adapter::all();
    /// let gpu = adapters[0].open_with(wgpu::Features::empty(), wgpu::Limits::default(), GpuOptions::default())?;
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn open_with(&self, features: wgpu::Features, limits: wgpu::Limits, options: GpuOptions) -> Result<Gpu> {
        pollster::block_on(self.open_with_async(features, limits, options))
    }
}

impl Gpu {
    /// The best hardware adapter of this machine: discrete, then integrated.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if there is none; a software adapter must be asked for by name.
    pub fn new() -> Result<Self> {
        let adapters = Adapter::all();
        match adapters.iter().find(|adapter| !adapter.is_software()) {
            Some(adapter) => adapter.open(),
            None => Err(no_device("gpu", &adapters)),
        }
    }

    /// The adapter whose name contains this text, whatever its case.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if there is none.
    pub fn named(name: &str) -> Result<Self> {
        let adapters = Adapter::all();
        let wanted = name.to_lowercase();
        match adapters.iter().find(|adapter| adapter.info().name.to_lowercase().contains(&wanted)) {
            Some(adapter) => adapter.open(),
            None => Err(no_device(name, &adapters)),
        }
    }

    /// Runs what creates objects, and gives what the driver complains of as an error.
    pub(super) fn guarded<T>(&self, make: impl FnOnce() -> Result<T>) -> Result<T> {
        let (made, errors) = self.scoped(make);
        match pollster::block_on(errors) {
            Some(error) => Err(self.refused(error.to_string())),
            None => made,
        }
    }

    /// Whether the device is gone.
    pub(super) fn is_lost(&self) -> bool {
        pollster::block_on(self.probe()).is_some()
    }

    /// Submits commands.
    pub(super) fn submit(&self, commands: wgpu::CommandBuffer) {
        self.count_submission();
        if worker::is_here() {
            // A callback of the application that panics in there must not end what others wait for.
            let _ = catch_unwind(AssertUnwindSafe(|| self.queue().submit([commands])));
        } else {
            self.queue().submit([commands]);
        }
    }

    /// Begins this on the device's own thread, and gives what it asks for. `last` is that of the plan whose memory it uses.
    pub(super) async fn read_later(
        &self,
        last: &Last,
        begin: impl FnOnce() -> Result<Vec<Mapping>> + Send + 'static,
    ) -> Result<Vec<Vec<f32>>> {
        let promise = {
            let mut worker = self.worker();
            let worker = match &mut *worker {
                Some(worker) => worker,
                none => none.insert(Worker::start(self.device().clone()).map_err(|error| {
                    let reason = format!("no thread to serve it: {error}");
                    Error::Device { device: self.name().to_owned(), reason }
                })?),
            };
            let boxed = |mapping| Box::new(mapping) as Box<dyn Arriving>;
            worker.take(move || Ok(begin()?.into_iter().map(boxed).collect()))
        };
        last.follow(promise).await
    }

    /// Blocks until the device has done what was submitted.
    pub(super) fn wait(&self) -> Result<()> {
        self.device().poll(wgpu::PollType::wait_indefinitely()).map_err(|error| self.lost(error.to_string()))?;
        self.check()
    }
}

/// The error for a name that no adapter has.
fn no_device(name: &str, adapters: &[Adapter]) -> Error {
    let names: Vec<String> = adapters.iter().map(|adapter| adapter.info().name).collect();
    let reason = match (names.as_slice(), adapters.iter().all(Adapter::is_software)) {
        ([], _) => "no driver offers an adapter; use the CPU (--device cpu)".to_owned(),
        (_, true) => format!("there is only software: {}; name it to use it, or use the CPU", names.join(", ")),
        _ => format!("there is {}", names.join(", ")),
    };
    Error::NoDevice { wish: name.to_owned(), reason }
}
