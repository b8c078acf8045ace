//! `vultus predict --model` with ONNX models: those of `vultus export`, and classifiers of others.

use std::fs;
use std::path::Path;

use serde_json::Value;
use tempfile::TempDir;
use vultus::Tensor;
use vultus::face::{Architecture, ModelCard};
use vultus::nn::Network;
use vultus::onnx::{self, Export};
use vultus::ops::{Activation, Normalization};

use crate::{json, messages, number, photo, results, vultus};

/// What is found on these photos by a model in this folder, or by the default one.
fn predict(folder: &TempDir, photos: &[&str], model: &[&str]) -> Vec<Value> {
    let mut command = vultus();
    command.current_dir(folder).args(["predict", "--device", "cpu", "--quiet", "--json"]);
    let output = command.args(photos.iter().map(|name| photo(name))).args(model).output().unwrap();
    results(&output, 0).lines().map(json).collect()
}

/// The faces' scores of several photos.
fn scores(found: &[Value]) -> Vec<serde_json::Map<String, Value>> {
    let faces = found.iter().flat_map(|photo| photo["faces"].as_array().unwrap());
    faces.map(|face| face["scores"].as_object().unwrap().clone()).collect()
}

/// Asserts that all faces have the same probabilities of the same classes, within 1e-5.
fn assert_same(found: &[Value], wanted: &[Value], what: &str) {
    let (found, wanted) = (scores(found), scores(wanted));
    assert!(found.len() == wanted.len() && !wanted.is_empty(), "{what}");
    for (found, wanted) in found.iter().zip(&wanted) {
        assert!(found.keys().eq(wanted.keys()), "{what}");
        for (class, probability) in wanted {
            let apart = (number(&found[class]) - number(probability)).abs();
            assert!(apart <= 1e-5, "{what}: {class} is off by {apart}");
        }
    }
}

#[test]
fn the_exported_default_model_answers_as_the_model_itself() {
    let folder = tempfile::tempdir().unwrap();
    let photos = ["astronaut.png", "astronaut_face_224.png"];
    let wanted = predict(&folder, &photos, &[]);
    for options in [&[][..], &["--preprocessing"]] {
        let export =
            vultus().current_dir(&folder).args(["export", "--out", "model.onnx", "--force"]).args(options).output();
        results(&export.unwrap(), 0);
        assert_same(&predict(&folder, &photos, &["--model", "model.onnx"]), &wanted, &format!("{options:?}"));
    }
}

const SIDE: usize = 32;
const CLASSES: [&str; 3] = ["calm", "glad", "wild"];

/// The weights of a dense layer on pictures of so many channels, which all count alike.
fn weight(channels: usize) -> Tensor {
    let places = SIDE * SIDE;
    let value = |i: usize| {
        let (place, class) = (i % places, i / (channels * places));
        ((place * 7 + class * 31) % 61) as f32 / 30.0 - 1.0 + 0.05 * class as f32
    };
    Tensor::from_fn([CLASSES.len(), channels * places], |i| value(i) / (channels * places) as f32)
}

/// Writes a network whose dense layer `fc` has the weights above as `model.onnx`.
fn write(folder: &TempDir, network: Network, channels: usize, export: &Export) {
    let mut parameters = network.initialize(1).unwrap();
    parameters.insert("fc.weight".to_owned(), weight(channels));
    onnx::write(&folder.path().join("model.onnx"), &network, &parameters, export).unwrap();
}

fn dense(network: Network) -> Network {
    network.flatten().dense("fc", "fc", CLASSES.len())
}

