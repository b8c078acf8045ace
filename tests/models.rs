//! Files of trained models: what they hold goes over the base, what they lack comes from it, and what does not fit is
//! refused.

use std::collections::BTreeMap;
use std::path::PathBuf;

use vultus::face::{Architecture, ModelCard, Recognizer, assemble, needs_base, without_base};
use vultus::nn::vgg16::{self, Pooling};
use vultus::ops::{Crop, Normalization};
use vultus::weights::WeightFile;
use vultus::{Device, Error, Parameters, Result, Tensor};

fn file(name: &str, parameters: Parameters, metadata: BTreeMap<String, String>) -> WeightFile {
    WeightFile { path: PathBuf::from(name), parameters, metadata, sha256: "ab".repeat(32) }
}

/// A base of VGG16's shapes in which every tensor has one value of its own.
fn base() -> WeightFile {
    let shapes = vgg16::base(32).parameter_shapes().unwrap();
    let filled = |(i, (name, shape)): (usize, (String, Vec<usize>))| (name, Tensor::filled(shape, i as f32 + 1.0));
    file("base.safetensors", shapes.into_iter().enumerate().map(filled).collect(), BTreeMap::new())
}

fn card(architecture: Architecture) -> ModelCard {
    ModelCard::new(architecture, ["calm", "wild"].map(str::to_owned).to_vec(), 32, Normalization::CAFFE)
}

fn vgg16_card() -> ModelCard {
    let base_sha256 = base().sha256;
    card(Architecture::Vgg16 { pooling: Pooling::Average, hidden: vec![4], base_sha256 })
}

/// A model whose own layers, from this one on, are zero.
fn model(from: &str) -> WeightFile {
    let card = vgg16_card();
    let shapes = card.network().unwrap().parameter_shapes().unwrap();
    let own = shapes.into_iter().skip_while(|(name, _)| !name.starts_with(from));
    let parameters = own.map(|(name, shape)| (name, Tensor::zeros(shape))).collect();
    file("model.safetensors", parameters, card.to_metadata().unwrap())
}

