//! Networks read from ONNX: what they compute is compared with onnxruntime (`tests/onnx/make_graphs.py`), files that lead
//! elsewhere are refused, and a network that was read goes on like any other. `tests/graphs` has damaged files.
#![cfg(feature = "onnx")]

use std::fs;
use std::path::{Path, PathBuf};

use vultus::gpu::Adapter;
use vultus::nn::{Network, Training};
use vultus::onnx::{self, Export, Import, Imported};
use vultus::weights::safetensors;
use vultus::{Device, Error, Options, Parameters, StepOptions, Targets, Tensor};

/// Sums of some dozens of products, in another order than onnxruntime's, of a driver's own quotients and exponentials; of
/// results above 1 it is that share.
const TOLERANCE: f32 = 2e-5;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx")
}

/// The graphs with what onnxruntime computes.
fn names() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    let examples = files.filter(|path| path.extension().is_some_and(|end| end == "safetensors"));
    let mut names: Vec<String> = examples.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn import() -> Import {
    Import { dimensions: [("H".to_owned(), 6)].into(), ..Import::default() }
}

fn read(name: &str) -> Imported {
    onnx::read(&folder().join(format!("{name}.onnx")), &import()).unwrap()
}

/// The tensors of a file that are called `{what}.0`, `{what}.1`, ….
fn numbered(tensors: &Parameters, what: &str) -> Vec<Tensor> {
    (0..).map_while(|index| tensors.get(&format!("{what}.{index}")).cloned()).collect()
}

/// A tensor with one dimension more in front, or without its first.
fn with_batch(tensor: Tensor) -> Tensor {
    let shape = [&[1], tensor.shape()].concat();
    tensor.reshape(shape).unwrap()
}

fn distance(a: &Tensor, b: &Tensor) -> f32 {
    assert_eq!(a.shape(), b.shape());
    a.data().iter().zip(b.data()).map(|(a, b)| (a - b).abs() / b.abs().max(1.0)).fold(0.0, f32::max)
}

#[test]
fn graphs_compute_what_onnxruntime_does() {
    assert!(names().len() >= 17);
    let adapter = Adapter::all().into_iter().next().expect("no driver offers an adapter: install one, such as Mesa's");
    let gpu = Device::Gpu(adapter.open().unwrap());
    for name in names() {
        let read = read(&name);
        let example = safetensors::read(&folder().join(format!("{name}.safetensors"))).unwrap().parameters;
        let (mut inputs, mut wanted) = (numbered(&example, "input"), numbered(&example, "output"));
        if !read.has_batch {
            inputs = inputs.into_iter().map(with_batch).collect();
            wanted = wanted.into_iter().map(with_batch).collect();
        }
        for device in [Device::Cpu, gpu.clone()] {
            let model = device.load(&read.network, &read.parameters).unwrap();
            let mut plan = model.compile(inputs[0].shape()[0], &Options::default()).unwrap();
            let outputs = plan.run_all(&inputs).unwrap();
            assert_eq!((outputs.len(), read.outputs.len()), (wanted.len(), wanted.len()), "{name}");
            for (number, (found, wanted)) in outputs.iter().zip(&wanted).enumerate() {
                let off = distance(found, wanted);
                assert!(off < TOLERANCE, "{name} on {device}: output {number} is off by {off}");
            }
        }
        // A network without a batch was read as one sample, others keep the batch apart.
        assert_eq!(read.has_batch, name != "without_batch");
    }
}

#[test]
fn parameters_have_the_names_of_their_initialisers() {
    let read = read("convolutions");
    let names: Vec<&str> = read.parameters.keys().map(String::as_str).collect();
    assert_eq!(names, ["b1", "b2", "mean", "scale", "shift", "slopes", "var", "w1", "w2", "w3"]);
    assert_eq!(read.parameters["w1"].shape(), [6, 2, 3, 2]);
    let wanted: Parameters =
        read.network.parameter_shapes().unwrap().into_iter().map(|(n, s)| (n, Tensor::zeros(s))).collect();
    assert!(wanted.keys().eq(read.parameters.keys()));
}

#[test]
fn inputs_and_outputs_have_their_names() {
    let read = read("two_inputs");
    let inputs: Vec<(&str, &[usize])> = read.network.inputs().collect();
    assert_eq!(inputs, [("a", &[3, 4][..]), ("b", &[1, 4]), ("c", &[4, 5]), ("a2", &[3, 5])]);
    assert_eq!(read.outputs, ["y", "z"]);
    // Also what is repeated for each sample.
    assert_eq!(read.parameters["k3"].shape(), [1, 3, 2]);
}

