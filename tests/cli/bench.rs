//! `vultus bench`.

use std::path::Path;

use serde_json::Value;
use vultus::nn::Network;
use vultus::onnx::{self, Export};
use vultus::ops::Conv2d;
use vultus::weights::arrays;
use vultus::weights::safetensors::{self, Precision};
use vultus::{Parameters, Tensor};

use crate::{VGG_LAYERS, adapter, json, messages, number, results, run, strings, text, vultus};

/// A small base on the CPU, once, with further options.
fn small(options: &[&str]) -> std::process::Output {
    let arguments = ["bench", "--input", "32", "--runs", "1", "--device", "cpu"];
    vultus().args(arguments).args(options).output().unwrap()
}

/// Two numbers that are the same but for rounding.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

fn tensors(path: &Path) -> Parameters {
    safetensors::read(path).unwrap().parameters
}

#[test]
fn bench_times_the_whole_and_every_layer() {
    // A software adapter takes seconds for a run.
    for (device, runs) in [("cpu", "3"), (&adapter(), "1")] {
        let arguments = ["bench", "--network", "vgg16-base", "--batch", "2", "--input", "32", "--json"];
        let output = vultus().args(arguments).args(["--device", device, "--runs", runs]).output().unwrap();
        let measured = json(&results(&output, 0));
        assert_eq!(
            (&measured["network"], &measured["train"], &measured["batch"], &measured["input"]),
            (&"vgg16-base".into(), &Value::Null, &2.into(), &32.into())
        );
        assert!(!measured["device"].as_str().unwrap().is_empty());
        assert!(0.0 < number(&measured["min_ms"]) && number(&measured["min_ms"]) <= number(&measured["median_ms"]));
        assert!(number(&measured["load_ms"]) > 0.0 && number(&measured["first_ms"]) > 0.0);
        assert_eq!(strings(&measured["layers"], "name"), VGG_LAYERS);
        let peak = |what| number(&measured["peak"][what]);
        for layer in measured["layers"].as_array().unwrap() {
            assert!(!layer["kernel"].as_str().unwrap().is_empty());
            if layer["kernel"] == "with the step before" {
                assert_eq!((number(&layer["ms"]), &layer["limit"]), (0.0, &Value::Null));
                assert!(layer["operation"] == "max_pool2d" && device != "cpu", "{layer}");
                continue;
            }
            assert!(number(&layer["ms"]) > 0.0 && number(&layer["gflops"]) > 0.0, "{layer}");
            let (gflops, gb_per_s) = (number(&layer["gflops"]), number(&layer["gb_per_s"]));
            assert!(close(gflops / gb_per_s, number(&layer["flop_per_byte"])), "{layer}");
            let limit = (gflops / peak("gflops")).max(gb_per_s / peak("gb_per_s"));
            assert!(close(limit, number(&layer["limit"])), "{layer}");
        }
        // 64 filters of 3×3×3 and their biases, two images of 3×32×32 and their 64 maps.
        let first = &measured["layers"][0];
        let (flops, values) = (2 * 2 * 64 * 27 * 1024, 64 * 28 + 2 * (3 + 64) * 1024);
        assert!(close(number(&first["flop_per_byte"]), f64::from(flops) / f64::from(4 * values)), "{first}");
    }
}

#[test]
fn bench_runs_the_networks_of_the_detectors() {
    let mtcnn = &["pnet.conv1", "rnet.conv1", "onet.conv1", "onet.dense6_3"][..];
    let yunet = &["backbone.model0.conv1", "neck.up.0", "bbox_head.multi_level_kps.2.conv2"];
    for (network, layers) in [("mtcnn", mtcnn), ("yunet", yunet)] {
        let output = run(&["bench", "--network", network, "--device", "cpu", "--runs", "1", "--json"]);
        let measured = json(&results(&output, 0));
        assert!(number(&measured["median_ms"]) > 0.0);
        let names = strings(&measured["layers"], "name");
        for layer in layers {
            assert!(names.iter().any(|name| name == layer), "{layer} is not in {names:?}");
        }
    }
}

