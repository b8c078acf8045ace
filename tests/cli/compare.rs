//! `vultus compare`.

use tempfile::TempDir;
use vultus::Tensor;
use vultus::nn::Network;
use vultus::onnx::{self, Export};
use vultus::ops::Conv2d;
use vultus::weights::arrays;

use crate::{VGG_LAYERS, adapter, json, messages, number, photo, results, run, strings, text, vultus};

#[test]
fn a_gpu_agrees_with_the_cpu_in_every_layer() {
    let adapter = adapter();
    let output = run(&["compare", "--device", &adapter, "--input", "32", "--json"]);
    let comparison = json(&results(&output, 0));
    assert!(text(&output.stderr).contains(&format!("device: {adapter}")));
    assert_eq!(comparison["device"], adapter);
    assert_eq!(comparison["agree"], true);
    assert_eq!(strings(&comparison["layers"], "name"), VGG_LAYERS);
    for layer in comparison["layers"].as_array().unwrap() {
        assert!(number(&layer["max_abs"]) >= 0.0);
        // The tolerance that the command states.
        assert!((0.0..=1e-4).contains(&number(&layer["relative"])), "{layer}");
    }
}

#[test]
fn compare_takes_a_picture_and_says_what_it_found() {
    let picture = photo("astronaut.png");
    let output = vultus().args(["compare", "--input", "32", "--device", &adapter()]).arg(picture).output().unwrap();
    let table = results(&output, 0);
    assert!(VGG_LAYERS.iter().all(|layer| table.contains(layer)) && table.contains("agrees with the CPU"), "{table}");
    let output = run(&["compare", "--input", "32", "--device", &adapter(), "no/such/picture.png"]);
    assert!(messages(&output, 1).contains("vultus: no/such/picture.png: "));
}

#[test]
fn a_file_of_vgg16_is_taken_for_weights() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/vgg16_base.safetensors");
    let arguments = ["compare", "--input", "32", "--json", "--device", &adapter()];
    let embedded = results(&run(&arguments), 0);
    assert_eq!(results(&vultus().args(arguments).args(["--weights", file]).output().unwrap(), 0), embedded);
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/mtcnn.safetensors");
    let output = vultus().args(arguments).args(["--weights", other]).output().unwrap();
    assert!(messages(&output, 1).contains("no tensor's name starts with \"features.\""));
}

/// A folder with a small ONNX model of two inputs, `model.onnx`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let conv = |network: Network| network.conv2d("conv", "conv", 8, Conv2d::square(3, 1, 1)).relu();
    let network = conv(Network::new("two", [3, 12, 10]).with_input("mask", [8, 12, 10])).mul("masked", "mask").unwrap();
    let network = network.adaptive_avg_pool2d("mean", [1, 1]).flatten().dense("fc", "fc", 4).softmax();
    let path = folder.path().join("model.onnx");
    onnx::write(&path, &network, &network.initialize(1).unwrap(), &Export::default()).unwrap();
    folder
}

#[test]
fn an_onnx_model_is_compared_layer_by_layer() {
    let folder = folder();
    let compare = |options: &[&str]| {
        let mut command = vultus();
        command.current_dir(&folder).args(["compare", "--device", &adapter(), "model.onnx"]).args(options);
        command.output().unwrap()
    };
    let comparison = json(&results(&compare(&["--json"]), 0));
    assert_eq!(comparison["agree"], true);
    let layers = strings(&comparison["layers"], "name");
    assert!(
        ["conv", "masked", "fc", "probabilities"].iter().all(|name| layers.contains(&(*name).to_owned())),
        "{layers:?}"
    );
    for layer in comparison["layers"].as_array().unwrap() {
        assert!((0.0..=1e-4).contains(&number(&layer["relative"])), "{layer}");
    }
    // Sums in another order differ somewhere.
    let output = compare(&["--tolerance", "0"]);
    assert!(results(&output, 1).contains(" parts from the CPU at ") && text(&output.stderr).contains("part at"));

    let inputs = [("input", [2, 3, 12, 10]), ("mask", [2, 8, 12, 10])];
    let inputs = inputs.map(|(name, shape)| (name.to_owned(), Tensor::from_fn(shape, |i| (i % 9) as f32)));
    arrays::write_npz(&folder.path().join("inputs.npz"), &inputs).unwrap();
    assert!(results(&compare(&["--feed", "inputs.npz"]), 0).contains("agrees with the CPU"));
    arrays::write_npz(&folder.path().join("inputs.npz"), &inputs[..1]).unwrap();
    assert!(
        messages(&compare(&["--feed", "inputs.npz"]), 2)
            .contains("the input \"mask\" of the shape [N, 8, 12, 10] is missing")
    );
    assert!(messages(&compare(&["--input", "64"]), 2).contains("--input is for pictures"));
    assert!(messages(&compare(&["--tolerance", "nan"]), 2).contains("such as 1e-4"));
    let picture = vultus().args(["compare", "--device", &adapter(), "--dimension", "a=1"]).output().unwrap();
    assert!(messages(&picture, 2).contains("are for ONNX models"));
}
