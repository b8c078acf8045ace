//! Checks VGG16's activations against golden ones, layer by layer, with any weights and on any device.
//!
//! `cargo run --release --example verify_vgg16 -- WEIGHTS.safetensors GOLDEN.safetensors PICTURE [DEVICE]`
//!
//! `tests/golden/make_networks.py` and `make_vgg16_f16.py` write golden files.

use std::path::Path;
use std::process::ExitCode;

use vultus::{Device, Result};

#[path = "../tests/vgg16_activations/mod.rs"]
mod vgg16_activations;

use vgg16_activations::{TOLERANCE, errors};

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, golden, picture, device @ ..] = arguments.as_slice() else {
        eprintln!("usage: verify_vgg16 WEIGHTS.safetensors GOLDEN.safetensors PICTURE [DEVICE]");
        return Ok(ExitCode::from(2));
    };
    let device = device.first().map_or(Ok(Device::best()), |name| Device::named(name))?;
    let errors = errors(&device, Path::new(weights), Path::new(golden), Path::new(picture))?;
    for (layer, error) in &errors {
        println!("{layer:32} {error:.2e}");
    }
    let worst = errors.iter().map(|(_, error)| *error).fold(0.0, f32::max);
    println!("{device}: the worst is {worst:.2e}, {TOLERANCE:.0e} is allowed");
    Ok(if worst <= TOLERANCE { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
