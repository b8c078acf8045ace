//! Faces: MTCNN finds the same as facenet-pytorch, either detector none where there are none, and heads that do not fit are refused.
#![cfg(feature = "files")]

mod compare;
mod mtcnn_reference;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use compare::fresh_gpu;
use mtcnn_reference::{Comparison, MIN_IOU, Reference, ReferenceFace};
use vultus::face::{
    Architecture, Detector, DetectorKind, DetectorOptions, Face, ModelCard, Recognizer, TestTimeAugmentation,
};
use vultus::gpu::Gpu;
use vultus::image::RgbImage;
use vultus::nn::light;
use vultus::nn::vgg16::{self, Pooling};
use vultus::ops::{Crop, Normalization};
use vultus::prepare::{Alignment, Preparation};
use vultus::weights::safetensors::{Precision, from_bytes, read, to_bytes};
use vultus::weights::{DefaultFile, WeightFile};
use vultus::{Device, Error, Parameters, Picture, Result, wgpu};

fn gpu() -> Device {
    Device::Gpu(fresh_gpu())
}

fn weights(which: DefaultFile) -> WeightFile {
    read(&Path::new("weights").join(which.file_name())).unwrap()
}

fn options(kind: DetectorKind) -> DetectorOptions {
    DetectorOptions { kind, ..DetectorOptions::default() }
}

fn detector(device: &Device, kind: DetectorKind) -> Detector {
    Detector::new(device, weights(kind.file()), options(kind)).unwrap()
}

fn astronaut(device: &Device) -> Picture {
    let image = vultus::image::decode_file(Path::new("tests/photos/astronaut.png")).unwrap();
    device.upload(&image, image.width(), image.height()).unwrap()
}

/// A picture of one colour.
fn plain(device: &Device, width: u32, height: u32, colour: [u8; 3]) -> Picture {
    device.upload(&colour.repeat((width * height) as usize), width, height).unwrap()
}

fn check_astronaut(device: &Device) {
    let reference = Reference::read(Path::new("tests/photos/mtcnn_reference.json")).unwrap();
    let image = reference.images.iter().find(|image| image.file == "astronaut.png").unwrap();
    let picture = astronaut(device);
    assert_eq!((picture.width(), picture.height()), (image.width, image.height));
    let mut detector = detector(device, DetectorKind::Mtcnn);
    let faces = detector.detect(&picture).unwrap();
    let comparison = Comparison::new(&faces, &image.faces);
    assert!(comparison.agrees() && faces.len() == 1, "{comparison:?} {faces:?}");
    // Another size of picture between does not change what is found.
    detector.detect(&plain(device, 100, 50, [90; 3])).unwrap();
    assert_eq!(detector.detect(&picture).unwrap(), faces);
}

fn check_nothing(device: &Device) {
    for kind in DetectorKind::ALL {
        let mut detector = detector(device, kind);
        for (width, height) in [(1, 1), (11, 300), (19, 19), (20, 20), (300, 21), (160, 120)] {
            for colour in [[0; 3], [255; 3], [200, 150, 120]] {
                let faces = detector.detect(&plain(device, width, height, colour)).unwrap();
                assert!(faces.is_empty(), "{kind:?}, {width}×{height} of {colour:?}: {faces:?}");
            }
        }
    }
}

#[test]
fn the_cpu_finds_the_astronaut() {
    check_astronaut(&Device::Cpu);
}

#[test]
fn the_gpu_finds_the_astronaut() {
    check_astronaut(&gpu());
}

#[test]
fn the_cpu_finds_nothing_where_there_is_nothing() {
    check_nothing(&Device::Cpu);
}

#[test]
fn the_gpu_finds_nothing_where_there_is_nothing() {
    check_nothing(&gpu());
}

/// Awaits work on a device while another thread polls it, as an application would.
fn awaited<T>(gpu: &Gpu, work: impl Future<Output = Result<T>>) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                gpu.device().poll(wgpu::PollType::Poll).unwrap();
                std::thread::yield_now();
            }
        });
        let result = pollster::block_on(work);
        done.store(true, Ordering::Relaxed);
        result.unwrap()
    })
}

