//! VGG16 is found in every format, and gives what PyTorch gave, on every device.

use std::path::Path;

use vultus::ops::{Crop, Filter, Normalization};
use vultus::weights::safetensors::{self, Precision};
use vultus::weights::{Catalog, Vgg16};
use vultus::{Options, Parameters, Tensor};

use crate::archive::{deflated, stored, zip};
use crate::compare::{Comparison, Golden, devices, photo};
use crate::{FILES, recipe};

/// f32 keeps 24 bits; sums of up to a few thousand products of both signs lose two digits of these seven at most.
const FORWARD: f32 = 1e-5;

/// The tensors of the network in the bytes of a file.
fn parameters(name: &str, bytes: &[u8]) -> Result<Parameters, vultus::Error> {
    let path = Path::new(name);
    Vgg16::find(&Catalog::from_bytes(path, bytes)?)?.parameters()
}

/// The bytes of a safetensors file.
fn file(parameters: &Parameters) -> Vec<u8> {
    safetensors::to_bytes(Path::new("w"), parameters, &Default::default(), Precision::F32).unwrap()
}

fn refused(parameters: &Parameters, parts: &[&str]) {
    let error = self::parameters("w", &file(parameters)).unwrap_err().to_string();
    parts.iter().for_each(|part| assert!(error.contains(part), "{part:?} is not in: {error}"));
}

#[test]
fn every_format_gives_the_same_network() {
    let wanted = recipe::tiny_vgg16().parameters;
    for name in FILES {
        let bytes = recipe::bytes(name);
        let catalog = Catalog::from_bytes(Path::new(name), &bytes).unwrap();
        let vgg16 = Vgg16::find(&catalog).unwrap();
        let unused: Vec<&str> = vgg16.unused().iter().map(|entry| entry.name.as_str()).collect();
        assert_eq!((vgg16.matches().len(), vgg16.classes(), unused), (32, 7, vec![]), "{name}");
        assert!(vgg16.parameters().unwrap() == wanted, "{name}: other numbers");
    }
}

#[test]
fn the_golden_logits_come_out_of_every_format_on_every_device() {
    let (golden, mut comparison) = (Golden::read("tiny_vgg16_outputs"), Comparison::default());
    let (rgb, width, height) = photo();
    let crop = Crop { x: 64, y: 64, width: 96, height: 96, mirror: false };
    for name in FILES {
        let bytes = recipe::bytes(name);
        let catalog = Catalog::from_bytes(Path::new(name), &bytes).unwrap();
        let vgg16 = Vgg16::find(&catalog).unwrap();
        let parameters = vgg16.parameters().unwrap();
        for device in devices() {
            let model = device.load(&vgg16.network(96).unwrap(), &parameters).unwrap();
            let mut plan = model.compile(1, &Options { keep_activations: true, ..Options::default() }).unwrap();
            let picture = device.upload(&rgb, width, height).unwrap();
            plan.set_picture(&picture, &[crop], Filter::Bilinear, &Normalization::TORCHVISION).unwrap();
            plan.execute().unwrap();
            let found = plan.activation("fc8").unwrap();
            comparison.check(format!("{name} on {device}"), &found, &golden.get("logits_torch_input_96"), FORWARD);
        }
    }
    comparison.finish();
}

#[test]
fn only_keras_tells_what_its_network_expects() {
    for name in FILES {
        let bytes = recipe::bytes(name);
        let catalog = Catalog::from_bytes(Path::new(name), &bytes).unwrap();
        let vgg16 = Vgg16::find(&catalog).unwrap();
        let told = if name.ends_with(".h5") { Some(Normalization::CAFFE) } else { None };
        assert_eq!(vgg16.preprocessing().unwrap(), told, "{name}");
        let file = vgg16.read(told.or(Some(Normalization::TORCHVISION))).unwrap();
        assert_eq!(file.preprocessing().unwrap(), told.unwrap_or(Normalization::TORCHVISION));
        let (wrong, part) = match told {
            Some(_) => (Some(Normalization::TORCHVISION), "tells another preprocessing"),
            None => (None, "--preprocess caffe"),
        };
        let error = vgg16.read(wrong).unwrap_err().to_string();
        assert!(error.starts_with(name) && error.contains(part), "{error}");
    }
}

#[test]
fn names_of_other_programs_make_no_difference() {
    let wanted = recipe::tiny_vgg16().parameters;
    let renamed = |rename: &dyn Fn(&str) -> String| -> Parameters {
        wanted.iter().map(|(name, tensor)| (rename(name), tensor.clone())).collect()
    };
    let wrapped = renamed(&|name| format!("module.{name}"));
    assert!(parameters("w", &file(&wrapped)).unwrap() == wanted);
    let caffe = |name: &str| {
        let (layer, role) = name.rsplit_once('.').unwrap();
        let number: usize = layer.rsplit_once('.').unwrap().1.parse().unwrap();
        let part = if role == "weight" { "W" } else { "b" };
        if layer.starts_with("features") { format!("conv{number}_{part}") } else { format!("fc{number}_{part}") }
    };
    assert!(parameters("w", &file(&renamed(&caffe))).unwrap() == wanted);
}

