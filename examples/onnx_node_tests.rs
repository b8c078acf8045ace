//! Reads ONNX models and compares what they compute with what they should.
//!
//! `cargo run --release --features import,onnx --example onnx_node_tests -- FOLDER [DEVICE] [NAME=SIZE ...]`
//!
//! Each folder within `FOLDER` is a case: `model.onnx`, and `tensors.npz` with f32 numbers for each input and output,
//! `input_0`, …, `output_0`, …. `tests/onnx/node_tests.py` writes those that the Python package `onnx` has,
//! `tests/onnx/exports.py` what other programs export. A size is given to dimensions that only have a name in the file.
//! `DEVICE` is `cpu`, `gpu`, or a part of an adapter's name: `llvmpipe` is the software driver of Mesa.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use vultus::onnx::{Import, Imported, read};
use vultus::weights::Catalog;
use vultus::{Device, Error, Options, Parameters, Tensor};

/// Of numbers around 1: sums of f32 in another order. Larger ones may differ by as much of their size.
const TOLERANCE: f32 = 1e-4;

/// What became of a case.
enum Verdict {
    /// It computes what it should, up to this difference.
    Passed(f32),
    Unsupported(Vec<String>),
    Failed(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Some(folder) = arguments.first() else {
        eprintln!("name a folder of cases");
        return ExitCode::FAILURE;
    };
    let size =
        |text: &String| text.split_once('=').and_then(|(name, size)| Some((name.to_owned(), size.parse().ok()?)));
    let import = Import { dimensions: arguments[1..].iter().filter_map(size).collect(), ..Import::default() };
    let name = arguments[1..].iter().find(|text| !text.contains('='));
    let device = match Device::named(name.map_or("cpu", String::as_str)) {
        Ok(device) => device,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    let mut cases: Vec<PathBuf> = fs::read_dir(folder).into_iter().flatten().flatten().map(|e| e.path()).collect();
    cases.retain(|case| case.join("model.onnx").is_file());
    cases.sort();
    report(&cases, &device, &import)
}

/// Runs all cases and prints what became of them.
fn report(cases: &[PathBuf], device: &Device, import: &Import) -> ExitCode {
    let (mut passed, mut failed, mut furthest) = (0, 0, 0f32);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for case in cases {
        let name = case.file_name().unwrap_or_default().to_string_lossy();
        match run(case, device, import) {
            Verdict::Passed(distance) => {
                passed += 1;
                furthest = furthest.max(distance);
                println!("passed       {name}: off by {distance:.1e}");
            }
            Verdict::Unsupported(operators) => {
                println!("unsupported  {name}: {}", operators.join(", "));
                operators.into_iter().for_each(|operator| *reasons.entry(operator).or_default() += 1);
            }
            Verdict::Failed(reason) => {
                failed += 1;
                println!("FAILED       {name}: {reason}");
            }
        }
    }
    println!();
    reasons.iter().for_each(|(reason, count)| println!("{count:5}  {reason}"));
    let unsupported = cases.len() - passed - failed;
    println!(
        "{passed} passed (off by {furthest:.1e} at most), {failed} failed, {unsupported} are not supported on {device}"
    );
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn run(case: &Path, device: &Device, import: &Import) -> Verdict {
    let found = match read(&case.join("model.onnx"), import) {
        Ok(read) => judge(case, device, &read),
        Err(Error::Unsupported { operators, .. }) => {
            return Verdict::Unsupported(operators.into_iter().map(|(operator, _)| operator).collect());
        }
        Err(error) => Err(error.to_string()),
    };
    match found {
        Ok(distance) => Verdict::Passed(distance),
        Err(reason) => Verdict::Failed(reason),
    }
}

/// The largest difference between what the network gives for the case's inputs and its outputs.
fn judge(case: &Path, device: &Device, read: &Imported) -> Result<f32, String> {
    let path = case.join("tensors.npz");
    let tensors =
        Catalog::open(&path).and_then(|catalog| catalog.read()).map_err(|error| error.to_string())?.parameters;
    compare(&tensors, &compute(&tensors, device, read)?)
}

/// What the network gives for the inputs.
fn compute(tensors: &Parameters, device: &Device, read: &Imported) -> Result<Vec<Tensor>, String> {
    let mut inputs = Vec::new();
    for index in 0..read.network.inputs().len() {
        let input = given(tensors, "input", index)?;
        let mut shape = input.shape().to_vec();
        if !read.has_batch {
            shape.insert(0, 1);
        }
        inputs.push(input.clone().reshape(shape).map_err(|error| error.to_string())?);
    }
    let batch = inputs.first().and_then(|input| input.shape().first().copied()).unwrap_or(1);
    let run = || device.load(&read.network, &read.parameters)?.compile(batch, &Options::default())?.run_all(&inputs);
    let outputs = run().map_err(|error| error.to_string())?;
    let plain = |output: Tensor| {
        let shape = output.shape()[usize::from(!read.has_batch)..].to_vec();
        output.reshape(shape)
    };
    outputs.into_iter().map(plain).collect::<vultus::Result<_>>().map_err(|error| error.to_string())
}

/// The largest difference from what the outputs should be.
fn compare(tensors: &Parameters, outputs: &[Tensor]) -> Result<f32, String> {
    let mut furthest = 0f32;
    for (index, output) in outputs.iter().enumerate() {
        let wanted = given(tensors, "output", index)?;
        if output.shape() != wanted.shape() {
            let (found, wanted) = (output.shape(), wanted.shape());
            return Err(format!("output {index} has the shape {found:?} instead of {wanted:?}"));
        }
        for (place, (&found, &wanted)) in output.data().iter().zip(wanted.data()).enumerate() {
            let distance = if found == wanted { 0.0 } else { (found - wanted).abs() / wanted.abs().max(1.0) };
            let fits = distance <= TOLERANCE || found.is_nan() && wanted.is_nan();
            if !fits {
                return Err(format!("output {index} has {found} instead of {wanted} at {place}"));
            }
            furthest = furthest.max(distance);
        }
    }
    Ok(furthest)
}

/// An input or an output of the case.
fn given<'t>(tensors: &'t Parameters, kind: &str, index: usize) -> Result<&'t Tensor, String> {
    let name = format!("{kind}_{index}");
    tensors.get(&name).ok_or_else(|| format!("the case has no {name}"))
}
