//! `vultus eval`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use tempfile::TempDir;
use vultus::face::{Architecture, ModelCard, Recognizer};
use vultus::image::RgbImage;
use vultus::metrics::{Evaluation, Predictions};
use vultus::nn::vgg16::{self, Pooling};
use vultus::ops::{Crop, Normalization};
use vultus::weights::safetensors::{self, Precision};
use vultus::weights::{DefaultFile, Store, WeightFile};
use vultus::{Device, Random};

use crate::{json, messages, number, photo, results, text, vultus};

const CLASSES: [&str; 3] = ["calm", "glad", "wild"];

/// A data set, `set`, and a small model whose weights are random, `model.safetensors`.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let architecture =
            Architecture::Vgg16 { pooling: Pooling::Average, hidden: Vec::new(), base_sha256: base().sha256 };
        let classes = CLASSES.map(str::to_owned).into();
        let card = ModelCard { margin: 1.0, ..ModelCard::new(architecture, classes, 32, Normalization::CAFFE) };
        let head = vgg16::head([512, 1, 1], Pooling::Average, &[], 0.0, CLASSES.len());
        let mut parameters = head.initialize(3).unwrap();
        // So that probabilities are far from 0 and 1.
        parameters.values_mut().flat_map(|tensor| tensor.data_mut()).for_each(|value| *value *= 0.1);
        safetensors::write(&place.model(), &parameters, &card.to_metadata().unwrap(), Precision::F32).unwrap();
        fs::create_dir(place.set()).unwrap();
        place
    }

    /// With a sub-folder for each of these classes and this many pictures in it.
    fn with(classes: &[&str], pictures: usize) -> Self {
        let place = Place::new();
        for (number, class) in classes.iter().enumerate() {
            for picture in 0..pictures {
                place.add(&format!("{class}/{picture}.png"), &noise(20 + 17 * picture as u32, number * 100 + picture));
            }
        }
        place
    }

    fn model(&self) -> PathBuf {
        self.folder.path().join("model.safetensors")
    }

    fn set(&self) -> PathBuf {
        self.folder.path().join("set")
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn add(&self, name: &str, picture: &RgbImage) {
        let path = self.set().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        picture.save(path).unwrap();
    }

    /// `vultus eval` on the CPU with the model of this place.
    fn eval(&self, arguments: &[&str]) -> Output {
        let model = self.model();
        let (set, model) = (self.set(), model.to_str().unwrap());
        vultus()
            .args(["eval", "--device", "cpu", "--model", model, "--resamples", "50"])
            .arg(set)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// The probabilities for faces in this order, each looked at alone.
    fn probabilities(&self, faces: &[RgbImage]) -> Vec<Vec<f32>> {
        let model = safetensors::read(&self.model()).unwrap();
        let mut recognizer = Recognizer::new(&Device::Cpu, base(), model, 1).unwrap();
        let mut judge = |face: &RgbImage| {
            let picture = Device::Cpu.upload(face.as_raw(), face.width(), face.height()).unwrap();
            recognizer.recognize(&picture, &[Crop::whole(face.width(), face.height())]).unwrap().swap_remove(0)
        };
        faces.iter().map(&mut judge).collect()
    }
}

fn base() -> WeightFile {
    let weights = Path::new(env!("CARGO_MANIFEST_DIR")).join("weights");
    Store::open(Some(&weights)).unwrap().load(DefaultFile::Vgg16Base).unwrap()
}

/// A square of random colours and brightness.
fn noise(side: u32, seed: usize) -> RgbImage {
    let mut random = Random::new(seed as u64);
    let level = 60 + random.below(130);
    RgbImage::from_fn(side, side, |_, _| image::Rgb([0; 3].map(|_: u8| (level + random.below(60)) as u8)))
}

fn decode(path: PathBuf) -> RgbImage {
    vultus::image::decode_file(&path).unwrap()
}

/// The faces of a set of [`Place::with`], in the order of the data set.
fn faces(place: &Place, classes: &[&str], pictures: usize) -> Vec<RgbImage> {
    let files = classes.iter().flat_map(|class| (0..pictures).map(move |picture| format!("{class}/{picture}.png")));
    files.map(|file| decode(place.set().join(file))).collect()
}

/// The rows of a file of predictions: name, true, predicted, probabilities.
fn rows(csv: &str) -> Vec<(String, String, String, Vec<f32>)> {
    let row = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [name, label, predicted] = [0, 1, 2].map(|i| fields[i].to_owned());
        (name, label, predicted, fields[3..].iter().map(|field| field.parse().unwrap()).collect())
    };
    csv.lines().skip(1).map(row).collect()
}

