//! The adapters that this machine has.

use super::device::{Gpu, GpuOptions, MATRIX_UNITS};
use crate::error::{Error, Result};

/// An adapter that this machine has.
///
/// ```no_run
/// use vultus::gpu::Adapter;
///
/// let adapters = Adapter::all();
/// if let Some(adapter) = adapters.iter().find(|adapter| !adapter.is_software()) {
///     println!("bindings of up to {} bytes", adapter.limits().max_storage_buffer_binding_size);
///     let device = vultus::Device::Gpu(adapter.open()?);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Adapter {
    adapter: wgpu::Adapter,
}

/// What keeps matrix units from being used.
const SWITCH: &str = "VULTUS_MATRIX_UNITS";

/// The invocations of a subgroup, of which the kernels for matrix units count four in a workgroup.
const SUBGROUP: u32 = 32;

/// Whether matrix units multiply as the kernels ask them to.
fn is_usable(units: &wgpu::CooperativeMatrixProperties) -> bool {
    use wgpu::CooperativeScalarType::{F16, F32};
    [units.m_size, units.n_size, units.k_size] == [16; 3] && (units.ab_type, units.cr_type) == (F16, F32)
}

/// wgpu's leave to use matrix units, which it calls experimental, where they are among these features. There is none for
/// other such features, so that wgpu refuses them.
fn experimental(features: wgpu::Features) -> wgpu::ExperimentalFeatures {
    let experimental = features & wgpu::Features::all_experimental_mask();
    if experimental != wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX {
        return wgpu::ExperimentalFeatures::disabled();
    }
    // SAFETY: wgpu asks to acknowledge that such a feature may have faults. What is compiled with it are the engine's own
    // kernels only, for products of the sizes and types that the adapter reports, in subgroups of the size that they are
    // written for; each is compared with an ordinary kernel before its first use.
    unsafe { wgpu::ExperimentalFeatures::enabled() }
}

impl Adapter {
    /// All adapters that the drivers offer, the best first: discrete, integrated, virtual, other, software. A browser
    /// offers one, or none.
    ///
    /// ```no_run
    /// use vultus::gpu::Adapter;
    ///
    /// # async fn in_a_browser() -> vultus::Result<()> {
    /// let device = match Adapter::all_async().await.first() {
    ///     Some(adapter) => vultus::Device::Gpu(adapter.open_async().await?),
    ///     None => vultus::Device::Cpu,
    /// };
    /// # Ok(())
    /// # }
    /// ```
    pub async fn all_async() -> Vec<Adapter> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::PRIMARY;
        let instance = wgpu::Instance::new(descriptor);
        let adapters = instance.enumerate_adapters(wgpu::Backends::PRIMARY).await;
        let mut adapters: Vec<Adapter> = adapters.into_iter().map(|adapter| Adapter { adapter }).collect();
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

    /// Whether it has matrix units (tensor cores) that the engine can use: for products of 16×16×16 numbers in f16 with
    /// sums in f32, by subgroups of 32 invocations. wgpu counts them among its experimental features.
    ///
    /// ```no_run
    /// use vultus::gpu::Adapter;
    ///
    /// for adapter in Adapter::all() {
    ///     println!("{}: {}", adapter.info().name, adapter.has_matrix_units());
    /// }
    /// ```
    pub fn has_matrix_units(&self) -> bool {
        let info = self.info();
        self.features().contains(MATRIX_UNITS)
            && [info.subgroup_min_size, info.subgroup_max_size] == [SUBGROUP; 2]
            && self.adapter.cooperative_matrix_properties().iter().any(is_usable)
    }

    /// A device on this adapter, with the optional features and the buffer sizes that the engine can use. Its matrix units
    /// are left alone where the environment variable `VULTUS_MATRIX_UNITS` is `off`.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if the driver refuses.
    pub async fn open_async(&self) -> Result<Gpu> {
        let available = self.adapter.limits();
        let wanted = wgpu::Limits {
            max_buffer_size: available.max_buffer_size,
            max_storage_buffer_binding_size: available.max_storage_buffer_binding_size,
            ..wgpu::Limits::default().or_worse_values_from(&available)
        };
        let matrix_units = self.has_matrix_units() && std::env::var_os(SWITCH).is_none_or(|value| value != "off");
        let mut useful = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE;
        useful.set(MATRIX_UNITS, matrix_units);
        let options = GpuOptions { matrix_units, ..GpuOptions::default() };
        self.open_with_async(self.adapter.features() & useful, wanted, options).await
    }

    pub(super) async fn open_with_async(
        &self,
        features: wgpu::Features,
        limits: wgpu::Limits,
        options: GpuOptions,
    ) -> Result<Gpu> {
        let name = self.info().name;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("vultus"),
            required_features: features,
            required_limits: limits,
            experimental_features: experimental(features),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = (self.adapter.request_device(&descriptor).await)
            .map_err(|error| Error::NoDevice { wish: name, reason: error.to_string() })?;
        let options = GpuOptions { matrix_units: options.matrix_units && self.has_matrix_units(), ..options };
        let gpu = Gpu::with_options(device, queue, options);
        gpu.keep_errors();
        Ok(gpu)
    }
}