#[test]
fn what_is_not_vgg16_is_refused_by_what_is_wrong_with_it() {
    let tiny = recipe::tiny_vgg16().parameters;
    let changed = |change: &dyn Fn(&mut Parameters)| {
        let mut parameters = tiny.clone();
        change(&mut parameters);
        parameters
    };
    let set = |name: &'static str, shape: &'static [usize]| {
        changed(&move |parameters: &mut Parameters| {
            parameters.insert(name.to_owned(), Tensor::zeros(shape));
        })
    };
    refused(&Parameters::from([("x".to_owned(), Tensor::zeros([2]))]), &["it has 0 convolutions where VGG16 has 13"]);
    refused(&set("features.29.weight", &[4, 4, 3, 3]), &["it has 14 convolutions"]);
    refused(&set("features.5.weight", &[12, 9, 3, 3]), &["features.5.weight", "reads 9 channels", "gives 8"]);
    refused(&set("features.5.weight", &[12, 8, 5, 5]), &["features.5.weight", "kernels are 3×3"]);
    refused(&set("features.5.bias", &[11]), &["features.5.bias", "needs 12 values"]);
    refused(&set("classifier.0.weight", &[64, 33]), &["classifier.0.weight", "reads 33 values", "7×7"]);
    refused(&set("classifier.3.weight", &[64, 65]), &["classifier.3.weight", "reads 65 values"]);
    let without = changed(&|parameters| drop(parameters.remove("features.0.bias")));
    refused(&without, &["features.0.weight", "there is no bias beside it"]);
}

/// Heads on the means of the feature maps, or on smaller maps, as for pictures of 48 or 96 pixels; also a single layer.
#[test]
fn heads_of_other_sizes_are_found_and_their_networks_run() {
    let base: Parameters =
        recipe::tiny_vgg16().parameters.into_iter().filter(|(name, _)| name.starts_with("features.")).collect();
    let channels = base["features.28.bias"].len();
    for (maps, widths) in [(1, &[5][..]), (3, &[5]), (1, &[9, 5]), (2, &[8, 9, 5])] {
        let mut parameters = base.clone();
        let mut inputs = channels * maps * maps;
        for (i, &width) in widths.iter().enumerate() {
            let name = format!("classifier.{}", 3 * i);
            let weight = Tensor::from_fn([width, inputs], |at| (at % 7) as f32 / 70.0 - 0.04);
            parameters.insert(format!("{name}.weight"), weight);
            parameters.insert(format!("{name}.bias"), Tensor::zeros([width]));
            inputs = width;
        }
        let bytes = file(&parameters);
        let catalog = Catalog::from_bytes(Path::new("w"), &bytes).unwrap();
        let vgg16 = Vgg16::find(&catalog).unwrap();
        assert_eq!((vgg16.maps(), vgg16.classes(), vgg16.parameters().unwrap() == parameters), (maps, 5, true));
        // 32 pixels for each of the maps, so that nothing is averaged; or any other size.
        for input in [32 * maps, 100] {
            let model = vultus::Device::Cpu.load(&vgg16.network(input).unwrap(), &parameters).unwrap();
            let mut plan = model.compile(1, &Options::default()).unwrap();
            let found = plan.run(&Tensor::filled([1, 3, input, input], 0.5)).unwrap().swap_remove(0);
            assert!((found.data().iter().sum::<f32>() - 1.0).abs() < 1e-5, "{found:?}");
        }
    }
}

/// A model of Keras 3 as it is saved: an archive whose weights are not packed.
#[test]
fn the_archive_of_keras_gives_what_its_weights_give() {
    let name = FILES.into_iter().find(|name| name.ends_with(".h5")).unwrap();
    let weights = recipe::bytes(name);
    let wanted = parameters(name, &weights).unwrap();
    let archive = |record| zip(&[stored("metadata.json", b"{}"), record, stored("config.json", b"{}")]);
    let found = parameters("m.keras", &archive(stored("model.weights.h5", &weights))).unwrap();
    assert!(found == wanted);
    let error = parameters("m.keras", &archive(deflated("model.weights.h5", &weights))).unwrap_err().to_string();
    assert!(error.contains("model.weights.h5 is packed"), "{error}");
    let mut damaged = stored("model.weights.h5", &weights);
    damaged.crc ^= 1;
    let error = parameters("m.keras", &archive(damaged)).unwrap_err().to_string();
    assert!(error.contains("checksum"), "{error}");
}

#[test]
fn tensors_of_other_layers_are_told() {
    let mut tiny = recipe::tiny_vgg16().parameters;
    tiny.insert("features.1.running_mean".to_owned(), Tensor::zeros([8]));
    tiny.insert("optimizer.step".to_owned(), Tensor::zeros([8]));
    let bytes = file(&tiny);
    let catalog = Catalog::from_bytes(Path::new("w"), &bytes).unwrap();
    let vgg16 = Vgg16::find(&catalog).unwrap();
    let unused: Vec<&str> = vgg16.unused().iter().map(|entry| entry.name.as_str()).collect();
    assert_eq!(unused, ["features.1.running_mean"]);
}

#[test]
fn a_base_without_dense_layers_and_numbers_in_eight_bits_are_read_too() {
    let mut base = recipe::tiny_vgg16().parameters;
    base.retain(|name, _| name.starts_with("features."));
    assert!(parameters("w", &file(&base)).unwrap() == base);
    let bytes = safetensors::to_bytes(Path::new("w"), &base, &Default::default(), Precision::I8).unwrap();
    let catalog = Catalog::from_bytes(Path::new("w"), &bytes).unwrap();
    let vgg16 = Vgg16::find(&catalog).unwrap();
    assert_eq!((vgg16.classes(), vgg16.unused().len()), (0, 0));
    assert!(vgg16.parameters().unwrap() == safetensors::from_bytes(Path::new("w"), &bytes).unwrap().parameters);
    assert_eq!(vgg16.network(32).unwrap().output_shapes().unwrap(), [[32, 1, 1]]);
}