#[test]
fn networks_of_the_literature_give_the_same_on_the_gpu() {
    let folder = tempfile::tempdir().unwrap();
    let (cpu, gpu) = (folder.path().join("cpu.safetensors"), folder.path().join("gpu.safetensors"));
    let cases = [&["mobilenet_v2"][..], &["efficientnet_lite0"], &["resnet18", "--train", "head", "--batch", "3"]];
    for case in cases {
        for (device, path) in [("cpu", &cpu), (adapter().as_str(), &gpu)] {
            let arguments = ["bench", "--input", "32", "--runs", "1", "--json", "--no-layers", "--network"];
            let output = vultus().args(arguments).args(case).args(["--device", device, "--dump"]).arg(path).output();
            assert_eq!(json(&results(&output.unwrap(), 0))["network"], case[0]);
        }
        let (cpu, gpu) = (tensors(&cpu), tensors(&gpu));
        let names: Vec<&str> = cpu.keys().map(String::as_str).collect();
        match case.len() {
            1 => assert_eq!((names, cpu["output"].shape()), (vec!["output"], &[1, 1000][..])),
            _ => assert_eq!(names, ["gradient.fc.bias", "gradient.fc.weight", "logits", "loss"]),
        }
        for (name, values) in &cpu {
            // As of training steps below.
            let largest = values.data().iter().fold(0f32, |largest, value| largest.max(value.abs()));
            let apart = values.data().iter().zip(gpu[name].data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest > 0.0 && apart <= 1e-4 * largest, "{case:?}, {name}: {apart} of {largest}");
        }
    }
}

#[test]
fn an_onnx_model_is_timed_like_a_network_that_is_known() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("small.onnx");
    let network = Network::new("small", [3, 10, 12]).conv2d("conv", "conv", 4, Conv2d::square(3, 1, 1)).relu();
    let network = network.flatten().dense("fc", "fc", 5).softmax();
    onnx::write(&path, &network, &network.initialize(1).unwrap(), &Export::default()).unwrap();
    let bench = |options: &[&str]| {
        let mut command = vultus();
        command.current_dir(&folder).args(["bench", "small.onnx", "--runs", "2", "--device"]).args(options);
        command.output().unwrap()
    };
    let (cpu, gpu) = (folder.path().join("cpu.safetensors"), folder.path().join("gpu.safetensors"));
    for (device, dump) in [("cpu", "cpu.safetensors"), (adapter().as_str(), "gpu.safetensors")] {
        let measured = json(&results(&bench(&[device, "--batch", "3", "--json", "--dump", dump]), 0));
        assert_eq!((&measured["network"], &measured["batch"]), (&"small.onnx".into(), &3.into()));
        assert!(measured["input"].is_null() && measured["train"].is_null());
        assert!(number(&measured["pictures_per_second"]) > 0.0 && number(&measured["median_ms"]) > 0.0);
        let layers = strings(&measured["layers"], "name");
        assert!(layers.contains(&"conv".to_owned()) && layers.contains(&"fc".to_owned()), "{layers:?}");
    }
    let (cpu, gpu) = (tensors(&cpu), tensors(&gpu));
    assert_eq!(cpu["probabilities"].shape(), [3, 5]);
    let apart = cpu["probabilities"].data().iter().zip(gpu["probabilities"].data()).map(|(a, b)| (a - b).abs());
    // Probabilities from sums over 480 products in another order.
    assert!(apart.fold(0.0, f32::max) < 1e-5);
    assert!(results(&bench(&["cpu", "--no-layers"]), 0).starts_with("small.onnx on CPU, batch 1\nmedian "));

    arrays::write_npy(&folder.path().join("x.npy"), &Tensor::zeros([2, 3, 10, 12])).unwrap();
    let fed = results(&bench(&["cpu", "--no-layers", "--feed", "x.npy", "--dump", "fed.safetensors"]), 0);
    assert!(fed.starts_with("small.onnx on CPU, batch 2\n"), "{fed}");
    assert_eq!(tensors(&folder.path().join("fed.safetensors"))["probabilities"].shape(), [2, 5]);
    let both = bench(&["cpu", "--feed", "x.npy", "--batch", "3"]);
    assert!(messages(&both, 2).contains("--batch 3: the arrays that are fed are a batch of 2"));
    assert!(messages(&run(&["bench", "no/such/model.onnx", "--device", "cpu"]), 1).contains("no/such/model.onnx: "));
}

