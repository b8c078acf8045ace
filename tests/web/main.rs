//! The page of `examples/web` in a real browser. `tests/web.sh` builds it, installs what these tests need and runs them.
#![cfg(feature = "serve")]

#[expect(dead_code, reason = "shared with the tests of the live page, which ask for more of it")]
#[path = "../browser/driver.rs"]
mod driver;
#[expect(dead_code, reason = "shared with the tests of the server, which ask for more of it")]
#[path = "../serve/harness.rs"]
mod harness;
mod site;

use std::path::{Path, PathBuf};

use driver::Browser;
use serde_json::Value;
use vultus::Device;
use vultus::face::{Analyzer, Architecture, ModelCard};
use vultus::nn::light;
use vultus::ops::Normalization;
use vultus::weights::{DefaultFile, Store, safetensors};

/// How far a probability may be from the CPU backend's: f32 sums in another order change less.
const TOLERANCE: f64 = 1e-4;

/// How far an edge of a box may be from the CPU backend's, in pixels.
const BOX_TOLERANCE: f64 = 0.05;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// A light network that nobody has trained, as a file for the page.
fn light_model() -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("light.safetensors");
    let classes = ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"].map(str::to_owned);
    let card = ModelCard::new(Architecture::Light, classes.into(), light::INPUT, Normalization::MTCNN);
    let parameters = card.network().unwrap().initialize(3).unwrap();
    safetensors::write(&path, &parameters, &card.to_metadata().unwrap(), safetensors::Precision::F16).unwrap();
    path
}

/// Chromium with a GPU in software.
fn browser_with_gpu() -> Browser {
    let arguments = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"];
    Browser::start_with(arguments.map(str::to_owned).into())
}

/// Opens the page with these options and lets it look at the astronaut; what it found.
fn predict(browser: &Browser, options: &str) -> Value {
    let site = site::serve(vec![folder("target/web/page"), env!("CARGO_TARGET_TMPDIR").into()]);
    browser.open(&format!("http://{site}/{options}"));
    browser.wait_for("!document.querySelector('#input').hidden");
    browser.click("#astronaut");
    browser.wait_for("window.vultus && !document.querySelector('#again').disabled");
    assert_eq!(browser.log(), Vec::<String>::new());
    browser.value("window.vultus.found")
}

/// What the CPU backend finds by a model: boxes and probabilities.
fn wanted(model: &Path) -> Vec<([f32; 4], Vec<(String, f32)>)> {
    let image = vultus::image::decode_file(&folder("tests/photos/astronaut.png")).unwrap();
    let store = Store::open(Some(&folder("weights"))).unwrap();
    let model = safetensors::read(model).unwrap();
    let builder = Analyzer::builder().device(Device::Cpu).detector_weights(store.load(DefaultFile::Yunet).unwrap());
    let mut analyzer = builder.model(model).build().unwrap();
    analyzer.analyze(&image).unwrap().faces.into_iter().map(|face| (face.bounds, face.scores)).collect()
}

#[track_caller]
fn assert_agrees(found: &Value, wanted: &[([f32; 4], Vec<(String, f32)>)]) {
    let faces = found["faces"].as_array().unwrap();
    assert_eq!(faces.len(), wanted.len(), "{found}");
    for (face, (bounds, scores)) in faces.iter().zip(wanted) {
        for (edge, wanted) in bounds.iter().enumerate() {
            let found = face["box"][edge].as_f64().unwrap();
            assert!((found - f64::from(*wanted)).abs() <= BOX_TOLERANCE, "{found} instead of {wanted} in {face}");
        }
        assert_eq!(face["scores"].as_object().unwrap().len(), scores.len());
        for (class, wanted) in scores {
            let found = face["scores"][class].as_f64().unwrap();
            assert!((found - f64::from(*wanted)).abs() <= TOLERANCE, "{class}: {found} instead of {wanted}");
        }
        // Equal probabilities for all would say nothing.
        let scores = scores.iter().map(|(_, score)| *score);
        assert!(scores.fold(0.0, f32::max) > 0.2);
    }
}

#[test]
fn the_gpu_gives_what_the_cpu_backend_gives() {
    let browser = browser_with_gpu();
    let model = light_model();
    assert_agrees(&predict(&browser, "?model=light.safetensors"), &wanted(&model));
    let shown = browser.value("document.querySelector('#faces').innerText");
    assert!(shown.as_str().unwrap().contains('%'), "{shown}");
    let device = browser.value("document.querySelector('#device').textContent");
    assert!(device.as_str().unwrap().contains("swiftshader"), "{device}");

    // A second run has nothing left to compile, and says its own time.
    let first = browser.value("window.vultus.milliseconds");
    browser.click("#again");
    browser.wait_for("window.vultus.runs === 2 && !document.querySelector('#again').disabled");
    assert_ne!(browser.value("window.vultus.milliseconds"), first);
    assert_agrees(&browser.value("window.vultus.found"), &wanted(&model));
}

#[test]
fn the_default_model_runs_in_the_browser() {
    let browser = browser_with_gpu();
    let found = predict(&browser, "");
    assert_agrees(&found, &wanted(&folder("weights/expression_model.safetensors")));
    // To be looked at.
    std::fs::write(folder("target/web/page.png"), browser.screenshot()).unwrap();
}

#[test]
fn without_a_gpu_the_page_says_so_and_the_processor_will_do() {
    let browser = Browser::start(None);
    let site = site::serve(vec![folder("target/web/page")]);
    browser.open(&format!("http://{site}/"));
    browser.wait_for("document.querySelector('#status.wrong')");
    let said = browser.value("document.querySelector('#status').textContent");
    assert!(said.as_str().unwrap().contains("?device=cpu"), "{said}");
    assert_eq!(browser.value("document.querySelector('#input').hidden"), true);

    let model = light_model();
    assert_agrees(&predict(&browser, "?device=cpu&model=light.safetensors"), &wanted(&model));
}

#[test]
fn what_is_no_picture_or_not_there_is_named() {
    let browser = Browser::start(None);
    let site = site::serve(vec![folder("target/web/page"), env!("CARGO_TARGET_TMPDIR").into()]);
    browser.open(&format!("http://{site}/?device=cpu&model=missing.safetensors"));
    browser.wait_for("document.querySelector('#status.wrong')");
    let said = browser.value("document.querySelector('#status').textContent");
    assert_eq!(said, "missing.safetensors is not beside this page (404)");

    let model = light_model();
    browser.open(&format!("http://{site}/?device=cpu&model=light.safetensors"));
    browser.wait_for("!document.querySelector('#input').hidden");
    browser.type_into("#file", model.to_str().unwrap());
    browser.wait_for("document.querySelector('#status.wrong')");
    let said = browser.value("document.querySelector('#status').textContent");
    assert!(said.as_str().unwrap().contains("this is not a JPEG"), "{said}");
    // It goes on with the next.
    browser.click("#astronaut");
    browser.wait_for("window.vultus && !document.querySelector('#status.wrong')");
}
