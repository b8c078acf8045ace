//! `vultus weights verify`: whether a file is VGG16's, and what of it matched.

use std::io::Write;
use std::path::PathBuf;

use vultus::weights::{Catalog, Vgg16};

use super::{describe, dimensions, preprocessing_name};
use crate::cli::failure::Failure;
use crate::cli::table::{Align, Table, widest};

/// Say whether a file holds VGG16, which of its tensors are which of the network's, and which are none
///
/// All numbers are read, and must be finite.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus weights verify vgg16_weights_tf_dim_ordering_tf_kernels.h5
  vultus weights verify vgg16.pth --sha256 397923af
  vultus weights verify vgg16.npz --against vgg16.pth

Exit status: 0 if the file is VGG16's and whole, and as it was asked for; 1 if not.")]
pub struct Arguments {
    /// The file
    file: PathBuf,
    /// What the file's SHA-256 must begin with
    #[arg(long, value_name = "HEX")]
    sha256: Option<String>,
    /// Another file, of any format, that must hold the same numbers
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
}

/// Verifies the file.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let catalog = Catalog::open(&arguments.file)?;
    let sum = catalog.sha256()?;
    if let Some(wanted) = &arguments.sha256
        && !sum.starts_with(&wanted.to_lowercase())
    {
        let file = arguments.file.display();
        return Err(Failure::Failed(format!("{file}: its SHA-256 is {sum}, not {wanted}…: get the file again")));
    }
    let vgg16 = Vgg16::find(&catalog).map_err(|error| match catalog.metadata().contains_key("classes") {
        true => Failure::Failed(format!("{error}: this is a trained model, for --model of other commands")),
        false => error.into(),
    })?;
    writeln!(out, "{}", describe(&vgg16, &catalog, &arguments.file))?;
    writeln!(out, "SHA-256 {sum}")?;
    writeln!(out, "preprocessing: {}\n", preprocessing_name(vgg16.preprocessing()?.as_ref()))?;
    matched(&vgg16, out)?;
    for entry in vgg16.unused() {
        writeln!(out, "not VGG16's: {} {} {}", entry.name, entry.dtype, dimensions(&entry.shape))?;
    }
    let parameters = vgg16.parameters()?;
    let values: usize = parameters.values().map(vultus::Tensor::len).sum();
    writeln!(out, "\nall {values} values are finite")?;
    let Some(other) = &arguments.against else { return Ok(()) };

    let catalog = Catalog::open(other)?;
    let others = Vgg16::find(&catalog)?.parameters()?;
    let mut largest = (0.0f32, "");
    for (name, tensor) in &parameters {
        let Some(theirs) = others.get(name).filter(|theirs| theirs.shape() == tensor.shape()) else {
            let reason = format!("{} has no {name} of the shape {:?}", other.display(), tensor.shape());
            return Err(Failure::Failed(reason));
        };
        let differences = tensor.data().iter().zip(theirs.data()).map(|(a, b)| (a - b).abs());
        let difference = differences.fold(0.0, f32::max);
        if difference > largest.0 {
            largest = (difference, name);
        }
    }
    if let Some(name) = others.keys().find(|name| !parameters.contains_key(*name)) {
        return Err(Failure::Failed(format!("{} has no {name}", arguments.file.display())));
    }
    match largest {
        (0.0, _) => Ok(writeln!(out, "{} holds the same numbers", other.display())?),
        (by, name) => Err(Failure::Failed(format!("{} differs, the most in {name}: by {by:e}", other.display()))),
    }
}

/// The table of what matched.
fn matched(vgg16: &Vgg16, out: &mut dyn Write) -> Result<(), Failure> {
    let rows: Vec<[String; 5]> = (vgg16.matches().iter())
        .map(|found| {
            let note = if found.is_reordered() { "put in order" } else { "" };
            let shape = dimensions(&found.shape);
            [found.name.clone(), shape, found.entry.name.clone(), found.entry.dtype.to_string(), note.to_owned()]
        })
        .collect();
    let width = |column: usize| widest(rows.iter().map(|row| row[column].as_str()));
    let table = Table::new([
        ("VGG16's tensor", Align::Left, width(0)),
        ("shape", Align::Left, width(1)),
        ("the file's", Align::Left, width(2)),
        ("type", Align::Left, width(3)),
        ("", Align::Left, width(4)),
    ]);
    table.head(out)?;
    rows.into_iter().try_for_each(|row| table.row(out, row))?;
    Ok(())
}
