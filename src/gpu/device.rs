//! The device: chosen here, or the embedding application's own.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use super::cache::Cache;
use super::finish::Finish;
use super::kernel::{Access, Variant};
use super::precision::Precision;
use super::speed::{self, Speed};
use super::tuning::{Tuned, Tuning};
#[cfg(not(target_family = "wasm"))]
use super::worker::Worker;
use crate::error::{Error, Result};
use crate::parallel::*;

/// How many objects the engine has created on a device.
///
/// ```no_run
/// use vultus::gpu::Gpu;
/// use vultus::nn::light;
/// use vultus::{Device, Options, Tensor};
///
/// let (gpu, network) = (Gpu::new()?, light::network(48, 0.0, 7));
/// let model = Device::Gpu(gpu.clone()).load(&network, &network.initialize(1)?)?;
/// let mut plan = model.compile(1, &Options::default())?;
/// let input = Tensor::zeros([1, 3, 48, 48]);
/// plan.run(&input)?;
/// let counts = gpu.counts();
/// // Nothing more is made for further runs.
/// plan.run(&input)?;
/// assert_eq!(gpu.counts(), counts);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[doc(hidden)]
pub struct Counts {
    /// Buffers created so far.
    pub buffers: u64,
    /// Bind groups created so far.
    pub bind_groups: u64,
    /// Pipelines created so far.
    pub pipelines: u64,
}

/// How work on a device is cut into pieces.
///
/// ```no_run
/// use vultus::gpu::{Gpu, GpuOptions};
/// use vultus::wgpu;
///
/// # fn embed(device: &wgpu::Device, queue: &wgpu::Queue) {
/// // For a slow GPU that also draws: smaller pieces leave it time between them.
/// let options = GpuOptions { flops_per_submit: Some(2_000_000_000), ..GpuOptions::default() };
/// let gpu = Gpu::with_options(device.clone(), queue.clone(), options);
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GpuOptions {
    /// Floating-point operations per submission, so that no driver's watchdog takes a slow GPU for a hung one, and others
    /// get their turn. `None`: as many as take the device some tens of milliseconds, as far as it was seen at work, and
    /// few at first. Another number also cuts the work of single layers elsewhere, which in training may round sums in
    /// another way.
    pub flops_per_submit: Option<u64>,
    /// The most bytes that one binding is made for; less than the device's limit to try out small devices.
    pub max_binding: u64,
    /// Whether the built-in shaders check every index and bound every loop, as those of [`Gpu::replace_shader`] always
    /// do. They stay within their buffers without that, and are faster.
    pub runtime_checks: bool,
    /// Whether the device's matrix units may be used, for [`Precision::F16`](crate::Precision::F16) and
    /// [`Precision::Split`](crate::Precision::Split). The device must have been requested with
    /// `EXPERIMENTAL_COOPERATIVE_MATRIX` and `SHADER_F16` from an adapter that
    /// [has such units](super::Adapter::has_matrix_units); without these features there are none to use.
    pub matrix_units: bool,
}

impl Default for GpuOptions {
    fn default() -> Self {
        GpuOptions { flops_per_submit: None, max_binding: u64::MAX, runtime_checks: false, matrix_units: false }
    }
}

/// The features that a device needs for its matrix units to be used.
pub(super) const MATRIX_UNITS: wgpu::Features =
    wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX.union(wgpu::Features::SHADER_F16);

/// A GPU. Clones are cheap and stand for the same device.
///
/// ```no_run
/// use vultus::gpu::Gpu;
///
/// let gpu = Gpu::named("radeon")?;
/// println!("{}, driver {}", gpu.name(), gpu.info().driver);
/// let (device, before) = (vultus::Device::Gpu(gpu.clone()), gpu.bytes_in_use());
/// let picture = device.upload(&[0; 3 * 640 * 480], 640, 480)?;
/// println!("the picture takes {} bytes there", gpu.bytes_in_use() - before);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone)]
pub struct Gpu {
    shared: Arc<Shared>,
}