#[test]
fn all_that_is_not_supported_is_said_at_once() {
    let path = folder().join("unsupported.onnx");
    let error = onnx::read(&path, &Import::default()).unwrap_err();
    let Error::Unsupported { operators, .. } = &error else { panic!("{error}") };
    let wanted = [("Einsum", 2), ("GridSample", 1), ("Resize with mode cubic", 1), ("com.microsoft.FusedMatMul", 1)];
    assert!(operators.iter().map(|(name, count)| (name.as_str(), *count)).eq(wanted), "{operators:?}");
    let text = "unsupported.onnx: 4 operators are not supported: Einsum (2 nodes), GridSample (1 node), ";
    assert!(error.to_string().contains(text), "{error}");
}

#[test]
fn a_size_that_is_open_is_asked_for() {
    let error = onnx::read(&folder().join("shapes.onnx"), &Import::default()).unwrap_err().to_string();
    assert!(error.contains("dimension 2 of the input \"x\", \"H\", has no size"), "{error}");
    assert!(Network::from_onnx(&folder().join("shapes.onnx")).is_err());
    let all = Import { size: Some(6), ..Import::default() };
    assert_eq!(onnx::read(&folder().join("shapes.onnx"), &all).unwrap().network, read("shapes").network);
}

#[test]
fn weights_elsewhere_must_be_in_the_folder() {
    let bytes = fs::read(folder().join("elsewhere.onnx")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let inside = outside.path().join("model");
    fs::create_dir(&inside).unwrap();
    fs::copy(folder().join("elsewhere.bin"), outside.path().join("elsewhere.bin")).unwrap();
    let model = inside.join("elsewhere.onnx");
    fs::write(&model, &bytes).unwrap();
    let missing = onnx::read(&model, &Import::default()).unwrap_err().to_string();
    assert!(missing.contains("elsewhere.bin: "), "{missing}");
    // Names of the same length that lead out of the folder.
    for location in ["../elsewh.bin", "/tmp/elsewher", "a/../../ab.bi", "./../elsewhe."] {
        let mut moved = bytes.clone();
        for at in 0..moved.len() - 13 {
            if &moved[at..at + 13] == b"elsewhere.bin" {
                moved[at..at + 13].copy_from_slice(location.as_bytes());
            }
        }
        fs::write(&model, &moved).unwrap();
        let error = onnx::read(&model, &Import::default()).unwrap_err().to_string();
        assert!(error.contains("is not a file within the model's folder"), "{error}");
    }
    // Cut short.
    fs::write(&model, &bytes).unwrap();
    fs::write(inside.join("elsewhere.bin"), [0; 16]).unwrap();
    let error = onnx::read(&model, &Import::default()).unwrap_err().to_string();
    assert!(error.contains("are announced, which has 16"), "{error}");
}

#[test]
fn a_network_that_was_read_learns_and_is_written_again() {
    let Imported { network, parameters, .. } = read("dense");
    let model = Device::Cpu.load(&network, &parameters).unwrap();
    let mut teacher = model.compile_training(2, &Training::default(), &Options::default()).unwrap();
    let x = Tensor::from_fn([2, 5], |place| (place % 3) as f32 - 1.0);
    let step = StepOptions { learning_rate: 0.05, ..StepOptions::default() };
    let losses: Vec<f32> =
        (0..20).map(|_| teacher.train(&x, Targets::Classes(&[Some(0), Some(2)]), &step).unwrap()).collect();
    assert!(losses[19] < 0.9 * losses[0], "{losses:?}");
    let trained = model.parameters().unwrap();
    // Also what a sum and a product read is trained.
    assert!(trained.iter().all(|(name, tensor)| *tensor != parameters[name]), "{:?}", trained.keys());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trained.onnx");
    onnx::write(&path, &network, &trained, &Export::default()).unwrap();
    let again = onnx::read(&path, &Import::default()).unwrap();
    let run = |network: &Network, parameters: &Parameters| {
        Device::Cpu.load(network, parameters).unwrap().compile(2, &Options::default()).unwrap().run(&x).unwrap()
    };
    assert!(distance(&run(&network, &trained)[0], &run(&again.network, &again.parameters)[0]) < 1e-6);
}