fn close(found: &[f32], wanted: &[f32]) -> bool {
    // Batches of other sizes may be added up in another order.
    found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-5)
}

#[test]
fn figures_and_files_are_those_of_the_recognizer() {
    let place = Place::with(&CLASSES, 3);
    let folder = place.path("evaluation");
    let csv = place.path("predictions.csv");
    let files = ["--out", folder.to_str().unwrap(), "--csv", csv.to_str().unwrap()];
    let found = results(&place.eval(&[&["--faces", "--json", "--seed", "5"], &files[..]].concat()), 0);

    let mut predictions = Predictions::new(CLASSES.map(str::to_owned).into());
    predictions.labels = vec![0, 0, 0, 1, 1, 1, 2, 2, 2];
    predictions.probabilities = place.probabilities(&faces(&place, &CLASSES, 3));
    let text = fs::read_to_string(&csv).unwrap();
    assert_eq!(text.lines().next(), Some("name,true,predicted,calm,glad,wild"));
    let rows = rows(&text);
    assert_eq!(rows.len(), 9);
    for (i, (name, label, predicted, probabilities)) in rows.iter().enumerate() {
        assert_eq!(*name, format!("{}/{}.png", CLASSES[i / 3], i % 3));
        assert_eq!(label, CLASSES[i / 3]);
        assert!(close(probabilities, &predictions.probabilities[i]), "{name}: {probabilities:?}");
        assert!((0.001..0.999).contains(&probabilities[0]), "{name}: {probabilities:?}");
        assert_eq!(predicted, CLASSES[predictions.predicted()[i]]);
    }
    // The figures are those of the very numbers that were written.
    predictions.probabilities = rows.into_iter().map(|(.., probabilities)| probabilities).collect();
    let wanted = Evaluation::new(&predictions, 5, 50).unwrap();
    let read = |text: &str| serde_json::from_str::<Evaluation>(text).unwrap();
    assert_eq!(read(&found), read(&serde_json::to_string(&wanted).unwrap()));

    let found = json(&found);
    let model = place.model();
    let keys = [("part", "all"), ("tta", "none"), ("model", model.to_str().unwrap())];
    keys.iter().for_each(|(key, value)| assert_eq!(found[*key], *value));
    assert_eq!((&found["faces"], &found["restricted"]), (&Value::Bool(true), &Value::Bool(false)));
    assert_eq!(found["intervals"]["method"]["unit"], "image");
    assert_eq!(json(&fs::read_to_string(folder.join("results.json")).unwrap()), found);
    assert_eq!(fs::read_to_string(folder.join("predictions.csv")).unwrap(), text);
    let confusion = fs::read_to_string(folder.join("confusion.csv")).unwrap();
    assert_eq!(confusion.lines().count(), 4);
    assert!(confusion.starts_with("true,calm,glad,wild\ncalm,"), "{confusion}");
}

#[test]
fn each_face_is_judged_alone_whatever_the_batch() {
    let place = Place::with(&CLASSES, 4);
    let predictions = |batch: &str| {
        let csv = place.path("predictions.csv");
        results(&place.eval(&["--faces", "--batch", batch, "--csv", csv.to_str().unwrap()]), 0);
        rows(&fs::read_to_string(csv).unwrap())
    };
    let alone = predictions("1");
    for batch in ["5", "64"] {
        for (a, b) in alone.iter().zip(predictions(batch)) {
            assert!(a.0 == b.0 && close(&a.3, &b.3), "{batch}: {a:?}, {b:?}");
        }
    }
}

#[test]
fn two_looks_are_averaged() {
    let place = Place::with(&["calm", "wild"], 2);
    let csv = place.path("predictions.csv");
    let found = json(&results(&place.eval(&["--faces", "--json", "--tta", "flip", "--csv", csv.to_str().unwrap()]), 0));
    assert_eq!(found["tta"], "flip");
    let faces = faces(&place, &["calm", "wild"], 2);
    let mirrored: Vec<RgbImage> = faces.iter().map(image::imageops::flip_horizontal).collect();
    let (first, second) = (place.probabilities(&faces), place.probabilities(&mirrored));
    assert!(!close(&first[0], &second[0]));
    for (i, row) in rows(&fs::read_to_string(csv).unwrap()).iter().enumerate() {
        let mean: Vec<f32> = first[i].iter().zip(&second[i]).map(|(a, b)| (a + b) / 2.0).collect();
        assert!(close(&row.3, &mean), "{row:?}, {mean:?}");
    }
}

