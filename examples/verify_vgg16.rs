//! Checks VGG16's activations against golden ones, layer by layer, on any device.
//!
//! `cargo run --release --example verify_vgg16 -- WEIGHTS.safetensors GOLDEN.safetensors PICTURE [DEVICE]`
//!
//! The golden file holds, for inputs of 224 and 96 pixels, `{input}.{layer}.sample` (every (size/64)-th value, 64 of
//! them) and `{input}.pool5`; `tests/golden/make_networks.py` writes it.

use std::path::Path;
use std::time::Instant;

use vultus::nn::vgg16;
use vultus::weights::safetensors;
use vultus::{Device, Options, Result, Tensor};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [weights, golden, picture, device @ ..] = arguments.as_slice() else {
        eprintln!("usage: verify_vgg16 WEIGHTS.safetensors GOLDEN.safetensors PICTURE [DEVICE]");
        std::process::exit(2);
    };
    let device = device.first().map_or(Ok(Device::best()), |name| Device::named(name))?;
    let weights = safetensors::read(Path::new(weights))?.with_prefix("features.")?;
    let golden = safetensors::read(Path::new(golden))?.parameters;
    let picture = vultus::image::decode_file(Path::new(picture))?;
    let mut worst: f32 = 0.0;
    for (input, corner) in [(224, 0), (96, 64)] {
        let x = Tensor::from_fn([1, 3, input, input], |i| {
            let (channel, y, x) = (i / (input * input), i / input % input, i % input);
            let pixel = picture.get_pixel((x + corner) as u32, (y + corner) as u32);
            f32::from(pixel[2 - channel]) - [103.939, 116.779, 123.68][channel]
        });
        let model = device.load(&vgg16::base(input), &weights.parameters)?;
        let mut plan = model.compile(1, &Options { keep_activations: true, ..Options::default() })?;
        plan.run(&x)?;
        let start = Instant::now();
        let pool5 = plan.run(&x)?.swap_remove(0);
        println!("{device}, {input}×{input}: {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
        let layers: Vec<String> = plan.layers().into_iter().map(str::to_owned).collect();
        for layer in &layers {
            let values = plan.activation(layer)?;
            let sample = &golden[&format!("{input}.{layer}.sample")];
            let step = (values.len() / 64).max(1);
            let found: Vec<f32> = values.data().iter().copied().step_by(step).take(64).collect();
            let largest = golden[&format!("{input}.{layer}.stats")].data()[2];
            worst = worst.max(report(layer, &found, sample.data(), largest));
        }
        let wanted = &golden[&format!("{input}.pool5")];
        let largest = wanted.data().iter().fold(0.0f32, |m, v| m.max(v.abs()));
        worst = worst.max(report("pool5, every value", pool5.data(), wanted.data(), largest));
    }
    println!("worst: {worst:.2e} (1e-4 is allowed)");
    std::process::exit(i32::from(!(worst <= 1e-4)));
}

/// Prints and gives the largest error, relative to the largest value of the layer.
fn report(layer: &str, found: &[f32], wanted: &[f32], largest: f32) -> f32 {
    assert_eq!(found.len(), wanted.len(), "{layer}");
    let error = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest;
    println!("  {layer:20} {error:.2e}");
    error
}
