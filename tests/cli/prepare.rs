//! `vultus prepare`.

use std::fs;
use std::path::Path;
use std::process::Output;

use image::{GenericImage, Rgb, RgbImage};
use vultus::Device;
use vultus::face::{Analyzer, ModelCard};
use vultus::image::decode_file;
use vultus::ops::Crop;
use vultus::prepare::{Preparation, resize};
use vultus::weights::{DefaultFile, Store};

use crate::{messages, photo, results, vultus};

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

/// What the default model is given, and the steps to it.
const OF_MODEL: [&str; 6] =
    ["01_input.png", "02_detected.png", "03_cropped.png", "07_resized.png", "08_gray.png", "09_normalised.png"];

#[test]
fn the_steps_are_those_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("stages");
    let listed = results(&prepare(&photo("astronaut.png"), &out, &[]), 0);
    assert_eq!(names(&out), [OF_MODEL.as_slice(), &["sheet.png"]].concat());
    assert_eq!(names(folder.path()), ["stages"], "nothing else is left");
    for name in names(&out) {
        assert!(listed.contains(out.join(&name).to_str().unwrap()), "{listed}");
    }
    let model = Store::open(Some(Path::new("weights"))).unwrap().load(DefaultFile::ExpressionModel).unwrap();
    let card = ModelCard::from_file(&model).unwrap();
    let input = picture(&out, OF_MODEL[0]);
    assert_eq!(input, decode_file(&photo("astronaut.png")).unwrap());
    assert_ne!(picture(&out, OF_MODEL[1]), input, "a box is drawn");
    // What the library cuts out of the picture for this model.
    let mut analyzer = Analyzer::builder().device(Device::Cpu).model(model);
    analyzer =
        analyzer.detector_weights(Store::open(Some(Path::new("weights"))).unwrap().load(DefaultFile::Yunet).unwrap());
    let face = analyzer.build().unwrap().analyze(&input).unwrap().faces.remove(0).face.unwrap();
    let cut = card.cut(&input, &face).unwrap();
    assert_eq!(picture(&out, OF_MODEL[2]), cut);
    let side = card.input as u32;
    let scaled = resize(&cut, &Crop::whole(cut.width(), cut.height()), side, side);
    assert_eq!(picture(&out, OF_MODEL[3]), scaled);
    let gray = Preparation { gray: true, ..Preparation::NONE }.apply(&scaled);
    assert_eq!((picture(&out, OF_MODEL[4]), card.preprocessing.gray), (gray, true));
    let normalised = picture(&out, OF_MODEL[5]);
    assert_eq!((normalised.iter().min(), normalised.iter().max()), (Some(&0), Some(&255)));
    // Three cells in a row or more.
    let sheet = picture(&out, "sheet.png");
    assert!(sheet.width() > 3 * 250 && sheet.pixels().any(|pixel| pixel.0 == [255; 3]));
}

#[test]
fn other_steps_can_be_tried_out() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("stages");
    let other = ["--align", "--denoise", "median:1", "--illumination", "equalize", "--size", "96", "--regions"];
    results(&prepare(&photo("astronaut.png"), &out, &other), 0);
    let steps = ["03_aligned.png", "05_denoised.png", "06_illumination.png", "07_resized.png", "08_gray.png"];
    let regions = ["10_regions.png", "11_eyes.png", "12_nose.png", "13_mouth.png"];
    let all = [&OF_MODEL[..2], &steps, &OF_MODEL[5..], &regions, &["sheet.png"]].concat();
    assert_eq!(names(&out), all);
    let aligned = picture(&out, steps[0]);
    assert!(!is_gray(&aligned) && aligned.width() == aligned.height());
    let preparation = Preparation {
        denoise: "median:1".parse().unwrap(),
        illumination: "equalize".parse().unwrap(),
        ..Preparation::NONE
    };
    for ((_, wanted), name) in preparation.stages(&aligned).iter().zip(&steps[1..3]) {
        assert_eq!(picture(&out, name), *wanted, "{name}");
    }
    assert_eq!(picture(&out, steps[3]).dimensions(), (96, 96));
    for name in &regions[1..] {
        let (width, height) = picture(&out, name).dimensions();
        assert!(width < aligned.width() && height < aligned.height() / 2, "{name}: {width}×{height}");
    }
    // Of a model that wants colours.
    let colored = folder.path().join("vgg16");
    results(&prepare(&photo("astronaut.png"), &colored, &["--color", "--size", "50"]), 0);
    assert!(!names(&colored).contains(&"08_gray.png".to_owned()));
    assert_eq!(picture(&colored, "07_resized.png").dimensions(), (50, 50));
}

#[test]
fn a_picture_that_is_a_face_needs_no_face_to_be_found() {
    let folder = tempfile::tempdir().unwrap();
    let flat = folder.path().join("flat.png");
    RgbImage::from_fn(60, 40, |x, y| Rgb([(3 * x + y) as u8; 3])).save(&flat).unwrap();
    let out = folder.path().join("flat");
    let output = prepare(&flat, &out, &["--faces", "--regions"]);
    assert!(messages(&output, 0).contains("no face was found"));
    let whole = ["01_input.png", "03_cropped.png"];
    assert_eq!(names(&out), [whole.as_slice(), &OF_MODEL[3..], &["sheet.png"]].concat());
    assert_eq!(picture(&out, whole[1]), decode_file(&flat).unwrap());

    let out = folder.path().join("face");
    results(&prepare(&photo("astronaut_face_224.png"), &out, &["--faces", "--regions"]), 0);
    assert!(names(&out).contains(&"13_mouth.png".to_owned()));
    assert_eq!(picture(&out, whole[1]), decode_file(&photo("astronaut_face_224.png")).unwrap());
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
        results(&prepare(&path, &out, &["--face", number, "--align"]), 0);
        f64::from(picture(&out, "03_aligned.png").width())
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