/// Asserts that this is refused because of the model's file, with a text that contains all of these parts.
#[track_caller]
fn assert_refused<T>(result: Result<T>, parts: &[&str]) {
    let error = result.err().expect("this should be refused");
    let text = error.to_string();
    assert!(matches!(error, Error::Weights { .. }) && text.starts_with("model.safetensors"), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn the_files_layers_go_over_those_of_the_base() {
    let base = base();
    for from in ["classifier.0", "features.28", "features.10"] {
        let (card, whole) = assemble(Some(base.clone()), model(from)).unwrap();
        assert_eq!(card, vgg16_card());
        let shapes = card.network().unwrap().parameter_shapes().unwrap();
        let first = shapes.iter().position(|(name, _)| name.starts_with(from)).unwrap();
        assert_eq!(whole.len(), shapes.len());
        for (i, (name, shape)) in shapes.iter().enumerate() {
            let value = if i < first { i as f32 + 1.0 } else { 0.0 };
            assert_eq!(whole[name], Tensor::filled(shape.clone(), value), "{name} of a model from {from} on");
        }
        assert!(needs_base(&model(from)).unwrap());
        // The parts are found again in the whole, and no others.
        assert_eq!(without_base(&card, &base.parameters, whole).unwrap(), model(from).parameters);
    }
}

#[test]
fn a_layer_goes_into_the_file_as_a_whole() {
    let (card, mut whole) = assemble(Some(base()), model("classifier.0")).unwrap();
    whole.get_mut("features.26.bias").unwrap().data_mut()[7] += 1.0;
    let own = without_base(&card, &base().parameters, whole.clone()).unwrap();
    let names: Vec<&str> = own.keys().map(String::as_str).filter(|name| name.starts_with("features")).collect();
    assert_eq!(names, ["features.26.bias", "features.26.weight", "features.28.bias", "features.28.weight"]);
    let again = file("model.safetensors", own, card.to_metadata().unwrap());
    assert_eq!(assemble(Some(base()), again).unwrap().1, whole);
}

#[test]
fn a_file_with_all_layers_needs_no_base() {
    let whole = model("features.0");
    assert!(!needs_base(&whole).unwrap());
    let mut other = base();
    other.sha256 = "f".repeat(64);
    for base in [None, Some(other)] {
        assert_eq!(assemble(base, whole.clone()).unwrap().1, whole.parameters);
    }
}

#[test]
fn models_that_do_not_fit_are_refused() {
    let assemble = |model| assemble(Some(base()), model);
    assert_refused(
        vultus::face::assemble(None, model("features.10")),
        &["it holds only the layers from features.10.weight on", "VGG16's base, which must be given too"],
    );

    let mut gap = model("features.10");
    gap.parameters.remove("features.17.bias");
    assert_refused(assemble(gap), &["tensor features.17.bias: missing"]);

    let mut half = model("features.10");
    half.parameters.remove("features.10.weight");
    assert_refused(assemble(half), &["tensor features.10.weight: missing"]);

    let mut headless = model("features.10");
    headless.parameters.retain(|name, _| name.starts_with("features."));
    assert_refused(assemble(headless), &["tensor classifier.0.bias: missing (3 more tensors have this fault)"]);

    let mut unknown = model("classifier.0");
    unknown.parameters.insert("features.11.weight".to_owned(), Tensor::zeros([1]));
    assert_refused(assemble(unknown), &["tensor features.11.weight: the network has no parameter of this name"]);

    let mut misshaped = model("features.10");
    misshaped.parameters.insert("features.12.bias".to_owned(), Tensor::zeros([255]));
    assert_refused(assemble(misshaped), &["tensor features.12.bias: its shape is [255], but [256] is needed"]);

    let mut other = base();
    other.sha256 = "f".repeat(64);
    let parts = ["made for another base", &"ab".repeat(32), "base.safetensors has the SHA-256 ffff"];
    assert_refused(vultus::face::assemble(Some(other), model("features.10")), &parts);

    let mut short = base();
    short.parameters.remove("features.0.bias");
    let error = vultus::face::assemble(Some(short), model("features.10")).unwrap_err().to_string();
    assert!(error.starts_with("base.safetensors, tensor features.0.bias: missing"), "{error}");
}

#[test]
fn a_light_model_runs_without_a_base() {
    let card = card(Architecture::Light);
    let network = card.network().unwrap();
    assert_eq!(network.name(), "light");
    let parameters = network.initialize(5).unwrap();
    assert_eq!(without_base(&card, &base().parameters, parameters.clone()).unwrap(), parameters);
    let model = file("model.safetensors", parameters, card.to_metadata().unwrap());
    assert!(!needs_base(&model).unwrap());
    let mut recognizer = Recognizer::new(&Device::Cpu, None, model.clone(), 2).unwrap();
    assert_eq!(recognizer.card(), &card);
    let picture = Device::Cpu.upload(&[90; 3 * 40 * 40], 40, 40).unwrap();
    let scores = recognizer.recognize(&picture, &[Crop::whole(40, 40)]).unwrap();
    assert!((scores[0].iter().sum::<f32>() - 1.0).abs() < 1e-5, "{scores:?}");

    let mut lacking = model.clone();
    lacking.parameters.remove("features.5.weight");
    assert_refused(assemble(Some(base()), lacking), &["tensor features.5.weight: missing"]);
    let mut three = model;
    three.metadata.insert("classes".to_owned(), r#"["a","b","c"]"#.to_owned());
    let parts = ["tensor classifier.0.weight: it has 2 rows", "\"classes\" has 3 names"];
    assert_refused(assemble(None, three), &parts);
}

#[test]
fn dropout_is_in_the_network_for_training_only() {
    let dropouts = |network: &vultus::nn::Network| -> Vec<f32> {
        let probability = |layer: &vultus::nn::Layer| match &layer.op {
            vultus::ops::Op::Dropout(dropout) => Some(dropout.probability),
            _ => None,
        };
        network.layers().iter().filter_map(probability).collect()
    };
    for card in [vgg16_card(), card(Architecture::Light)] {
        assert_eq!(dropouts(&card.training_network(0.3).unwrap()), [0.3]);
        assert!(dropouts(&card.network().unwrap()).iter().all(|&probability| probability == 0.0));
        let shapes = |network: vultus::nn::Network| network.parameter_shapes().unwrap();
        assert_eq!(shapes(card.network().unwrap()), shapes(card.training_network(0.3).unwrap()));
    }
}
