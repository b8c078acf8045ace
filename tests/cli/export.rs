//! `vultus export`.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use vultus::weights::Catalog;

use crate::{json, messages, photo, results, text, vultus};

/// `vultus export` into a file of this folder; what it says.
fn export(folder: &TempDir, file: &str, arguments: &[&str]) -> String {
    let output = vultus().arg("export").arg("--out").arg(folder.path().join(file)).args(arguments).output().unwrap();
    let said = results(&output, 0);
    assert!(said.starts_with(folder.path().to_str().unwrap()) && said.contains(file), "{said}");
    said
}

#[test]
fn a_model_becomes_one_onnx_file_that_says_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let said = export(&folder, "model.onnx", &["--model", "vgg16", "--preprocessing", "--precision", "f16"]);
    assert!(said.ends_with(": image uint8 [N, 48, 48, 3] to probabilities float32 [N, 7]\n"), "{said}");
    let path = folder.path().join("model.onnx");
    assert!((29_000_000..31_000_000).contains(&path.metadata().unwrap().len()));
    let catalog = Catalog::open(&path).unwrap();
    assert_eq!(json(&catalog.metadata()["classes"]).as_array().unwrap().len(), 7);
    assert_eq!(catalog.metadata()["license"], "MIT OR Apache-2.0");
    let said = export(&folder, "model", &["--model", "vgg16", "--format", "onnx"]);
    assert!(said.contains("input float32 [N, 3, 48, 48]"), "{said}");
    // A file that is there already is kept.
    let path = folder.path().join("model");
    fs::write(&path, b"precious").unwrap();
    let again = || {
        let mut command = vultus();
        command.arg("export").arg("--out").arg(&path).args(["--format", "onnx"]);
        command
    };
    assert!(messages(&again().output().unwrap(), 2).contains("--force overwrites it"));
    assert_eq!(fs::read(&path).unwrap(), b"precious");
    results(&again().arg("--force").output().unwrap(), 0);
    assert!(Catalog::open(&path).is_ok());
}

#[test]
fn a_whole_model_as_safetensors_predicts_what_it_did_without_its_base() {
    let folder = tempfile::tempdir().unwrap();
    let said = export(&folder, "whole.safetensors", &["--model", "vgg16"]);
    assert!(said.ends_with(": 30 tensors, all layers\n"), "{said}");
    let predict = |model: &[&str]| {
        let mut command = vultus();
        command.args(["predict", "--device", "cpu", "--json"]).arg(photo("astronaut.png")).args(model);
        results(&command.output().unwrap(), 0)
    };
    let whole = folder.path().join("whole.safetensors");
    let model = ["--model", whole.to_str().unwrap()];
    let wanted = predict(&["--model", "vgg16"]);
    assert_eq!(predict(&model), wanted);
    // A file that is no base: it is not even looked at.
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/conv2d.safetensors");
    assert_eq!(predict(&[model.as_slice(), &["--weights", weights.to_str().unwrap()]].concat()), wanted);
}

#[test]
fn what_cannot_be_exported_leaves_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("no/such/folder/model.onnx");
    let output = vultus().arg("export").arg("--out").arg(&path).output().unwrap();
    assert!(messages(&output, 1).contains("model.onnx"), "{}", text(&output.stderr));
    let output = vultus()
        .args(["export", "--model", "tests/golden/conv2d.safetensors", "--out"])
        .arg(folder.path().join("model.onnx"))
        .output()
        .unwrap();
    assert!(messages(&output, 1).contains("this is not a model that `vultus train` wrote"));
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
