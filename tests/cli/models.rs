//! The models that come with the program, by their names, and what an uncertain one says.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use vultus::face::{Architecture, ModelCard};
use vultus::ops::Normalization;
use vultus::weights::safetensors::{self, Precision};

use crate::{json, messages, number, photo, results, text, vultus};

const CLASSES: [&str; 3] = ["calm", "glad", "wild"];

/// `vultus predict --json` of the astronaut in this folder.
fn predict(folder: &TempDir, arguments: &[&str]) -> Output {
    let mut command = vultus();
    command.current_dir(folder).args(["predict", "--device", "cpu", "--json"]).arg(photo("astronaut.png"));
    command.args(arguments).output().unwrap()
}

/// The one face that is found.
fn face(output: &Output) -> Value {
    json(&results(output, 0))["faces"][0].clone()
}

/// A model whose weights are small random numbers, so that no class is sure, with this bound.
fn model(folder: &TempDir, name: &str, uncertain_below: Option<f32>) -> PathBuf {
    let classes = CLASSES.map(str::to_owned).into();
    let card =
        ModelCard { uncertain_below, ..ModelCard::new(Architecture::Light, classes, 32, Normalization::TORCHVISION) };
    let mut parameters = card.network().unwrap().initialize(3).unwrap();
    parameters.get_mut("classifier.0.weight").unwrap().data_mut().iter_mut().for_each(|w| *w *= 0.01);
    let path = folder.path().join(name);
    safetensors::write(&path, &parameters, &card.to_metadata().unwrap(), Precision::F32).unwrap();
    path
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_name_is_one_of_the_programs_own_models() {
    let folder = tempfile::tempdir().unwrap();
    // A file of that name is meant by a path only.
    let other = model(&folder, "light", None);
    for (name, file) in [
        ("default", "expression_model.safetensors"),
        ("light", "light_model.safetensors"),
        ("vgg16", "vgg16_model.safetensors"),
    ] {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights").join(file);
        let found = face(&predict(&folder, &["--model", name]));
        assert_eq!(found, face(&predict(&folder, &["--model", path(&file)])), "{name}");
        assert!(found["scores"].as_object().unwrap().contains_key("happy"), "{found}");
    }
    assert_eq!(face(&predict(&folder, &[])), face(&predict(&folder, &["--model", "default"])));
    let by_path = face(&predict(&folder, &["--model", "./light"]));
    assert_eq!(by_path, face(&predict(&folder, &["--model", path(&other)])));
    assert!(by_path["scores"].as_object().unwrap().contains_key("calm"), "{by_path}");
}

#[test]
fn a_name_that_is_none_is_told_with_those_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let output = predict(&folder, &["--model", "lihgt"]);
    let said = messages(&output, 1);
    assert!(said.contains("lihgt: there is no such file") && said.contains("default, light, vgg16"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn below_its_bound_a_model_is_uncertain_in_every_form() {
    let folder = tempfile::tempdir().unwrap();
    let (sure, unsure) = (model(&folder, "sure.safetensors", None), model(&folder, "unsure.safetensors", Some(1.0)));
    let (sure, unsure) = (path(&sure), path(&unsure));
    let (named, open) = (face(&predict(&folder, &["--model", sure])), face(&predict(&folder, &["--model", unsure])));
    assert!(CLASSES.iter().any(|class| named["expression"] == *class), "{named}");
    assert_eq!((&open["expression"], &open["scores"]), (&"uncertain".into(), &named["scores"]));

    let mut command = vultus();
    command.args(["predict", "--device", "cpu", "--model", unsure]).arg(photo("astronaut.png"));
    let table = results(&command.output().unwrap(), 0);
    let best = named["expression"].as_str().unwrap();
    let share = 100.0 * number(&named["scores"][best]);
    assert!(table.contains(&format!("uncertain ({best} {share:.1}%)")), "{table}");
    let csv = results(&command.arg("--csv").output().unwrap(), 0);
    assert!(csv.lines().nth(1).unwrap().contains(",uncertain,"), "{csv}");

    // Another label, and in another colour.
    let [first, second] = [sure, unsure].map(|model| {
        let out = folder.path().join("boxes.png");
        results(&predict(&folder, &["--model", model, "--annotate", path(&out)]), 0);
        fs::read(out).unwrap()
    });
    assert_ne!(first, second);
}

#[test]
fn eval_counts_what_is_uncertain_and_measures_the_rest() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path().join("set");
    for (class, level) in CLASSES.into_iter().zip([40u8, 120, 200]) {
        fs::create_dir_all(set.join(class)).unwrap();
        for i in 0..4u8 {
            let picture = image::RgbImage::from_fn(32, 32, |x, y| image::Rgb([level + i * ((x * y % 7) as u8); 3]));
            picture.save(set.join(class).join(format!("{i}.png"))).unwrap();
        }
    }
    let eval = |model: &Path, form: &[&str]| {
        let mut command = vultus();
        command.args(["eval", "--faces", "--device", "cpu", "--resamples", "0", "--model", path(model)]);
        results(&command.arg(&set).args(form).output().unwrap(), 0)
    };
    let csv = folder.path().join("predictions.csv");
    let plain = json(&eval(&model(&folder, "plain.safetensors", None), &["--json", "--csv", path(&csv)]));
    assert!(plain["uncertain"].is_null());
    let rows: Vec<(bool, f32)> = (fs::read_to_string(&csv).unwrap().lines().skip(1))
        .map(|line| {
            let fields: Vec<&str> = line.split(',').collect();
            let highest = fields[3..].iter().map(|field| field.parse::<f32>().unwrap()).fold(0.0, f32::max);
            (fields[1] == fields[2], highest)
        })
        .collect();
    // Between the two middle ones of the highest probabilities.
    let mut sorted: Vec<f32> = rows.iter().map(|row| row.1).collect();
    sorted.sort_by(f32::total_cmp);
    let bound = (sorted[5] + sorted[6]) / 2.0;
    assert!(sorted[5] < bound && bound < sorted[6], "{sorted:?}");
    let unsure = model(&folder, "unsure.safetensors", Some(bound));
    let found = json(&eval(&unsure, &["--json"]));
    let right = rows.iter().filter(|row| row.0 && row.1 >= bound).count();
    assert_eq!(found["uncertain"]["n"], 6);
    assert_eq!((number(&found["uncertain"]["share"]), number(&found["uncertain"]["below"]) as f32), (0.5, bound));
    assert_eq!(number(&found["uncertain"]["accuracy_of_others"]), right as f64 / 6.0);
    // All else is the forced choice.
    assert_eq!((&found["accuracy"], &found["confusion"]), (&plain["accuracy"], &plain["confusion"]));
    let table = eval(&unsure, &[]);
    assert!(table.lines().any(|line| line.split_whitespace().eq(["uncertain", "50.0", "%"])), "{table}");
    assert!(table.contains("accuracy of others"), "{table}");
}

#[test]
fn a_card_with_a_bound_is_told_by_weights_inspect() {
    let folder = tempfile::tempdir().unwrap();
    let model = model(&folder, "unsure.safetensors", Some(0.45));
    let output = vultus().args(["weights", "inspect"]).arg(&model).output().unwrap();
    let said = results(&output, 0);
    assert!(said.contains("uncertain_below") && said.contains("0.45"), "{said}{}", text(&output.stderr));
}