#[test]
fn classifiers_of_any_form_are_told_by_their_shapes() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("names.txt"), CLASSES.join("\n")).unwrap();
    let pictures = || Network::new("pictures", [3, SIDE, SIDE]);
    let said = ["--model", "model.onnx", "--class-names", "calm,glad,wild", "--channels", "gray", "--std", "8"];
    // The pictures' own card says the same.
    let classes = CLASSES.map(str::to_owned).to_vec();
    let gray = Normalization { mean: [0.0; 3], std: [8.0; 3], gray: true, ..Normalization::TORCHVISION };
    let card = ModelCard::new(Architecture::Light, classes, SIDE, gray);
    let metadata = card.to_metadata().unwrap();
    write(&folder, dense(pictures()).softmax(), 3, &Export { metadata: metadata.clone(), ..Export::default() });
    let wanted = predict(&folder, &["astronaut.png"], &["--model", "model.onnx"]);
    let highest = scores(&wanted)[0].values().map(number).fold(0.0, f64::max);
    assert!((0.36..0.99).contains(&highest), "the classes are told apart: {highest}");

    let inside = Export { metadata, preprocessing: Some(gray), ..Export::default() };
    write(&folder, dense(pictures()).softmax(), 3, &inside);
    assert_same(&predict(&folder, &["astronaut.png"], &["--model", "model.onnx"]), &wanted, "bytes");
    let last = Network::new("last", [SIDE, SIDE, 3]).transpose("first", &[0, 3, 1, 2]);
    let maps = Network::new("maps", [1, SIDE, SIDE]);
    let column = dense(pictures()).reshape("column", &[Some(3), Some(1), Some(1)]);
    for (what, network, channels) in [
        ("probabilities", dense(pictures()).softmax(), 3),
        ("logits", dense(pictures()), 3),
        ("logits as maps", column, 3),
        ("channels last", dense(last), 3),
        ("one channel", dense(maps), 1),
    ] {
        write(&folder, network, channels, &Export::default());
        assert_same(&predict(&folder, &["astronaut.png"], &said), &wanted, what);
    }
    let from_file =
        ["--model", "model.onnx", "--class-names", "names.txt", "--scale", "1/255", "--std", "0.03137254901"];
    assert_same(&predict(&folder, &["astronaut.png"], &from_file), &wanted, "another scale, one channel");

    // What was said goes with a copy.
    let mut command = vultus();
    command.current_dir(&folder).args(["export", "--out", "copy.onnx"]).args(said);
    results(&command.output().unwrap(), 0);
    assert_same(&predict(&folder, &["astronaut.png"], &["--model", "copy.onnx"]), &wanted, "a copy");
    let refused = vultus().current_dir(&folder).args(["export", "--out", "copy.safetensors"]).args(said).output();
    assert!(messages(&refused.unwrap(), 2).contains("can only be written as ONNX"));
    assert!(!folder.path().join("copy.safetensors").exists());
}

#[test]
fn what_is_no_classifier_or_says_too_little_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |network: Network, options: &[&str], status: i32| {
        let model = folder.path().join("model.onnx");
        onnx::write(&model, &network, &network.initialize(1).unwrap(), &Export::default()).unwrap();
        let mut command = vultus();
        command.args(["predict", "--device", "cpu"]).arg(photo("astronaut.png")).arg("--model").arg(&model);
        messages(&command.args(options).output().unwrap(), status)
    };
    let pictures = || dense(Network::new("pictures", [3, SIDE, SIDE]));
    let names = ["--class-names", "calm,glad,wild"];
    let all = [&names[..], &["--preprocess", "torchvision"]].concat();
    for (network, options, reason) in [
        (pictures(), &[][..], "do not say what its classes are called: give their names in the order of its outputs"),
        (pictures(), &names, "do not say what it expects of its input: say it (--preprocess, or --channels"),
        (pictures(), &["--class-names", "a,b", "--std", "1"], "it gives 3 numbers, but its classes have 2 names"),
        (pictures(), &["--class-names", "a,b,a", "--std", "1"], "has the name \"a\" twice"),
        (pictures().activation(Activation::Sigmoid), &all, "it ends in a sigmoid"),
        (Network::new("row", [12]).dense("fc", "fc", 3), &all, "it takes [12], not pictures"),
        (dense(Network::new("wide", [3, SIDE, 40])), &all, "it takes pictures of 40×32: faces are square"),
        (Network::new("maps", [3, SIDE, SIDE]).relu(), &all, "it gives [3, 32, 32]: a classifier gives one number"),
        (pictures().output().softmax().output(), &all, "a classifier gives one number for each class"),
        (dense(Network::new("small", [3, 16, 16])), &all, "is 16, not within 32 and 1024 pixels"),
    ] {
        let said = refused(network, options, 1);
        assert!(said.contains("model.onnx: ") && said.contains(reason), "{reason:?} is not in: {said}");
    }
    let damaged = folder.path().join("damaged.onnx");
    fs::write(&damaged, "PK\x03\x04").unwrap();
    let refused = |model: &Path, options: &[&str], status: i32| {
        let mut command = vultus();
        command
            .args(["predict", "--device", "cpu"])
            .arg(photo("astronaut.png"))
            .arg("--model")
            .arg(model)
            .args(options);
        messages(&command.output().unwrap(), status)
    };
    assert!(refused(&damaged, &[], 1).contains("not an ONNX model, or damaged"));
    assert!(refused(Path::new("model.safetensors"), &names, 2).contains("are for a --model in ONNX"));
}
