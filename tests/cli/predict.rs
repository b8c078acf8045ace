//! `vultus predict`.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;
use vultus::face::{Architecture, ModelCard, TestTimeAugmentation};
use vultus::nn::vgg16::{self, Pooling};
use vultus::ops::Normalization;
use vultus::weights::safetensors::{self, Precision};
use vultus::weights::{DefaultFile, Store};

use crate::{adapter, json, messages, number, photo, results, text, vultus};

const CLASSES: [&str; 3] = ["calm", "glad, very", "wild"];

/// A folder with a small head, `head.safetensors`, whose weights are random.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let base = Store::open(Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("weights")));
    let architecture = Architecture::Vgg16 {
        pooling: Pooling::Average,
        hidden: Vec::new(),
        base_sha256: base.unwrap().load(DefaultFile::Vgg16Base).unwrap().sha256,
    };
    let card = ModelCard {
        margin: 1.0,
        ..ModelCard::new(architecture, CLASSES.map(str::to_owned).into(), 32, Normalization::CAFFE)
    };
    let head = vgg16::head([512, 1, 1], Pooling::Average, &[], 0.0, CLASSES.len());
    let path = folder.path().join("head.safetensors");
    safetensors::write(&path, &head.initialize(3).unwrap(), &card.to_metadata().unwrap(), Precision::F32).unwrap();
    folder
}

/// `vultus predict` on the CPU with the head of this folder.
fn predict(folder: &TempDir, arguments: &[&str]) -> Output {
    let head = folder.path().join("head.safetensors");
    vultus().args(["predict", "--device", "cpu", "--head"]).arg(head).args(arguments).output().unwrap()
}

fn path(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn astronaut() -> String {
    path(&photo("astronaut.png")).to_owned()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(number).collect()
}

/// The box that facenet-pytorch finds.
fn reference_box() -> Vec<f64> {
    let reference = json(&fs::read_to_string(photo("mtcnn_reference.json")).unwrap());
    let images = reference["images"].as_array().unwrap();
    let image = images.iter().find(|image| image["file"] == "astronaut.png").unwrap();
    numbers(&image["faces"][0]["box"])
}

/// Intersection over union of two boxes.
fn iou(a: &[f64], b: &[f64]) -> f64 {
    let area = |b: &[f64]| (b[2] - b[0]) * (b[3] - b[1]);
    let side = |low: usize| (a[low + 2].min(b[low + 2]) - a[low].max(b[low])).max(0.0);
    let common = side(0) * side(1);
    common / (area(a) + area(b) - common)
}

/// Checks what is found in the astronaut's photo, field by field.
fn check_astronaut(found: &Value) {
    assert_eq!((number(&found["width"]), number(&found["height"])), (512.0, 512.0));
    let [face] = found["faces"].as_array().unwrap().as_slice() else { panic!("not one face: {found}") };
    assert!(iou(&numbers(&face["box"]), &reference_box()) >= 0.6, "{face}");
    assert!((0.9..=1.0).contains(&number(&face["probability"])));
    let landmarks: Vec<Vec<f64>> = face["landmarks"].as_array().unwrap().iter().map(numbers).collect();
    assert_eq!(landmarks.iter().map(Vec::len).collect::<Vec<_>>(), [2; 5]);
    assert!(landmarks[0][0] < landmarks[1][0] && landmarks[0][1] < landmarks[3][1], "{landmarks:?}");
    let scores = face["scores"].as_object().unwrap();
    assert_eq!(scores.len(), CLASSES.len());
    // Three f32 probabilities, each rounded.
    assert!((scores.values().map(number).sum::<f64>() - 1.0).abs() < 1e-5);
    let best = CLASSES.into_iter().max_by(|a, b| number(&scores[*a]).total_cmp(&number(&scores[*b])));
    assert_eq!(face["expression"].as_str(), best);
}

#[test]
fn the_astronaut_is_found_and_described() {
    let folder = folder();
    let output = predict(&folder, &[&astronaut(), "--json"]);
    let line = results(&output, 0);
    assert_eq!(line.lines().count(), 1);
    let found = json(&line);
    assert_eq!(found["file"], astronaut());
    check_astronaut(&found);
    assert!(text(&output.stderr).contains("device: CPU"));
}

#[test]
fn for_one_picture_no_gpu_is_started() {
    let said = |arguments: &[&str]| {
        let output = vultus().arg("predict").args(arguments).output().unwrap();
        // Mesa complains by itself where there is no desktop.
        let messages = messages(&output, 0);
        let own = messages.lines().filter(|line| !line.starts_with("error: XDG_RUNTIME_DIR"));
        own.collect::<Vec<_>>().join("\n")
    };
    let (photo, folder) = (astronaut(), tempfile::tempdir().unwrap());
    let sooner = "device: CPU (sooner done with so little than a GPU is started; --device gpu takes a GPU)";
    assert_eq!(said(&[&photo]), sooner);
    // What is asked for is taken.
    assert_eq!(said(&[&photo, "--device", "cpu"]), "device: CPU");
    // What takes longer is the best device's.
    let copy = folder.path().join("copy.png");
    fs::copy(&photo, &copy).unwrap();
    for more in [[&photo, path(&copy)].as_slice(), &[&photo, "--detector", "mtcnn", "--min-face", "300"]] {
        let said = said(more);
        assert!(said.starts_with("device: ") && !said.contains("sooner"), "{said}");
    }
}

#[test]
fn the_detector_can_be_chosen() {
    let folder = folder();
    let boxes = ["yunet", "mtcnn"].map(|name| {
        let found = json(&results(&predict(&folder, &[&astronaut(), "--json", "--detector", name]), 0));
        check_astronaut(&found);
        numbers(&found["faces"][0]["box"])
    });
    let by_default = json(&results(&predict(&folder, &[&astronaut(), "--json"]), 0));
    assert_eq!(numbers(&by_default["faces"][0]["box"]), boxes[0]);
    assert_ne!(boxes[0], boxes[1]);
}

#[test]
fn a_file_of_vgg16_gives_the_same_as_the_embedded_weights() {
    let folder = folder();
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/vgg16_base.safetensors");
    let embedded = results(&predict(&folder, &[&astronaut(), "--json"]), 0);
    assert_eq!(results(&predict(&folder, &[&astronaut(), "--json", "--weights", file]), 0), embedded);
}

#[test]
fn people_get_a_table() {
    let folder = folder();
    let table = results(&predict(&folder, &[&astronaut()]), 0);
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 2, "{table}");
    let titles: Vec<&str> = lines[0].split_whitespace().collect();
    assert_eq!(titles, ["FILE", "FACE", "BOX", "EXPRESSION", "SECOND"]);
    assert!(lines[1].contains("astronaut.png") && lines[1].matches('%').count() == 2, "{table}");
}

