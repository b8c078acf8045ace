//! `vultus run`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use tempfile::TempDir;
use vultus::nn::Network;
use vultus::onnx::{self, Export, Import};
use vultus::weights::{arrays, safetensors};
use vultus::{Parameters, Tensor};

use crate::{messages, results, text, vultus};

/// As of the graphs' tests: sums of some dozens of products, in another order than onnxruntime's.
const TOLERANCE: f32 = 2e-5;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx").join(name)
}

/// `vultus run` in this folder, on the CPU.
fn run(folder: &TempDir, model: &Path, arguments: &[&str]) -> Output {
    let mut command = vultus();
    command.current_dir(folder).args(["run", "--quiet", "--device", "cpu"]).arg(model).args(arguments);
    command.output().unwrap()
}

/// The names of the files in a folder.
fn files(folder: &TempDir) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Tensors by their names.
type Named = Vec<(String, Tensor)>;

/// The inputs of a graph under their names, and its outputs under theirs.
fn example(name: &str, import: &Import) -> (Named, Named) {
    let read = onnx::read(&golden(&format!("{name}.onnx")), import).unwrap();
    let tensors = safetensors::read(&golden(&format!("{name}.safetensors"))).unwrap().parameters;
    let named = |names: Vec<String>, what: &str| {
        let tensor = |(index, name)| (name, tensors[&format!("{what}.{index}")].clone());
        names.into_iter().enumerate().map(tensor).collect::<Named>()
    };
    let inputs = read.network.inputs().map(|(name, _)| name.to_owned()).collect();
    (named(inputs, "input"), named(read.outputs, "output"))
}

fn check(found: &Parameters, wanted: &[(String, Tensor)], name: &str) {
    assert_eq!(found.len(), wanted.len(), "{name}");
    for (output, wanted) in wanted {
        let found = &found[output];
        assert_eq!(found.shape(), wanted.shape(), "{name}: {output}");
        let apart = found.data().iter().zip(wanted.data()).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
        let off = apart.fold(0.0, f32::max);
        assert!(off < TOLERANCE, "{name}: {output} is off by {off}");
    }
}

#[test]
fn models_give_what_onnxruntime_gives_under_the_names_of_their_outputs() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["attention", "convolutions", "dense", "elsewhere", "shapes", "two_inputs", "without_batch"] {
        let is_open = name == "shapes";
        let dimensions = if is_open { vec![("H".to_owned(), 6)] } else { Vec::new() };
        let import = Import { dimensions: dimensions.into_iter().collect(), ..Import::default() };
        let (inputs, wanted) = example(name, &import);
        arrays::write_npz(&folder.path().join("inputs.npz"), &inputs).unwrap();
        let options = if is_open { &["--dimension", "H=6"][..] } else { &[] };
        let model = golden(&format!("{name}.onnx"));
        let arguments = [&["--input", "inputs.npz", "--out", "outputs.npz"], options].concat();
        let said = results(&run(&folder, &model, &arguments), 0);
        assert!(wanted.iter().all(|(output, _)| said.contains(&format!("outputs.npz: {output} float32 ["))), "{said}");
        check(&arrays::read(&folder.path().join("outputs.npz")).unwrap(), &wanted, name);
    }
    assert_eq!(files(&folder), ["inputs.npz", "outputs.npz"]);
}

#[test]
fn each_input_may_come_from_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let (inputs, wanted) = example("two_inputs", &Import::default());
    let mut arguments = vec!["--out".to_owned(), "y.npz".to_owned()];
    for (index, (name, tensor)) in inputs.iter().enumerate() {
        arrays::write_npy(&folder.path().join(format!("{index}.npy")), tensor).unwrap();
        arguments.extend(["--input".to_owned(), format!("{name}={index}.npy")]);
    }
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    results(&run(&folder, &golden("two_inputs.onnx"), &arguments), 0);
    check(&arrays::read(&folder.path().join("y.npz")).unwrap(), &wanted, "two_inputs");
}

/// A folder with `double.onnx`, which takes two numbers and doubles them: the input is called `input`, the output `double`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let network = Network::new("double", [2]).dense_without_bias("double", "double", 2);
    let parameters = [("double.weight".to_owned(), Tensor::new([2, 2], vec![2.0, 0.0, 0.0, 2.0]).unwrap())].into();
    onnx::write(&folder.path().join("double.onnx"), &network, &parameters, &Export::default()).unwrap();
    folder
}

/// Writes an array as NumPy does.
fn npy(folder: &TempDir, name: &str, descr: &str, shape: &str, numbers: &[u8]) {
    let header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}\n");
    let start = [b"\x93NUMPY\x01\0".as_slice(), &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    fs::write(folder.path().join(name), [start.as_slice(), numbers].concat()).unwrap();
}