#[test]
fn the_layers_can_be_left_out_or_be_markdown() {
    let measured = json(&results(&small(&["--json", "--no-layers"]), 0));
    assert!(measured["peak"].is_null() && measured["layers"].as_array().unwrap().is_empty());
    assert!(number(&measured["median_ms"]) > 0.0);

    let markdown = results(&small(&["--markdown"]), 0);
    let rows: Vec<&str> = markdown.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(rows.len(), 2 + VGG_LAYERS.len(), "{markdown}");
    let cells = |row: &str| row.matches('|').count();
    assert!(rows.iter().all(|row| cells(row) == cells(rows[0])), "{markdown}");
    assert!(rows[2].starts_with("| block1_conv1 | "), "{markdown}");
}

/// Begin and end of a trace's event, in microseconds.
fn span(event: &Value) -> (f64, f64) {
    (number(&event["ts"]), number(&event["ts"]) + number(&event["dur"]))
}

#[test]
fn a_trace_holds_every_layer_of_every_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("trace.json");
    for device in ["cpu", &adapter()] {
        for (runs, network) in [("1", "vgg16-base"), ("3", "vgg16-base")] {
            let arguments = ["bench", "--network", network, "--input", "32", "--json", "--runs", runs];
            let output = vultus().args(arguments).args(["--device", device, "--trace"]).arg(&path).output().unwrap();
            let measured = json(&results(&output, 0));
            let trace = json(&std::fs::read_to_string(&path).unwrap());
            let events = trace["traceEvents"].as_array().unwrap();
            let complete: Vec<&Value> = events.iter().filter(|event| event["ph"] == "X").collect();
            let (whole, layers): (Vec<&Value>, Vec<&Value>) = complete.iter().partition(|event| event["cat"] == "run");
            assert_eq!(whole.len(), runs.parse::<usize>().unwrap());
            assert_eq!(layers.len(), whole.len() * VGG_LAYERS.len());
            let mut end = 0.0;
            for (run, layers) in whole.iter().zip(layers.chunks(VGG_LAYERS.len())) {
                assert!(close(span(run).0, end), "{run} begins before {end} or later");
                for (layer, name) in layers.iter().zip(VGG_LAYERS) {
                    assert_eq!(layer["name"], name);
                    assert!(["conv2d", "max_pool2d"].contains(&layer["cat"].as_str().unwrap()), "{layer}");
                    assert!(
                        layer["args"]["flops"].as_u64().unwrap() > 0 && layer["args"]["bytes"].as_u64().unwrap() > 0
                    );
                    assert!(end - 1e-3 <= span(layer).0, "{layer} begins before {end}");
                    end = span(layer).1;
                }
                assert!(close(span(run).1, end), "{run} does not end with its last layer at {end}");
            }
            if runs == "1" {
                let times = measured["layers"].as_array().unwrap().iter().map(|layer| 1e3 * number(&layer["ms"]));
                assert!(times.zip(layers).all(|(time, layer)| close(time, number(&layer["dur"]))));
            }
        }
    }
}

