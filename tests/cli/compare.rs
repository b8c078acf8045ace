//! `vultus compare`.

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