#[test]
fn numbers_of_all_types_and_any_batch_are_taken() {
    let folder = folder();
    let model = folder.path().join("double.onnx");
    for (descr, numbers) in [
        ("<f4", [3f32, 250.0].iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>()),
        (">f8", [3f64, 250.0].iter().flat_map(|number| number.to_be_bytes()).collect()),
        ("<f2", vec![0x00, 0x42, 0xd0, 0x5b]),
        ("|u1", vec![3, 250]),
        ("<i8", [3i64, 250].iter().flat_map(|number| number.to_le_bytes()).collect()),
        (">i2", [3i16, 250].iter().flat_map(|number| number.to_be_bytes()).collect()),
    ] {
        npy(&folder, "x.npy", descr, "(1, 2)", &numbers);
        let said = results(&run(&folder, &model, &["--input", "x.npy", "--out", "y.npy"]), 0);
        assert_eq!(said, "y.npy: double float32 [1, 2]\n");
        let found = arrays::read(&folder.path().join("y.npy")).unwrap();
        assert_eq!(found["y"], Tensor::new([1, 2], vec![6.0, 500.0]).unwrap(), "{descr}");
    }
    npy(&folder, "x.npy", "|i1", "(3, 2)", &[1, 0xff, 2, 0xfe, 0x80, 0]);
    results(&run(&folder, &model, &["--input", "input=x.npy", "--out", "y.npz"]), 0);
    let found = arrays::read(&folder.path().join("y.npz")).unwrap();
    assert_eq!(found["double"], Tensor::new([3, 2], vec![2.0, -2.0, 4.0, -4.0, -256.0, 0.0]).unwrap());
}

#[test]
fn bad_use_is_told_and_what_there_is() {
    let folder = folder();
    npy(&folder, "x.npy", "|u1", "(1, 2)", &[1, 2]);
    let model = folder.path().join("double.onnx");
    for (arguments, reason) in [
        (&[][..], "double.onnx takes input [N, 2], and gives double [N, 2]: give it arrays with --input FILE"),
        (&["--input", "x.npy"], "Give --out FILE.npz"),
        (&["--input", "x.npy", "--out", "y.txt"], "y.txt: its extension is not npz or npy"),
        (&["--input", "image=x.npy", "--out", "y.npy"], "there is no input \"image\"; there are input"),
        (&["--input", "x.npy", "--input", "input=x.npy", "--out", "y.npy"], "the input \"input\" is given twice"),
        (&["--input", "x.npy", "--out", "y.npy", "--dimension", "height"], "such as height=640"),
    ] {
        let said = messages(&run(&folder, &model, arguments), 2);
        assert!(said.contains(reason), "{reason:?} is not in: {said}");
    }
    let said = messages(&run(&folder, &golden("two_inputs.onnx"), &["--input", "a=x.npy", "--out", "y.npz"]), 2);
    assert!(said.contains("the input \"b\" of the shape [N, 1, 4] is missing: give --input b=FILE"), "{said}");
    let said = messages(&run(&folder, &golden("two_inputs.onnx"), &["--input", "a=x.npy", "--out", "y.npy"]), 2);
    assert!(said.contains("an .npy holds one array, but the outputs are y, z"), "{said}");
    assert_eq!(files(&folder), ["double.onnx", "x.npy"]);
}

