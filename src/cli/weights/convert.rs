//! `vultus weights convert`: VGG16 from a file of any format into one that the program uses.

use std::io::Write;
use std::path::PathBuf;

use vultus::weights::safetensors;
use vultus::weights::{Catalog, Vgg16};

use super::describe;
use crate::cli::existing::refuse_input;
use crate::cli::failure::Failure;
use crate::cli::preprocess::Preprocess;
use crate::cli::stored::Stored;

/// Write VGG16 from a file of any format as safetensors, under torchvision's names and with its preprocessing
///
/// The result is for --weights of the other commands. Its metadata say what the network expects of its input; where the
/// file does not tell that by itself, --preprocess must.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus weights convert vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5 --out vgg16_base.safetensors --precision f16
  vultus weights convert vgg16.npz --preprocess torchvision --out vgg16.safetensors

Exit status: 1 if the file is not VGG16's or cannot be read; nothing is written then.")]
pub struct Arguments {
    /// The file
    file: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What the network expects of its input, where the file does not tell it
    #[arg(long)]
    preprocess: Option<Preprocess>,
    /// How the numbers are stored: f16 halves the file, i8 quarters it, both change them a little
    #[arg(long, default_value = "f32")]
    precision: Stored,
    /// Leave out tensors that belong to no layer of VGG16, which else are a reason to refuse the file
    #[arg(long)]
    ignore_others: bool,
}

/// Converts the file.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    refuse_input(&arguments.out, [arguments.file.as_path()])?;
    let catalog = Catalog::open(&arguments.file)?;
    let vgg16 = Vgg16::find(&catalog)?;
    if let Some((first, others)) = vgg16.unused().split_first()
        && !arguments.ignore_others
    {
        let (file, more) = (arguments.file.display(), others.len());
        let reason = format!("{file}, tensor {}: VGG16 has no such layer (and {more} tensors more)", first.name);
        return Err(Failure::Failed(format!("{reason}; --ignore-others leaves them out")));
    }
    let converted = vgg16.read(arguments.preprocess.map(Into::into))?;
    safetensors::write(&arguments.out, &converted.parameters, &converted.metadata, arguments.precision.into())?;
    writeln!(out, "{}", describe(&vgg16, &catalog, &arguments.file))?;
    writeln!(out, "{}: written", arguments.out.display())?;
    Ok(())
}
