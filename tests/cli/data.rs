//! `vultus data`.

use std::fs;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use vultus::data::Dataset;
use vultus::image::RgbImage;

use crate::{json, messages, results, run, text, vultus};

/// A picture of this value with one pixel of another, so that it is not blank.
fn picture(folder: &Path, name: &str, value: u8) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let gray = |value| ::image::Rgb([value; 3]);
    RgbImage::from_fn(5, 4, |x, _| gray(if x == 0 { 255 } else { value })).save(path).unwrap();
}

/// A data set with one of everything that can be wrong.
fn faces() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    picture(root, "train/happy/a.png", 1);
    picture(root, "train/happy/b.png", 2);
    picture(root, "train/happy/c.png", 2);
    picture(root, "train/sad/d.png", 3);
    picture(root, "test/sad/e.png", 1);
    picture(root, "test/happy/f.png", 4);
    RgbImage::new(5, 4).save(root.join("test/happy/black.png")).unwrap();
    fs::write(root.join("train/sad/broken.png"), b"no picture").unwrap();
    folder
}

fn data(path: &Path, arguments: &[&str]) -> Output {
    vultus().arg("data").arg(path).args(arguments).output().unwrap()
}

#[test]
fn what_is_wrong_is_listed_and_is_no_failure() {
    let folder = faces();
    let found = results(&data(folder.path(), &[]), 0);
    let path = folder.path().display();
    let lines = [
        format!("{path}: 8 pictures, 2 classes, people not known"),
        "class   train  validation    test  pictures".to_owned(),
        "happy       3           0       2         5".to_owned(),
        "all         5           0       3         8".to_owned(),
        "size        5×4 pixels".to_owned(),
        "colour      7 gray, 0 in colour".to_owned(),
        "unreadable  1".to_owned(),
        "blank       1".to_owned(),
        "  test/happy/black.png (happy)".to_owned(),
        "duplicates  4 pictures in 2 groups, 1 of which have more than one label".to_owned(),
        "  train/happy/a.png (happy) = test/sad/e.png (sad)".to_owned(),
        "leakage     1 pictures of test are in train, 1 with another label".to_owned(),
        "  test/sad/e.png (sad) = train/happy/a.png (happy)".to_owned(),
    ];
    for line in lines {
        assert!(found.lines().any(|printed| printed == line), "{line}\n{found}");
    }
    assert!(found.contains("train/sad/broken.png: this is not a JPEG"), "{found}");
    let short = results(&data(folder.path(), &["--list", "0"]), 0);
    assert!(!short.contains("black.png") && short.contains("blank       1\n"), "{short}");
}

#[test]
fn json_says_the_same() {
    let folder = faces();
    let found = json(&results(&data(folder.path(), &["--json"]), 0));
    assert_eq!((&found["pictures"], &found["readable"], &found["conflicts"]), (&8.into(), &7.into(), &1.into()));
    assert_eq!(
        found["classes"][0],
        serde_json::json!({"class": "happy", "pictures": 5, "train": 3, "validation": 0, "test": 2})
    );
    assert_eq!(found["sizes"]["width"]["median"], 5);
    assert_eq!(found["unreadable"][0]["picture"]["name"], "train/sad/broken.png");
    assert_eq!(found["leakage"][0]["leakage"]["other_class"], 1);
    assert!(found["against"].is_null() && found["left_out"].is_null() && found["subjects"].is_null());
}

#[test]
fn classes_that_mean_the_same_are_counted_together_and_numbers_are_explained() {
    let folder = tempfile::tempdir().unwrap();
    for (value, name) in
        ["train/Happy/a.png", "train/Sad/b.png", "test/happy/c.png", "test/sadness/d.png"].iter().enumerate()
    {
        picture(folder.path(), name, value as u8);
    }
    let output = data(folder.path(), &["--json"]);
    let found = json(&results(&output, 0));
    assert_eq!(
        found["classes"],
        serde_json::json!([
            {"class": "happy", "pictures": 2, "train": 1, "validation": 0, "test": 1},
            {"class": "sadness", "pictures": 2, "train": 1, "validation": 0, "test": 1},
        ])
    );
    let said = text(&output.stderr);
    assert!(said.contains("Happy, Sad merged with classes that mean the same, which leaves happy, sadness"), "{said}");

    let numbered = tempfile::tempdir().unwrap();
    (1..8u8).for_each(|number| picture(numbered.path(), &format!("{number}/a.png"), number));
    let said = messages(&data(numbered.path(), &[]), 0);
    assert!(
        said.contains("RAF-DB's order: 1 surprise, 2 fear, 3 disgust, 4 happy, 5 sad, 6 angry, 7 neutral"),
        "{said}"
    );
}