#[test]
fn a_picture_comes_from_standard_input() {
    let folder = folder();
    let mut child = vultus()
        .args(["predict", "--device", "cpu", "--json", "-", "--head"])
        .arg(folder.path().join("head.safetensors"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&fs::read(photo("astronaut.png")).unwrap()).unwrap();
    let found = json(&results(&child.wait_with_output().unwrap(), 0));
    assert_eq!(found["file"], "-");
    check_astronaut(&found);
}

#[test]
fn csv_has_a_header_and_a_line_for_each_face() {
    let folder = folder();
    let csv = results(&predict(&folder, &[&astronaut(), "--csv"]), 0);
    let header = "file,width,height,face,x1,y1,x2,y2,probability,left_eye_x,left_eye_y,right_eye_x,right_eye_y,\
        nose_x,nose_y,left_mouth_x,left_mouth_y,right_mouth_x,right_mouth_y,expression,calm,\"glad, very\",wild,error";
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (2, header));
    // The only class whose name needs quotes stands in the line if it is the most probable one.
    let fields: Vec<String> = lines[1].replace("\"glad, very\"", "glad").split(',').map(str::to_owned).collect();
    assert_eq!((fields.len(), fields[23].as_str()), (24, ""));
    assert_eq!(fields[..4], [astronaut(), "512".into(), "512".into(), "1".into()]);
    let of = |range: std::ops::Range<usize>| fields[range].iter().map(|f| f.parse().unwrap()).collect::<Vec<f64>>();
    assert!(iou(&of(4..8), &reference_box()) >= 0.6);
    assert!((of(20..23).iter().sum::<f64>() - 1.0).abs() < 1e-5);
}

