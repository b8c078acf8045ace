//! VGG16's activations against golden ones: shared by the test and by the example that checks other weights.

use std::path::Path;

use vultus::nn::vgg16;
use vultus::weights::safetensors;
use vultus::{Device, Options, Result, Tensor};

/// The largest error that a layer may have, relative to its largest value: sums of up to 4608 products of f32, through
/// thirteen layers, in another order.
pub const TOLERANCE: f32 = 1e-4;

/// Runs VGG16's base on a picture at 224×224 and on its middle at 96×96: for each layer its name and its error, relative
/// to the layer's largest value. The golden file holds `{input}.{layer}.sample` (every (size/64)-th value, 64 of them),
/// `{input}.{layer}.stats` (the third is the maximum) and `{input}.pool5`.
pub fn errors(device: &Device, weights: &Path, golden: &Path, picture: &Path) -> Result<Vec<(String, f32)>> {
    let weights = safetensors::read(weights)?.with_prefix("features.")?;
    let golden = safetensors::read(golden)?.parameters;
    let picture = vultus::image::decode_file(picture)?;
    let mut errors = Vec::new();
    for (input, corner) in [(224, 0), (96, 64)] {
        let x = Tensor::from_fn([1, 3, input, input], |i| {
            let (channel, y, x) = (i / (input * input), i / input % input, i % input);
            let pixel = picture.get_pixel((x + corner) as u32, (y + corner) as u32);
            f32::from(pixel[2 - channel]) - [103.939, 116.779, 123.68][channel]
        });
        let model = device.load(&vgg16::base(input), &weights.parameters)?;
        let mut plan = model.compile(1, &Options { keep_activations: true, ..Options::default() })?;
        let pool5 = plan.run(&x)?.swap_remove(0);
        let layers: Vec<String> = plan.layers().into_iter().map(str::to_owned).collect();
        for layer in &layers {
            let values = plan.activation(layer)?;
            let step = (values.len() / 64).max(1);
            let found: Vec<f32> = values.data().iter().copied().step_by(step).take(64).collect();
            let wanted = golden[&format!("{input}.{layer}.sample")].data();
            let largest = golden[&format!("{input}.{layer}.stats")].data()[2];
            errors.push((format!("{input}, {layer}"), error(&found, wanted, largest)));
        }
        let wanted = golden[&format!("{input}.pool5")].data();
        let largest = wanted.iter().copied().fold(0.0, f32::max);
        errors.push((format!("{input}, block5_pool, every value"), error(pool5.data(), wanted, largest)));
    }
    Ok(errors)
}

/// A NaN anywhere, or another number of values, is an infinite error.
fn error(found: &[f32], wanted: &[f32], largest: f32) -> f32 {
    if found.len() != wanted.len() || found.iter().any(|value| value.is_nan()) {
        return f32::INFINITY;
    }
    found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}
