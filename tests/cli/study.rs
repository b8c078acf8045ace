//! `vultus study`.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use vultus::Random;
use vultus::data::{Dataset, Split};
use vultus::image::RgbImage;

use crate::{json, messages, photo, results, vultus};

/// Stripes of two directions and discs, twelve of each, named as CK+ names its pictures: two of each person.
fn faces() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut random = Random::new(1);
    for (class, name) in ["across", "disc", "down"].into_iter().enumerate() {
        fs::create_dir(folder.path().join(name)).unwrap();
        for number in 0..12 {
            let picture = RgbImage::from_fn(40, 40, |x, y| {
                let bright = match class {
                    0 => y / 5 % 2 == 0,
                    1 => (x as f32 - 20.0).hypot(y as f32 - 20.0) < 13.0,
                    _ => x / 5 % 2 == 0,
                };
                image::Rgb([if bright { 190 } else { 40 } + random.below(50) as u8; 3])
            });
            let file = format!("S{:03}_00{}_{:08}.png", number / 2, class + 1, number);
            picture.save(folder.path().join(name).join(file)).unwrap();
        }
    }
    folder
}

fn study(faces: &Path, out: &Path, arguments: &[&str]) -> Output {
    let mut command = vultus();
    command.arg("study").arg(faces).args(["--device", "cpu", "--input", "32", "--epochs", "2", "--quiet", "--out"]);
    command.arg(out).arg("--cache").arg(out.join("cache")).args(arguments).output().unwrap()
}

#[test]
fn methods_are_compared_on_the_same_split() {
    let (faces, out) = (faces(), tempfile::tempdir().unwrap());
    let methods = "hog-linear,drlbp-rbf,head,adapted,light";
    let table =
        results(&study(faces.path(), out.path(), &["--methods", methods, "--start", "vgg16", "--resamples", "50"]), 0);
    let names: Vec<&str> = table.lines().skip(1).take(5).filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(names.join(","), methods, "{table}");
    let found = json(&fs::read_to_string(out.path().join("results.json")).unwrap());
    assert_eq!((&found["pictures"], &found["subjects"]), (&36.into(), &6.into()));
    // Where people are known, nobody is in both parts.
    assert_eq!(found["protocol"], "people");
    let data = Dataset::open(faces.path()).unwrap();
    let split = Split::read(&out.path().join("split.json"), &data).unwrap();
    let test = split.part("test").unwrap();
    let person = |index: &usize| data.samples[*index].subject.clone();
    assert!(test.iter().all(|index| split.part("train").unwrap().iter().all(|other| person(index) != person(other))));
    // Each is tested against the best one, which has nothing to be tested against.
    let tests: Vec<&serde_json::Value> =
        found["methods"].as_array().unwrap().iter().map(|method| &method["against_best"]).collect();
    assert_eq!(tests.iter().filter(|test| test.is_null()).count(), 1, "{tests:?}");
    for paired in tests.iter().filter(|test| !test.is_null()) {
        assert_eq!((&paired["unit"], &paired["units"]), (&"subject".into(), &data.subset(test).subjects().into()));
        assert!((0.0..=1.0).contains(&paired["p"].as_f64().unwrap()), "{paired}");
    }
    assert_eq!(table.lines().filter(|line| line.contains("  best  ")).count(), 1, "{table}");
    for method in found["methods"].as_array().unwrap() {
        assert_eq!(method["evaluation"]["n"], test.len(), "{method}");
        let rows = fs::read_to_string(out.path().join(format!("{}.csv", method["name"].as_str().unwrap()))).unwrap();
        assert_eq!(rows.lines().count(), test.len() + 1);
        assert!(test.iter().all(|&index| rows.contains(&data.samples[index].name(faces.path()))));
    }
    // Each sees as much of a face as its model has learnt to.
    let margin = |method: usize| &found["methods"][method]["settings"][2];
    assert_eq!(margin(2), &serde_json::json!(["margin around a face's box", "1"]));
    assert_eq!(margin(3), &serde_json::json!(["margin around a face's box", "0.9"]));
    // Stripes and discs are told apart by edges, whatever the seed.
    assert!(found["methods"][0]["evaluation"]["accuracy"].as_f64().unwrap() > 0.9, "{found}");
    assert!(out.path().join("head-epochs.csv").exists() && !out.path().join("hog-linear-epochs.csv").exists());
    let page = fs::read_to_string(out.path().join("report.html")).unwrap();
    for part in
        ["Methods", "Confusion matrix", "Most confident predictions", "Where it looks", "Settings", "data:image/png"]
    {
        assert!(page.contains(part), "{part} is missing");
    }
    // What pictures are made of may spell anything.
    let texts = page.split("data:image/png;base64,").map(|part| part.split_once('"').map_or(part, |(_, text)| text));
    assert!(texts.into_iter().all(|text| !text.contains("NaN")));
}