/// Files that are no pictures, with what is said of each.
fn broken(folder: &TempDir) -> Vec<(PathBuf, &'static str)> {
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        fs::write(&path, bytes).unwrap();
        path
    };
    let jpeg = fs::read(photo("cmyk.jpg")).unwrap();
    vec![
        (write("text.png", b"this is not a picture"), "text.png: "),
        (write("empty.jpg", b""), "empty.jpg: the file is empty"),
        (write("short.jpg", &jpeg[..jpeg.len() - 20]), "short.jpg: the picture is cut short"),
        (folder.path().join("missing.png"), "missing.png: "),
    ]
}

#[test]
fn what_is_no_picture_is_refused_with_its_name() {
    let folder = folder();
    for (file, said) in broken(&folder) {
        let output = predict(&folder, &[path(&file), "--json"]);
        let found = json(&results(&output, 1));
        assert_eq!(found["file"], path(&file));
        assert!(found["error"].as_str().unwrap().contains(said) && found["faces"].is_null(), "{found}");
        let messages = text(&output.stderr);
        assert!(messages.contains(&format!("vultus: {}", path(&file))) && messages.contains(said), "{messages}");
    }
}

#[test]
fn one_bad_picture_does_not_stop_the_others() {
    let folder = folder();
    let (bad, _) = broken(&folder).swap_remove(0);
    let output = predict(&folder, &[path(&bad), &astronaut(), "--json"]);
    let lines: Vec<Value> = results(&output, 1).lines().map(json).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0]["file"], path(&bad));
    check_astronaut(&lines[1]);
    assert!(text(&output.stderr).contains("vultus: 1 of 2 pictures failed"));
    // In a table there is nothing to say about it, and no table if there is nothing else.
    assert_eq!(results(&predict(&folder, &[path(&bad), &astronaut()]), 1).lines().count(), 2);
    assert_eq!(results(&predict(&folder, &[path(&bad)]), 1), "");
    let csv = results(&predict(&folder, &[path(&bad), &astronaut(), "--csv"]), 1);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with(path(&bad)) && lines[1].contains("text.png: "), "{csv}");
}

#[test]
fn a_picture_without_faces_is_no_failure() {
    let folder = folder();
    let file = folder.path().join("dot.png");
    vultus::image::RgbImage::new(1, 1).save(&file).unwrap();
    let found = json(&results(&predict(&folder, &[path(&file), "--json"]), 0));
    assert_eq!((number(&found["width"]), found["faces"].as_array().unwrap().len()), (1.0, 0));
    assert!(results(&predict(&folder, &[path(&file)]), 0).contains("no face"));
    let csv = results(&predict(&folder, &[path(&file), "--csv"]), 0);
    assert!(csv.lines().count() == 2 && csv.contains("dot.png,1,1,,,"), "{csv}");
}

#[test]
fn a_folder_gives_its_pictures_in_order_and_an_empty_one_is_refused() {
    let (folder, pictures) = (folder(), tempfile::tempdir().unwrap());
    let output = predict(&folder, &[path(pictures.path()), "--json"]);
    assert!(messages(&output, 1).contains("there are no pictures in this folder"));
    assert!(output.stdout.is_empty());

    fs::create_dir(pictures.path().join("inner.png")).unwrap();
    for name in ["b.png", "a.PNG", "inner.png/c.png"] {
        vultus::image::RgbImage::new(30, 20).save(pictures.path().join(name)).unwrap();
    }
    fs::write(pictures.path().join("notes.txt"), "no picture").unwrap();
    let output = predict(&folder, &[path(pictures.path()), "--json"]);
    let files: Vec<String> =
        results(&output, 0).lines().map(|line| json(line)["file"].as_str().unwrap().to_owned()).collect();
    assert_eq!(files, ["a.PNG", "b.png"].map(|name| path(&pictures.path().join(name)).to_owned()));
}

