//! Devices: a GPU, or this machine's processor.

use std::fmt;

use super::backend::{ModelMemory, PictureMemory};
use super::model::Model;
use super::picture::Picture;
use super::plan::{Options, Plan};
use crate::cpu::{self, CpuModel};
use crate::error::{Error, Result};
#[cfg(not(target_family = "wasm"))]
use crate::gpu::Adapter;
use crate::gpu::{Gpu, GpuModel, GpuPicture, Precision};
use crate::nn::Network;
use crate::ops::Op;
use crate::peak::Peak;
use crate::program::Program;
use crate::tensor::Parameters;

/// Where networks run.
///
/// ```
/// use vultus::ops::Activation;
/// use vultus::{Device, Options, Tensor};
///
/// // `Device::best()` takes a GPU where there is one.
/// let device = Device::Cpu;
/// assert!(device.gpu().is_none());
/// let mut relu = device.compile_op(&Activation::Relu.into(), &[&[1, 3]], &Options::default())?;
/// let outputs = relu.run(&Tensor::new([1, 3], vec![-1.0, 0.0, 2.0])?)?;
/// assert_eq!(outputs[0].data(), [0.0, 0.0, 2.0]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Device {
    /// This machine's processor, on all threads of rayon's pool (feature `parallel`), else on one.
    Cpu,
    /// A GPU.
    Gpu(Gpu),
}

/// What there is to compute on: found out by waiting for the drivers, which browsers do not allow. There
/// [`Adapter::all_async`] finds the GPU.
#[cfg(not(target_family = "wasm"))]
impl Device {
    /// The best device of this machine: a discrete GPU, then an integrated one, then the processor. A software adapter
    /// is slower than the processor's own backend and is never chosen here.
    ///
    /// ```no_run
    /// println!("computing on {}", vultus::Device::best());
    /// ```
    pub fn best() -> Self {
        Gpu::new().map_or(Device::Cpu, Device::Gpu)
    }

    /// The device that a user asks for: `cpu`, `gpu` (the best hardware adapter) or a part of an adapter's name.
    ///
    /// # Errors
    /// [`Error::NoDevice`] if there is none; it says what there is.
    ///
    /// ```
    /// assert_eq!(vultus::Device::named("cpu")?.to_string(), "CPU");
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn named(name: &str) -> Result<Self> {
        match name.to_lowercase().as_str() {
            "cpu" => Ok(Device::Cpu),
            "gpu" => Gpu::new().map(Device::Gpu),
            _ => Gpu::named(name).map(Device::Gpu),
        }
    }

    /// Why [`Device::best`] chooses what it chooses, in one sentence for each adapter.
    ///
    /// ```no_run
    /// use vultus::Device;
    /// use vultus::gpu::Adapter;
    ///
    /// for (adapter, why) in Adapter::all().iter().zip(Device::explain()) {
    ///     println!("{}: {why}", adapter.info().name);
    /// }
    /// ```
    pub fn explain() -> Vec<String> {
        let adapters = Adapter::all();
        let best = adapters.iter().position(|adapter| !adapter.is_software());
        let explain = |(i, adapter): (usize, &Adapter)| match (best == Some(i), adapter.is_software()) {
            (true, _) => "chosen: the best hardware adapter",
            (_, true) => "not chosen: software, slower than the CPU backend; name it to use it",
            _ => "not chosen: another adapter is discrete or comes first",
        };
        adapters.iter().enumerate().map(|adapter| explain(adapter).to_owned()).collect()
    }
}

impl Device {
    /// The GPU, where it is one.
    pub fn gpu(&self) -> Option<&Gpu> {
        match self {
            Device::Cpu => None,
            Device::Gpu(gpu) => Some(gpu),
        }
    }

    /// Refuses a precision that the device does not compute in, as plans do that ask for it.
    ///
    /// ```
    /// use vultus::{Device, Error, Precision};
    ///
    /// assert!(Device::Cpu.check_precision(Precision::F16Weights).is_ok());
    /// assert!(matches!(Device::Cpu.check_precision(Precision::Split), Err(Error::Precision { .. })));
    /// ```
    ///
    /// # Errors
    /// [`Error::Precision`], which says what is missing.
    pub fn check_precision(&self, precision: Precision) -> Result<()> {
        match self {
            Device::Cpu => precision.check_on_the_cpu(),
            Device::Gpu(gpu) => gpu.check_precision(precision),
        }
    }

