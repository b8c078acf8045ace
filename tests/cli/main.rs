//! The program as its users meet it: arguments in; results, messages and exit status out.
#![cfg(feature = "cli")]

mod bench;
mod compare;
mod data;
mod devices;
mod eval;
mod export;
mod models;
mod predict;
mod predict_onnx;
mod prepare;
#[path = "../imports/recipe.rs"]
mod recipe;
mod run;
mod study;
mod train;
mod tune;
mod video;
mod weights;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn vultus() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vultus"));
    command.env_remove("VULTUS_WEIGHTS").env("VULTUS_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    if cfg!(not(feature = "embed")) {
        command.env("VULTUS_WEIGHTS", concat!(env!("CARGO_MANIFEST_DIR"), "/weights"));
    }
    command
}

fn run(arguments: &[&str]) -> Output {
    vultus().args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The results of a run that must end with this status.
fn results(output: &Output, status: i32) -> String {
    assert_eq!(output.status.code(), Some(status), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The messages of a run that must end with this status.
fn messages(output: &Output, status: i32) -> String {
    results(output, status);
    text(&output.stderr)
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn number(value: &Value) -> f64 {
    value.as_f64().filter(|number| number.is_finite()).unwrap_or_else(|| panic!("{value} is not a number"))
}

fn strings(value: &Value, key: &str) -> Vec<String> {
    value.as_array().unwrap().iter().map(|entry| entry[key].as_str().unwrap().to_owned()).collect()
}

/// The first GPU of this machine, software included. Each machine that runs these tests has one.
fn adapter() -> String {
    let listing = json(&results(&run(&["devices", "--json"]), 0));
    let devices = listing["devices"].as_array().unwrap();
    let gpu = devices.iter().find(|device| device["kind"] != "cpu").expect("a GPU or a software adapter");
    gpu["name"].as_str().unwrap().to_owned()
}

/// Whether that adapter computes in software.
fn is_software() -> bool {
    let listing = json(&results(&run(&["devices", "--json"]), 0));
    let kinds: Vec<_> = listing["devices"].as_array().unwrap().iter().map(|device| device["kind"].clone()).collect();
    !kinds.iter().any(|kind| kind == "integrated" || kind == "discrete" || kind == "virtual")
}

fn photo(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/photos").join(name)
}

/// The layers of VGG16's base.
const VGG_LAYERS: [&str; 18] = [
    "block1_conv1",
    "block1_conv2",
    "block1_pool",
    "block2_conv1",
    "block2_conv2",
    "block2_pool",
    "block3_conv1",
    "block3_conv2",
    "block3_conv3",
    "block3_pool",
    "block4_conv1",
    "block4_conv2",
    "block4_conv3",
    "block4_pool",
    "block5_conv1",
    "block5_conv2",
    "block5_conv3",
    "block5_pool",
];

#[test]
fn help_and_version_are_results() {
    let help = results(&run(&["--help"]), 0);
    for command in [
        "predict", "video", "train", "eval", "export", "study", "baseline", "data", "prepare", "devices", "compare",
        "bench", "tune", "run",
    ] {
        assert!(help.contains(command), "{help}");
        let help = results(&run(&[command, "--help"]), 0);
        assert!(help.contains("Examples:\n  vultus ") && !help.contains('\\'), "{help}");
    }
    assert_eq!(results(&run(&["--version"]), 0), format!("vultus {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn no_output_overwrites_an_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (list, model, other) = (path("list.csv"), path("model.safetensors"), path("other.safetensors"));
    let inputs = [&list, &model];
    inputs.into_iter().for_each(|input| std::fs::write(input, "an input").unwrap());
    // By another path.
    let same = &folder.path().join(".").join("list.csv").to_str().unwrap().to_owned();
    let cases: [&[&str]; 7] = [
        &["eval", &list, "--csv", same],
        &["eval", &list, "--model", &model, "--csv", &model],
        &["train", &list, "--out", same],
        &["train", &list, "--out", &other, "--log", &list],
        &["train", &list, "--start", &model, "--out", &model, "--force"],
        &["weights", "convert", &model, "--out", &model],
        &["export", "--model", &model, "--out", &model, "--force"],
    ];
    for arguments in cases {
        let said = messages(&run(arguments), 2);
        assert!(said.contains("this is read by the same command"), "{arguments:?}: {said}");
    }
    inputs.into_iter().for_each(|input| assert_eq!(std::fs::read_to_string(input).unwrap(), "an input"));
}

#[test]
fn bad_use_is_told_from_failure() {
    let cases: [&[&str]; 43] = [
        &[],
        &["nonsense"],
        &["predict"],
        &["predict", "a.png", "--nonsense"],
        &["predict", "a.png", "--json", "--csv"],
        &["predict", "a.png", "--min-face", "5"],
        &["predict", "-", "-"],
        &["compare", "--input", "31"],
        &["compare", "--device", "cpu"],
        &["data"],
        &["data", "faces", "--list", "-1"],
        &["data", "faces", "--against"],
        &["train"],
        &["train", "faces", "--input", "31"],
        &["train", "faces", "--epochs", "0"],
        &["train", "faces", "--batch", "0"],
        &["train", "faces", "--dropout", "2"],
        &["train", "faces", "--validation", "1"],
        &["train", "faces", "--at-random", "--by-subject"],
        &["train", "faces", "--learning-rate", "nan"],
        &["study", "faces", "--ratio", "1"],
        &["baseline", "faces", "--ratio", "0"],
        &["export"],
        &["export", "--out", "model.bin"],
        &["export", "--out", "model.safetensors", "--preprocessing"],
        &["predict", "a.png", "--shard", "0/2"],
        &["bench", "--runs", "0"],
        &["bench", "--network", "mtcnn", "--batch", "2"],
        &["bench", "--network", "mtcnn", "--dump", "a.safetensors"],
        &["bench", "--network", "mtcnn", "--feed", "a.safetensors"],
        &["bench", "--network", "yunet", "--input", "64"],
        &["predict", "a.png", "--detector", "nonsense"],
        &["bench", "--network", "vgg16", "--train", "head"],
        &["bench", "--network", "mobilenet", "--train", "block5"],
        &["bench", "--train", "nonsense"],
        &["bench", "--json", "--markdown"],
        &["bench", "--no-layers", "--trace", "a.json"],
        &["bench", "--no-layers", "--markdown"],
        &["bench", "a.onnx", "--network", "vgg16"],
        &["bench", "a.onnx", "--train", "head"],
        &["bench", "--dimension", "height=64"],
        &["compare", "a.onnx", "--input", "64"],
        &["run"],
    ];
    for arguments in cases {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_unknown_device_is_bad_use_and_the_known_ones_are_named() {
    let adapter = adapter();
    for command in [["bench", "--runs=1"], ["devices", "--json"]] {
        let output = vultus().args(command).args(["--device", "no such device"]).output().unwrap();
        let messages = messages(&output, 2);
        assert!(messages.contains("vultus: no device \"no such device\"") && messages.contains(&adapter), "{messages}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_missing_folder_of_weights_is_a_failure() {
    let output = run(&["bench", "--runs", "1", "--device", "cpu", "--weights", "no/such/folder"]);
    let messages = messages(&output, 1);
    assert!(messages.contains("vultus: no/such/folder: there is no such folder"), "{messages}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let mut child = vultus().args(["devices", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert!(!messages(&output, 0).contains("vultus:"));
}

#[test]
fn quiet_is_quiet_and_messages_never_mix_with_results() {
    let arguments = ["bench", "--input", "32", "--runs", "1", "--device", "cpu"];
    let output = run(&arguments);
    assert!(results(&output, 0).starts_with("vgg16-base on CPU"));
    assert!(text(&output.stderr).contains("device: CPU"));
    let output = vultus().args(arguments).arg("--quiet").output().unwrap();
    results(&output, 0);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
}

#[test]
fn shells_and_manuals_know_every_command() {
    for shell in ["bash", "zsh", "fish"] {
        let completions = results(&run(&["completions", shell]), 0);
        for word in ["predict", "video", "min-face", "prepare"] {
            assert!(completions.contains(word), "{shell}: {word}");
        }
    }
    let page = results(&run(&["man"]), 0);
    assert!(page.contains(".SH SYNOPSIS") && page.contains("predict"), "{page}");
    let page = results(&run(&["man", "predict"]), 0);
    assert!(page.contains(".TH vultus-predict 1") && page.contains("\\-\\-annotate"), "{page}");
    assert!(messages(&run(&["man", "dance"]), 2).contains("there is no command \"dance\""));
}