#[test]
fn training_steps_give_the_same_gradients_on_the_gpu() {
    let folder = tempfile::tempdir().unwrap();
    let (cpu, gpu) = (folder.path().join("cpu.safetensors"), folder.path().join("gpu.safetensors"));
    let convolutions = |first: usize| (0..13).map(|i| [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28][i]).skip(first);
    for (what, batch, trained) in
        [("head", "9", convolutions(13)), ("block5", "2", convolutions(10)), ("all", "1", convolutions(0))]
    {
        for (device, path) in [("cpu", &cpu), (adapter().as_str(), &gpu)] {
            let arguments = ["bench", "--train", what, "--batch", batch, "--input", "32", "--runs", "1", "--json"];
            let output = vultus().args(arguments).args(["--device", device, "--dump"]).arg(path).output().unwrap();
            let measured = json(&results(&output, 0));
            assert_eq!((&measured["train"], &measured["batch"]), (&what.into(), &batch.parse::<u64>().unwrap().into()));
            let operations = strings(&measured["layers"], "operation");
            assert!(
                ["dense", "cross_entropy", "dense_backward_weight", "sgd"]
                    .iter()
                    .all(|op| operations.contains(&(*op).to_owned()))
            );
        }
        let (cpu, gpu) = (tensors(&cpu), tensors(&gpu));
        let layers = trained.map(|i| format!("features.{i}")).chain(["classifier.0".into(), "classifier.3".into()]);
        let gradients = layers.flat_map(|name| ["weight", "bias"].map(|of| format!("gradient.{name}.{of}")));
        let mut wanted: Vec<String> = gradients.chain(["loss".into(), "logits".into()]).collect();
        wanted.sort();
        assert_eq!(cpu.keys().cloned().collect::<Vec<_>>(), wanted);
        for (name, values) in &cpu {
            // Sums over up to 512·9 products in another order, through 16 layers.
            let largest = values.data().iter().fold(0f32, |largest, value| largest.max(value.abs()));
            let apart = values.data().iter().zip(gpu[name].data()).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest > 0.0 && apart <= 1e-4 * largest, "{what}, {name}: {apart} of {largest}");
        }
    }
}

#[test]
fn what_is_fed_is_what_the_network_sees() {
    let folder = tempfile::tempdir().unwrap();
    let (feed, dump) = (folder.path().join("feed.safetensors"), folder.path().join("dump.safetensors"));
    let write = |name: &str, tensor: Tensor| {
        let tensors = Parameters::from([(name.to_owned(), tensor)]);
        safetensors::write(&feed, &tensors, &Default::default(), Precision::F32).unwrap();
    };
    let (feed_path, dump_path) = (feed.to_str().unwrap(), dump.to_str().unwrap());
    let output = |tensor: Tensor| {
        write("input", tensor);
        results(&small(&["--feed", feed_path, "--dump", dump_path]), 0);
        tensors(&dump).remove("output").unwrap()
    };
    let (dark, bright) = (output(Tensor::zeros([1, 3, 32, 32])), output(Tensor::filled([1, 3, 32, 32], 100.0)));
    assert_eq!(dark.shape(), [1, 512, 1, 1]);
    assert_ne!(dark, bright);
    assert_eq!(output(Tensor::zeros([1, 3, 32, 32])), dark);

    write("input", Tensor::zeros([1, 3, 33, 32]));
    assert!(messages(&small(&["--feed", feed_path]), 1).contains("[1, 3, 33, 32]"));
    write("picture", Tensor::zeros([1, 3, 32, 32]));
    assert!(messages(&small(&["--feed", feed_path]), 1).contains("tensor input: missing"));
    for option in ["--feed", "--dump", "--trace"] {
        let output = small(&[option, "no/such/folder/file"]);
        assert!(messages(&output, 1).contains("vultus: no/such/folder/file: "), "{}", text(&output.stderr));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn the_file_of_weights_gives_the_dense_layers_that_fit() {
    let folder = tempfile::tempdir().unwrap();
    let (weights, dump) = (folder.path().join("head.safetensors"), folder.path().join("dump.safetensors"));
    let logits = |outputs: usize| {
        let bias = Tensor::from_fn([outputs], |i| i as f32);
        let parameters = Parameters::from([
            ("classifier.3.bias".to_owned(), bias),
            ("classifier.3.weight".to_owned(), Tensor::zeros([outputs, 256])),
        ]);
        safetensors::write(&weights, &parameters, &Default::default(), Precision::F32).unwrap();
        let options = ["--train", "head", "--weights", weights.to_str().unwrap(), "--dump", dump.to_str().unwrap()];
        results(&small(&options), 0);
        tensors(&dump).remove("logits").unwrap()
    };
    assert_eq!(logits(7).data(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    // Another head's: random ones are taken.
    assert_ne!(logits(8).data(), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
}
