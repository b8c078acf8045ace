//! `vultus weights`: what is in a file of weights, and making one that the program uses.

mod convert;
mod inspect;
mod verify;

use std::io::Write;
use std::path::Path;

use clap::Subcommand;
use vultus::ops::Normalization;
use vultus::weights::{Catalog, Vgg16};

use super::failure::Failure;

/// Look into files of weights of other programs, and convert them
///
/// Reads safetensors, PyTorch (.pth, zip and legacy), NumPy (.npy, .npz), Keras (HDF5: .h5 and .weights.h5) and ONNX; formats are
/// told by what is in the file, not by its name. Nothing in a file is executed.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus weights inspect vgg16-397923af.pth
  vultus weights verify vgg16_weights_tf_dim_ordering_tf_kernels.h5
  vultus weights convert vgg16.onnx --preprocess caffe --precision f16 --out vgg16.safetensors
  vultus train faces --weights vgg16.safetensors --out head.safetensors")]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Inspect(inspect::Arguments),
    Convert(convert::Arguments),
    Verify(verify::Arguments),
}

/// Does what the arguments say.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    match &arguments.command {
        Command::Inspect(arguments) => inspect::run(arguments, out),
        Command::Convert(arguments) => convert::run(arguments, out),
        Command::Verify(arguments) => verify::run(arguments, out),
    }
}

/// What a known preprocessing is called.
fn preprocessing_name(known: Option<&Normalization>) -> String {
    match known {
        Some(known) if *known == Normalization::CAFFE => "caffe (BGR less the mean)".to_owned(),
        Some(known) if *known == Normalization::TORCHVISION => {
            "torchvision (RGB, mean and standard deviation)".to_owned()
        }
        Some(known) => format!("{:?} less {:?}, divided by {:?}", known.order, known.mean, known.std).to_lowercase(),
        None => "not told by the file".to_owned(),
    }
}

/// `[64, 3, 3, 3]` as `64×3×3×3`; a single number as `1`.
fn dimensions(shape: &[usize]) -> String {
    match shape {
        [] => "1".to_owned(),
        _ => shape.iter().map(usize::to_string).collect::<Vec<_>>().join("×"),
    }
}

/// VGG16 in the file, and in one line what it is.
fn describe(vgg16: &Vgg16, catalog: &Catalog, path: &Path) -> String {
    let classes = match vgg16.classes() {
        0 => "without dense layers".to_owned(),
        classes => format!("for {classes} classes"),
    };
    format!("{}: {}, VGG16 {classes}, {} tensors", path.display(), catalog.format(), vgg16.matches().len())
}