#[test]
fn what_does_not_block_finds_and_recognizes_the_same() {
    let device = gpu();
    let on_gpu = device.gpu().unwrap();
    let picture = astronaut(&device);
    let [faces, _] = DetectorKind::ALL.map(|kind| {
        let mut detector = detector(&device, kind);
        let faces = detector.detect(&picture).unwrap();
        assert_eq!(awaited(on_gpu, detector.detect_async(&picture)), faces);
        faces
    });

    let card = ModelCard::new(Architecture::Light, vec!["a".into(), "b".into()], light::INPUT, Normalization::MTCNN);
    let parameters = card.network().unwrap().initialize(1).unwrap();
    let bytes = to_bytes(Path::new("light"), &parameters, &card.to_metadata().unwrap(), Precision::F32).unwrap();
    let model = from_bytes(Path::new("light"), &bytes).unwrap();
    let mut recognizer = Recognizer::new(&device, None, model, 2).unwrap();
    let image = vultus::image::decode_file(Path::new("tests/photos/astronaut.png")).unwrap();
    let cut = [recognizer.cut(&image, &faces[0]).unwrap(), image];
    let flip = TestTimeAugmentation::Flip;
    let scores = recognizer.recognize_faces(&cut, flip).unwrap();
    assert_ne!(scores[0], scores[1]);
    assert_eq!(awaited(on_gpu, recognizer.recognize_faces_async(&cut, flip)), scores);
}

#[test]
fn a_comparison_tells_faces_apart() {
    let reference = Reference::read(Path::new("tests/photos/mtcnn_reference.json")).unwrap();
    let image = reference.images.iter().find(|image| image.file == "astronaut.png").unwrap();
    let device = Device::Cpu;
    let faces = detector(&device, DetectorKind::Mtcnn).detect(&astronaut(&device)).unwrap();
    let agrees = |faces: &[_], wanted: &[_]| Comparison::new(faces, wanted).agrees();
    assert!(!agrees(&[], &image.faces), "a face that is missed");
    assert!(!agrees(&faces, &[]), "a face too many");
    let mut moved = faces.clone();
    moved[0].bounds = moved[0].bounds.map(|edge| edge + 30.0);
    assert!(!agrees(&moved, &image.faces), "a face elsewhere");
    let mut moved = faces.clone();
    moved[0].landmarks[3][0] += 6.0;
    assert!(!agrees(&moved, &image.faces), "a mouth elsewhere");
}

/// Small faces in a picture so large that the scale in which they are found is cut into tiles: in its corners and where
/// four tiles meet, they must be found as in a small picture.
#[test]
fn faces_are_found_across_the_tiles_of_a_large_picture() {
    let (device, side, large) = (Device::Cpu, 128, 3200);
    let whole = vultus::image::decode_file(Path::new("tests/photos/astronaut.png")).unwrap();
    let small = image::imageops::thumbnail(&whole, side, side);
    // One scale of 0.5; the next has cells of 240 pixels.
    let options = DetectorOptions { min_face: 24.0, factor: 0.1, ..options(DetectorKind::Mtcnn) };
    let mut detector = Detector::new(&device, weights(DefaultFile::Mtcnn), options).unwrap();
    let alone = detector.detect(&device.upload(&small, side, side).unwrap()).unwrap();
    assert_eq!(alone.len(), 1, "{alone:?}");

    // The tiles meet at 1600; the face's centre is at (56, 29) of the small picture.
    let places = [(0, 0), (1544, 1571), (1544, 0), (0, 1571), (large - side, large - side)];
    let mut picture = RgbImage::from_pixel(large, large, *small.get_pixel(0, 0));
    for (x, y) in places {
        image::imageops::replace(&mut picture, &small, x.into(), y.into());
    }
    let faces = detector.detect(&device.upload(&picture, large, large).unwrap()).unwrap();
    let wanted: Vec<ReferenceFace> = places.iter().map(|&(x, y)| shifted(&alone[0], x as f32, y as f32)).collect();
    let comparison = Comparison::new(&faces, &wanted);
    assert!(comparison.min_iou >= MIN_IOU && comparison.extras == 0, "{comparison:?} {faces:?}");
}

