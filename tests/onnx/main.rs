//! Networks written as ONNX: the file holds what the network does, and onnxruntime has computed the same from its very
//! bytes. That needs Python, so it is done by `tests/onnx/check.py`, which lists the files that it has found right in
//! `verified.sha256`; here every file must be one of these.
#![cfg(feature = "onnx")]

mod networks;

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use vultus::gpu::Adapter;
use vultus::nn::Network;
use vultus::onnx::{Export, Import, Precision, read, write};
use vultus::ops::Normalization;
use vultus::weights::{Catalog, Format, safetensors};
use vultus::{Device, Error, Options, Parameters};

use networks::{Case, cases};

/// Where `check.py` looks for the files.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("onnx");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// The parameters in a file, by those of the network that was written.
fn read_back(path: &Path, written: &Parameters) -> Parameters {
    let mut found = Catalog::open(path).unwrap().read().unwrap().parameters;
    found.retain(|name, _| written.contains_key(name));
    found
}

/// Whether a number that was read is the one that was written.
fn same(precision: Precision, (found, wanted): (&f32, &f32)) -> bool {
    match precision {
        Precision::F32 => found.to_bits() == wanted.to_bits(),
        Precision::F16 => *found == half::f16::from_f32(*wanted).to_f32(),
    }
}

#[test]
fn every_network_is_written_in_bytes_that_onnxruntime_has_verified() {
    let list = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/onnx/verified.sha256")).unwrap();
    let mut unknown = Vec::new();
    for Case { name, network, parameters, export, input } in cases() {
        let path = folder().join(format!("{name}.onnx"));
        write(&path, &network, &parameters, &export).unwrap();
        let bytes = fs::read(&path).unwrap();
        let sum: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        if !list.lines().any(|line| line == format!("{sum}  {name}.onnx")) {
            unknown.push(name.clone());
        }
        let example = networks::example(&network, &parameters, &export, input);
        let file = folder().join(format!("{name}.safetensors"));
        safetensors::write(&file, &example, &Default::default(), safetensors::Precision::F32).unwrap();

        for (parameter, tensor) in read_back(&path, &parameters) {
            let wanted = &parameters[&parameter];
            assert_eq!(tensor.len(), wanted.len(), "{name}: {parameter}");
            let mut pairs = tensor.data().iter().zip(wanted.data());
            assert!(pairs.all(|pair| same(export.precision, pair)), "{name}: {parameter}");
        }
    }
    assert!(
        unknown.is_empty(),
        "onnxruntime has not verified these bytes of {unknown:?}: run `python tests/onnx/check.py --write`, which \
         compares what it computes from them with what the network computes"
    );
}

/// Numbers of a batch in another order, and two layers where one was.
const TOLERANCE: f32 = 1e-5;

/// Sums in another order in all of the layers, some of which nearly cancel with weights that are the same on every machine:
/// onnxruntime differs by up to 8e-5 as well.
const TOLERANCE_ON_GPU: f32 = 2e-4;

#[test]
fn every_network_that_was_written_computes_the_same_when_it_is_read() {
    let adapter = Adapter::all().into_iter().next().expect("no driver offers an adapter: install one, such as Mesa's");
    let gpu = Device::Gpu(adapter.open().unwrap());
    for Case { name, network, parameters, export, input } in cases() {
        let path = folder().join(format!("{name}.again.onnx"));
        write(&path, &network, &parameters, &export).unwrap();
        let read = read(&path, &Import::default()).unwrap_or_else(|error| panic!("{error}"));
        assert!(read.has_batch && read.metadata == export.metadata, "{name}");
        for (parameter, tensor) in &parameters {
            let Some(found) = read.parameters.get(parameter) else {
                // The biases of all pairs of tokens are looked up in the table when the model is read.
                assert!(parameter.contains("bias_table"), "{name}: {parameter}");
                continue;
            };
            assert_eq!(found.shape(), tensor.shape(), "{name}: {parameter}");
            assert!(
                found.data().iter().zip(tensor.data()).all(|pair| same(export.precision, pair)),
                "{name}: {parameter}"
            );
        }
        let wanted = networks::example(&network, &parameters, &export, input.clone());
        for (device, tolerance) in [(Device::Cpu, TOLERANCE), (gpu.clone(), TOLERANCE_ON_GPU)] {
            let model = device.load(&read.network, &read.parameters).unwrap();
            let outputs = model.compile(input.shape()[0], &Options::default()).unwrap().run(&input).unwrap();
            for (number, output) in outputs.iter().enumerate() {
                let wanted = &wanted[&format!("output.{number}")];
                let apart = output.data().iter().zip(wanted.data()).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
                let off = apart.fold(0.0, f32::max);
                let fits = output.shape() == wanted.shape() && off < tolerance;
                assert!(fits, "{name} on {device}: output {number} is off by {off}");
            }
        }
    }
}

fn small() -> (Network, Parameters) {
    let network = Network::new("small", [4]).dense("fc", "fc", 2).softmax();
    let parameters = networks::parameters(&network);
    (network, parameters)
}

#[test]
fn names_shapes_and_metadata_come_back() {
    let (network, parameters) = small();
    let path = folder().join("metadata.onnx");
    let metadata = [("license".to_owned(), "MIT".to_owned())].into();
    write(&path, &network, &parameters, &Export { metadata, ..Export::default() }).unwrap();
    let catalog = Catalog::open(&path).unwrap();
    assert_eq!((catalog.format(), catalog.metadata()["license"].as_str()), (Format::Onnx, "MIT"));
    assert_eq!(catalog.read().unwrap().parameters, parameters);
    // Told by its bytes as well as by its name.
    let bytes = fs::read(&path).unwrap();
    assert_eq!(Catalog::from_bytes(Path::new("w"), &bytes).unwrap().format(), Format::Onnx);
}

#[test]
fn what_cannot_be_written_is_refused_and_leaves_the_older_file() {
    let (network, parameters) = small();
    let path = folder().join("refused.onnx");
    fs::write(&path, "older").unwrap();
    let with = |value: f32| {
        let mut parameters = parameters.clone();
        parameters.get_mut("fc.weight").unwrap().data_mut()[5] = value;
        parameters
    };
    let half = Export { precision: Precision::F16, ..Export::default() };
    let caffe = |std| Some(Normalization { std: [std; 3], ..Normalization::CAFFE });
    let pictures = Network::new("pictures", [3, 2, 2]).flatten().dense("fc", "fc", 2);
    let dense = networks::parameters(&pictures);
    for (network, parameters, export, reason) in [
        (&network, with(f32::NAN), Export::default(), "tensor fc.weight: a NaN at index [1, 1]"),
        (&network, with(1e5), half, "100000 at index [1, 1] is too large for f16"),
        (&network, Parameters::new(), Export::default(), "the parameter fc.bias is missing"),
        (&network, parameters.clone(), Export { preprocessing: caffe(1.0), ..Export::default() }, "[3, height, width]"),
        (&pictures, dense, Export { preprocessing: caffe(0.0), ..Export::default() }, "std must be above 0"),
    ] {
        let error = write(&path, network, &parameters, &export).unwrap_err().to_string();
        assert!(error.contains(reason), "{reason:?} is not in: {error}");
        assert_eq!(fs::read(&path).unwrap(), b"older");
    }
    let nowhere = folder().join("no/such/folder.onnx");
    assert!(matches!(write(&nowhere, &network, &parameters, &Export::default()), Err(Error::Io { .. })));
}