#[test]
fn faces_are_searched_for_and_images_without_one_are_counted() {
    let place = Place::new();
    place.add("calm/astronaut.png", &decode(photo("astronaut.png")));
    place.add("wild/gray.png", &RgbImage::from_pixel(60, 60, image::Rgb([127; 3])));
    let csv = place.path("predictions.csv");
    let output = place.eval(&["--json", "--csv", csv.to_str().unwrap()]);
    let found = json(&results(&output, 0));
    assert_eq!((number(&found["n"]), &found["without_face"]), (1.0, &serde_json::json!(["wild/gray.png"])));
    assert!(text(&output.stderr).contains("wild/gray.png: no face found"), "{}", text(&output.stderr));
    // The recall of a class without samples, and intervals from a single image.
    assert!(found["per_class"]["wild"]["recall"].is_null() && found["intervals"].is_null());

    // What `predict` says of the same face.
    let model = place.model();
    let predicted = vultus()
        .args(["predict", "--device", "cpu", "--json", "--model", model.to_str().unwrap()])
        .arg(photo("astronaut.png"))
        .output()
        .unwrap();
    let predicted = json(&results(&predicted, 0));
    let wanted: Vec<f32> =
        CLASSES.iter().map(|class| number(&predicted["faces"][0]["scores"][*class]) as f32).collect();
    let rows = rows(&fs::read_to_string(csv).unwrap());
    assert!(close(&rows[0].3, &wanted), "{rows:?}, {wanted:?}");

    // Taken as faces as they are, both count.
    assert_eq!(json(&results(&place.eval(&["--json", "--faces"]), 0))["n"], 2);
}

#[test]
fn an_image_that_cannot_be_read_is_named_and_the_others_are_evaluated() {
    let place = Place::with(&["calm", "wild"], 3);
    let broken = place.set().join("calm/1.png");
    fs::write(&broken, b"this is not a picture").unwrap();
    let output = place.eval(&["--faces", "--json"]);
    let said = messages(&output, 1);
    assert!(said.contains(&format!("vultus: {}", broken.display())), "{said}");
    assert!(said.contains("vultus: 1 of 6 images could not be read; the others were evaluated"), "{said}");
    let found = json(&text(&output.stdout));
    assert_eq!((number(&found["n"]), &found["unreadable"]), (5.0, &serde_json::json!(["calm/1.png"])));

    for file in ["calm/0.png", "calm/2.png", "wild/0.png", "wild/1.png", "wild/2.png"] {
        fs::write(place.set().join(file), b"this is not a picture").unwrap();
    }
    let output = place.eval(&["--faces", "--json"]);
    assert!(messages(&output, 1).contains("no image can be evaluated: 0 without a face, 6 unreadable"));
    assert!(output.stdout.is_empty());
}

#[test]
fn classes_are_mapped_and_the_choice_restricted_to_common_ones() {
    let place = Place::with(&["contempt", "rage", "calm"], 2);
    let output = place.eval(&["--faces", "--json", "--classes", "wild=rage"]);
    let found = json(&results(&output, 0));
    assert_eq!(found["classes"], serde_json::json!(CLASSES));
    assert_eq!(found["left_out"], serde_json::json!({"contempt": 2}));
    assert!(text(&output.stderr).contains("does not have these classes: contempt (2)"), "{}", text(&output.stderr));
    assert_eq!(["calm", "glad", "wild"].map(|class| number(&found["per_class"][class]["support"])), [2.0, 0.0, 2.0]);

    let csv = place.path("predictions.csv");
    let restrict = ["--faces", "--json", "--classes", "wild=rage", "--restrict", "--csv", csv.to_str().unwrap()];
    let found = json(&results(&place.eval(&restrict), 0));
    assert_eq!((&found["classes"], &found["restricted"]), (&serde_json::json!(["calm", "wild"]), &Value::Bool(true)));
    let all = place.probabilities(&faces(&place, &["calm", "rage"], 2));
    for (row, all) in rows(&fs::read_to_string(csv).unwrap()).iter().zip(all) {
        let sum = all[0] + all[2];
        assert!(close(&row.3, &[all[0] / sum, all[2] / sum]), "{row:?}, {all:?}");
    }
}

