//! The HTTP API.

use serde_json::Value;
use vultus::Device;
use vultus::face::{Analyzer, Architecture, ModelCard};
use vultus::ops::Normalization;
use vultus::weights::safetensors::{self, Precision};
use vultus::weights::{DefaultFile, Store};

use super::Server;
use super::harness::{astronaut, jpeg, png, same_answer};
use super::live::Camera;

/// The photo's face, as `vultus predict` finds it.
const FACE: [f64; 4] = [178.1, 65.0, 269.5, 176.4];

fn assert_is_face(face: &Value) {
    for (edge, wanted) in FACE.iter().enumerate() {
        let found = face["box"][edge].as_f64().unwrap();
        assert!((found - wanted).abs() < 1.0, "edge {edge} is at {found}, not {wanted}");
    }
    assert_eq!(face["expression"], "happy");
    let sum: f64 = face["scores"].as_object().unwrap().values().map(|score| score.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-5, "{sum}");
    assert_eq!(face["landmarks"].as_array().unwrap().len(), 5);
}

#[test]
fn a_picture_is_answered_as_predict_does() {
    let server = Server::start(&[]);
    let photo = png(&astronaut());
    let answer = server.post("/api/predict", &photo);
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let found = answer.json();
    assert_eq!((&found["width"], &found["height"]), (&512.into(), &512.into()));
    assert_eq!(found["faces"].as_array().unwrap().len(), 1);
    assert_is_face(&found["faces"][0]);
    for stage in ["decode", "wait", "detect", "prepare", "network", "total"] {
        assert!(found["milliseconds"][stage].as_f64().unwrap() >= 0.0, "{stage}");
    }
    // A face that is smaller than what is asked for is not there.
    let none = server.post("/api/predict?min_face=300", &photo).json();
    assert_eq!(none["faces"].as_array().map(Vec::len), Some(0));
    for bad in ["min_face=5", "min_face=x", "min_face=NaN", "size=3"] {
        let refused = server.post(&format!("/api/predict?{bad}"), &photo);
        assert_eq!(refused.status, 400, "{bad}: {refused:?}");
    }
}

#[test]
fn a_form_of_several_pictures_is_answered_for_each() {
    let server = Server::start(&[]);
    let part = |name: &str, bytes: &[u8]| {
        let head = format!("--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"{name}\"\r\n\r\n");
        [head.as_bytes(), bytes, b"\r\n"].concat()
    };
    let photo = jpeg(&astronaut());
    let body = [
        part("one.jpg", &photo),
        part("broken.jpg", &photo[..999]),
        part("two.png", &png(&astronaut())),
        b"--XX--\r\n".to_vec(),
    ];
    let form = [("Content-Type", "multipart/form-data; boundary=XX")];
    let answer = server.post_with("/api/predict", &body.concat(), &form);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let pictures = answer.json()["pictures"].clone();
    let names: Vec<&str> = pictures.as_array().unwrap().iter().map(|entry| entry["file"].as_str().unwrap()).collect();
    assert_eq!(names, ["one.jpg", "broken.jpg", "two.png"]);
    assert_is_face(&pictures[2]["faces"][0]);
    assert_eq!(pictures[0]["faces"].as_array().map(Vec::len), Some(1));
    assert!(pictures[1]["error"].as_str().unwrap().contains("cut short"), "{}", pictures[1]);

    assert_eq!(server.post_with("/api/predict", b"--XX--\r\n", &form).status, 400);
    assert_eq!(server.post_with("/api/predict", b"no form", &form).status, 400);
    let many = (0..17).map(|_| part("x", b"x")).collect::<Vec<_>>().concat();
    assert_eq!(server.post_with("/api/predict", &[&many[..], b"--XX--\r\n"].concat(), &form).status, 413);
}

#[test]
fn what_is_no_picture_is_refused_with_a_reason() {
    let server = Server::start(&[]);
    let photo = png(&astronaut());
    for (body, reason) in [(&b""[..], "empty"), (b"hello", "not a JPEG"), (&photo[..20_000], "")] {
        let answer = server.post("/api/predict", body);
        assert_eq!(answer.status, 422, "{answer:?}");
        assert!(answer.json()["error"].as_str().unwrap().contains(reason), "{}", answer.text());
    }
    assert_eq!(server.get("/api/predict").status, 405);
    assert_eq!(server.get("/nothing").status, 404);
    server.assert_alive();
}

#[test]
fn scores_stand_in_the_order_of_the_classes() {
    let server = Server::start(&[]);
    let view = server.post("/api/inside", &png(&astronaut()));
    assert_eq!(view.status, 200, "{}", view.text());
    // Of the face, and of the look into it. By the alphabet surprise would be the last.
    let objects: Vec<&str> = view.text().split("\"scores\":{").skip(1).collect();
    assert_eq!(objects.len(), 2);
    for scores in objects {
        let (scores, _) = scores.split_once('}').unwrap();
        let keys: Vec<&str> = scores.split(',').filter_map(|score| Some(score.split_once(':')?.0)).collect();
        assert_eq!((keys.len(), keys.last()), (8, Some(&"\"contempt\"")), "{scores}");
    }
}

