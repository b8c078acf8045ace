//! `vultus train`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;
use vultus::data::Dataset;
use vultus::face::{Architecture, ModelCard, Recognizer, assemble};
use vultus::image::RgbImage;
use vultus::nn::vgg16::{self, Pooling};
use vultus::ops::{Crop, Normalization};
use vultus::prepare::{Alignment, Augmentation, Preparation};
use vultus::train::{Pictures, Predictor};
use vultus::weights::safetensors::Precision;
use vultus::weights::{DefaultFile, Store, WeightFile, safetensors};
use vultus::{Device, Random};

use crate::{adapter, is_software, json, messages, photo, results, text, vultus};

/// A data set in `faces`, a folder for the cache, and the place of the head, all in a folder that goes away.
struct Place {
    folder: TempDir,
}

impl Place {
    /// So many pictures of each class.
    fn new(classes: &[&str], pictures: usize) -> Self {
        let place = Place { folder: tempfile::tempdir().unwrap() };
        let mut random = Random::new(1);
        fs::create_dir(place.faces()).unwrap();
        for (number, class) in classes.iter().enumerate() {
            fs::create_dir(place.faces().join(class)).unwrap();
            for i in 0..pictures {
                picture(number, 40, &mut random).save(place.faces().join(class).join(format!("{i:02}.png"))).unwrap();
            }
        }
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn faces(&self) -> PathBuf {
        self.path("faces")
    }

    fn head(&self) -> PathBuf {
        self.path("head.safetensors")
    }

    /// `vultus train` with settings for a small head on ImageNet's VGG16 on the CPU, where no others are given.
    fn command(&self, arguments: &[&str]) -> Command {
        let names_start = arguments.iter().any(|argument| ["--network", "--start"].contains(argument));
        let small = ["--input", "32", "--hidden", "8", "--epochs", "3", "--batch", "8"];
        let mut all = arguments.to_vec();
        let pairs = small.chunks(2).filter(|pair| !arguments.contains(&pair[0]));
        all.extend(pairs.flatten());
        all.push("--force");
        let mut command = self.plain(&all);
        if !names_start {
            command.args(["--start", "imagenet"]);
        }
        command
    }

    /// `vultus train` on the CPU as users call it.
    fn plain(&self, arguments: &[&str]) -> Command {
        let mut command = vultus();
        command.arg("train").arg(self.faces()).args(arguments);
        let (cache, head) = (self.path("cache"), self.head());
        let places = [("--device", "cpu"), ("--cache", utf8(&cache)), ("--out", utf8(&head))];
        for (name, value) in places.into_iter().filter(|(name, _)| !arguments.contains(name)) {
            command.args([name, value]);
        }
        command
    }

    fn train(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// The one file of the cache.
    fn cached(&self) -> PathBuf {
        let files: Vec<PathBuf> =
            fs::read_dir(self.path("cache")).unwrap().map(|entry| entry.unwrap().path()).collect();
        let [file] = files.as_slice() else { panic!("not one file: {files:?}") };
        file.clone()
    }

    /// That a run ends like this before it computes anything, and leaves nothing.
    fn refuses(&self, arguments: &[&str], status: i32, said: &str) {
        let output = self.train(arguments);
        let messages = messages(&output, status);
        assert!(messages.contains(said), "{arguments:?}: {messages}");
        assert!(output.stdout.is_empty(), "{arguments:?}: {}", text(&output.stdout));
        self.has_no_head();
        assert!(!self.path("cache").exists(), "{arguments:?}: features were computed");
    }

    /// That there is neither a head nor a part of one.
    fn has_no_head(&self) {
        let names: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert!(names.iter().all(|name| name == "faces" || name == "cache"), "{names:?}");
    }
}

/// A picture of a class: lines across, lines down or a disc, with noise.
fn picture(class: usize, side: u32, random: &mut Random) -> RgbImage {
    let middle = side as f32 / 2.0;
    RgbImage::from_fn(side, side, |x, y| {
        let bright = match class {
            0 => y / 5 % 2 == 0,
            1 => x / 5 % 2 == 0,
            _ => (x as f32 - middle).hypot(y as f32 - middle) < middle / 1.5,
        };
        let base = if bright { 190 } else { 40 };
        image::Rgb([0; 3].map(|_: u8| base + random.below(50) as u8))
    })
}

fn utf8(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn base() -> WeightFile {
    let store = Store::open(Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("weights"))).unwrap();
    store.load(DefaultFile::Vgg16Base).unwrap()
}

/// How many of a test set's pictures are right: what `--test` says first.
fn tested(output: &str, folder: &Path) -> (usize, usize) {
    let start = format!("{}: ", folder.display());
    let line = output.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_else(|| panic!("{output}"));
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!((words[1], words[3]), ("of", "right,"), "{line}");
    (words[0].parse().unwrap(), words[2].parse().unwrap())
}

#[test]
fn a_head_is_trained_saved_and_used() {
    let place = Place::new(&["up", "across", "disc"], 12);
    let output = place.train(&[]);
    let rows = results(&output, 0);
    let lines: Vec<&str> = rows.lines().collect();
    assert_eq!(
        lines[0].to_lowercase().split_whitespace().collect::<Vec<_>>(),
        ["epoch", "loss", "val.", "loss", "accuracy", "recall", "pictures/s", "waited"]
    );
    for (number, line) in (1..=3).zip(&lines[1..4]) {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [epoch, loss, _, accuracy, "%", _, "%", _, _, "%"] = cells[..] else { panic!("{line}") };
        assert_eq!(epoch, number.to_string());
        assert!(loss.parse::<f32>().unwrap() > 0.0 && (0.0..=100.0).contains(&accuracy.parse::<f32>().unwrap()));
    }
    // Four of 36 are kept for validation, 11 of 32 are the largest class.
    assert_eq!(lines[4], "trained on 32 pictures of 3 classes: across 11, disc 11, up 10");
    assert_eq!(lines[5], "chance: 33.33 % by guessing, 34.38 % by always taking the largest class");
    assert!(lines[6].starts_with("epoch ") && lines[6].contains(" of 4 pictures for validation right"), "{rows}");
    assert!(lines[7].starts_with("saved epoch ") && lines[7].ends_with("head.safetensors"), "{rows}");
    assert_eq!(lines[8], format!("to use it: vultus predict photo.jpg --model {}", utf8(&place.head())));
    assert_eq!(lines.len(), 9, "{rows}");
    let start = "starting from ImageNet's VGG16, training the head (fc6 and the layers after it)";
    assert_eq!(text(&output.stderr).trim_end(), format!("device: {}\n{start}", Device::Cpu));

    let head = safetensors::read(&place.head()).unwrap();
    let architecture = Architecture::Vgg16 { pooling: Pooling::Flatten, hidden: vec![8], base_sha256: base().sha256 };
    let wanted = ModelCard {
        margin: 0.9,
        ..ModelCard::new(
            architecture,
            ["across", "disc", "up"].map(str::to_owned).into(),
            32,
            Normalization { gray: true, ..Normalization::CAFFE },
        )
    };
    let found = ModelCard::from_file(&head).unwrap();
    assert!(found.notes.contains_key("trained_on") && found.notes["start"] == "ImageNet's VGG16", "{found:?}");
    assert_eq!(found, ModelCard { notes: found.notes.clone(), ..wanted.clone() });

    let mut predict = vultus();
    predict.args(["predict", "--device", "cpu", "--json", utf8(&photo("astronaut.png")), "--head"]).arg(place.head());
    let found = json(&results(&predict.output().unwrap(), 0));
    let expression = found["faces"][0]["expression"].as_str().unwrap();
    assert!(wanted.classes.iter().any(|class| class == expression), "{found}");
}

#[test]
fn a_base_says_itself_what_it_expects() {
    let place = Place::new(&["a", "b"], 4);
    let (told, silent) = (place.path("told.safetensors"), place.path("silent.safetensors"));
    let about =
        |normalization| BTreeMap::from([("preprocessing".to_owned(), serde_json::to_string(&normalization).unwrap())]);
    safetensors::write(&told, &base().parameters, &about(Normalization::TORCHVISION), Precision::F16).unwrap();
    results(&place.train(&["--weights", utf8(&told)]), 0);
    let card = ModelCard::from_file(&safetensors::read(&place.head()).unwrap()).unwrap();
    assert_eq!(card.preprocessing, Normalization { gray: true, ..Normalization::TORCHVISION });

    safetensors::write(&silent, &base().parameters, &BTreeMap::new(), Precision::F16).unwrap();
    let said = messages(&place.train(&["--weights", utf8(&silent)]), 1);
    assert!(said.contains("do not say what the network expects") && said.contains("weights convert"), "{said}");
}

/// When a file was last changed, and on Unix which one it is: another one may have taken the name.
fn identity(path: &Path) -> (std::time::SystemTime, u64) {
    let metadata = fs::metadata(path).unwrap();
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    (metadata.modified().unwrap(), inode)
}

#[test]
fn the_seed_decides_and_the_cache_is_used() {
    let place = Place::new(&["a", "b"], 6);
    results(&place.train(&[]), 0);
    let (head, cache) = (fs::read(place.head()).unwrap(), identity(&place.cached()));
    results(&place.train(&["--seed", "0"]), 0);
    assert_eq!(fs::read(place.head()).unwrap(), head);
    assert_eq!(identity(&place.cached()), cache);
    results(&place.train(&["--seed", "1"]), 0);
    assert_ne!(fs::read(place.head()).unwrap(), head);

    // Features that were changed give another head: the cache is read, not computed again.
    let mut kept = fs::read(place.cached()).unwrap();
    let (start, row) = (8, 4 * 512);
    let (first, last) = (kept[start..start + row].to_vec(), kept[start + 11 * row..start + 12 * row].to_vec());
    kept[start..start + row].copy_from_slice(&last);
    kept[start + 11 * row..start + 12 * row].copy_from_slice(&first);
    fs::write(place.cached(), kept).unwrap();
    results(&place.train(&[]), 0);
    assert_ne!(fs::read(place.head()).unwrap(), head);
}

#[test]
fn a_cache_that_is_broken_is_computed_again() {
    let place = Place::new(&["a", "b"], 4);
    results(&place.train(&[]), 0);
    let (head, whole) = (fs::read(place.head()).unwrap(), fs::read(place.cached()).unwrap());
    let mut other = whole.clone();
    other[0] ^= 1;
    for broken in [b"nonsense".to_vec(), whole[..whole.len() - 4].to_vec(), other] {
        fs::write(place.cached(), broken).unwrap();
        let output = place.train(&[]);
        results(&output, 0);
        assert_eq!(fs::read(place.head()).unwrap(), head);
        assert_eq!(fs::read(place.cached()).unwrap(), whole);
    }
}

#[test]
fn pictures_are_decoded_once_and_a_damaged_cache_is_made_anew() {
    let place = Place::new(&["a", "b"], 6);
    let settings = ["--network", "light", "--epochs", "2", "--augment", "light"];
    let cached =
        || -> Vec<PathBuf> { fs::read_dir(place.path("cache")).unwrap().map(|entry| entry.unwrap().path()).collect() };
    results(&place.train(&settings), 0);
    let (head, files) = (fs::read(place.head()).unwrap(), cached());
    // Those to be varied, and those to validate with: pictures of 40 pixels for a network that takes 32.
    assert_eq!(files.len(), 2, "{files:?}");
    let identities: Vec<_> = files.iter().map(|file| identity(file)).collect();
    let said = messages(&place.train(&settings), 0);
    assert!(!said.contains("warning"), "{said}");
    assert_eq!(fs::read(place.head()).unwrap(), head);
    assert_eq!(cached().iter().map(|file| identity(file)).collect::<Vec<_>>(), identities);
    for file in &files {
        let whole = fs::read(file).unwrap();
        let mut damaged = whole.clone();
        damaged[whole.len() / 2] ^= 1;
        fs::write(file, damaged).unwrap();
        let said = messages(&place.train(&settings), 0);
        assert!(said.contains(&format!("warning: {}: is damaged and is made anew", file.display())), "{said}");
        assert_eq!(fs::read(place.head()).unwrap(), head);
        assert_eq!(fs::read(file).unwrap(), whole);
    }
}

#[test]
fn a_trained_head_knows_its_own_pictures() {
    let place = Place::new(&["across", "down", "disc"], 12);
    let faces = place.faces();
    let settings = ["--epochs", "15", "--learning-rate", "0.01", "--test", utf8(&faces)];
    for more in [&["--hidden", "16", "--dropout", "0.2"][..], &["--hidden", "0", "--pooling", "average"]] {
        let output = results(&place.train(&[&settings[..], more].concat()), 0);
        let (right, all) = tested(&output, &faces);
        assert!(all == 36 && right > 32, "{output}");
        let classes: Vec<&str> = output.lines().rev().take(3).filter_map(|l| l.split_whitespace().next()).collect();
        assert_eq!(classes, ["down", "disc", "across"], "{output}");
        let card = ModelCard::from_file(&safetensors::read(&place.head()).unwrap()).unwrap();
        let Architecture::Vgg16 { pooling, hidden, .. } = card.architecture else { panic!("{card:?}") };
        assert_eq!(hidden.is_empty(), more[1] == "0");
        assert_eq!(pooling == Pooling::Average, more[1] == "0");
    }
}

#[test]
fn a_head_from_the_gpu_answers_the_same_on_both() {
    let place = Place::new(&["across", "down"], 6);
    let faces = place.faces();
    let settings = ["--epochs", "12", "--learning-rate", "0.01", "--dropout", "0", "--validation", "0"];
    let output = place.train(&[&settings[..], &["--device", &adapter(), "--test", utf8(&faces)]].concat());
    let rows = results(&output, 0);
    assert_eq!(tested(&rows, &faces), (12, 12), "{rows}");
    assert_eq!(rows.lines().nth(1).unwrap().matches(" - ").count(), 3, "there is no validation: {rows}");

    let head = safetensors::read(&place.head()).unwrap();
    for device in [Device::Cpu, Device::named(&adapter()).unwrap()] {
        let mut recognizer = Recognizer::new(&device, base(), head.clone(), 1).unwrap();
        for sample in Dataset::open(&faces).unwrap().samples {
            let image = sample.decode().unwrap();
            let picture = device.upload(image.as_raw(), image.width(), image.height()).unwrap();
            let scores = recognizer.recognize(&picture, &[Crop::whole(image.width(), image.height())]).unwrap();
            assert!(scores[0][sample.label] > 0.5, "{device}, {}: {scores:?}", sample.file().display());
        }
    }
}

/// A head without training whose scores for the base's features are far from 0 and 1.
fn untrained() -> WeightFile {
    let architecture =
        Architecture::Vgg16 { pooling: Pooling::Average, hidden: Vec::new(), base_sha256: base().sha256 };
    let card = ModelCard {
        margin: 1.0,
        ..ModelCard::new(architecture, ["a", "b"].map(str::to_owned).into(), 32, Normalization::CAFFE)
    };
    let head = vgg16::head([512, 1, 1], Pooling::Average, &[], 0.0, 2);
    let mut parameters = head.initialize(3).unwrap();
    parameters.values_mut().flat_map(|tensor| tensor.data_mut()).for_each(|value| *value *= 0.1);
    WeightFile { path: PathBuf::new(), parameters, metadata: card.to_metadata().unwrap(), sha256: String::new() }
}

#[test]
fn pictures_are_scaled_as_the_recognizer_does_it() {
    let place = Place::new(&["a", "b"], 1);
    let mut random = Random::new(2);
    // Smaller than the base's input, and larger.
    picture(0, 24, &mut random).save(place.faces().join("a/00.png")).unwrap();
    picture(1, 70, &mut random).save(place.faces().join("b/00.png")).unwrap();
    let data = Dataset::open(&place.faces()).unwrap();
    let pictures = Pictures {
        data: &data,
        input: 32,
        normalization: Normalization::CAFFE,
        preparation: Preparation::NONE,
        augmentation: Augmentation::none(),
        alignment: None,
        margin: 1.0,
    };
    let head = untrained();
    let (card, parameters) = assemble(Some(base()), head.clone()).unwrap();
    let network = card.network().unwrap();
    let predictor =
        Predictor { device: &Device::Cpu, network: &network, parameters: &parameters, batch: 2, flip: false };
    let mut recognizer = Recognizer::new(&Device::Cpu, base(), head, 1).unwrap();
    for (index, scores) in predictor.predict(&pictures, &[0, 1]).unwrap() {
        let image = data.samples[index].decode().unwrap();
        let picture = Device::Cpu.upload(image.as_raw(), image.width(), image.height()).unwrap();
        let whole = Crop::whole(image.width(), image.height());
        let wanted = &recognizer.recognize(&picture, &[whole]).unwrap()[0];
        assert!((0.001..0.999).contains(&wanted[0]), "{wanted:?}");
        // The same numbers in batches of other sizes, whose sums may be rounded in another order.
        assert!((scores[0] - wanted[0]).abs() < 1e-5, "{index}: {scores:?}, {wanted:?}");
    }
}

#[test]
fn folders_that_are_no_data_set_are_refused() {
    let place = Place::new(&[], 0);
    place.refuses(&[], 1, "has no sub-folders");
    let place = Place::new(&["alone"], 1);
    place.refuses(&[], 1, "has pictures of one class only");
    fs::create_dir(place.faces().join("empty")).unwrap();
    place.refuses(&[], 1, "the class \"empty\" has no pictures");
    fs::remove_dir_all(place.faces()).unwrap();
    place.refuses(&[], 1, "faces: ");
}

#[test]
fn what_is_out_of_range_is_bad_use() {
    let place = Place::new(&["a", "b"], 1);
    place.refuses(&["--dropout", "2"], 2, "--dropout 2 is not within 0 and 0.99");
    place.refuses(&["--validation", "1"], 2, "--validation 1 is not within 0 and 0.9");
    place.refuses(&["--learning-rate", "NaN"], 2, "--learning-rate NaN");
    place.refuses(&["--margin", "5"], 2, "--margin 5");
    place.refuses(&["--epochs", "0"], 2, "--epochs");
    place.refuses(&["--hidden", "70000"], 2, "70000");
    let place = Place::new(&["a", "b"], 3);
    place.refuses(&["--compute", "split"], 2, "the CPU does not compute in the precision split");
}

#[test]
fn places_and_test_sets_are_checked_before_anything_is_computed() {
    let place = Place::new(&["a", "b"], 1);
    let nowhere = place.path("no such folder/head.safetensors");
    place.refuses(&["--out", utf8(&nowhere)], 1, "no such folder: ");
    place.refuses(&["--out", utf8(&place.faces())], 1, "faces: this is a folder");
    place.refuses(&["--log", utf8(&place.path("no such folder/log.csv"))], 1, "no such folder: ");
    let other = Place::new(&["c", "d"], 1);
    let said = "its classes (c, d) are none of a, b";
    place.refuses(&["--test", utf8(&other.faces())], 1, said);
    place.refuses(&["--test", utf8(&place.faces()), "--test", utf8(&place.path("missing"))], 1, "missing: ");
    // A file where the cache's folder should be.
    let output = place.train(&["--cache", utf8(&place.faces().join("a/00.png"))]);
    assert!(messages(&output, 1).contains("00.png: "));
    place.has_no_head();
}

#[test]
fn classes_of_a_test_set_that_the_head_does_not_have_are_named() {
    let place = Place::new(&["a", "b"], 2);
    let other = Place::new(&["b", "c"], 2);
    let output = place.train(&["--test", utf8(&other.faces())]);
    assert_eq!(tested(&results(&output, 0), &other.faces()).1, 2);
    assert!(text(&output.stderr).contains("does not have these classes: c"), "{}", text(&output.stderr));
}

#[test]
fn a_broken_picture_is_named_and_the_others_are_used() {
    let place = Place::new(&["a", "b"], 4);
    let broken = place.faces().join("b/01.png");
    fs::write(&broken, b"this is not a picture").unwrap();
    let output = place.train(&["--validation", "0"]);
    let messages = messages(&output, 1);
    assert!(messages.contains(&format!("vultus: {}", broken.display())), "{messages}");
    assert!(messages.contains("vultus: 1 pictures could not be read; the others were used"), "{messages}");
    assert!(text(&output.stdout).contains("saved epoch"));
    let head = safetensors::read(&place.head()).unwrap();
    assert_eq!(head.metadata["trained_on"], "7 pictures");
    ModelCard::from_file(&head).unwrap();
}

#[test]
fn without_a_picture_of_each_class_there_is_no_head() {
    let place = Place::new(&["a", "b"], 2);
    let broken = |class: &str| {
        for entry in fs::read_dir(place.faces().join(class)).unwrap() {
            fs::write(entry.unwrap().path(), b"this is not a picture").unwrap();
        }
    };
    broken("a");
    let output = place.train(&[]);
    assert!(messages(&output, 1).contains("no picture of the class \"a\" can be read"), "{}", text(&output.stderr));
    place.has_no_head();
    broken("b");
    let output = place.train(&[]);
    assert!(messages(&output, 1).contains("none can be read; the first: "), "{}", text(&output.stderr));
    assert!(output.stdout.is_empty());
    place.has_no_head();
}

#[test]
fn a_reader_that_goes_away_does_not_cost_the_head() {
    let place = Place::new(&["a", "b"], 2);
    let mut child = place.command(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    ModelCard::from_file(&safetensors::read(&place.head()).unwrap()).unwrap();
}

/// Starts a training and kills it as soon as this file is there, which it writes after each epoch.
fn train_and_kill(place: &Place, arguments: &[&str], awaited: &Path) {
    let mut child = place.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !awaited.exists() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it wrote {}", awaited.display());
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    child.kill().unwrap();
    assert!(!child.wait().unwrap().success(), "it ended before it could be killed");
    assert!(!place.head().exists());
}

#[test]
fn a_killed_training_goes_on_and_ends_with_the_same_model() {
    let place = Place::new(&["across", "down"], 10);
    let log = place.path("log.csv");
    for device in ["cpu".to_owned(), adapter()] {
        let arguments = [
            &["--network", "light", "--epochs", "6", "--augment", "standard", "--ema", "0.9", "--device", &device],
            &["--balance", "weights", "--accumulate", "2", "--batch", "4", "--log", utf8(&log)][..],
        ]
        .concat();
        results(&place.train(&arguments), 0);
        let whole = fs::read(place.head()).unwrap();
        fs::remove_file(place.head()).unwrap();
        train_and_kill(&place, &arguments, &place.path("head.safetensors.checkpoint"));
        // Not by accident, and not with other settings.
        let said = messages(&place.train(&arguments), 2);
        assert!(said.contains("--resume"), "{said}");
        let said = messages(&place.train(&[&arguments[..], &["--resume", "--seed", "5"]].concat()), 1);
        assert!(said.contains("other settings"), "{said}");
        let said = messages(&place.train(&[&arguments[..], &["--resume", "--denoise", "median"]].concat()), 1);
        assert!(said.contains("other settings"), "{said}");
        let output = results(&place.train(&[&arguments[..], &["--resume"]].concat()), 0);
        assert_eq!(output.lines().filter(|line| line.starts_with(' ') && line.contains(" % ")).count(), 6, "{output}");
        assert!(fs::read(place.head()).unwrap() == whole, "{device}: the models differ");
        assert!(!place.path("head.safetensors.checkpoint").exists());
        let rows = fs::read_to_string(&log).unwrap();
        assert_eq!(rows.lines().count(), 7, "{rows}");
        assert!(rows.starts_with("epoch,learning_rate,loss,"), "{rows}");
        fs::remove_file(place.head()).unwrap();
    }
}

/// Running statistics and what stochastic depth drops go on too.
#[test]
fn a_killed_training_with_batch_normalisation_ends_with_the_same_model() {
    let place = Place::new(&["across", "down"], 6);
    // A software adapter takes minutes for what it does with the light network in seconds.
    let devices: &[String] = &["cpu".to_owned(), adapter()];
    for device in if is_software() { &devices[..1] } else { devices } {
        let arguments = [
            &["--network", "efficientnet_lite0", "--epochs", "3", "--input", "32", "--device", device][..],
            &["--batch", "4", "--precision", "f32"],
        ]
        .concat();
        results(&place.train(&arguments), 0);
        let whole = fs::read(place.head()).unwrap();
        fs::remove_file(place.head()).unwrap();
        train_and_kill(&place, &arguments, &place.path("head.safetensors.checkpoint"));
        results(&place.train(&[&arguments[..], &["--resume"]].concat()), 0);
        assert!(fs::read(place.head()).unwrap() == whole, "{device}: the models differ");
        fs::remove_file(place.head()).unwrap();
    }
}

#[test]
fn a_training_goes_on_with_its_own_pictures_and_classes_only() {
    let place = Place::new(&["across", "down"], 10);
    let arguments = ["--network", "light", "--epochs", "6", "--augment", "standard"];
    train_and_kill(&place, &arguments, &place.path("head.safetensors.checkpoint"));
    let refused = || {
        let said = messages(&place.train(&[&arguments[..], &["--resume"]].concat()), 1);
        assert!(said.contains("other settings, pictures"), "{said}");
    };
    // Another class under the same number.
    fs::rename(place.faces().join("down"), place.faces().join("upwards")).unwrap();
    refused();
    fs::rename(place.faces().join("upwards"), place.faces().join("down")).unwrap();
    // Other pictures under the same names, of the same size in bytes or not.
    fs::rename(place.faces(), place.path("kept")).unwrap();
    fs::create_dir_all(place.faces().join("across")).unwrap();
    fs::create_dir_all(place.faces().join("down")).unwrap();
    for i in 0..10 {
        for (from, to) in [("across", "down"), ("down", "across")] {
            let name = format!("{i:02}.png");
            fs::copy(place.path("kept").join(from).join(&name), place.faces().join(to).join(&name)).unwrap();
        }
    }
    refused();
    // The same data set elsewhere, its files written anew.
    fs::remove_dir_all(place.faces()).unwrap();
    for class in ["across", "down"] {
        fs::create_dir_all(place.faces().join(class)).unwrap();
        for i in 0..10 {
            let name = format!("{class}/{i:02}.png");
            fs::copy(place.path("kept").join(&name), place.faces().join(&name)).unwrap();
        }
    }
    results(&place.train(&[&arguments[..], &["--resume"]].concat()), 0);
}

#[test]
fn without_a_state_nothing_goes_on_in_silence() {
    let place = Place::new(&["across", "down"], 6);
    let arguments = ["--network", "light", "--epochs", "1", "--input", "32", "--batch", "8", "--resume"];
    let train = || place.plain(&arguments).output().unwrap();
    let first = train();
    results(&first, 0);
    assert!(text(&first.stderr).contains("begins anew"), "{}", text(&first.stderr));
    let model = fs::read(place.head()).unwrap();
    let said = messages(&train(), 2);
    assert!(said.contains("the training has ended") && said.contains("--force"), "{said}");
    assert_eq!(fs::read(place.head()).unwrap(), model);
}

#[test]
fn the_log_of_a_killed_training_has_the_epochs_so_far() {
    let place = Place::new(&["across", "down"], 10);
    let log = place.path("log.csv");
    let arguments = ["--network", "light", "--epochs", "6", "--augment", "standard", "--log", utf8(&log)];
    train_and_kill(&place, &arguments, &log);
    let early = fs::read_to_string(&log).unwrap();
    let count = early.lines().count();
    assert!((2..7).contains(&count) && early.ends_with('\n'), "{early}");
    results(&place.train(&[&arguments[..], &["--resume"]].concat()), 0);
    let whole = fs::read_to_string(&log).unwrap();
    assert!(whole.starts_with(&early), "{early}\n{whole}");
    let numbers: Vec<&str> = whole.lines().filter_map(|line| line.split(',').next()).collect();
    assert_eq!(numbers, ["epoch", "1", "2", "3", "4", "5", "6"]);
}

#[test]
fn convolutions_are_trained_and_only_they_are_saved() {
    let place = Place::new(&["across", "down"], 6);
    let arguments = ["--train-from", "block5_conv2", "--epochs", "1", "--precision", "i8", "--augment", "light"];
    results(&place.train(&arguments), 0);
    let model = safetensors::read(&place.head()).unwrap();
    let names: Vec<&str> = model.parameters.keys().map(String::as_str).collect();
    let wanted = ["classifier.0", "classifier.3", "features.26", "features.28"];
    let wanted: Vec<String> =
        wanted.iter().flat_map(|name| ["bias", "weight"].map(|of| format!("{name}.{of}"))).collect();
    assert_eq!(names, wanted);
    assert_eq!(model.metadata["tta"], "flip");
    // It is what the next training starts from.
    let started = place.path("started.safetensors");
    fs::rename(place.head(), &started).unwrap();
    results(
        &place.train(&["--start", utf8(&started), "--train-from", "head", "--epochs", "1", "--precision", "f32"]),
        0,
    );
    let base = base();
    let next = safetensors::read(&place.head()).unwrap();
    let (card, parameters) = assemble(Some(base), next).unwrap();
    assert_eq!(card.classes, ["across", "down"]);
    assert_eq!(parameters["features.26.weight"], model.parameters["features.26.weight"]);
}

/// The default model's card and parameters.
fn default_model() -> (ModelCard, vultus::Parameters) {
    let store = Store::open(Some(&Path::new(env!("CARGO_MANIFEST_DIR")).join("weights"))).unwrap();
    assemble(Some(base()), store.load(DefaultFile::ExpressionModel).unwrap()).unwrap()
}

#[test]
fn a_training_starts_from_the_default_model_and_keeps_what_it_knows_of_classes() {
    let place = Place::new(&["anger", "calm", "Joy"], 4);
    let settings = ["--train-from", "head", "--epochs", "1", "--learning-rate", "0", "--precision", "f32"];
    let output = place.plain(&settings).output().unwrap();
    let said = messages(&output, 0);
    assert!(said.contains("classes: Joy is the model's happy, anger its angry\n"), "{said}");
    assert!(said.contains("starting from the default model, training the head"), "{said}");
    let (model, known) = default_model();
    let (card, parameters) = assemble(Some(base()), safetensors::read(&place.head()).unwrap()).unwrap();
    let classes = ["happy", "angry", "calm"].map(str::to_owned);
    let (classes_of_card, notes) = (classes.to_vec(), card.notes.clone());
    // Its probabilities are no longer what it was calibrated to.
    assert_eq!(card, ModelCard { classes: classes_of_card, temperature: None, priors: None, notes, ..model.clone() });
    // Nothing is learned at a rate of 0: the rows of the two classes are the model's, that of the third is empty.
    let adapted = vultus::train::adapt(&model, known, &classes).unwrap();
    assert_eq!(parameters.len(), adapted.len());
    for (name, tensor) in &adapted {
        let (found, wanted) = (parameters[name].data(), tensor.data());
        // Features are scaled before they are kept, and weights back again: two roundings.
        let close = found.iter().zip(wanted).all(|(a, b)| (a - b).abs() <= 1e-6 * b.abs());
        assert!(found.len() == wanted.len() && close, "{name}");
    }
}

#[test]
fn more_than_the_head_of_a_model_that_knows_faces_is_trained() {
    let place = Place::new(&["across", "down"], 4);
    let test = Place::new(&["Down", "ACROSS"], 1);
    let output = place.plain(&["--epochs", "1", "--test", utf8(&test.faces())]).output().unwrap();
    assert_eq!(tested(&results(&output, 0), &test.faces()).1, 2);
    let said = text(&output.stderr);
    assert!(said.contains("classes: ACROSS is the model's across, Down its down\n"), "{said}");
    let (model, known) = default_model();
    let (card, parameters) = assemble(Some(base()), safetensors::read(&place.head()).unwrap()).unwrap();
    assert_eq!((card.input, card.margin, card.tta), (model.input, model.margin, model.tta));
    let changed = |name: &String| parameters[name] != known[name];
    assert!(known.keys().filter(|name| !name.starts_with("classifier")).any(changed), "only the head was trained");
}

#[test]
fn an_existing_model_is_kept_unless_it_is_to_be_overwritten() {
    let place = Place::new(&["a", "b"], 2);
    fs::write(place.head(), b"precious").unwrap();
    let settings = ["--network", "light", "--input", "32", "--epochs", "1"];
    let output = place.plain(&settings).output().unwrap();
    let said = messages(&output, 2);
    assert!(said.contains("head.safetensors: this file exists already; --force overwrites it"), "{said}");
    assert_eq!(fs::read(place.head()).unwrap(), b"precious");
    results(&place.plain(&[&settings[..], &["--force"]].concat()).output().unwrap(), 0);
    ModelCard::from_file(&safetensors::read(&place.head()).unwrap()).unwrap();
}

#[test]
fn a_start_of_another_network_is_bad_use() {
    let place = Place::new(&["a", "b"], 2);
    let its = default_model().0.to_metadata().unwrap()["network"].clone();
    let said = format!("the default model has the network {its}, from which --network light cannot start");
    place.refuses(&["--network", "light", "--start", "default"], 2, &said);
    place.refuses(&["--network", "light", "--start", "imagenet"], 2, "only VGG16's weights of ImageNet are here");
}

#[test]
fn people_are_kept_apart_where_they_are_known() {
    let place = Place::new(&["across", "down"], 0);
    let mut random = Random::new(4);
    let add = |class: usize, person: usize, random: &mut Random| {
        for frame in 0..2 {
            let file = format!("S{person:03}_00{class}_{frame:08}.png");
            picture(class, 32, random).save(place.faces().join(["across", "down"][class]).join(file)).unwrap();
        }
    };
    for person in 0..6 {
        (0..2).for_each(|class| add(class, person, &mut random));
    }
    let settings = ["--network", "light", "--epochs", "1", "--validation", "0.3"];
    let said = messages(&place.train(&settings), 0);
    assert!(said.contains("6 people are known: nobody is in both training and validation"), "{said}");
    let said = messages(&place.train(&[&settings[..], &["--at-random"]].concat()), 0);
    assert!(said.contains("6 people are known, who may be in both training and validation"), "{said}");
    // With one person only nobody can be kept aside.
    for person in 1..6 {
        for class in ["across", "down"] {
            for entry in fs::read_dir(place.faces().join(class)).unwrap() {
                let path = entry.unwrap().path();
                if path.file_name().unwrap().to_string_lossy().starts_with(&format!("S{person:03}")) {
                    fs::remove_file(path).unwrap();
                }
            }
        }
    }
    let said = messages(&place.train(&settings), 0);
    assert!(!said.contains("people are known"), "{said}");
}

#[test]
fn whole_photos_are_warned_of() {
    let place = Place::new(&["a", "b"], 0);
    for name in ["a/0.png", "a/1.png", "b/0.png"] {
        fs::copy(photo("astronaut.png"), place.faces().join(name)).unwrap();
    }
    let face = vultus::image::decode_file(&photo("astronaut_face_224.png")).unwrap();
    image::imageops::resize(&face, 300, 300, image::imageops::FilterType::Triangle)
        .save(place.faces().join("b/face.png"))
        .unwrap();
    let settings = ["--network", "light", "--epochs", "1", "--validation", "0"];
    let said = messages(&place.train(&settings), 0);
    assert!(
        said.contains("look like whole photos") && said.contains("(512×512)") && said.contains("--detect"),
        "{said}"
    );
    let said = messages(&place.train(&[&settings[..], &["--detect"]].concat()), 0);
    assert!(!said.contains("look like whole photos"), "{said}");
    // Large pictures of nothing but a face are none.
    for name in ["a/0.png", "a/1.png", "b/0.png"] {
        fs::copy(place.faces().join("b/face.png"), place.faces().join(name)).unwrap();
    }
    let said = messages(&place.train(&settings), 0);
    assert!(!said.contains("look like whole photos"), "{said}");
}

#[test]
fn pictures_of_a_test_set_are_left_out_and_a_sheet_shows_how_faces_are_varied() {
    let place = Place::new(&["a", "b"], 5);
    let test = Place::new(&["a"], 0);
    fs::create_dir_all(test.faces().join("b")).unwrap();
    fs::copy(place.faces().join("a/00.png"), test.faces().join("a/x.png")).unwrap();
    fs::copy(place.faces().join("b/03.png"), test.faces().join("b/y.png")).unwrap();
    let sheet = place.path("sheet.png");
    let output = place.train(&[
        "--dedup",
        utf8(&test.faces()),
        "--validation",
        "0",
        "--augment",
        "light",
        "--sheet",
        utf8(&sheet),
    ]);
    let said = text(&output.stderr);
    assert!(said.contains("2 pictures are left out"), "{said}");
    assert_eq!(safetensors::read(&place.head()).unwrap().metadata["trained_on"], "8 pictures");
    assert!(vultus::image::decode_file(&sheet).unwrap().width() > 8 * 32);
}

#[test]
fn faces_are_found_in_photos() {
    let place = Place::new(&["a", "b"], 0);
    for class in ["a", "b"] {
        fs::create_dir_all(place.faces().join(class)).unwrap();
        for name in ["0.png", "1.png"] {
            fs::copy(photo("astronaut.png"), place.faces().join(class).join(name)).unwrap();
        }
    }
    let nobody = place.faces().join("b/nobody.png");
    RgbImage::from_pixel(200, 200, image::Rgb([120; 3])).save(nobody).unwrap();
    let sheet = place.path("sheet.png");
    let output = place.train(&["--detect", "--validation", "0", "--epochs", "1", "--sheet", utf8(&sheet)]);
    results(&output, 0);
    let said = text(&output.stderr);
    assert!(said.contains("b/nobody.png: no face found") && said.contains("1 pictures without a face"), "{said}");
    assert_eq!(safetensors::read(&place.head()).unwrap().metadata["trained_on"], "4 pictures");
    let card = |place: &Place| ModelCard::from_file(&safetensors::read(&place.head()).unwrap()).unwrap();
    assert_eq!(card(&place).alignment, None);
    fs::remove_file(place.head()).unwrap();

    let said = messages(&place.train(&["--align"]), 2);
    assert!(said.contains("--detect"), "{said}");
    let aligned = place.path("aligned.png");
    let faces = place.faces();
    let settings = ["--detect", "--align", "--validation", "0", "--epochs", "1", "--sheet", utf8(&aligned)];
    let output = results(&place.train(&[&settings[..], &["--test", utf8(&faces)]].concat()), 0);
    assert_eq!(tested(&output, &faces).1, 4, "a picture without a face is not tested: {output}");
    assert_eq!(card(&place).alignment, Some(Alignment::default()));
    // The face is another one to look at, and the model sees it so when it is used.
    assert_ne!(fs::read(&aligned).unwrap(), fs::read(&sheet).unwrap());
    let mut predict = vultus();
    predict.arg("predict").arg(photo("astronaut.png")).args(["--device", "cpu", "--model"]).arg(place.head());
    results(&predict.output().unwrap(), 0);
    fs::remove_file(place.head()).unwrap();
    // Without a face in any picture of a class there is nothing to learn.
    for name in ["0.png", "1.png"] {
        fs::copy(place.faces().join("b/nobody.png"), place.faces().join("b").join(name)).unwrap();
    }
    let said = messages(&place.train(&["--detect"]), 1);
    assert!(said.contains("no picture of the class \"b\" to train on"), "{said}");
}

#[test]
fn what_people_voted_is_learnt() {
    let place = Place::new(&["calm", "glad"], 12);
    // The third class is in the votes only; one picture shows none of them, two have no majority.
    let row = |class: &str, i: usize| match (class, i) {
        ("calm", 0) => format!("{class}/00.png,1,0,0,9\n"),
        ("calm", 1 | 2) => format!("{class}/{i:02}.png,5,5,0,0\n"),
        ("glad", 9..) => format!("{class}/{i:02}.png,0,2,8,0\n"),
        ("calm", _) => format!("{class}/{i:02}.png,8,2,0,0\n"),
        _ => format!("{class}/{i:02}.png,1,9,0,0\n"),
    };
    let rows: String = ["calm", "glad"].iter().flat_map(|class| (0..12).map(move |i| row(class, i))).collect();
    let votes = place.path("votes.csv");
    fs::write(&votes, format!("file,calm,glad,wild,unknown\n{rows}")).unwrap();
    let train =
        |arguments: &[&str]| place.train(&[&["--votes", utf8(&votes), "--validation", "0.2"], arguments].concat());
    for (truth, left_out) in [("votes", 1), ("drawn", 1), ("majority", 3)] {
        let output = train(&["--truth", truth, "--own-share", "0.2", "--balance", "weights:0.5"]);
        let said = messages(&output, 0);
        assert!(said.contains(&format!("votes: for 24 of 24 pictures; {left_out} are left out")), "{said}");
        let card = ModelCard::from_file(&safetensors::read(&place.head()).unwrap()).unwrap();
        assert_eq!(card.classes, ["calm", "glad", "wild"]);
        fs::remove_file(place.head()).unwrap();
    }
    for (arguments, status, reason) in [
        (&["--own-share", "2"][..], 2, "--own-share 2 is not within 0 and 1"),
        (&["--balance", "weights:3"], 2, "the power \"3\" is not within 0 and 2"),
        (&["--calibrate", "1.5"], 2, "--calibrate 1.5 is not within 0 and 1"),
        (&["--votes", "nowhere.csv"], 1, "nowhere.csv"),
    ] {
        let refused = if arguments[0] == "--votes" { place.train(arguments) } else { train(arguments) };
        let said = messages(&refused, status);
        assert!(said.contains(reason), "{said}");
    }
    let without = place.train(&["--truth", "votes"]);
    let said = messages(&without, 1);
    assert!(said.contains("nobody has voted on its pictures"), "{said}");
}

#[test]
fn probabilities_are_calibrated_where_there_are_pictures_enough() {
    let place = Place::new(&["calm", "glad"], 150);
    let output = place.train(&["--validation", "0.5", "--label-smoothing", "0.5"]);
    let said = messages(&output, 0);
    assert!(said.contains("calibrated on the validation part"), "{said}");
    let file = safetensors::read(&place.head()).unwrap();
    // Who was taught to doubt what is plain to see was less sure than right.
    let temperature: f32 = file.metadata["temperature"].parse().unwrap();
    assert!(temperature < 1.0, "{temperature}");
    let priors = |file: WeightFile| ModelCard::from_file(&file).unwrap().priors.unwrap();
    assert!(priors(file).iter().all(|prior| (prior - 0.5).abs() < 0.05));
    let few = Place::new(&["calm", "glad"], 20);
    assert!(few.train(&[]).status.success());
    assert!(!safetensors::read(&few.head()).unwrap().metadata.contains_key("temperature"));
}