fn shifted(face: &Face, x: f32, y: f32) -> ReferenceFace {
    let [x1, y1, x2, y2] = face.bounds;
    let landmarks = face.landmarks.map(|point| [point[0] + x, point[1] + y]);
    ReferenceFace { bounds: [x1 + x, y1 + y, x2 + x, y2 + y], landmarks }
}

#[test]
fn detectors_are_refused_what_they_cannot_use() {
    let refused = |options: DetectorOptions, part: &str| {
        let error = Detector::new(&Device::Cpu, weights(options.kind.file()), options).err().unwrap();
        assert!(matches!(error, Error::InvalidArgument { .. }) && error.to_string().contains(part), "{error}");
    };
    let standard = DetectorOptions::default();
    refused(DetectorOptions { min_face: 5.0, ..standard }, "the smallest face has 5 pixels, at least 12");
    refused(DetectorOptions { min_face: f32::NAN, ..standard }, "the smallest face");
    refused(DetectorOptions { score: -0.1, ..standard }, "the score -0.1 is not within 0 and 1");
    refused(DetectorOptions { thresholds: [0.6, 1.7, 0.7], ..standard }, "the threshold 1.7 is not a probability");
    refused(DetectorOptions { factor: 1.0, ..standard }, "the factor 1 is not within 0.1 and 0.95");
    for (kind, first) in [(DetectorKind::Yunet, "backbone.model0.conv1.bias"), (DetectorKind::Mtcnn, "onet.conv1.bias")]
    {
        let other = weights(DefaultFile::ExpressionModel);
        let error = Detector::new(&Device::Cpu, other, options(kind)).err().unwrap();
        assert!(matches!(&error, Error::Weights { tensor: Some(name), .. } if name == first), "{error}");
    }
}

/// A head for the default base at an input of 32 pixels, with a card.
fn head(base: &WeightFile) -> (WeightFile, ModelCard) {
    let architecture =
        Architecture::Vgg16 { pooling: Pooling::Flatten, hidden: vec![8], base_sha256: base.sha256.clone() };
    let card = ModelCard {
        margin: 1.1,
        ..ModelCard::new(architecture, ["angry", "happy", "sad"].map(str::to_owned).to_vec(), 32, Normalization::CAFFE)
    };
    let network = vgg16::head([512, 1, 1], Pooling::Flatten, &[8], 0.0, 3);
    let file = WeightFile {
        path: PathBuf::from("head.safetensors"),
        parameters: network.initialize(1).unwrap(),
        metadata: card.to_metadata().unwrap(),
        sha256: "0".repeat(64),
    };
    (file, card)
}

