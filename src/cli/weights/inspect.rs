//! `vultus weights inspect`: names, types, shapes and ranges of a file's tensors.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use serde::Serialize;
use vultus::Error;
use vultus::weights::{Catalog, Dtype, Entry};

use super::dimensions;
use crate::cli::failure::Failure;
use crate::cli::table::{Align, Table, widest};

/// Say what is in a file of weights: names, types, shapes and ranges of its tensors, its checksum and metadata
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus weights inspect vgg16.pth
  vultus weights inspect model.onnx --json | jq -r '.tensors[].name'

Exit status: 1 also if numbers of a tensor are missing, NaN or infinite; all other tensors are listed.")]
pub struct Arguments {
    /// The file
    file: PathBuf,
    /// Print one JSON object: {"file", "format", "bytes", "sha256", "metadata", "tensors": [{"name", "type", "shape", "min",
    /// "max", "mean"}]}
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report<'a> {
    file: String,
    format: String,
    bytes: u64,
    sha256: String,
    metadata: &'a BTreeMap<String, String>,
    tensors: Vec<Row>,
}

/// One tensor.
#[derive(Serialize)]
struct Row {
    name: String,
    #[serde(rename = "type")]
    dtype: String,
    shape: Vec<usize>,
    #[serde(flatten)]
    range: Option<Range>,
}

/// The values of a tensor, where they can be read.
#[derive(Serialize)]
struct Range {
    min: f32,
    max: f32,
    mean: f64,
}

/// Inspects the file.
pub fn run(arguments: &Arguments, out: &mut dyn Write) -> Result<(), Failure> {
    let catalog = Catalog::open(&arguments.file)?;
    let mut damaged = Vec::new();
    let mut tensors = Vec::new();
    for entry in catalog.entries() {
        let range = match range(&catalog, entry) {
            Ok(range) => range,
            Err(error) => {
                damaged.push(error.to_string());
                None
            }
        };
        tensors.push(Row {
            name: entry.name.clone(),
            dtype: entry.dtype.to_string(),
            shape: entry.shape.clone(),
            range,
        });
    }
    let report = Report {
        file: arguments.file.display().to_string(),
        format: catalog.format().to_string(),
        bytes: catalog.bytes(),
        sha256: catalog.sha256()?.to_owned(),
        metadata: catalog.metadata(),
        tensors,
    };
    if arguments.json {
        writeln!(out, "{}", serde_json::to_string(&report)?)?
    } else {
        print(&report, out)?
    }
    match damaged.split_first() {
        None => Ok(()),
        Some((first, [])) => Err(Failure::Failed(first.clone())),
        Some((first, others)) => Err(Failure::Failed(format!("{first}; and {} tensors more", others.len()))),
    }
}

/// The range of a tensor's values. Types that no network here is made of have none.
fn range(catalog: &Catalog, entry: &Entry) -> Result<Option<Range>, Error> {
    let has_scale = || catalog.entry(&format!("{}.scale", entry.name)).is_some();
    if matches!(entry.dtype, Dtype::Other(_)) || entry.dtype == Dtype::I8 && !has_scale() {
        return Ok(None);
    }
    let tensor = catalog.tensor(entry)?;
    let values = tensor.data();
    Ok((!values.is_empty()).then(|| Range {
        min: values.iter().copied().fold(f32::INFINITY, f32::min),
        max: values.iter().copied().fold(f32::NEG_INFINITY, f32::max),
        mean: values.iter().map(|&value| f64::from(value)).sum::<f64>() / values.len() as f64,
    }))
}

fn print(report: &Report, out: &mut dyn Write) -> Result<(), Failure> {
    let values: usize = report.tensors.iter().map(|row| row.shape.iter().product::<usize>()).sum();
    let (file, format, count) = (&report.file, &report.format, report.tensors.len());
    writeln!(out, "{file}: {format}, {count} tensors, {values} values, {} bytes", report.bytes)?;
    writeln!(out, "SHA-256 {}", report.sha256)?;
    for (key, text) in report.metadata {
        let first: String = text.chars().take(100).map(|c| if c.is_control() { ' ' } else { c }).collect();
        writeln!(out, "{key}: {first}{}", if text.chars().count() > 100 { "…" } else { "" })?;
    }
    writeln!(out)?;
    let shapes: Vec<String> = report.tensors.iter().map(|row| dimensions(&row.shape)).collect();
    let table = Table::new([
        ("tensor", Align::Left, widest(report.tensors.iter().map(|row| row.name.as_str()))),
        ("type", Align::Left, widest(report.tensors.iter().map(|row| row.dtype.as_str()))),
        ("shape", Align::Left, widest(shapes.iter().map(String::as_str))),
        ("min", Align::Right, 9),
        ("max", Align::Right, 9),
        ("mean", Align::Right, 10),
    ]);
    table.head(out)?;
    for (row, shape) in report.tensors.iter().zip(shapes) {
        let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.5}"));
        let range = row.range.as_ref();
        let (min, max) = (range.map(|range| f64::from(range.min)), range.map(|range| f64::from(range.max)));
        let mean = number(range.map(|range| range.mean));
        table.row(out, [row.name.clone(), row.dtype.clone(), shape, number(min), number(max), mean])?;
    }
    Ok(())
}