#[test]
fn a_choice_that_leaves_out_what_the_model_expects_is_among_equals() {
    let place = Place::with(&CLASSES, 3);
    let said = |arguments: &[&str]| json(&results(&place.eval(&[&["--faces", "--json"], arguments].concat()), 0));
    assert_eq!(said(&["--restrict=glad,wild"])["priors"], Value::Null);
    let unknown = messages(&place.eval(&["--faces", "--priors", "equal"]), 2);
    assert!(unknown.contains("--priors equal: the model does not say"), "{unknown}");

    let mut file = safetensors::read(&place.model()).unwrap();
    file.metadata.insert("priors".to_owned(), "[0.85,0.1,0.05]".to_owned());
    safetensors::write(&place.model(), &file.parameters, &file.metadata, Precision::F32).unwrap();
    let taken = |arguments: &[&str]| said(arguments)["priors"]["taken"].as_str().unwrap().to_owned();
    assert_eq!(taken(&[]), "learned");
    assert_eq!(taken(&["--restrict=calm,glad"]), "learned");
    assert_eq!(taken(&["--restrict=glad,wild"]), "equal");
    assert_eq!(taken(&["--restrict=glad,wild", "--priors", "learned"]), "learned");

    let csv = place.path("predictions.csv");
    let figures = said(&["--restrict=glad,wild", "--csv", csv.to_str().unwrap()]);
    assert_eq!(figures["priors"]["accuracy_equal"], figures["accuracy"]);
    let all = place.probabilities(&faces(&place, &["glad", "wild"], 3));
    for (row, all) in rows(&fs::read_to_string(csv).unwrap()).iter().zip(all) {
        let [glad, wild] = [all[1] / 0.1, all[2] / 0.05];
        assert!(close(&row.3, &[glad / (glad + wild), wild / (glad + wild)]), "{row:?}, {all:?}");
    }
    let table = results(&place.eval(&["--faces", "--restrict=glad,wild"]), 0);
    assert!(table.contains("the choice is among 2 classes: each expected as often as the others, "), "{table}");
    assert!(table.contains("the figures are by the first (--priors)\n"), "{table}");
    assert!(!results(&place.eval(&["--faces"]), 0).contains("--priors"));
}

#[test]
fn names_that_mean_the_same_are_matched_and_said() {
    let place = Place::with(&["CALM", "Wild", "other"], 2);
    let output = place.eval(&["--faces", "--json"]);
    let found = json(&results(&output, 0));
    let said = text(&output.stderr);
    assert!(said.contains("classes: CALM is the model's calm, Wild its wild\n"), "{said}");
    assert!(said.contains("does not have these classes: other (2) (--classes model=dataset"), "{said}");
    assert_eq!(["calm", "glad", "wild"].map(|class| number(&found["per_class"][class]["support"])), [2.0, 0.0, 2.0]);
    // A map that is given is the only one.
    let output = place.eval(&["--faces", "--json", "--classes", "glad=other"]);
    let found = json(&results(&output, 0));
    assert_eq!(["calm", "glad", "wild"].map(|class| number(&found["per_class"][class]["support"])), [0.0, 2.0, 0.0]);
    let table = results(&place.eval(&["--faces", "--classes", "glad=other,wild=Wild"]), 0);
    assert!(table.contains("macro: the mean over the 2 classes that have images: glad, wild\n"), "{table}");
}

#[test]
fn classes_that_are_numbers_are_taken_in_the_order_of_known_sets() {
    let orders = [
        (0, "FER2013", ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]),
        (1, "RAF-DB", ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"]),
    ];
    for (first, order, names) in orders {
        let place = Place::new();
        for (number, _) in names.iter().enumerate() {
            // As many pictures of each as its place says.
            for picture in 0..=number {
                place.add(&format!("{}/{picture}.png", first + number), &noise(24, 10 * number + picture));
            }
        }
        let mut command = vultus();
        command.args(["eval", "--device", "cpu", "--faces", "--json", "--resamples", "0"]).arg(place.set());
        let output = command.output().unwrap();
        let found = json(&results(&output, 0));
        for (number, name) in names.iter().enumerate() {
            assert_eq!(found["per_class"][name]["support"], number + 1, "{order} {name}");
        }
        let said = text(&output.stderr);
        assert!(said.contains(&format!("classes: in {order}'s order, {first} is the model's {}", names[0])), "{said}");
    }
}

