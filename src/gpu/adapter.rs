//! The adapters that this machine has.

use super::device::{Gpu, GpuOptions};
use crate::error::{Error, Result};

/// An adapter that this machine has.
#[derive(Clone, Debug)]
pub struct Adapter {
    adapter: wgpu::Adapter,
}

impl Adapter {
    /// All adapters that the drivers offer, the best first: discrete, integrated, virtual, other, software.
    pub fn all() -> Vec<Adapter> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::PRIMARY;
        let instance = wgpu::Instance::new(descriptor);
        let mut adapters: Vec<Adapter> = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::PRIMARY))
            .into_iter()
            .map(|adapter| Adapter { adapter })
            .collect();
        adapters.sort_by_key(Adapter::rank);
        adapters
    }

    fn rank(&self) -> u8 {
        match self.info().device_type {
            wgpu::DeviceType::DiscreteGpu => 0,
            wgpu::DeviceType::IntegratedGpu => 1,
            wgpu::DeviceType::VirtualGpu => 2,
            wgpu::DeviceType::Other => 3,
            wgpu::DeviceType::Cpu => 4,
        }
    }

    /// Name, driver and kind.
    pub fn info(&self) -> wgpu::AdapterInfo {
        self.adapter.get_info()
    }

    /// Its limits.
    pub fn limits(&self) -> wgpu::Limits {
        self.adapter.limits()
    }

    /// Its features.
    pub fn features(&self) -> wgpu::Features {
        self.adapter.features()
    }

    /// Whether it is a driver that computes on the CPU (llvmpipe, SwiftShader, WARP): slower than the CPU backend, and
    /// so taken only when it is named.
    pub fn is_software(&self) -> bool {
        self.info().device_type == wgpu::DeviceType::Cpu
    }

    /// A device on this adapter, with the optional features and the buffer sizes that the engine can use.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if the driver refuses.
    pub fn open(&self) -> Result<Gpu> {
        let available = self.adapter.limits();
        let wanted = wgpu::Limits {
            max_buffer_size: available.max_buffer_size,
            max_storage_buffer_binding_size: available.max_storage_buffer_binding_size,
            ..wgpu::Limits::default().or_worse_values_from(&available)
        };
        let useful = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE;
        self.open_with(self.adapter.features() & useful, wanted, GpuOptions::default())
    }

    /// A device with these features and limits only.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if the driver refuses.
    pub fn open_with(&self, features: wgpu::Features, limits: wgpu::Limits, options: GpuOptions) -> Result<Gpu> {
        let name = self.info().name;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("vultus"),
            required_features: features,
            required_limits: limits,
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = pollster::block_on(self.adapter.request_device(&descriptor))
            .map_err(|error| Error::NoDevice { wish: name, reason: error.to_string() })?;
        let gpu = Gpu::with_options(device, queue, options);
        gpu.keep_errors();
        Ok(gpu)
    }
}

/// The error for a wish that no adapter answers to.
pub(crate) fn no_device(wish: &str, adapters: &[Adapter]) -> Error {
    let names: Vec<String> = adapters.iter().map(|adapter| adapter.info().name).collect();
    let reason = match (names.as_slice(), adapters.iter().all(Adapter::is_software)) {
        ([], _) => "no driver offers an adapter; use the CPU (--device cpu)".to_owned(),
        (_, true) => format!("there is only software: {}; name it to use it, or use the CPU", names.join(", ")),
        _ => format!("there is {}", names.join(", ")),
    };
    Error::NoDevice { wish: wish.to_owned(), reason }
}
