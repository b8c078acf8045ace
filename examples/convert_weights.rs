//! Writes a file of weights anew as f16 or f32: `cargo run --example convert_weights -- IN OUT f16|f32 key=value ...`
//!
//! The metadata of OUT are the given pairs. What the rounding did is printed: the largest error relative to the value
//! among the normal numbers of f16, and the largest absolute error among those below, which keep fewer bits.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;

use vultus::Parameters;
use vultus::weights::safetensors::{Precision, read, write};

/// The smallest normal number of f16.
const SMALLEST_NORMAL: f32 = 1.0 / 16384.0;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to, precision, pairs @ ..] = arguments.as_slice() else {
        return Err("usage: convert_weights IN OUT f16|f32 key=value ...".into());
    };
    let precision = match precision.as_str() {
        "f16" => Precision::F16,
        "f32" => Precision::F32,
        other => return Err(format!("{other:?} is not f16 or f32").into()),
    };
    let mut metadata = BTreeMap::new();
    for pair in pairs {
        let (key, value) = pair.split_once('=').ok_or_else(|| format!("{pair:?} is not key=value"))?;
        metadata.insert(key.to_owned(), value.to_owned());
    }

    let before = read(Path::new(from))?;
    write(Path::new(to), &before.parameters, &metadata, precision)?;
    let after = read(Path::new(to))?;
    println!("{to}: {} tensors, SHA-256 {}", after.parameters.len(), after.sha256);
    report_rounding(&before.parameters, &after.parameters);
    Ok(())
}

fn report_rounding(before: &Parameters, after: &Parameters) {
    let (mut count, mut below) = (0usize, 0usize);
    let (mut relative, mut absolute) = (0f32, 0f32);
    for (name, tensor) in before {
        for (&x, &rounded) in tensor.data().iter().zip(after[name].data()) {
            count += 1;
            let error = (rounded - x).abs();
            if x.abs() >= SMALLEST_NORMAL {
                relative = relative.max(error / x.abs());
            } else {
                below += 1;
                absolute = absolute.max(error);
            }
        }
    }
    println!("{count} values; largest relative error of the normal numbers {relative:.3e} (2^{:.2})", relative.log2());
    println!("{below} values below {SMALLEST_NORMAL:.2e}; largest absolute error of those {absolute:.3e}");
}
