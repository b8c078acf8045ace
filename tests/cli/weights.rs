//! `vultus weights`: looking into files of weights, and converting them.

use std::fs;
use std::path::{Path, PathBuf};

use vultus::ops::Normalization;
use vultus::weights::safetensors;

use super::{json, messages, number, results, strings, text, vultus};
use crate::recipe;

/// A folder with a file as another program wrote it.
fn written(name: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, recipe::bytes(name)).unwrap();
    (folder, path)
}

fn weights(command: &str, file: &Path, more: &[&str]) -> std::process::Output {
    vultus().args(["weights", command]).arg(file).args(more).output().unwrap()
}

#[test]
fn inspect_lists_names_types_shapes_and_ranges() {
    let wanted = recipe::tiny_vgg16().parameters;
    for (name, format) in [("tiny_vgg16.pth", "PyTorch"), ("tiny_vgg16.npz", "NumPy"), ("tiny_vgg16_keras.h5", "Keras")]
    {
        let (_folder, path) = written(name);
        let report = json(&results(&weights("inspect", &path, &["--json"]), 0));
        assert!(report["format"].as_str().unwrap().contains(format), "{report}");
        assert_eq!(report["sha256"].as_str().unwrap().len(), 64);
        assert_eq!(report["bytes"].as_u64().unwrap(), fs::metadata(&path).unwrap().len());
        let names = strings(&report["tensors"], "name");
        assert_eq!(names.len(), wanted.len(), "{name}");
        if !name.ends_with(".h5") {
            for (tensor, row) in names.iter().zip(report["tensors"].as_array().unwrap()) {
                let values = wanted[tensor].data();
                let smallest = values.iter().copied().fold(f32::INFINITY, f32::min);
                assert_eq!((row["type"].as_str(), number(&row["min"]) as f32), (Some("F32"), smallest), "{tensor}");
            }
        }
        let table = results(&weights("inspect", &path, &[]), 0);
        assert_eq!(table.lines().filter(|line| line.contains("F32")).count(), wanted.len(), "{table}");
    }
}

#[test]
fn convert_writes_what_the_program_uses() {
    let (folder, path) = written("tiny_vgg16_keras.h5");
    let out = folder.path().join("out.safetensors");
    let said = results(&weights("convert", &path, &["--out", out.to_str().unwrap()]), 0);
    assert!(said.contains("VGG16 for 7 classes, 32 tensors"), "{said}");
    let file = safetensors::read(&out).unwrap();
    assert!(file.parameters == recipe::tiny_vgg16().parameters);
    assert_eq!(file.preprocessing().unwrap(), Normalization::CAFFE);

    // Half of the numbers' size, and nothing else is different.
    let half = folder.path().join("half.safetensors");
    results(&weights("convert", &out, &["--precision", "f16", "--out", half.to_str().unwrap()]), 0);
    let sizes = [&out, &half].map(|path| fs::metadata(path).unwrap().len());
    assert!(sizes[1] * 2 < sizes[0] + 4000, "{sizes:?}");
    assert_eq!(safetensors::read(&half).unwrap().preprocessing().unwrap(), Normalization::CAFFE);
}

#[test]
fn convert_asks_what_a_file_does_not_tell_and_writes_nothing_then() {
    let (folder, path) = written("tiny_vgg16.npz");
    let out = folder.path().join("out.safetensors");
    let to = ["--out", out.to_str().unwrap()];
    let said = messages(&weights("convert", &path, &to), 1);
    assert!(said.contains("--preprocess caffe"), "{said}");
    assert!(!out.exists());
    results(&weights("convert", &path, &[&to[..], &["--preprocess", "torchvision"]].concat()), 0);
    assert_eq!(safetensors::read(&out).unwrap().preprocessing().unwrap(), Normalization::TORCHVISION);
    messages(&weights("convert", &path, &[&to[..], &["--preprocess", "other"]].concat()), 2);
}

#[test]
fn verify_shows_what_matched_and_compares() {
    let (folder, keras) = written("tiny_vgg16_keras.h5");
    let said = results(&weights("verify", &keras, &[]), 0);
    let row = said.lines().find(|line| line.starts_with("classifier.0.weight")).unwrap();
    assert!(row.contains("64×1568") && row.contains("fc1/fc1_W_1:0") && row.contains("put in order"), "{row}");
    assert!(said.contains("preprocessing: caffe") && said.contains("values are finite"), "{said}");

    let pth = folder.path().join("tiny_vgg16.pth");
    fs::write(&pth, recipe::bytes("tiny_vgg16.pth")).unwrap();
    let said = results(&weights("verify", &keras, &["--against", pth.to_str().unwrap()]), 0);
    assert!(said.contains("holds the same numbers"), "{said}");

    let mut other = recipe::tiny_vgg16().parameters;
    other.get_mut("features.7.bias").unwrap().data_mut()[3] += 0.25;
    let changed = folder.path().join("changed.safetensors");
    safetensors::write(&changed, &other, &Default::default(), safetensors::Precision::F32).unwrap();
    let said = messages(&weights("verify", &keras, &["--against", changed.to_str().unwrap()]), 1);
    assert!(said.contains("differs, the most in features.7.bias: by 2.5e-1"), "{said}");

    let said = messages(&weights("verify", &keras, &["--sha256", "397923af"]), 1);
    assert!(said.contains("not 397923af"), "{said}");
}

#[test]
fn files_that_are_none_of_these_are_refused_in_a_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pth");
    for bytes in [&b""[..], b"hello", b"PK\x03\x04 and no more", b"\x89HDF\r\n\x1a\n and no more"] {
        fs::write(&path, bytes).unwrap();
        for command in ["inspect", "verify"] {
            let said = messages(&weights(command, &path, &[]), 1);
            assert!(said.starts_with("vultus: ") && said.contains("w.pth") && said.lines().count() <= 2, "{said}");
        }
    }
    let missing = vultus().args(["weights", "inspect", "no/such/file"]).output().unwrap();
    assert!(text(&missing.stderr).contains("no/such/file"));
    assert_eq!(missing.status.code(), Some(1));
}