struct Shared {
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    limits: wgpu::Limits,
    options: GpuOptions,
    pipelines: Mutex<HashMap<(&'static str, Finish), Arc<Pipeline>>>,
    /// Shaders tried out in place of the built-in ones.
    shaders: Mutex<BTreeMap<String, String>>,
    /// Whether shaders stand in for matrix units.
    emulates_matrix_units: AtomicBool,
    /// Which kernels for matrix units have been compared with others on this device, and what was wrong.
    verdicts: Mutex<BTreeMap<&'static str, Option<String>>>,
    bytes: AtomicU64,
    buffers: AtomicU64,
    bind_groups: AtomicU64,
    made_pipelines: AtomicU64,
    cache: OnceLock<Cache>,
    /// `None` unless kernels are to be chosen by measurement.
    tuning: Mutex<Option<Tuning>>,
    /// What the driver complained of, where this library owns the device.
    complaint: Arc<Mutex<Option<Complaint>>>,
    speed: Speed,
    submissions: AtomicU64,
    /// Once something was awaited.
    #[cfg(not(target_family = "wasm"))]
    worker: Mutex<Option<Worker>>,
}

/// What a driver complains of.
pub(super) enum Complaint {
    Lost(String),
    Error(String),
}

pub(super) struct Pipeline {
    pub pipeline: wgpu::ComputePipeline,
    pub layout: wgpu::BindGroupLayout,
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu").field("name", &self.name()).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Gpu {
    /// The engine on a device that is already there: the embedding application's own. Handles of wgpu are cheap to
    /// clone. The device's callbacks stay the application's.
    ///
    /// ```no_run
    /// # fn embed(device: &wgpu::Device, queue: &wgpu::Queue) {
    /// let gpu = vultus::gpu::Gpu::from_device(device.clone(), queue.clone());
    /// # }
    /// ```
    pub fn from_device(device: wgpu::Device, queue: wgpu::Queue) -> Self {
        Self::with_options(device, queue, GpuOptions::default())
    }

    /// As [`Gpu::from_device`], with other options.
    pub fn with_options(device: wgpu::Device, queue: wgpu::Queue, options: GpuOptions) -> Self {
        let (info, limits) = (device.adapter_info(), device.limits());
        let shared = Shared {
            device,
            queue,
            info,
            limits,
            options,
            pipelines: Mutex::default(),
            shaders: Mutex::default(),
            emulates_matrix_units: AtomicBool::default(),
            verdicts: Mutex::default(),
            bytes: AtomicU64::new(0),
            buffers: AtomicU64::new(0),
            bind_groups: AtomicU64::new(0),
            made_pipelines: AtomicU64::new(0),
            cache: OnceLock::new(),
            tuning: Mutex::default(),
            complaint: Arc::default(),
            speed: Speed::default(),
            submissions: AtomicU64::new(0),
            #[cfg(not(target_family = "wasm"))]
            worker: Mutex::default(),
        };
        Gpu { shared: Arc::new(shared) }
    }

    /// The adapter's name.
    pub fn name(&self) -> &str {
        &self.shared.info.name
    }

    /// Name, driver and kind of the adapter.
    pub fn info(&self) -> &wgpu::AdapterInfo {
        &self.shared.info
    }

    /// Whether it is a driver that computes on the CPU.
    pub fn is_software(&self) -> bool {
        self.shared.info.device_type == wgpu::DeviceType::Cpu
    }

    /// The device.
    pub fn device(&self) -> &wgpu::Device {
        &self.shared.device
    }

    /// The queue.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.shared.queue
    }