#[test]
fn a_card_comes_back_from_its_metadata() {
    let base = WeightFile {
        path: PathBuf::new(),
        parameters: Parameters::new(),
        metadata: BTreeMap::new(),
        sha256: "0123456789abcdef".repeat(4),
    };
    let (mut file, mut card) = head(&base);
    assert_eq!(ModelCard::from_file(&file).unwrap(), card);
    // What files said before there were other networks.
    file.metadata.retain(|key, _| key != "network" && key != "tta");
    assert_eq!(ModelCard::from_file(&file).unwrap(), card);
    let base_sha256 = base.sha256;
    card.architecture = Architecture::Vgg16 { pooling: Pooling::Average, hidden: Vec::new(), base_sha256 };
    card.preprocessing = Normalization { gray: true, ..Normalization::TORCHVISION };
    for architecture in [card.architecture.clone(), Architecture::Light] {
        card.architecture = architecture;
        file.metadata = card.to_metadata().unwrap();
        assert_eq!(ModelCard::from_file(&file).unwrap(), card);
    }
    card.tta = TestTimeAugmentation::Flip;
    (card.uncertain_below, card.temperature) = (Some(0.45), Some(1.3));
    let even = 1.0 / card.classes.len() as f32;
    card.priors = Some(vec![even; card.classes.len()]);
    card.preparation = Preparation { illumination: "clahe".parse().unwrap(), ..Preparation::default() };
    card.alignment = Some(Alignment { eye_x: 0.3, ..Alignment::default() });
    card.notes = BTreeMap::from([("license".to_owned(), "MIT".to_owned())]);
    file.metadata = card.to_metadata().unwrap();
    assert_eq!(ModelCard::from_file(&file).unwrap(), card);
    assert_eq!(file.metadata["license"], "MIT");
    assert_eq!(["uncertain_below", "temperature"].map(|key| file.metadata[key].as_str()), ["0.45", "1.3"]);
    for (priors, reason) in [(vec![1.0], "there are 1"), (vec![0.0; card.classes.len()], "one is 0, which is no share")]
    {
        let error = ModelCard { priors: Some(priors), ..card.clone() }.to_metadata().unwrap_err().to_string();
        assert!(error.contains("priors is a list of which ") && error.contains(reason), "{error}");
    }
    card.notes.insert("input".to_owned(), "64".to_owned());
    let error = card.to_metadata().unwrap_err().to_string();
    assert!(error.contains("a note must not have the card's own key \"input\""), "{error}");
    card.margin = 0.0;
    let error = card.to_metadata().unwrap_err().to_string();
    assert!(error.contains("margin is 0, not within 0.5 and 4"), "{error}");
}

