//! The real VGG16, with the weights as they are shipped, against NumPy in float64.
#![cfg(feature = "files")]

mod compare;
mod vgg16_activations;

use std::path::Path;

use vgg16_activations::{TOLERANCE, errors};

#[test]
fn every_layer_of_vgg16_has_the_golden_activations() {
    let (weights, picture) =
        (Path::new("weights/vgg16_base.safetensors"), Path::new("tests/photos/astronaut_face_224.png"));
    let golden = Path::new("tests/golden/vgg16_shipped_activations.safetensors");
    for device in compare::devices() {
        let errors = errors(&device, weights, golden, picture).unwrap();
        assert_eq!(errors.len(), 2 * (13 + 5 + 1));
        let wrong: Vec<_> = errors.iter().filter(|(_, error)| !(0.0..=TOLERANCE).contains(error)).collect();
        assert!(wrong.is_empty(), "{device}: {wrong:?}");
    }
}

#[test]
fn other_weights_are_noticed() {
    // The golden file of the weights before they were rounded: close, but not the same.
    let golden = Path::new("tests/golden/vgg16_activations.safetensors");
    let (weights, picture) =
        (Path::new("weights/vgg16_base.safetensors"), Path::new("tests/photos/astronaut_face_224.png"));
    let errors = errors(&vultus::Device::Cpu, weights, golden, picture).unwrap();
    assert!(errors.iter().any(|(_, error)| *error > TOLERANCE), "{errors:?}");
    for (layer, error) in errors {
        // f16 errs by 2^-11 of a weight, 8 bits by a 254th of its channel's largest; the errors of thousands of products
        // cancel out for the most part, and those of the layers before come on top.
        let allowed = if layer.contains("block4") || layer.contains("block5") { 0.02 } else { 2e-4 };
        assert!(error <= allowed, "{layer} errs by {error}");
    }
}
