//! `vultus prepare`.

use std::fs;
use std::path::Path;
use std::process::Output;

use image::{GenericImage, Rgb, RgbImage};
use vultus::image::decode_file;
use vultus::prepare::{Preparation, resize};

use crate::{messages, photo, results, text, vultus};

/// `vultus prepare` on the CPU.
fn prepare(picture: &Path, out: &Path, arguments: &[&str]) -> Output {
    let mut command = vultus();
    command.args(["prepare", "--device", "cpu"]).arg(picture).arg("--out").arg(out).args(arguments);
    command.output().unwrap()
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Vec<String> {
    let name = |entry: Result<fs::DirEntry, _>| entry.unwrap().file_name().into_string().unwrap();
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(name).collect();
    names.sort();
    names
}

fn picture(folder: &Path, name: &str) -> RgbImage {
    decode_file(&folder.join(name)).unwrap()
}

fn is_gray(image: &RgbImage) -> bool {
    image.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2])
}

const STAGES: [&str; 12] = [
    "01_input.png",
    "02_detected.png",
    "03_aligned.png",
    "04_gray.png",
    "05_denoised.png",
    "06_illumination.png",
    "07_resized.png",
    "08_normalised.png",
    "09_regions.png",
    "10_eyes.png",
    "11_nose.png",
    "12_mouth.png",
];

#[test]
fn every_stage_is_written_and_follows_from_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("stages");
    let output = prepare(&photo("astronaut.png"), &out, &["--size", "96", "--illumination", "equalize"]);
    let listed = results(&output, 0);
    assert_eq!(names(&out), [STAGES.as_slice(), &["sheet.png"]].concat());
    assert_eq!(names(folder.path()), ["stages"], "nothing else is left");
    for name in names(&out) {
        assert!(listed.contains(out.join(&name).to_str().unwrap()), "{listed}");
    }
    let input = picture(&out, STAGES[0]);
    assert_eq!(input, decode_file(&photo("astronaut.png")).unwrap());
    assert_ne!(picture(&out, STAGES[1]), input, "a box is drawn");
    let aligned = picture(&out, STAGES[2]);
    assert!(!is_gray(&aligned) && aligned.width() == aligned.height());
    let preparation = Preparation {
        denoise: "median:1".parse().unwrap(),
        illumination: "equalize".parse().unwrap(),
        ..Preparation::default()
    };
    for ((_, wanted), name) in preparation.stages(&aligned).iter().zip(&STAGES[3..6]) {
        assert_eq!(picture(&out, name), *wanted, "{name}");
    }
    assert_eq!(picture(&out, STAGES[6]).dimensions(), (96, 96));
    let normalised = picture(&out, STAGES[7]);
    assert_eq!((normalised.iter().min(), normalised.iter().max()), (Some(&0), Some(&255)));
    for name in &STAGES[9..] {
        let (width, height) = picture(&out, name).dimensions();
        assert!(width < aligned.width() && height < aligned.height() / 2, "{name}: {width}×{height}");
    }
    // Four cells in a row, three rows.
    let sheet = picture(&out, "sheet.png");
    assert!(sheet.width() > 4 * 250 && sheet.height() > 3 * 250 && sheet.pixels().any(|pixel| pixel.0 == [255; 3]));
}

#[test]
fn what_is_switched_off_has_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let off = ["--no-align", "--color", "--denoise", "none", "--illumination", "none", "--quiet"];
    let output = prepare(&photo("astronaut.png"), out, &off);
    results(&output, 0);
    assert!(output.stderr.is_empty(), "{}", text(&output.stderr));
    let first = ["01_input.png", "02_detected.png", "03_cropped.png"];
    assert_eq!(names(out), [first.as_slice(), &STAGES[6..], &["sheet.png"]].concat());
    // The face's box, about 87 by 110 pixels.
    assert!((100..120).contains(&picture(out, first[2]).width()));
    assert!(!is_gray(&picture(out, "07_resized.png")));
    // A second run takes the place of the first.
    results(&prepare(&photo("astronaut.png"), out, &["--no-align", "--size", "50"]), 0);
    assert_eq!(picture(out, "07_resized.png").dimensions(), (50, 50));
}

#[test]
fn a_picture_that_is_a_face_needs_no_face_to_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let flat = folder.path().join("flat.png");
    RgbImage::from_fn(60, 40, |x, y| Rgb([(3 * x + y) as u8; 3])).save(&flat).unwrap();
    let out = folder.path().join("flat");
    let output = prepare(&flat, &out, &["--faces"]);
    assert!(messages(&output, 0).contains("no face was found"));
    let middle = ["01_input.png", "03_cropped.png"];
    assert_eq!(names(&out), [middle.as_slice(), &STAGES[3..8], &["sheet.png"]].concat());
    assert_eq!(picture(&out, middle[1]).dimensions(), (40, 40));

    let out = folder.path().join("face");
    results(&prepare(&photo("astronaut_face_224.png"), &out, &["--faces"]), 0);
    assert!(names(&out).contains(&"12_mouth.png".to_owned()));
    assert_eq!(picture(&out, middle[1]), decode_file(&photo("astronaut_face_224.png")).unwrap());
}

#[test]
fn one_of_several_faces_is_chosen_by_its_number() {
    let folder = tempfile::tempdir().unwrap();
    let astronaut = decode_file(&photo("astronaut.png")).unwrap();
    let head = image::imageops::crop_imm(&astronaut, 124, 0, 200, 230).to_image();
    let mut pair = RgbImage::from_pixel(420, 230, Rgb([90; 3]));
    pair.copy_from(&head, 0, 0).unwrap();
    pair.copy_from(&resize(&head, &vultus::ops::Crop::whole(200, 230), 130, 150), 260, 20).unwrap();
    let path = folder.path().join("pair.png");
    pair.save(&path).unwrap();
    let side = |number: &str| {
        let out = folder.path().join(number);
        results(&prepare(&path, &out, &["--face", number]), 0);
        f64::from(picture(&out, STAGES[2]).width())
    };
    let ratio = side("2") / side("1");
    // The second is 0.65 of the first; landmarks are found within a few pixels.
    assert!((0.55..0.75).contains(&ratio), "{ratio}");
    let output = prepare(&path, &folder.path().join("3"), &["--face", "3"]);
    assert!(messages(&output, 1).contains("there is no face 3, the number of faces found is 2"));
}

#[test]
fn failures_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let flat = folder.path().join("flat.png");
    RgbImage::from_pixel(64, 64, Rgb([120; 3])).save(&flat).unwrap();
    let out = folder.path().join("out");
    let no_face = messages(&prepare(&flat, &out, &[]), 1);
    assert!(no_face.contains("flat.png: no face was found: try"), "{no_face}");
    assert!(messages(&prepare(&folder.path().join("none.png"), &out, &[]), 1).contains("none.png"));
    let nowhere = folder.path().join("no/such/folder");
    assert!(messages(&prepare(&photo("astronaut.png"), &nowhere, &[]), 1).contains("no/such"));
    assert!(messages(&prepare(&photo("astronaut.png"), &flat, &[]), 2).contains("--out needs a folder"));
    assert_eq!(names(folder.path()), ["flat.png"]);
    for wrong in [["--denoise", "median:0"], ["--illumination", "dark"], ["--size", "0"], ["--face", "0"]] {
        let output = prepare(&photo("astronaut.png"), &out, &wrong);
        assert!(messages(&output, 2).contains(wrong[0]), "{wrong:?}");
    }
}
