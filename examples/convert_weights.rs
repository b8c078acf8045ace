//! Writes a file of weights or a trained model anew with numbers of another type: `cargo run --example convert_weights --
//! IN OUT f32|f16|i8|i8:LAYER,LAYER,... key=value ...`
//!
//! `i8:LAYER,...` stores the named layers in eight bits and the others in f16.
//!
//! OUT has the metadata of IN and the given pairs; `key=` leaves a key out. For each tensor the rounding's error is printed:
//! its root mean square relative to that of the tensor's values, and its largest magnitude relative to theirs. For f16
//! also the largest error relative to the value itself among its normal numbers, and the largest absolute error among
//! those below, which keep fewer bits.

use std::error::Error;
use std::path::Path;

use vultus::weights::safetensors::{Precision, read, write_mixed};
use vultus::{Parameters, Tensor};

/// The smallest normal number of f16.
const SMALLEST_NORMAL: f32 = 1.0 / 16384.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, precision, pairs @ ..] = arguments.as_slice() else {
        return Err("usage: convert_weights IN OUT f32|f16|i8|i8:LAYER,LAYER,... key=value ...".into());
    };
    let before = read(Path::new(from))?;
    let (precision, in_eight_bits) = stored(precision, &before.parameters)?;
    let of = |name: &str| if in_eight_bits.contains(&layer(name)) { Precision::I8 } else { precision };
    let mut metadata = before.metadata.clone();
    for pair in pairs {
        match pair.split_once('=').ok_or_else(|| format!("{pair:?} is not key=value"))? {
            (key, "") => drop(metadata.remove(key)),
            (key, value) => drop(metadata.insert(key.to_owned(), value.to_owned())),
        }
    }
    write_mixed(Path::new(to), &before.parameters, &metadata, of)?;
    let after = read(Path::new(to))?;
    let size = std::fs::metadata(to)?.len();
    println!("{to}: {} tensors, {size} bytes, SHA-256 {}", after.parameters.len(), after.sha256);
    report_tensors(&before.parameters, &after.parameters);
    if precision == Precision::F16 {
        let halves = |name: &String| !in_eight_bits.contains(&layer(name));
        report_normal_numbers(&before.parameters, &after.parameters, halves);
    }
    Ok(())
}

/// How numbers are stored, and the layers that are stored in eight bits instead.
fn stored<'a>(asked: &'a str, parameters: &Parameters) -> Result<(Precision, Vec<&'a str>), String> {
    let precision = match asked {
        "f32" => Precision::F32,
        "f16" => Precision::F16,
        "i8" => Precision::I8,
        _ => {
            let layers =
                asked.strip_prefix("i8:").ok_or_else(|| format!("{asked:?} is not f32, f16, i8 or i8:LAYER,..."))?;
            let layers: Vec<&str> = layers.split(',').collect();
            return match layers.iter().find(|wanted| !parameters.keys().any(|name| layer(name) == **wanted)) {
                Some(unknown) => Err(format!("there is no layer {unknown:?} in the file")),
                None => Ok((Precision::F16, layers)),
            };
        }
    };
    Ok((precision, Vec::new()))
}

/// `features.10` of `features.10.weight`.
fn layer(parameter: &str) -> &str {
    parameter.rsplit_once('.').map_or(parameter, |(layer, _)| layer)
}

fn report_tensors(before: &Parameters, after: &Parameters) {
    let width = before.keys().map(String::len).max().unwrap_or(0).max("tensor".len());
    println!("{:<width$} {:>10} {:>11} {:>11}", "tensor", "values", "RMS error", "largest");
    let line = |name: &str, values: usize, errors: Errors| {
        println!("{name:<width$} {values:>10} {:>11.3e} {:>11.3e}", errors.rms(), errors.largest());
    };
    let mut all = Errors::default();
    let mut count = 0;
    for (name, tensor) in before {
        let errors = Errors::between(tensor, &after[name]);
        line(name, tensor.len(), errors);
        all = all.and(errors);
        count += tensor.len();
    }
    line("all", count, all);
}

fn report_normal_numbers(before: &Parameters, after: &Parameters, halves: impl Fn(&String) -> bool) {
    let (mut relative, mut absolute, mut below) = (0f32, 0f32, 0usize);
    for (name, tensor) in before.iter().filter(|(name, _)| halves(name)) {
        for (&x, &rounded) in tensor.data().iter().zip(after[name].data()) {
            let error = (rounded - x).abs();
            if x.abs() >= SMALLEST_NORMAL {
                relative = relative.max(error / x.abs());
            } else {
                below += 1;
                absolute = absolute.max(error);
            }
        }
    }
    println!("largest relative error of the normal numbers {relative:.3e} (2^{:.2})", relative.log2());
    println!("{below} values below {SMALLEST_NORMAL:.2e}; largest absolute error of those {absolute:.3e}");
}

/// Errors and the values that they are relative to.
#[derive(Clone, Copy, Default)]
struct Errors {
    squares: f64,
    value_squares: f64,
    largest_error: f64,
    largest_value: f64,
}

impl Errors {
    fn between(before: &Tensor, after: &Tensor) -> Self {
        let pairs = before.data().iter().zip(after.data()).map(|(x, rounded)| (f64::from(*x), f64::from(*rounded)));
        pairs.fold(Errors::default(), |errors, (x, rounded)| {
            let error = rounded - x;
            errors.and(Errors {
                squares: error * error,
                value_squares: x * x,
                largest_error: error.abs(),
                largest_value: x.abs(),
            })
        })
    }

    fn and(self, other: Self) -> Self {
        Errors {
            squares: self.squares + other.squares,
            value_squares: self.value_squares + other.value_squares,
            largest_error: self.largest_error.max(other.largest_error),
            largest_value: self.largest_value.max(other.largest_value),
        }
    }

    fn rms(&self) -> f64 {
        relative(self.squares.sqrt(), self.value_squares.sqrt())
    }

    fn largest(&self) -> f64 {
        relative(self.largest_error, self.largest_value)
    }
}

/// 0 where there is neither error nor value.
fn relative(error: f64, value: f64) -> f64 {
    if error == 0.0 { 0.0 } else { error / value }
}