#[test]
fn what_cannot_be_run_is_a_failure_that_leaves_the_older_file() {
    let folder = folder();
    fs::write(folder.path().join("y.npy"), "older").unwrap();
    npy(&folder, "sample.npy", "|u1", "(2,)", &[1, 2]);
    npy(&folder, "wide.npy", "|u1", "(1, 3)", &[1, 2, 3]);
    npy(&folder, "empty.npy", "|u1", "(0, 2)", &[]);
    npy(&folder, "large.npy", "<i4", "(1, 2)", &[1, 0, 0, 1, 0, 0, 0, 0]);
    npy(&folder, "infinite.npy", "<f2", "(1, 2)", &[0, 0, 0, 0x7c]);
    npy(&folder, "short.npy", "|u1", "(1, 2)", &[1]);
    npy(&folder, "complex.npy", "<c8", "(1, 2)", &[0; 16]);
    let huge = [0f32, 3e38].iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    npy(&folder, "huge.npy", "<f4", "(1, 2)", &huge);
    fs::write(folder.path().join("text.npy"), "1 2").unwrap();
    let double = folder.path().join("double.onnx");
    for (input, reason) in [
        (
            "sample.npy",
            "has the shape [2], but [N, 2] is needed: give it a first dimension for the batch (array[None])",
        ),
        ("wide.npy", "the array for the input \"input\" has the shape [1, 3], but [N, 2] is needed"),
        ("empty.npy", "has the shape [0, 2], but [N, 2] is needed"),
        ("large.npy", "16777217 at index [0, 0]: networks compute with f32, which cannot hold it exactly"),
        ("infinite.npy", "inf at index [0, 1]: numbers must be finite"),
        ("short.npy", "does not have the 1 bytes that follow: damaged?"),
        ("complex.npy", "its type is C64: save it as f4, numpy.float32"),
        ("huge.npy", "the output \"double\" has 1 numbers of 2 that are not finite, such as inf"),
        ("text.npy", "none of the formats that can be read"),
        ("double.onnx", "this is a file of ONNX: arrays are read from .npy, .npz and .safetensors"),
        ("nowhere.npy", "nowhere.npy: "),
    ] {
        let said = messages(&run(&folder, &double, &["--input", input, "--out", "y.npy"]), 1);
        assert!(said.contains(reason), "{reason:?} is not in: {said}");
    }
    for (model, reason) in [
        (golden("unsupported.onnx"), "4 operators are not supported: Einsum (2 nodes)"),
        (golden("shapes.onnx"), "has no size: give it one (--dimension H=SIZE"),
        (folder.path().join("text.npy"), "not an ONNX model, or damaged"),
        (folder.path().join("nowhere.onnx"), "nowhere.onnx: "),
    ] {
        let said = messages(&run(&folder, &model, &["--input", "sample.npy", "--out", "y.npy"]), 1);
        assert!(said.contains(reason), "{reason:?} is not in: {said}");
    }
    let out = run(&folder, &double, &["--input", "input=sample.npy", "--out", "no/such/folder/y.npy"]);
    assert!(text(&out.stderr).contains("array[None]"), "{}", text(&out.stderr));
    npy(&folder, "x.npy", "|u1", "(1, 2)", &[1, 2]);
    let said = messages(&run(&folder, &double, &["--input", "x.npy", "--out", "no/such/folder/y.npy"]), 1);
    assert!(said.contains("no/such/folder/y.npy: "), "{said}");
    assert_eq!(fs::read(folder.path().join("y.npy")).unwrap(), b"older");
    assert!(!files(&folder).iter().any(|name| name.contains(".part")));
}

#[test]
fn arrays_must_fit_each_other_and_the_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let (mut inputs, _) = example("two_inputs", &Import::default());
    let write = |inputs: &[(String, Tensor)]| arrays::write_npz(&folder.path().join("inputs.npz"), inputs).unwrap();
    let arguments = ["--input", "inputs.npz", "--out", "y.npz"];
    let batch = inputs[1].1.shape()[0] + 1;
    let first = inputs[0].1.shape()[0];
    let usual = std::mem::replace(&mut inputs[1].1, Tensor::zeros([batch, 1, 4]));
    write(&inputs);
    let said = messages(&run(&folder, &golden("two_inputs.onnx"), &arguments), 1);
    let reason = format!("\"b\" has a batch of {batch}, but that for \"a\" one of {first}");
    assert!(said.contains(&reason), "{said}");
    inputs[1] = ("other".to_owned(), usual);
    write(&inputs);
    let said = messages(&run(&folder, &golden("two_inputs.onnx"), &arguments), 1);
    assert!(said.contains("its array \"other\" has the name of no input; there are a, b, c, a2"), "{said}");
    let said = messages(&run(&folder, &golden("two_inputs.onnx"), &["--input", "b=inputs.npz", "--out", "y.npz"]), 1);
    assert!(said.contains("inputs.npz: none of its arrays (a, a2, c, other) is called \"b\""), "{said}");
    // Pictures whose channels stand last.
    let network = Network::new("picture", [3, 4, 5]).flatten().dense("fc", "fc", 2);
    let path = folder.path().join("picture.onnx");
    onnx::write(&path, &network, &network.initialize(1).unwrap(), &Export::default()).unwrap();
    arrays::write_npy(&folder.path().join("x.npy"), &Tensor::zeros([1, 4, 5, 3])).unwrap();
    let said = messages(&run(&folder, &path, &["--input", "x.npy", "--out", "y.npz"]), 1);
    assert!(said.contains("has the shape [1, 4, 5, 3], but [N, 3, 4, 5] is needed: exchange its dimensions (array.transpose(0, 3, 1, 2))"), "{said}");
    assert!(!folder.path().join("y.npz").exists());
}
