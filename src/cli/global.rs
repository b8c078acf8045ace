//! The options that every command has.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use vultus::weights::{DefaultFile, Store, WeightFile, safetensors};
use vultus::{Device, Error};

use super::failure::say;

/// The options that every command has.
#[derive(clap::Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// Where to compute: cpu, gpu (the best hardware adapter) or a part of an adapter's name [default: the best]
    #[arg(long, global = true, value_name = "cpu|gpu|NAME", value_parser = NonEmptyStringValueParser::new())]
    pub device: Option<String>,
    /// A folder of weights to use instead of the embedded ones, or a .safetensors file of VGG16 with torchvision's
    /// names
    #[arg(long, global = true, value_name = "PATH")]
    pub weights: Option<PathBuf>,
    /// Say nothing on standard error except failures
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

impl Global {
    /// The device that is asked for, else the best one. Says which.
    pub fn device(&self) -> Result<Device, Error> {
        let device = self.device.as_deref().map_or_else(|| Ok(Device::best()), Device::named)?;
        self.note(&format!("device: {device}"));
        Ok(device)
    }

    /// Says something that is not a result, unless it is to be quiet.
    pub fn note(&self, line: &str) {
        if !self.quiet {
            say(line);
        }
    }

    /// Where the weights come from that are not VGG16's.
    pub fn store(&self) -> Result<Store, Error> {
        Store::open(self.weights.as_deref().filter(|path| !path.is_file()))
    }

    /// The file of VGG16 that `--weights` names, where it is a file.
    pub fn vgg16_file(&self) -> Result<Option<WeightFile>, Error> {
        let file = self.weights.as_deref().filter(|path| path.is_file());
        file.map(safetensors::read).transpose()
    }

    /// The weights of VGG16's convolutional base.
    pub fn vgg16_base(&self) -> Result<WeightFile, Error> {
        match self.vgg16_file()? {
            Some(file) => file.with_prefix("features."),
            None => self.store()?.load(DefaultFile::Vgg16Base),
        }
    }
}