    /// Bytes of the buffers that the engine holds on this device now.
    pub fn bytes_in_use(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// How many objects the engine has created on this device so far.
    #[doc(hidden)]
    pub fn counts(&self) -> Counts {
        Counts {
            buffers: self.shared.buffers.load(Ordering::Relaxed),
            bind_groups: self.shared.bind_groups.load(Ordering::Relaxed),
            pipelines: self.shared.made_pipelines.load(Ordering::Relaxed),
        }
    }

    /// From now on, kernels of plans are chosen by measurement: what is not in the table yet is measured when a plan
    /// with it is compiled, until this much time in all is spent; after that the rules choose. A candidate may win only
    /// if its result on the very shapes is that of the CPU.
    pub fn tune_within(&self, time: Duration) {
        let mut tuning = lock(&self.shared.tuning);
        let tuning = tuning.get_or_insert_with(|| Tuning {
            table: self.shared.cache.get().map(Cache::load_tuning).unwrap_or_default(),
            left: Duration::ZERO,
        });
        tuning.left = time;
    }

    /// What was measured so far, by operation and shapes.
    pub fn tuned(&self) -> BTreeMap<String, Tuned> {
        lock(&self.shared.tuning).as_ref().map(|tuning| tuning.table.clone()).unwrap_or_default()
    }

    /// The kernel that was measured to be the fastest.
    pub(super) fn fastest(&self, key: &str) -> Option<String> {
        lock(&self.shared.tuning).as_ref()?.table.get(key)?.kernel.clone()
    }

    /// The time that may still be spent with measuring.
    pub(crate) fn tuning_left(&self) -> Duration {
        lock(&self.shared.tuning).as_ref().map_or(Duration::ZERO, |tuning| tuning.left)
    }

    /// That time, of which none is left after that.
    pub(crate) fn take_tuning_time(&self) -> Duration {
        lock(&self.shared.tuning).as_mut().map_or(Duration::ZERO, |tuning| std::mem::take(&mut tuning.left))
    }

    /// Whether this is in the table.
    pub(crate) fn is_tuned(&self, key: &str) -> bool {
        lock(&self.shared.tuning).as_ref().is_some_and(|tuning| tuning.table.contains_key(key))
    }

    /// Keeps what was found out, and how much time is left.
    pub(crate) fn keep_tuned(&self, found: BTreeMap<String, Tuned>, left: Duration) {
        if let Some(tuning) = &mut *lock(&self.shared.tuning) {
            tuning.left = left;
            // What is true of shaders on trial is not true of the built-in ones.
            let is_true = !found.is_empty() && lock(&self.shared.shaders).is_empty();
            if let (true, Some(cache)) = (is_true, self.shared.cache.get()) {
                // Another process may have measured something else meanwhile.
                tuning.table.extend(cache.load_tuning());
                tuning.table.extend(found);
                cache.save_tuning(&tuning.table);
            } else {
                tuning.table.extend(found);
            }
        }
    }

    /// From now on pipelines are made of this text in place of a shader's own.
    pub(super) fn take_in_place_of(&self, shader: &str, wgsl: String) {
        lock(&self.shared.shaders).insert(shader.to_owned(), wgsl);
        self.forget_pipelines();
    }

    fn forget_pipelines(&self) {
        lock(&self.shared.pipelines).clear();
        lock(&self.shared.verdicts).clear();
    }

    /// Whether plans on this device may ask for [`Precision::F16`](crate::Precision::F16) and
    /// [`Precision::Split`](crate::Precision::Split).
    ///
    /// ```no_run
    /// use vultus::{Options, Precision};
    ///
    /// let gpu = vultus::gpu::Gpu::new()?;
    /// let precision = if gpu.has_matrix_units() { Precision::Split } else { Precision::F32 };
    /// let options = Options { precision, ..Options::default() };
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn has_matrix_units(&self) -> bool {
        self.uses_matrix_units() || self.shared.emulates_matrix_units.load(Ordering::Relaxed)
    }

    /// Whether kernels are compiled for the device's own matrix units.
    fn uses_matrix_units(&self) -> bool {
        let has = self.shared.options.matrix_units && self.shared.device.features().contains(MATRIX_UNITS);
        has && !self.shared.emulates_matrix_units.load(Ordering::Relaxed)
    }

    /// From now on shaders stand in for matrix units, whether the device has some or not: far slower, for tests of all that
    /// surrounds them.
    #[doc(hidden)]
    pub fn emulate_matrix_units(&self) {
        self.shared.emulates_matrix_units.store(true, Ordering::Relaxed);
        self.forget_pipelines();
    }

    /// The error for a precision that the device does not compute in.
    pub(crate) fn refused_precision(&self, precision: Precision, reason: impl Into<String>) -> Error {
        Error::Precision { device: self.name().to_owned(), precision: precision.name(), reason: reason.into() }
    }

    /// What was found out about a kernel for matrix units on this device: `None` if it was not compared yet, else what was
    /// wrong with it.
    pub(crate) fn verdict(&self, kernel: &str) -> Option<Option<String>> {
        lock(&self.shared.verdicts).get(kernel).cloned()
    }

    /// Keeps what was found out about a kernel.
    pub(crate) fn keep_verdict(&self, kernel: &'static str, wrong: Option<String>) {
        lock(&self.shared.verdicts).insert(kernel, wrong);
    }

    /// Opens the cache for these texts of all shaders, unless one is open.
    #[cfg(feature = "files")]
    pub(super) fn open_cache(
        &self,
        folder: &std::path::Path,
        shaders: impl Iterator<Item = &'static str>,
    ) -> Result<()> {
        if self.shared.cache.get().is_none() {
            let cache = Cache::open(&self.shared.device, &self.shared.info, folder, shaders)?;
            let _ = self.shared.cache.set(cache);
            if let (Some(cache), Some(tuning)) = (self.shared.cache.get(), &mut *lock(&self.shared.tuning)) {
                tuning.table.extend(cache.load_tuning());
            }
        }
        Ok(())
    }

    /// Floating-point operations of one dispatch: where work is cut does not depend on what was measured, so that sums are
    /// the same from run to run.
    pub(super) fn flops_per_dispatch(&self) -> u64 {
        self.shared.options.flops_per_submit.unwrap_or(speed::PER_DISPATCH)
    }

    /// Floating-point operations of the dispatches that are submitted together.
    pub(super) fn flops_per_submission(&self) -> u64 {
        // No watchdog minds a software adapter, which makes each submission wait for the one before.
        let least = if self.is_software() { speed::PER_DISPATCH } else { 0 };
        self.shared.options.flops_per_submit.unwrap_or_else(|| self.shared.speed.per_submission().max(least))
    }

    /// How fast the device was seen to be.
    pub(super) fn speed(&self) -> &Speed {
        &self.shared.speed
    }

    pub(super) fn count_submission(&self) {
        self.shared.submissions.fetch_add(1, Ordering::Relaxed);
    }

    /// How often the engine has given the device work so far.
    #[doc(hidden)]
    pub fn submissions(&self) -> u64 {
        self.shared.submissions.load(Ordering::Relaxed)
    }

    pub(super) fn limits(&self) -> &wgpu::Limits {
        &self.shared.limits
    }

    /// Bytes that one binding may have.
    pub(super) fn max_binding(&self) -> u64 {
        self.shared.limits.max_storage_buffer_binding_size.min(self.shared.options.max_binding)
    }

    /// A buffer, counted among the bytes in use for as long as it lives.
    pub(super) fn create_buffer(&self, label: &str, size: u64, usage: wgpu::BufferUsages) -> Result<CountedBuffer> {
        let limit = self.shared.limits.max_buffer_size;
        if size > limit {
            return Err(Error::Limit {
                what: label.to_owned(),
                needed: size,
                limit: "max_buffer_size",
                available: limit,
                advice: "take a smaller batch or input",
            });
        }
        let descriptor = wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        let buffer = self.shared.device.create_buffer(&descriptor);
        self.shared.buffers.fetch_add(1, Ordering::Relaxed);
        self.shared.bytes.fetch_add(size, Ordering::Relaxed);
        Ok(CountedBuffer { buffer, shared: self.shared.clone() })
    }

    pub(super) fn create_bind_group(
        &self,
        layout: &wgpu::BindGroupLayout,
        entries: &[wgpu::BindGroupEntry],
    ) -> wgpu::BindGroup {
        self.shared.bind_groups.fetch_add(1, Ordering::Relaxed);
        self.shared.device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries })
    }

    /// Runs this within error scopes; the first error that they have caught.
    pub(super) fn scoped<T, F: FnOnce() -> T>(
        &self,
        make: F,
    ) -> (T, impl Future<Output = Option<wgpu::Error>> + use<T, F>) {
        let scopes = [wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation, wgpu::ErrorFilter::Internal]
            .map(|filter| self.shared.device.push_error_scope(filter));
        let made = make();
        // All are popped, the last first, before anything returns: wgpu insists on that.
        let errors: Vec<_> = scopes.into_iter().rev().map(wgpu::ErrorScopeGuard::pop).collect();
        let first = async {
            let mut first = None;
            for error in errors {
                first = first.or(error.await);
            }
            first
        };
        (made, first)
    }

    /// The error for what the driver has refused; whatever a lost device is asked for, the loss is the reason.
    pub(super) fn refused(&self, reason: String) -> Error {
        if self.is_lost() { self.lost(reason) } else { Error::Device { device: self.name().to_owned(), reason } }
    }

    /// Asks for the smallest thing that every device can do, and what is wrong with that: a loss is told to the
    /// application's callback only, where the device is the application's.
    pub(super) fn probe(&self) -> impl Future<Output = Option<wgpu::Error>> + use<> {
        let scope = self.shared.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let usage = wgpu::BufferUsages::COPY_DST;
        let descriptor = wgpu::BufferDescriptor { label: Some("probe"), size: 4, usage, mapped_at_creation: false };
        self.shared.queue.write_buffer(&self.shared.device.create_buffer(&descriptor), 0, &[0; 4]);
        scope.pop()
    }

    pub(super) fn lost(&self, reason: impl Into<String>) -> Error {
        Error::DeviceLost { device: self.name().to_owned(), reason: reason.into() }
    }

    /// Who serves those who await something.
    #[cfg(not(target_family = "wasm"))]
    pub(super) fn worker(&self) -> MutexGuard<'_, Option<Worker>> {
        lock(&self.shared.worker)
    }

    /// What the driver has complained of and nobody was told yet.
    pub(super) fn complaint(&self) -> MutexGuard<'_, Option<Complaint>> {
        lock(&self.shared.complaint)
    }

    /// The error for that.
    pub(super) fn check(&self) -> Result<()> {
        let mut complaint = self.complaint();
        let reason = match &*complaint {
            None => return Ok(()),
            Some(Complaint::Lost(reason)) => return Err(self.lost(reason.clone())),
            Some(Complaint::Error(reason)) => reason.clone(),
        };
        // An error is told once; the lock must be free when the driver is asked what became of the device.
        *complaint = None;
        drop(complaint);
        Err(self.refused(reason))
    }

    /// On a device of our own: errors that come late are kept for the next call instead of ending the process.
    pub(super) fn keep_errors(&self) {
        let complaint = self.shared.complaint.clone();
        self.shared.device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            lock(&complaint).get_or_insert(Complaint::Error(error.to_string()));
        }));
        let complaint = self.shared.complaint.clone();
        self.shared.device.set_device_lost_callback(move |reason, message| {
            *lock(&complaint) = Some(Complaint::Lost(format!("{reason:?}: {message}")));
        });
    }

    /// Compiles those of these kernels that are not there yet, side by side, and keeps them for other processes.
    pub(super) fn prepare(&self, variants: &[Variant]) -> Result<()> {
        let missing: Vec<Variant> = {
            let pipelines = lock(&self.shared.pipelines);
            variants.iter().copied().filter(|variant| !pipelines.contains_key(&variant.key())).collect()
        };
        if missing.is_empty() {
            return Ok(());
        }
        missing.par_iter().try_for_each(|&variant| self.pipeline(variant).map(drop))?;
        if let Some(cache) = self.shared.cache.get() {
            cache.save_pipelines();
        }
        Ok(())
    }

    /// The pipeline of a kernel, compiled when it is first asked for.
    pub(super) fn pipeline(&self, variant: impl Into<Variant>) -> Result<Arc<Pipeline>> {
        let variant = variant.into();
        if let Some(pipeline) = lock(&self.shared.pipelines).get(&variant.key()) {
            return Ok(pipeline.clone());
        }
        let pipeline = Arc::new(self.create_pipeline(variant)?);
        lock(&self.shared.pipelines).insert(variant.key(), pipeline.clone());
        Ok(pipeline)
    }

    fn create_pipeline(&self, variant: Variant) -> Result<Pipeline> {
        let device = &self.shared.device;
        let (kernel, constants) = (variant.kernel, variant.constants());
        let replaced = lock(&self.shared.shaders).get(kernel.shader).cloned();
        self.guarded(|| {
            let checks = self.shared.options.runtime_checks;
            let module = super::module::create(device, kernel, replaced.as_deref(), checks, self.uses_matrix_units());
            let entries: Vec<_> = std::iter::once((0, wgpu::BufferBindingType::Uniform))
                .chain(
                    kernel
                        .bindings
                        .iter()
                        .zip(1..)
                        .filter_map(|(access, binding)| Some((binding, binding_type(*access)?))),
                )
                .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                    binding,
                    visibility: wgpu::ShaderStages::COMPUTE,
                    ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
                    count: None,
                })
                .collect();
            let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
                label: Some(kernel.name),
                entries: &entries,
            });
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(kernel.name),
                bind_group_layouts: &[Some(&layout)],
                immediate_size: 0,
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(kernel.name),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some(kernel.entry),
                compilation_options: wgpu::PipelineCompilationOptions {
                    constants: &constants,
                    // Workgroup memory is always written before it is read.
                    zero_initialize_workgroup_memory: false,
                },
                cache: self.shared.cache.get().and_then(Cache::pipelines),
            });
            self.shared.made_pipelines.fetch_add(1, Ordering::Relaxed);
            Ok(Pipeline { pipeline, layout })
        })
    }
}

fn binding_type(access: Access) -> Option<wgpu::BufferBindingType> {
    match access {
        Access::Read => Some(wgpu::BufferBindingType::Storage { read_only: true }),
        Access::Write => Some(wgpu::BufferBindingType::Storage { read_only: false }),
        Access::State => Some(wgpu::BufferBindingType::Uniform),
        Access::Unused => None,
    }
}

/// A buffer whose bytes are counted while it lives.
pub(super) struct CountedBuffer {
    buffer: wgpu::Buffer,
    shared: Arc<Shared>,
}

impl std::ops::Deref for CountedBuffer {
    type Target = wgpu::Buffer;

    fn deref(&self) -> &wgpu::Buffer {
        &self.buffer
    }
}

impl Drop for CountedBuffer {
    fn drop(&mut self) {
        self.shared.bytes.fetch_sub(self.buffer.size(), Ordering::Relaxed);
    }
}