#[test]
fn nothing_of_an_older_study_is_left_beside_a_new_one() {
    let (faces, out) = (faces(), tempfile::tempdir().unwrap());
    let settings = ["--resamples", "0", "--methods"];
    results(&study(faces.path(), out.path(), &[&settings[..], &["lbp-linear,light"]].concat()), 0);
    assert!(out.path().join("light-epochs.csv").exists() && out.path().join("lbp-linear.csv").exists());
    fs::write(out.path().join("notes.csv"), "mine").unwrap();
    // One that fails takes nothing away.
    messages(&study(faces.path(), out.path(), &["--protocol", "parts"]), 2);
    assert!(out.path().join("light.csv").exists());
    results(&study(faces.path(), out.path(), &[&settings[..], &["hog-linear"]].concat()), 0);
    let mut left: Vec<String> = fs::read_dir(out.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "cache")
        .collect();
    left.sort();
    assert_eq!(left, ["hog-linear.csv", "notes.csv", "report.html", "results.json", "split.json"]);
}

#[test]
fn folds_keep_people_apart_and_test_every_picture() {
    let (faces, out) = (faces(), tempfile::tempdir().unwrap());
    let arguments = ["--protocol", "subject", "--folds", "3", "--methods", "lbp-linear,head", "--resamples", "20"];
    results(&study(faces.path(), out.path(), &arguments), 0);
    let found = json(&fs::read_to_string(out.path().join("results.json")).unwrap());
    assert_eq!(found["splits"].as_array().unwrap().len(), 3);
    for method in found["methods"].as_array().unwrap() {
        assert_eq!(method["evaluation"]["n"], 36);
        assert_eq!(method["evaluation"]["intervals"]["method"]["unit"], "subject", "{method}");
    }
}

#[test]
fn faces_are_found_and_aligned_in_photos() {
    let (faces, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let photo = vultus::image::decode_file(&photo("astronaut.png")).unwrap();
    for (class, mirrored) in [("left", false), ("right", true)] {
        fs::create_dir(faces.path().join(class)).unwrap();
        for number in 0..4 {
            let part = image::imageops::crop_imm(&photo, 10 * number, 0, 400, 300).to_image();
            let part = if mirrored { image::imageops::flip_horizontal(&part) } else { part };
            part.save(faces.path().join(class).join(format!("{number}.png"))).unwrap();
        }
    }
    RgbImage::new(90, 90).save(faces.path().join("right/nobody.png")).unwrap();
    let settings = ["--methods", "hog-linear", "--ratio", "0.5", "--resamples", "0"];
    let refused = messages(&study(faces.path(), out.path(), &[&settings[..], &["--align"]].concat()), 2);
    assert!(refused.contains("--detect"), "{refused}");
    results(&study(faces.path(), out.path(), &[&settings[..], &["--detect", "--align"]].concat()), 0);
    let found = json(&fs::read_to_string(out.path().join("results.json")).unwrap());
    assert_eq!(found["pictures"], 8, "the picture without a face is left out");
    // All faces of a class are nearly the same once they are cut out.
    assert_eq!(found["methods"][0]["evaluation"]["accuracy"], 1.0, "{found}");
    let rows = fs::read_to_string(out.path().join("hog-linear.csv")).unwrap();
    assert!(rows.contains("left/") && !rows.contains('#'), "boxes that were found do not change names: {rows}");
}

#[test]
fn what_cannot_be_studied_is_refused() {
    let (faces, out) = (faces(), tempfile::tempdir().unwrap());
    let refused = |arguments: &[&str], status| messages(&study(faces.path(), out.path(), arguments), status);
    assert!(refused(&["--protocol", "parts"], 2).contains("part"));
    assert!(refused(&["--protocol", "subject", "--folds", "9"], 2).contains("6 subjects"));
    // Before faces are looked for.
    let said = refused(&["--ratio", "1", "--detect"], 2);
    assert!(said.contains("'1' for '--ratio <SHARE>': it is not between 0 and 1"), "{said}");
    assert!(refused(&["--methods", "magic"], 2).contains("magic"));
    assert!(refused(&["--classes", "angry"], 2).contains("angry"));
    let said = refused(&["--methods", "adapted", "--classes", "angy=across"], 2);
    assert!(said.contains("the model has no class \"angy\""), "{said}");
    assert!(messages(&study(Path::new("nowhere"), out.path(), &[]), 1).contains("nowhere"));
}