#[test]
fn two_data_sets_are_compared() {
    let (folder, other) = (faces(), tempfile::tempdir().unwrap());
    picture(other.path(), "angry/x.png", 3);
    picture(other.path(), "happy/y.png", 2);
    let arguments = ["--json", "--against", other.path().to_str().unwrap()];
    let found = json(&results(&data(folder.path(), &arguments), 0));
    assert_eq!((&found["against"]["pictures"], &found["against"]["other_class"]), (&3.into(), &1.into()));
    let found = results(&data(folder.path(), &arguments[1..]), 0);
    assert!(found.contains(&format!("are in {}, 1 with another label", other.path().display())), "{found}");
    assert!(found.contains("  train/sad/d.png (sad) = angry/x.png (angry)"), "{found}");
}

#[test]
fn a_list_without_duplicates_is_a_data_set() {
    let folder = faces();
    let list = folder.path().join("clean.csv");
    let found = results(&data(folder.path(), &["--dedup", list.to_str().unwrap()]), 0);
    let counts = "left out    1 unreadable, 1 held out elsewhere, 0 with conflicting labels, 1 repeated, 0 blank";
    assert!(found.contains(counts), "{found}");
    let mut names = Dataset::open(&list).unwrap().names();
    names.sort();
    let expected =
        ["test/happy/black.png", "test/happy/f.png", "test/sad/e.png", "train/happy/b.png", "train/sad/d.png"];
    assert_eq!(names, expected);
    // What is left has nothing to leave out.
    let again = json(&results(&data(&list, &["--json", "--dedup", folder.path().join("2.csv").to_str().unwrap()]), 0));
    let expected = ["unreadable", "held_out", "conflicting", "repeated", "blank"];
    assert!(expected.iter().all(|kind| again["left_out"][kind] == serde_json::json!([])), "{again}");
    // A list is never written over the data set that it is made of.
    let before = fs::read(&list).unwrap();
    let said = messages(&data(&list, &["--dedup", list.to_str().unwrap()]), 2);
    assert!(said.contains("this is read by the same command"), "{said}");
    assert_eq!(fs::read(&list).unwrap(), before);
}

#[test]
fn a_table_of_pixels_is_written_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let pixels = |first: u8| format!("{first}{}", " 7".repeat(48 * 48 - 1));
    let rows = [(0, 1, "Training"), (3, 2, "Training"), (6, 1, "PrivateTest"), (3, 2, "Training")];
    let mut table = "emotion,pixels,Usage\n".to_owned();
    rows.iter().for_each(|(class, first, usage)| table += &format!("{class},{},{usage}\n", pixels(*first)));
    table += "2,1 2 3,Training\n";
    let (path, list) = (folder.path().join("fer2013.csv"), folder.path().join("clean.csv"));
    fs::write(&path, table).unwrap();
    let found = results(&data(&path, &["--dedup", list.to_str().unwrap()]), 0);
    assert!(found.contains("fer2013.csv, line 6: has 3 pixels, 48 · 48 = 2304 are needed"), "{found}");
    assert!(found.contains("  fer2013.csv:4 (neutral) = fer2013.csv:2 (angry)"), "{found}");
    let clean = fs::read_to_string(&list).unwrap();
    let expected = format!("emotion,Usage,pixels\n3,Training,{}\n6,PrivateTest,{}\n", pixels(2), pixels(1));
    assert_eq!(clean, expected);
}

#[test]
fn nothing_to_use_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let said = |path: &Path, arguments: &[&str]| messages(&data(path, arguments), 1);
    assert!(said(&folder.path().join("missing"), &[]).contains("missing: "));
    assert!(said(folder.path(), &[]).contains("has no sub-folders with pictures"));
    for class in ["happy", "sad"] {
        fs::create_dir(folder.path().join(class)).unwrap();
        fs::write(folder.path().join(class).join("a.png"), b"").unwrap();
    }
    let list = folder.path().join("clean.csv");
    let output = data(folder.path(), &["--dedup", list.to_str().unwrap()]);
    assert!(messages(&output, 1).contains("none of its 2 pictures can be read"));
    assert!(text(&output.stdout).contains("unreadable  2") && !list.exists());
    fs::write(folder.path().join("bad.csv"), "path,label\na.png\n").unwrap();
    let bad = folder.path().join("bad.csv");
    assert!(said(&bad, &[]).contains("bad.csv, line 2: has 1 fields, the header has 2"));
    assert!(
        said(folder.path(), &["--dedup", folder.path().join("no/such/list").to_str().unwrap()]).contains("no/such")
    );
    let output = run(&["data", folder.path().to_str().unwrap(), "--dedup", folder.path().to_str().unwrap()]);
    assert!(messages(&output, 2).contains("this is a folder"));
}