#[test]
fn shards_are_the_pictures_of_the_whole_each_in_one_of_them() {
    let (folder, pictures) = (folder(), tempfile::tempdir().unwrap());
    for name in ["b.png", "a.png", "d.png", "c.png", "e.png"] {
        vultus::image::RgbImage::new(30, 20).save(pictures.path().join(name)).unwrap();
    }
    let boxes = pictures.path().join("boxes");
    let files = |shard: &str| -> Vec<String> {
        let arguments = [path(pictures.path()), "--json", "--shard", shard, "--annotate", path(&boxes)];
        let output = results(&predict(&folder, &arguments), 0);
        output.lines().map(|line| json(line)["file"].as_str().unwrap().to_owned()).collect()
    };
    let named = |names: &[&str]| -> Vec<String> {
        names.iter().map(|name| path(&pictures.path().join(name)).to_owned()).collect()
    };
    assert_eq!(files("1/2"), named(&["a.png", "c.png", "e.png"]));
    assert_eq!(files("2/2"), named(&["b.png", "d.png"]));
    assert_eq!(fs::read_dir(&boxes).unwrap().count(), 5);
    assert!(files("7/7").is_empty());
    for shard in ["0/2", "3/2", "2"] {
        assert!(messages(&predict(&folder, &[&astronaut(), "--shard", shard]), 2).contains("--shard <I/N>"));
    }
}

#[test]
fn faces_smaller_than_asked_for_are_not_found() {
    let folder = folder();
    let found = json(&results(&predict(&folder, &[&astronaut(), "--json", "--min-face", "300"]), 0));
    assert_eq!(found["faces"].as_array().unwrap().len(), 0);
}

#[test]
fn a_light_model_looks_as_often_as_it_recommends_or_as_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let card = ModelCard {
        tta: TestTimeAugmentation::Flip,
        ..ModelCard::new(Architecture::Light, CLASSES.map(str::to_owned).into(), 32, Normalization::CAFFE)
    };
    let model = folder.path().join("light.safetensors");
    // Random weights of the usual size would give one class a probability of 1.
    let mut parameters = card.network().unwrap().initialize(3).unwrap();
    parameters.get_mut("classifier.0.weight").unwrap().data_mut().iter_mut().for_each(|w| *w *= 0.01);
    safetensors::write(&model, &parameters, &card.to_metadata().unwrap(), Precision::I8).unwrap();
    let scores = |option: &str, more: &[&str]| {
        let mut predict = vultus();
        predict.args(["predict", "--device", "cpu", "--json", &astronaut(), option, path(&model)]).args(more);
        json(&results(&predict.output().unwrap(), 0))["faces"][0]["scores"].clone()
    };
    let recommended = scores("--model", &[]);
    assert_eq!(recommended.as_object().unwrap().len(), CLASSES.len());
    assert_eq!(scores("--head", &["--tta", "flip"]), recommended);
    assert_ne!(scores("--model", &["--tta", "none"]), recommended);
    let output = predict(&self::folder(), &[&astronaut(), "--tta", "twice"]);
    assert!(messages(&output, 2).contains("none, flip"));
}

#[test]
fn a_head_that_is_none_is_refused() {
    let folder = folder();
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/weights/mtcnn.safetensors");
    let output = vultus().args(["predict", "--device", "cpu", &astronaut(), "--head", other]).output().unwrap();
    assert!(messages(&output, 1).contains("mtcnn.safetensors: "));
    assert!(output.stdout.is_empty());
    let missing = path(&folder.path().join("no.safetensors")).to_owned();
    let output = vultus().args(["predict", "--device", "cpu", &astronaut(), "--head", &missing]).output().unwrap();
    assert!(messages(&output, 1).contains("no.safetensors: "));
}

/// The names in a folder.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_annotated_picture_has_the_size_of_the_original_and_a_box() {
    let (folder, out) = (folder(), tempfile::tempdir().unwrap());
    let file = out.path().join("boxes.png");
    let found = json(&results(&predict(&folder, &[&astronaut(), "--json", "--annotate", path(&file)]), 0));
    assert_eq!(names(out.path()), ["boxes.png"]);
    let (before, after) =
        (vultus::image::decode_file(&photo("astronaut.png")).unwrap(), vultus::image::decode_file(&file).unwrap());
    assert_eq!(after.dimensions(), before.dimensions());
    let changed = |x: f64, y: f64| {
        let (x, y) = (x.round() as u32, y.round() as u32);
        before.get_pixel(x, y) != after.get_pixel(x, y)
    };
    let b = numbers(&found["faces"][0]["box"]);
    let (x, y) = ((b[0] + b[2]) / 2.0, (b[1] + b[3]) / 2.0);
    assert!(changed(b[0], y) && changed(b[2], y) && changed(x, b[3]), "no box is drawn");
    assert!(!changed(x, y) && !changed(10.0, 500.0), "something is drawn where no box is");
}

