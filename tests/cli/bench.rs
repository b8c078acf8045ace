//! `vultus bench`.

use crate::{VGG_LAYERS, adapter, json, number, results, run, strings, vultus};

#[test]
fn bench_times_the_whole_and_every_layer() {
    // A software adapter takes seconds for a run.
    for (device, runs) in [("cpu", "3"), (&adapter(), "1")] {
        let arguments = ["bench", "--network", "vgg16-base", "--batch", "2", "--input", "32", "--json"];
        let output = vultus().args(arguments).args(["--device", device, "--runs", runs]).output().unwrap();
        let measured = json(&results(&output, 0));
        assert_eq!(
            (&measured["network"], &measured["batch"], &measured["input"]),
            (&"vgg16-base".into(), &2.into(), &32.into())
        );
        assert!(!measured["device"].as_str().unwrap().is_empty());
        assert!(0.0 < number(&measured["min_ms"]) && number(&measured["min_ms"]) <= number(&measured["median_ms"]));
        assert_eq!(strings(&measured["layers"], "name"), VGG_LAYERS);
        for layer in measured["layers"].as_array().unwrap() {
            assert!(!layer["kernel"].as_str().unwrap().is_empty());
            assert!(number(&layer["ms"]) > 0.0 && number(&layer["gflops"]) > 0.0, "{layer}");
        }
    }
}

#[test]
fn bench_runs_the_three_networks_of_the_detector() {
    let output = run(&["bench", "--network", "mtcnn", "--device", "cpu", "--runs", "1", "--json"]);
    let measured = json(&results(&output, 0));
    assert!(number(&measured["median_ms"]) > 0.0);
    let names = strings(&measured["layers"], "name");
    for prefix in ["pnet.conv1", "rnet.conv1", "onet.conv1", "onet.dense6_3"] {
        assert!(names.iter().any(|name| name == prefix), "{names:?}");
    }
}