#[test]
fn the_inside_of_a_face_has_all_its_parts() {
    let server = Server::start(&["--model", "vgg16"]);
    let photo = png(&astronaut());
    let view = server.post("/api/inside?layer=block3_conv1&class=sad", &photo);
    assert_eq!(view.status, 200, "{}", view.text());
    let view = view.json();
    assert_is_face(&view["faces"][0]);
    assert_eq!(view["face"], 0);
    let is_picture = |value: &Value| value.as_str().is_some_and(|uri| uri.starts_with("data:image/png;base64,"));
    let titles: Vec<&str> =
        view["stages"].as_array().unwrap().iter().map(|stage| stage["title"].as_str().unwrap()).collect();
    // What this model is given: neither aligned nor evened out.
    assert_eq!(titles, ["Input", "Detected", "Cropped", "Resized", "Gray", "Normalised"]);
    assert!(view["stages"].as_array().unwrap().iter().all(|stage| is_picture(&stage["image"])));
    assert_eq!((&view["filters"]["count"], &view["filters"]["layer"]), (&64.into(), &"block1_conv1".into()));
    assert_eq!((&view["maps"]["count"], &view["maps"]["size"]), (&256.into(), &serde_json::json!([12, 12])));
    let explanation = &view["explanation"];
    assert_eq!((&explanation["class"], &explanation["method"]), (&"sad".into(), &"occlusion".into()));
    assert_eq!(explanation["layer"], Value::Null);
    for part in ["filters", "maps", "explanation"] {
        assert!(is_picture(&view[part]["image"]), "{part}");
    }
    let layers = view["layers"].as_array().unwrap();
    assert_eq!((layers.len(), &layers[0]), (18, &"block1_conv1".into()));
    let times = view["times"].as_array().unwrap();
    assert!(times.len() >= 20 && times.iter().all(|time| time["milliseconds"].as_f64().unwrap() >= 0.0));
    // The same picture by itself gives the same answer, one look at the face instead of two.
    assert_eq!((view["scores"].as_object().unwrap().len(), &view["expression"]), (7, &"happy".into()));
    assert!(same_answer(&view, &server.post("/api/predict", &photo).json()));

    for (bad, reason) in [("layer=block9", "block1_conv1"), ("class=bored", "happy"), ("face=1", "no face 1 among 1")] {
        let refused = server.post(&format!("/api/inside?{bad}"), &photo);
        assert_eq!(refused.status, 422, "{bad}");
        assert!(refused.json()["error"].as_str().unwrap().contains(reason), "{}", refused.text());
    }
    let other = server.post("/api/inside?method=hirescam&class=sad", &photo).json();
    let (layer, method) = (&other["explanation"]["layer"], &other["explanation"]["method"]);
    assert!(method == "hirescam" && layer.as_str().is_some_and(|layer| layers.contains(&layer.into())), "{layer}");
    assert!(is_picture(&other["explanation"]["image"]));
    assert_ne!(other["explanation"]["image"], explanation["image"]);
    let refused = server.post("/api/inside?method=guess", &photo);
    assert!(refused.status == 400 && refused.text().contains("occlusion"), "{}", refused.text());
    let whole = server.post("/api/inside", &png(&image::RgbImage::from_pixel(80, 60, image::Rgb([120; 3]))));
    assert_eq!((whole.status, &whole.json()["face"]), (200, &Value::Null));
}

#[test]
fn the_model_the_health_and_the_counters_are_told() {
    let server = Server::start(&["--model", "vgg16"]);
    let about = server.get("/api/model").json();
    assert_eq!((&about["device"], &about["version"]), (&"CPU".into(), &env!("CARGO_PKG_VERSION").into()));
    assert_eq!(about["detector"], "yunet");
    let model = &about["model"];
    assert_eq!((model["classes"].as_array().map(Vec::len), &model["input"]), (Some(7), &48.into()));
    assert!(model["not_for"].as_str().unwrap().contains("Not to be used to judge"));
    assert_eq!(about["limits"]["max_bytes"], 16 << 20);
    assert_eq!(server.get("/api/health").json()["status"], "ok");

    server.post("/api/predict", &png(&astronaut()));
    server.post("/api/predict", b"x");
    let metrics = server.get("/metrics");
    assert!(metrics.header("content-type").unwrap().starts_with("text/plain; version=0.0.4"));
    for line in [
        "vultus_requests_total{route=\"/api/predict\",status=\"200\"} 1",
        "vultus_requests_total{route=\"/api/predict\",status=\"422\"} 1",
        "vultus_faces_total 1",
        "vultus_queue_pictures 0",
    ] {
        assert!(metrics.text().lines().any(|found| found == line), "{line} is not in\n{}", metrics.text());
    }
}