#[test]
fn several_annotated_pictures_go_into_a_folder() {
    let (folder, out) = (folder(), tempfile::tempdir().unwrap());
    let target = out.path().join("boxes");
    let face = path(&photo("astronaut_face_224.png")).to_owned();
    results(&predict(&folder, &[&astronaut(), &face, "--annotate", path(&target)]), 0);
    assert_eq!(names(&target), ["astronaut.png", "astronaut_face_224.png"]);
}

#[test]
fn a_place_for_annotations_that_does_not_exist_leaves_nothing() {
    let (folder, out) = (folder(), tempfile::tempdir().unwrap());
    let file = out.path().join("no such folder").join("boxes.png");
    let face = path(&photo("astronaut_face_224.png")).to_owned();
    for pictures in [&[astronaut()][..], &[astronaut(), face]] {
        let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
        let output = predict(&folder, &[&pictures, &["--annotate", path(&file)][..]].concat());
        assert!(messages(&output, 1).contains("no such folder"));
        assert!(output.stdout.is_empty());
        assert!(names(out.path()).is_empty());
    }
}

#[test]
fn annotations_never_replace_the_pictures_that_are_read() {
    let (folder, pictures) = (folder(), tempfile::tempdir().unwrap());
    let picture = pictures.path().join("photo.png");
    fs::copy(photo("astronaut.png"), &picture).unwrap();
    for out in [path(&picture), path(pictures.path())] {
        let output = predict(&folder, &[path(&picture), "--annotate", out]);
        assert!(messages(&output, 2).contains("one of the pictures to read"));
    }
    let output = predict(&folder, &[path(&picture), "--annotate", "boxes.jpg"]);
    assert!(messages(&output, 2).contains(".png"));
    assert_eq!(fs::read(&picture).unwrap(), fs::read(photo("astronaut.png")).unwrap());
}

#[test]
fn the_default_head_sees_the_astronaut_smile() {
    let output = vultus().args(["predict", "--device", "cpu", "--json"]).arg(astronaut()).output().unwrap();
    let found = json(&results(&output, 0));
    let faces = found["faces"].as_array().unwrap();
    assert_eq!(faces.len(), 1);
    assert!(iou(&numbers(&faces[0]["box"]), &reference_box()) >= 0.6);
    assert_eq!(faces[0]["expression"], "happy", "{found}");
    let scores = faces[0]["scores"].as_object().unwrap();
    assert!((scores.values().map(number).sum::<f64>() - 1.0).abs() < 1e-5);
}

#[test]
fn weights_in_f16_are_used_where_they_are_asked_for() {
    let device = adapter();
    let scores = |precision: &str| {
        let arguments = ["predict", "--no-tune", "--json", "--device", &device, "--precision", precision];
        let arguments = [&arguments[..], &["--model", "vgg16"]].concat();
        let found = json(&results(&vultus().args(arguments).arg(astronaut()).output().unwrap(), 0));
        assert_eq!(found["faces"][0]["expression"], "happy", "{found}");
        found["faces"][0]["scores"].as_object().unwrap().values().map(number).collect::<Vec<_>>()
    };
    let (wanted, found) = (scores("f32"), scores("f16-weights"));
    assert_ne!(found, wanted);
    assert!(found.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 0.005), "{found:?} {wanted:?}");
    let output = vultus().args(["predict", "--precision", "f8"]).arg(astronaut()).output().unwrap();
    assert!(messages(&output, 2).contains("f16-weights"));
}

#[test]
fn what_the_cpu_does_not_compute_in_is_refused() {
    for precision in ["f16", "split"] {
        let arguments = ["predict", "--device", "cpu", "--precision", precision];
        let output = vultus().args(arguments).arg(astronaut()).output().unwrap();
        let text = messages(&output, 2);
        assert!(text.contains(precision) && text.contains("choose f32 or f16-weights"), "{text}");
    }
}