    /// Puts a network's parameters on the device.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`] if a parameter is missing, [`Error::UnknownName`] if it is not one of the network's,
    /// [`Error::Shape`] if it has another shape; [`Error::Limit`] or [`Error::Device`] if the device cannot hold them.
    pub fn load(&self, network: &Network, parameters: &Parameters) -> Result<Model> {
        network.check_parameters(parameters)?;
        let memory = match self {
            Device::Cpu => ModelMemory::Cpu(CpuModel::new(parameters)),
            Device::Gpu(gpu) => ModelMemory::Gpu(gpu.clone(), GpuModel::new(gpu, parameters)?),
        };
        Ok(Model::new(network.clone(), memory))
    }

    /// A plan for one operation on inputs of these shapes: the same door that networks go through.
    ///
    /// # Errors
    /// [`Error::Shape`] if the operation does not accept such inputs; [`Error::InvalidArgument`] if one of its own
    /// values is out of range or an input or output cannot be bound; [`Error::UnknownName`] if there is no such kernel;
    /// [`Error::Limit`] or [`Error::Device`] if the device cannot run it.
    pub fn compile_op(&self, op: &Op, shapes: &[&[usize]], options: &Options) -> Result<Plan> {
        let program = Program::single(op.clone(), shapes)?;
        let none = Parameters::new();
        let memory = match self {
            Device::Cpu => ModelMemory::Cpu(CpuModel::new(&none)),
            Device::Gpu(gpu) => ModelMemory::Gpu(gpu.clone(), GpuModel::new(gpu, &none)?),
        };
        Plan::new(program, &memory, options)
    }

    /// Puts a picture on the device, to be cut from.
    ///
    /// # Errors
    /// [`Error::Shape`] if the bytes are not three for each of the pixels; [`Error::Limit`] if the device cannot hold
    /// it.
    pub fn upload(&self, rgb: &[u8], width: u32, height: u32) -> Result<Picture> {
        check_pixels(rgb.len(), "bytes", width, height)?;
        let memory = match self {
            Device::Cpu => PictureMemory::Cpu(rgb.to_vec()),
            Device::Gpu(gpu) => PictureMemory::Gpu(GpuPicture::upload(gpu, rgb, width)?),
        };
        Ok(Picture::new(width, height, memory))
    }

    /// As [`Device::upload`], with numbers of which 1 is what 255 is among bytes; they may be larger or below 0.
    ///
    /// # Errors
    /// As [`Device::upload`].
    ///
    /// ```
    /// use vultus::Device;
    ///
    /// let gray = Device::Cpu.upload_f32(&[0.5; 3 * 4 * 2], 4, 2)?;
    /// assert_eq!((gray.width(), gray.height()), (4, 2));
    /// # Ok::<(), vultus::Error>(())
    /// ```
    pub fn upload_f32(&self, rgb: &[f32], width: u32, height: u32) -> Result<Picture> {
        check_pixels(rgb.len(), "numbers", width, height)?;
        let memory = match self {
            Device::Cpu => PictureMemory::CpuFloats(rgb.to_vec()),
            Device::Gpu(gpu) => PictureMemory::Gpu(GpuPicture::upload_f32(gpu, rgb, width)?),
        };
        Ok(Picture::new(width, height, memory))
    }

    /// Measures what the device reaches at most; takes about a second and, for that time, two buffers of 128 MiB.
    ///
    /// # Errors
    /// [`Error::Device`] if the device has no room for the buffers; [`Error::DeviceLost`] if it is gone.
    pub fn peak(&self) -> Result<Peak> {
        match self {
            Device::Cpu => Ok(cpu::peak::measure()),
            Device::Gpu(gpu) => gpu.peak(),
        }
    }
}

/// Whether there are three numbers for each pixel of a picture.
fn check_pixels(count: usize, what: &str, width: u32, height: u32) -> Result<()> {
    if width > 0 && height > 0 && count as u64 == 3 * u64::from(width) * u64::from(height) {
        return Ok(());
    }
    Err(Error::shape("picture", format!("{count} {what} are not three for each of {width}×{height} pixels")))
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Device::Cpu => write!(f, "CPU"),
            Device::Gpu(gpu) => write!(f, "{} ({:?}, {})", gpu.name(), gpu.info().backend, gpu.info().driver),
        }
    }
}
