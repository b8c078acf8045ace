//! The options that every command has.

use std::path::PathBuf;
use std::time::Duration;

use clap::builder::NonEmptyStringValueParser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vultus::gpu::Gpu;
use vultus::weights::{Catalog, DefaultFile, Format, Store, Vgg16, WeightFile};
use vultus::{Device, Error};

use super::failure::say;

/// The time that a process may spend with measuring kernels, unless it is there for that.
const TUNING: Duration = Duration::from_secs(2);

/// Where compiled and measured kernels are kept: `$VULTUS_CACHE`, else in the user's folder for such things.
pub fn cache_folder() -> Option<PathBuf> {
    match std::env::var_os("VULTUS_CACHE") {
        Some(folder) if folder.is_empty() => None,
        Some(folder) => Some(folder.into()),
        None => dirs::cache_dir().map(|folder| folder.join("vultus")),
    }
}

/// The options that every command has.
#[derive(Clone, clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Where to compute: cpu, gpu (the best hardware adapter) or a part of an adapter's name [default: the best, but the
    /// CPU where predict is given one picture, which is sooner done than a GPU is started]
    #[arg(long, global = true, value_name = "cpu|gpu|NAME", value_parser = NonEmptyStringValueParser::new())]
    pub device: Option<String>,
    /// A folder of weights to use instead of the embedded ones, or a .safetensors file of VGG16 with torchvision's
    /// names
    #[arg(long, global = true, value_name = "PATH")]
    pub weights: Option<PathBuf>,
    /// Choose the GPU's kernels by rules, not by measurement
    #[arg(long, global = true)]
    pub no_tune: bool,
    /// Say nothing on standard error except failures
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl Global {
    /// The device that is asked for, else the best one. Says which.
    pub fn device(&self) -> Result<Device, Error> {
        let device = self.device.as_deref().map_or_else(|| Ok(Device::best()), Device::named)?;
        self.note(&format!("device: {device}"));
        if let Device::Gpu(gpu) = &device {
            self.prepare(gpu);
        }
        Ok(device)
    }

    /// The same, opened while this is done, which needs no device: some drivers take half a second to start.
    pub fn device_beside<T, E: From<Error>>(&self, work: impl FnOnce() -> Result<T, E>) -> Result<(Device, T), E> {
        std::thread::scope(|scope| {
            let device = scope.spawn(|| self.device());
            let done = work();
            let device = device.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            // What is wrong with the device is said first.
            Ok((device?, done?))
        })
    }

    /// The processor, for so little that it is sooner done than a GPU is started. Says so.
    pub fn processor_for_little(&self) -> Device {
        self.note("device: CPU (sooner done with so little than a GPU is started; --device gpu takes a GPU)");
        Device::Cpu
    }

    /// Lets a GPU use what earlier processes have compiled and measured, and measure what they have not.
    fn prepare(&self, gpu: &Gpu) {
        // Without a cache everything works, only later.
        if let Some(Err(error)) = cache_folder().map(|folder| gpu.cache_in(&folder)) {
            self.note(&format!("no cache: {error}"));
        }
        if !self.no_tune {
            // A software adapter would spend that on a few layers.
            gpu.tune_within(if gpu.is_software() { Duration::ZERO } else { TUNING });
        }
    }

    /// Says something that is not a result, unless it is to be quiet.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            say(line);
        }
    }

    /// A bar on standard error for something that takes this many steps, unless it is to be quiet.
    pub fn progress(&self, what: &'static str, steps: usize) -> ProgressBar {
        let target = if self.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(steps as u64), target).with_prefix(what);
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {per_sec} {eta} left {msg}");
        bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
    }

    /// Where the weights come from that are not VGG16's.
    pub fn store(&self) -> Result<Store, Error> {
        Store::open(self.weights.as_deref().filter(|path| !path.is_file()))
    }

    /// The file of VGG16 that `--weights` names, where it is a file.
    pub fn vgg16_file(&self) -> Result<Option<WeightFile>, Error> {
        let Some(path) = self.weights.as_deref().filter(|path| path.is_file()) else { return Ok(None) };
        let catalog = Catalog::open(path)?;
        let file = match catalog.format() {
            Format::Safetensors => catalog.read(),
            _ => Vgg16::find(&catalog)?.read(None),
        };
        file.map(Some)
    }

    /// The weights of VGG16's convolutional base.
    pub fn vgg16_base(&self) -> Result<WeightFile, Error> {
        match self.vgg16_file()? {
            Some(file) => file.with_prefix("features."),
            None => self.store()?.load(DefaultFile::Vgg16Base),
        }
    }
}