#[test]
fn pictures_that_are_faces_are_looked_at_as_they_are() {
    let folder = folder();
    let face = folder.path().join("48.png");
    image::RgbImage::from_pixel(48, 40, image::Rgb([90; 3])).save(&face).unwrap();
    let searched = predict(&folder, &[path(&face)]);
    assert!(results(&searched, 0).contains("no face"));
    assert!(text(&searched.stderr).contains("--faces looks at all of each"), "{}", text(&searched.stderr));
    let found = json(&results(&predict(&folder, &[path(&face), "--faces", "--json"]), 0));
    let faces = found["faces"].as_array().unwrap();
    assert_eq!((faces.len(), numbers(&faces[0]["box"])), (1, vec![0.0, 0.0, 48.0, 40.0]));
    assert!(faces[0]["probability"].is_null() && faces[0]["landmarks"].is_null(), "{found}");
    assert_eq!(predict(&folder, &[path(&face), "--faces", "--min-face", "20"]).status.code(), Some(2));
}

#[test]
fn the_smallest_face_is_a_share_of_the_picture_or_pixels_and_faces_must_be_probable() {
    let folder = folder();
    let count = |options: &[&str]| {
        let photo = astronaut();
        let arguments = [&[photo.as_str(), "--json"], options].concat();
        json(&results(&predict(&folder, &arguments), 0))["faces"].as_array().unwrap().len()
    };
    // The face is 111 pixels high in a picture of 512, and 0.94 probable.
    for (options, faces) in [
        (&["--min-face", "21%"][..], 1),
        (&["--min-face", "23%"], 0),
        (&["--min-face", "105"], 1),
        (&["--min-face", "120"], 0),
        (&["--min-probability", "0.9"], 1),
        (&["--min-probability", "0.99"], 0),
    ] {
        assert_eq!(count(options), faces, "{options:?}");
    }
    for wrong in [["--min-face", "5"], ["--min-face", "101%"], ["--min-probability", "2"], ["--min-face", "many"]] {
        assert_eq!(predict(&folder, &[&astronaut()[..], wrong[0], wrong[1]]).status.code(), Some(2), "{wrong:?}");
    }
}

#[test]
fn what_is_odd_about_a_file_is_said_and_what_is_not_read_is_named() {
    let folder = folder();
    let photo = vultus::image::decode_file(Path::new(&astronaut())).unwrap();
    let mut jpeg = std::io::Cursor::new(Vec::new());
    photo.write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    let without = folder.path().join("without end.jpg");
    fs::write(&without, &jpeg[..jpeg.len() - 2]).unwrap();
    let output = predict(&folder, &[path(&without)]);
    results(&output, 0);
    let said = text(&output.stderr);
    assert!(said.contains("warning: ") && said.contains("without end.jpg: the mark of the picture's end"), "{said}");

    // A folder with a picture of an iPhone: it is one of two, and not passed over.
    let holiday = tempfile::tempdir().unwrap();
    fs::write(holiday.path().join("IMG_0001.HEIC"), b"\0\0\0\x20ftypheic\0\0\0\0mif1heic").unwrap();
    fs::write(holiday.path().join("a.jpg"), &jpeg).unwrap();
    let output = predict(&folder, &[path(holiday.path()), "--csv"]);
    let csv = results(&output, 1);
    assert!(csv.lines().count() == 3 && csv.contains("this is a HEIC picture"), "{csv}");
    assert!(text(&output.stderr).contains("1 of 2 pictures failed"), "{}", text(&output.stderr));
    let said = messages(&predict(&folder, &["https://example.org/photo.jpg"]), 2);
    assert!(said.contains("curl -s"), "{said}");
}

#[cfg(unix)]
#[test]
fn names_do_nothing_to_a_terminal() {
    let folder = folder();
    let name = "a\u{1b}]0;owned\u{7}\u{202e}b.png";
    let file = folder.path().join(name);
    fs::copy(astronaut(), &file).unwrap();
    let missing = folder.path().join("no\u{1b}[31m");
    for options in [&[][..], &["--csv"], &["--json"]] {
        let output = predict(&folder, &[&[path(&file), path(&missing)], options].concat());
        for part in [&output.stdout, &output.stderr] {
            let said = text(part);
            assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{options:?}: {said:?}");
        }
        let first = text(&output.stdout).lines().find(|line| line.contains("owned")).map(str::to_owned);
        if options == ["--json"] {
            assert_eq!(json(&first.unwrap())["file"].as_str(), file.to_str());
        }
    }
}