#[test]
fn classes_that_do_not_fit_are_refused() {
    let place = Place::with(&["fury", "rage"], 1);
    let refused = |arguments: &[&str], status: i32| {
        let output = place.eval(&[&["--faces"], arguments].concat());
        assert!(output.stdout.is_empty());
        messages(&output, status)
    };
    let said = refused(&[], 1);
    assert!(said.contains("has fury, rage, the model calm, glad, wild: say which is which with --classes"), "{said}");
    assert!(refused(&["--classes", "wild"], 2).contains("no pair model=dataset"));
    assert!(refused(&["--classes", "angry=rage"], 2).contains("the model has no class \"angry\""));
    assert!(refused(&["--classes", "wild=anger"], 2).contains("the data set has no class \"anger\""));
    assert!(refused(&["--classes", "wild=rage", "--restrict"], 2).contains("wild is the only class"));
    assert!(refused(&["--part", "test"], 2).contains("no image is in the part test"));
    assert!(refused(&["--batch", "0"], 2).contains("--batch"));
    assert!(refused(&["--resamples", "1000001"], 2).contains("--resamples"));
}

#[test]
fn the_test_part_is_evaluated_unless_another_is_asked_for() {
    let place = Place::new();
    for (i, name) in ["train/calm/0", "train/calm/1", "train/wild/0", "test/calm/0", "test/wild/0"].iter().enumerate() {
        place.add(&format!("{name}.png"), &noise(30, i));
    }
    let evaluated = |arguments: &[&str]| {
        let output = place.eval(&[&["--faces", "--json"], arguments].concat());
        let found = json(&results(&output, 0));
        (number(&found["n"]), found["part"].as_str().unwrap().to_owned(), text(&output.stderr))
    };
    let (n, part, said) = evaluated(&[]);
    assert_eq!((n, part.as_str()), (2.0, "test"));
    assert!(said.contains("the part test: 2 of 5 images"), "{said}");
    assert_eq!(evaluated(&["--part", "train"]).0, 3.0);
    assert_eq!(evaluated(&["--part", "all"]).0, 5.0);
}

#[test]
fn small_images_are_faces_unless_something_else_is_said() {
    let place = Place::with(&["calm", "wild"], 2);
    let output = place.eval(&["--json"]);
    let guessed = json(&results(&output, 0));
    assert_eq!(guessed, json(&results(&place.eval(&["--json", "--faces"]), 0)));
    assert_eq!((&guessed["faces"], &guessed["n"]), (&true.into(), &4.into()));
    let said = text(&output.stderr);
    assert!(said.contains("(37×37)") && said.contains("--detect"), "{said}");
    // There is no face in noise.
    assert!(messages(&place.eval(&["--detect"]), 1).contains("4 without a face"));
    assert_eq!(place.eval(&["--detect", "--faces"]).status.code(), Some(2));
    // One that may be a photo is enough to search them all.
    place.add("calm/large.png", &noise(300, 7));
    assert!(messages(&place.eval(&[]), 1).contains("5 without a face"));
}

#[test]
fn subjects_are_resampled_where_they_are_known() {
    let place = Place::new();
    for (i, name) in
        ["S001_001_00000001", "S001_001_00000002", "S002_001_00000001", "S003_001_00000001"].iter().enumerate()
    {
        place.add(&format!("{}/{name}.png", CLASSES[i % 2]), &noise(30, i));
    }
    let found = json(&results(&place.eval(&["--faces", "--json"]), 0));
    let method = &found["intervals"]["method"];
    assert_eq!((&method["unit"], number(&method["units"])), (&Value::from("subject"), 3.0));
}