#[test]
fn an_uncertain_model_says_so_wherever_it_answers() {
    // Random weights, so small that no class is sure.
    let classes = ["calm", "wild"].map(str::to_owned).into();
    let card = ModelCard {
        uncertain_below: Some(0.99),
        temperature: Some(1.5),
        ..ModelCard::new(Architecture::Light, classes, 32, Normalization::CAFFE)
    };
    let mut parameters = card.network().unwrap().initialize(3).unwrap();
    parameters.get_mut("classifier.0.weight").unwrap().data_mut().iter_mut().for_each(|w| *w *= 0.001);
    let folder = tempfile::tempdir().unwrap();
    let model = folder.path().join("unsure.safetensors");
    safetensors::write(&model, &parameters, &card.to_metadata().unwrap(), Precision::F32).unwrap();

    let server = Server::start(&["--model", model.to_str().unwrap()]);
    let about = server.get("/api/model").json()["model"].clone();
    assert_eq!((&about["uncertain_below"], &about["temperature"]), (&0.99.into(), &1.5.into()));
    let photo = png(&astronaut());
    let found = server.post("/api/predict", &photo).json();
    assert_eq!(found["faces"][0]["expression"], "uncertain");
    assert_eq!(found["faces"][0]["scores"].as_object().unwrap().len(), 2);
    let view = server.post("/api/inside", &photo).json();
    assert_eq!((&view["expression"], &view["faces"][0]["expression"]), (&"uncertain".into(), &"uncertain".into()));
    // What is explained is the most probable class.
    assert!(
        ["calm", "wild"].iter().any(|class| view["explanation"]["class"] == *class),
        "{}",
        view["explanation"]["class"]
    );
    let (mut camera, mut last) = (Camera::open(&server), Value::Null);
    // A face counts from the third frame on.
    for number in 0..3 {
        camera.send(number, &photo);
        let result = camera.next().unwrap();
        assert_eq!(result["faces"].as_array().unwrap().len(), usize::from(number == 2), "{result}");
        last = result;
    }
    assert_eq!(last["faces"][0]["expression"], "uncertain");
}

#[test]
fn the_description_names_the_paths_that_there_are() {
    let server = Server::start(&[]);
    let description = server.get("/openapi.json").json();
    for (path, methods) in description["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let answer = server.exchange(server.head(&method.to_uppercase(), path, &[]).as_bytes());
            assert!(![404, 405].contains(&answer.status) && answer.status != 0, "{method} {path}: {answer:?}");
        }
    }
    assert_eq!(description["info"]["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn program_server_and_library_give_the_same_numbers() {
    let server = Server::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    // The smallest face goes by the picture's size: in this one the face is too small to be looked for by default.
    let large = image::imageops::resize(&astronaut(), 300, 300, image::imageops::FilterType::Triangle);
    let mut wide = image::RgbImage::from_pixel(4000, 900, image::Rgb([60; 3]));
    image::imageops::replace(&mut wide, &large, 900, 200);
    let mut analyzer = Analyzer::builder().device(Device::Cpu);
    if cfg!(not(feature = "embed")) {
        let store = Store::open(Some(std::path::Path::new("weights"))).unwrap();
        let load = |file| store.load(file).unwrap();
        analyzer = analyzer.detector_weights(load(DefaultFile::Yunet)).model(load(DefaultFile::ExpressionModel));
    }
    let mut analyzer = analyzer.build().unwrap();
    for (picture, faces) in [(astronaut(), 1), (wide, 0)] {
        let (bytes, file) = (png(&picture), folder.path().join("picture.png"));
        std::fs::write(&file, &bytes).unwrap();
        let mut predict = std::process::Command::new(env!("CARGO_BIN_EXE_vultus"));
        predict.args(["predict", "--device", "cpu", "--json"]).arg(&file);
        if cfg!(not(feature = "embed")) {
            predict.env("VULTUS_WEIGHTS", concat!(env!("CARGO_MANIFEST_DIR"), "/weights"));
        }
        let by_program: Value = serde_json::from_slice(&predict.output().unwrap().stdout).unwrap();
        let by_server = server.post("/api/predict", &bytes).json();
        let by_library = serde_json::to_value(analyzer.analyze(&picture).unwrap()).unwrap();
        assert_eq!(by_library["faces"].as_array().unwrap().len(), faces);
        assert!(same_answer(&by_program, &by_library), "{by_program}\n{by_library}");
        assert!(same_answer(&by_server, &by_library), "{by_server}\n{by_library}");
    }
}