/// Crops of both filters in more than one batch get the scores that each gets alone.
fn check_recognizer(device: &Device) -> Vec<Vec<f32>> {
    let base = weights(DefaultFile::Vgg16Base);
    let (head, _) = head(&base);
    let picture = astronaut(device);
    let mut recognizer = Recognizer::new(device, base, head, 2).unwrap();
    assert_eq!(recognizer.classes(), ["angry", "happy", "sad"]);
    let crop = |x, y, side| Crop { x, y, width: side, height: side, mirror: false };
    let crops = [crop(180, 60, 100), crop(0, 0, 20), crop(0, 0, 512), crop(300, 200, 31), crop(200, 100, 32)];
    let scores = recognizer.recognize(&picture, &crops).unwrap();
    for (crop, together) in crops.iter().zip(&scores) {
        let alone = recognizer.recognize(&picture, &[*crop]).unwrap().remove(0);
        assert_eq!(*together, alone);
        assert_eq!(alone.len(), 3);
        assert!((alone.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{alone:?}");
    }
    assert!((1..crops.len()).all(|i| scores[i] != scores[0]), "different crops have different scores: {scores:?}");
    assert!(recognizer.recognize(&picture, &[]).unwrap().is_empty());
    check_flip(&mut recognizer, &picture, &crops, &scores);
    let image = vultus::image::decode_file(Path::new("tests/photos/astronaut.png")).unwrap();
    let faces = cut_out(&image, &crops);
    let both = recognizer.recognize_with_flip(&picture, &crops).unwrap();
    for (tta, wanted) in [(TestTimeAugmentation::None, &scores), (TestTimeAugmentation::Flip, &both)] {
        assert_eq!(recognizer.recognize_faces(&faces, tta).unwrap(), *wanted);
        assert!(recognizer.recognize_faces(&[], tta).unwrap().is_empty());
        let empty = recognizer.recognize_faces(&[RgbImage::new(0, 20)], tta);
        assert!(matches!(empty, Err(Error::Shape { .. })), "{empty:?}");
    }
    assert!(matches!(recognizer.recognize(&picture, &[crop(500, 0, 20)]), Err(Error::Shape { .. })));
    scores
}

/// A face and its mirror image get the same scores, the mean of what each gets alone.
fn check_flip(recognizer: &mut Recognizer, picture: &Picture, crops: &[Crop], scores: &[Vec<f32>]) {
    let mirrored: Vec<Crop> = crops.iter().map(|crop| crop.mirrored()).collect();
    let both = recognizer.recognize_with_flip(picture, crops).unwrap();
    assert_eq!(both, recognizer.recognize_with_flip(picture, &mirrored).unwrap());
    let other = recognizer.recognize(picture, &mirrored).unwrap();
    for i in 0..crops.len() {
        let mean: Vec<f32> = scores[i].iter().zip(&other[i]).map(|(a, b)| (a + b) / 2.0).collect();
        assert_eq!(both[i], mean);
    }
    assert_ne!(scores[0], other[0], "a face is not symmetric");
    assert!(recognizer.recognize_with_flip(picture, &[]).unwrap().is_empty());
}

#[test]
fn cpu_and_gpu_recognize_the_same() {
    let (cpu, gpu) = (check_recognizer(&Device::Cpu), check_recognizer(&gpu()));
    for (a, b) in cpu.iter().flatten().zip(gpu.iter().flatten()) {
        // Thirteen convolutions in another order of summation, before a softmax.
        assert!((a - b).abs() < 1e-3, "{cpu:?}\n{gpu:?}");
    }
}

fn cut_out(image: &RgbImage, crops: &[Crop]) -> Vec<RgbImage> {
    let cut = |c: &Crop| image::imageops::crop_imm(image, c.x, c.y, c.width, c.height).to_image();
    crops.iter().map(cut).collect()
}

#[test]
fn faces_are_cut_out_as_the_card_asks() {
    let (device, base) = (Device::Cpu, weights(DefaultFile::Vgg16Base));
    let (boxed, mut card) = head(&base);
    card.alignment = Some(Alignment::default());
    let aligning = WeightFile { metadata: card.to_metadata().unwrap(), ..boxed.clone() };
    let image = vultus::image::decode_file(Path::new("tests/photos/astronaut.png")).unwrap();
    let picture = astronaut(&device);
    let face = detector(&device, DetectorKind::Yunet).detect(&picture).unwrap().remove(0);

    let boxed = Recognizer::new(&device, base.clone(), boxed, 1).unwrap();
    let crop = boxed.crop(&face, &picture);
    assert_eq!(boxed.cut(&image, &face).unwrap(), cut_out(&image, &[crop])[0]);

    let mut aligning = Recognizer::new(&device, base, aligning, 1).unwrap();
    let wanted = card.alignment.unwrap().cut(&image, &face.landmarks).unwrap();
    assert_eq!(aligning.cut(&image, &face).unwrap(), wanted);
    let blind = Face { landmarks: [[5.0; 2]; 5], ..face };
    assert!(aligning.cut(&image, &blind).unwrap_err().to_string().contains("pixels apart"));
    // The square around the box would be another picture than the one that the model has learnt from.
    let refused = aligning.recognize(&picture, &[crop]).unwrap_err().to_string();
    assert!(refused.contains("wants its faces aligned"), "{refused}");
}

#[test]
fn faces_are_prepared_as_the_card_asks() {
    let (device, base) = (Device::Cpu, weights(DefaultFile::Vgg16Base));
    let (plain, mut card) = head(&base);
    card.preparation = Preparation { illumination: "equalize".parse().unwrap(), ..Preparation::default() };
    let wanting = WeightFile { metadata: card.to_metadata().unwrap(), ..plain.clone() };
    let mut recognizer = Recognizer::new(&device, base.clone(), wanting, 2).unwrap();
    let mut plain = Recognizer::new(&device, base, plain, 2).unwrap();
    let image = vultus::image::decode_file(Path::new("tests/photos/astronaut.png")).unwrap();
    let crops = [[180, 60, 100], [190, 50, 60], [0, 0, 40]];
    let crops = crops.map(|[x, y, side]| Crop { x, y, width: side, height: side, mirror: false });
    let faces = cut_out(&image, &crops);
    let found = recognizer.recognize_faces(&faces, TestTimeAugmentation::None).unwrap();
    for (face, found) in faces.iter().zip(&found) {
        let face = card.preparation.apply(face);
        let picture = device.upload(&face, face.width(), face.height()).unwrap();
        let wanted = plain.recognize(&picture, &[Crop::whole(face.width(), face.height())]).unwrap().remove(0);
        assert_eq!(*found, wanted);
    }
    assert_ne!(plain.recognize_faces(&faces, TestTimeAugmentation::None).unwrap(), found);
    // Without the preparation, the answers would be those of another model.
    for refused in
        [recognizer.recognize(&astronaut(&device), &crops), recognizer.recognize_with_flip(&astronaut(&device), &crops)]
    {
        assert!(refused.unwrap_err().to_string().contains("wants its faces prepared"));
    }
}

/// Asserts that base and head are refused with a text that begins with the head's name and contains all of these parts.
#[track_caller]
fn assert_refused(result: Result<Recognizer>, parts: &[&str]) {
    let error = result.err().expect("this should be refused");
    let text = error.to_string();
    assert!(matches!(error, Error::Weights { .. }) && text.starts_with("head.safetensors"), "{text}");
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[test]
fn heads_that_do_not_fit_are_refused() {
    let base = weights(DefaultFile::Vgg16Base);
    let (good, card) = head(&base);
    let new = |base: &WeightFile, head: WeightFile| Recognizer::new(&Device::Cpu, base.clone(), head, 1);

    let mut another = base.clone();
    another.sha256 = "f".repeat(64);
    assert_refused(new(&another, good.clone()), &["made for another base", &base.sha256, &another.sha256]);

    let mut four = good.clone();
    four.metadata.insert("classes".to_owned(), r#"["a","b","c","d"]"#.to_owned());
    let parts = ["tensor classifier.3.weight", "it has 3 rows", "\"classes\" has 4 names"];
    assert_refused(new(&base, four), &parts);

    let mut wider = good.clone();
    wider.metadata.insert("hidden".to_owned(), "[9]".to_owned());
    assert_refused(new(&base, wider), &["tensor classifier.0", "its shape is"]);

    for key in card.to_metadata().unwrap().keys() {
        let mut lacking = good.clone();
        lacking.metadata.remove(key);
        if !matches!(key.as_str(), "network" | "tta") {
            assert_refused(new(&base, lacking), &[&format!("its metadata lack the key {key:?}")]);
        }
        let mut broken = good.clone();
        broken.metadata.insert(key.clone(), "{oops".to_owned());
        assert_refused(new(&base, broken), &[&format!("its metadata key {key:?}"), "{oops"]);
    }

    for (key, value, part) in [
        ("classes", r#"["a"]"#, "has 1 names, at least 2"),
        ("classes", r#"["a","b","a"]"#, "has the name \"a\" twice"),
        ("classes", r#"["a","b"," "]"#, "has a name that is empty"),
        ("input", "16", "is 16, not within 32 and 1024"),
        ("input", "-1", "cannot be read"),
        ("network", "vgg19", "is \"vgg19\", not vgg16, light, resnet18"),
        ("tta", "twice", "is \"twice\", not none or flip"),
        ("preparation", r#"{"sharpen": true}"#, "unknown field `sharpen`"),
        ("preparation", r#"{"denoise": {"median": {"radius": 0}}}"#, "radius is 0"),
        ("alignment", r#"{"eye_x": 0.6}"#, "eye_x is 0.6"),
        ("hidden", "[0]", "has the width 0"),
        ("margin", "9", "is 9, not within"),
        ("preprocessing", r#"{"order":"rgb","mean":[0,0,0],"std":[1,0,1],"gray":false}"#, "std must be above 0"),
    ] {
        let mut wrong = good.clone();
        wrong.metadata.insert(key.to_owned(), value.to_owned());
        assert_refused(new(&base, wrong), &[&format!("its metadata key {key:?}"), part]);
    }

    let error = Recognizer::new(&Device::Cpu, base, good, 0).err().unwrap();
    assert!(matches!(error, Error::InvalidArgument { .. }), "{error}");
}

#[cfg(feature = "embed")]
#[test]
fn the_embedded_weights_make_both_detectors() {
    let store = vultus::weights::Store::open(None).unwrap();
    for kind in DetectorKind::ALL {
        let options = DetectorOptions { kind, ..DetectorOptions::default() };
        Detector::new(&Device::Cpu, store.load(kind.file()).unwrap(), options).unwrap();
    }
}