#[test]
fn people_get_tables() {
    let place = Place::with(&CLASSES, 2);
    let output = results(&place.eval(&["--faces"]), 0);
    let found = json(&results(&place.eval(&["--faces", "--json"]), 0));
    let line = |start: &str| {
        let mut lines = output.lines().filter(|line| line.starts_with(start));
        lines.next().unwrap_or_else(|| panic!("no {start} in {output}")).to_owned()
    };
    assert!(output.lines().next().unwrap().ends_with(": 6 images"), "{output}");
    let percent = |value: &Value| value.as_f64().map_or("-".to_owned(), |share| format!("{:.1}", 100.0 * share));
    for class in CLASSES {
        let figures = &found["per_class"][class];
        let keys = ["recall", "specificity", "precision", "f1", "jaccard"];
        let counts = ["support", "predicted"].map(|key| figures[key].to_string());
        let wanted: Vec<String> = counts.into_iter().chain(keys.map(|key| percent(&figures[key]))).collect();
        assert_eq!(line(class).split_whitespace().skip(1).collect::<Vec<_>>(), wanted, "{output}");
    }
    let interval = &found["intervals"]["accuracy"];
    let [accuracy, low, high] = [&found["accuracy"], &interval[0], &interval[1]].map(percent);
    let accuracy = format!("accuracy {accuracy} % {low} % – {high} %");
    assert_eq!(line("accuracy").split_whitespace().collect::<Vec<_>>().join(" "), accuracy);
    assert!(line("intervals: 50 resamples of 6 images, seed 0").len() > 20);
    let confusion: Vec<&str> = output.lines().skip_while(|line| !line.starts_with("true \\ predicted")).collect();
    assert_eq!(confusion.len(), 4);
    for (row, counts) in confusion[1..].iter().zip(found["confusion"].as_array().unwrap()) {
        let counts: Vec<String> = counts.as_array().unwrap().iter().map(Value::to_string).collect();
        assert_eq!(row.split_whitespace().skip(1).collect::<Vec<_>>(), counts);
    }
}

#[test]
fn places_are_checked_before_anything_is_computed() {
    let place = Place::with(&CLASSES, 1);
    let nowhere = place.path("no such folder/file");
    for option in ["--csv", "--out"] {
        let output = place.eval(&["--faces", option, nowhere.to_str().unwrap()]);
        assert!(messages(&output, 1).contains("no such folder"), "{option}");
        assert!(output.stdout.is_empty());
    }
    let set = place.set();
    let csv = place.eval(&["--faces", "--csv", set.to_str().unwrap()]);
    assert!(messages(&csv, 2).contains("this is read by the same command"));
    let model = place.model();
    assert!(messages(&place.eval(&["--faces", "--out", model.to_str().unwrap()]), 1).contains("model.safetensors"));
    let output = vultus().args(["eval", "--faces", "--device", "cpu"]).arg(place.path("missing")).output().unwrap();
    assert!(messages(&output, 1).contains("missing"));
}

#[test]
fn majorities_are_the_labels_where_people_voted() {
    let place = Place::with(&CLASSES, 3);
    let votes = place.path("votes.csv");
    let rows = "calm/0.png,6,2,2,0\ncalm/1.png,1,9,0,0\nglad/0.png,0,5,4,1\nwild/2.png,0,0,1,9\nwild/1.png,0,3,7,0\n";
    fs::write(&votes, format!("file,calm,glad,wild,unknown\n{rows}")).unwrap();
    let eval = |arguments: &[&str]| place.eval(&[&["--faces", "--votes", votes.to_str().unwrap()], arguments].concat());
    let figures = json(&text(&eval(&["--json"]).stdout));
    assert_eq!((number(&figures["n"]), number(&figures["votes"]["voted"])), (3.0, 5.0));
    assert_eq!((number(&figures["votes"]["judged"]), number(&figures["votes"]["own_labels"]["n"])), (3.0, 9.0));
    let support = |class: &str| number(&figures["per_class"][class]["support"]);
    assert_eq!(CLASSES.map(support), [1.0, 1.0, 1.0]);
    assert!(number(&figures["votes"]["log_loss"]) > number(&figures["votes"]["entropy"]));
    // Without the single vote, five of nine are a majority.
    assert_eq!(number(&json(&text(&eval(&["--json", "--majority", "ferplus"]).stdout))["n"]), 4.0);
    let csv = place.path("rows.csv");
    let two = eval(&["--json", "--restrict=calm,glad", "--csv", csv.to_str().unwrap()]);
    assert_eq!((number(&json(&text(&two.stdout))["n"]), fs::read_to_string(&csv).unwrap().lines().count()), (2.0, 3));
    let table = text(&eval(&[]).stdout);
    assert!(table.contains("labels are the majority (more than half of all votes) of 3 of the 5 images"), "{table}");
    assert!(table.contains("by the data set's own labels "), "{table}");
    let refused = eval(&["--restrict=calm,sad"]);
    let said = messages(&refused, 2);
    assert!(said.contains("\"sad\" is not among the classes"), "{said}");
}
