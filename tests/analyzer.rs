//! The way from a picture to what its faces express: the same numbers from every form of a picture, on every device, one
//! by one and together, by any card.
#![cfg(feature = "files")]

mod compare;

use std::path::Path;

use compare::fresh_gpu;
use vultus::face::{
    Analysis, Analyzer, AnalyzerBuilder, Architecture, Detector, DetectorKind, DetectorOptions, Face, FaceSize, Frame,
    ModelCard, PixelFormat, TestTimeAugmentation,
};
use vultus::image::RgbImage;
use vultus::nn::light;
use vultus::ops::{Crop, Normalization};
use vultus::prepare::{Alignment, Preparation};
use vultus::weights::DefaultFile;
use vultus::weights::safetensors::read;
use vultus::{Device, Error, Parameters};

/// How far a probability may be from the one of another backend, or of another batch: sums in another order.
const TOLERANCE: f32 = 1e-4;

fn astronaut() -> RgbImage {
    vultus::image::decode_file(Path::new("tests/photos/astronaut.png")).unwrap()
}

/// The photo in the corner of a larger one.
fn beside() -> RgbImage {
    let mut image = RgbImage::from_pixel(640, 700, image::Rgb([40, 90, 60]));
    image::imageops::replace(&mut image, &astronaut(), 100, 150);
    image
}

/// A light network that nobody has trained, whose probabilities are not 0 and 1.
fn light_card() -> (ModelCard, Parameters) {
    let classes = ["calm", "wild", "other"].map(str::to_owned).into();
    let card = ModelCard::new(Architecture::Light, classes, light::INPUT, Normalization::MTCNN);
    let mut parameters = card.network().unwrap().initialize(3).unwrap();
    parameters.get_mut("classifier.0.weight").unwrap().data_mut().iter_mut().for_each(|w| *w *= 0.3);
    (card, parameters)
}

fn builder(device: &Device, (card, parameters): (ModelCard, Parameters)) -> AnalyzerBuilder {
    let weights = read(&Path::new("weights").join(DefaultFile::Yunet.file_name())).unwrap();
    Analyzer::builder().device(device.clone()).detector_weights(weights).network(card, parameters)
}

fn analyzer(device: &Device) -> Analyzer {
    builder(device, light_card()).build().unwrap()
}

/// The same faces with probabilities within the tolerance.
#[track_caller]
fn assert_same(found: &Analysis, wanted: &Analysis) {
    assert_eq!((found.width, found.height, found.faces.len()), (wanted.width, wanted.height, wanted.faces.len()));
    for (found, wanted) in found.faces.iter().zip(&wanted.faces) {
        assert!(found.bounds.iter().zip(wanted.bounds).all(|(a, b)| (a - b).abs() < 0.05), "{found:?}\n{wanted:?}");
        let far = |((a, x), (b, y)): (&(String, f32), &(String, f32))| a != b || (x - y).abs() > TOLERANCE;
        assert!(!found.scores.iter().zip(&wanted.scores).any(far), "{found:?}\n{wanted:?}");
    }
}

#[test]
#[should_panic(expected = "bounds")]
fn a_comparison_tells_other_scores_apart() {
    let mut analyzer = analyzer(&Device::Cpu);
    let found = analyzer.analyze(astronaut()).unwrap();
    let mut other = found.clone();
    other.faces[0].scores[1].1 += 2e-4;
    assert_same(&other, &found);
}

#[test]
fn every_form_of_a_picture_gives_the_same_on_every_device() {
    let image = astronaut();
    let wanted = analyzer(&Device::Cpu).analyze(&image).unwrap();
    assert_eq!(wanted.faces.len(), 1);
    for device in [Device::Cpu, Device::Gpu(fresh_gpu())] {
        let mut analyzer = analyzer(&device);
        let (width, height) = image.dimensions();
        assert_same(&analyzer.analyze(&image).unwrap(), &wanted);
        let bgra: Vec<u8> = image.pixels().flat_map(|p| [p[2], p[1], p[0], 9]).collect();
        let first = analyzer.analyze(&image).unwrap();
        let in_bytes = Frame::new(PixelFormat::Bgra, &bgra, width, height).unwrap();
        assert_eq!(analyzer.analyze(in_bytes).unwrap().faces, first.faces, "bytes are no other pixels");
        let picture = device.upload(&image, width, height).unwrap();
        assert_eq!(analyzer.analyze(&picture).unwrap().faces, first.faces, "nor are those on the device");
        assert_eq!(pollster::block_on(analyzer.analyze_async(&image)).unwrap().faces, first.faces);
    }
}

#[test]
fn pictures_that_are_analysed_together_do_not_change_each_other() {
    let (one, other, none) = (astronaut(), beside(), RgbImage::new(200, 100));
    for device in [Device::Cpu, Device::Gpu(fresh_gpu())] {
        let mut analyzer = builder(&device, light_card()).batch(4).build().unwrap();
        let alone = [&one, &other, &none].map(|image| analyzer.analyze(image).unwrap());
        assert_eq!(alone.each_ref().map(|analysis| analysis.faces.len()), [1, 1, 0]);
        let on_device = device.upload(&other, other.width(), other.height()).unwrap();
        let leaving = Frame::from(&one).face_in(Crop { x: 500, ..Crop::whole(20, 20) });
        let frames = [Frame::from(&none), (&one).into(), leaving, (&on_device).into(), (&other).into()];
        let together = analyzer.analyze_many(&frames);
        assert!(matches!(together[2], Err(Error::Shape { .. })), "a part outside of its picture is the only failure");
        for (found, wanted) in [(0, 2), (1, 0), (3, 1), (4, 1)] {
            assert_same(together[found].as_ref().unwrap(), &alone[wanted]);
        }
        let awaited = pollster::block_on(analyzer.analyze_many_async(&frames));
        assert_same(awaited[1].as_ref().unwrap(), &alone[0]);
        assert!(analyzer.analyze_many(&[]).is_empty());
    }
}

#[test]
fn the_card_is_obeyed_wherever_the_picture_is() {
    let image = beside();
    let (card, parameters) = light_card();
    let plain = analyzer(&Device::Cpu).analyze(&image).unwrap();
    let equalized = Preparation { illumination: "equalize".parse().unwrap(), ..Preparation::NONE };
    let cards = [
        ModelCard { tta: TestTimeAugmentation::Flip, ..card.clone() },
        ModelCard { alignment: Some(Alignment::default()), ..card.clone() },
        ModelCard { preparation: equalized, ..card.clone() },
    ];
    for card in cards {
        let wanted =
            builder(&Device::Cpu, (card.clone(), parameters.clone())).build().unwrap().analyze(&image).unwrap();
        let moved =
            wanted.faces[0].scores.iter().zip(&plain.faces[0].scores).any(|(a, b)| (a.1 - b.1).abs() > 3.0 * TOLERANCE);
        assert!(moved, "{card:?} changes nothing");
        let device = Device::Gpu(fresh_gpu());
        let mut analyzer = builder(&device, (card.clone(), parameters.clone())).build().unwrap();
        assert_same(&analyzer.analyze(&image).unwrap(), &wanted);
        let picture = device.upload(&image, image.width(), image.height()).unwrap();
        assert_same(&analyzer.analyze(&picture).unwrap(), &wanted);
    }
}

#[test]
fn a_part_that_is_given_as_a_face_is_not_searched() {
    let image = astronaut();
    let mut analyzer = analyzer(&Device::Cpu);
    let part = Crop { x: 180, y: 70, width: 90, height: 100, mirror: false };
    let found = analyzer.analyze(Frame::from(&image).face_in(part)).unwrap();
    assert_eq!((found.faces.len(), found.faces[0].bounds), (1, [180.0, 70.0, 270.0, 170.0]));
    assert!(found.faces[0].face.is_none());
    let cut = image::imageops::crop_imm(&image, 180, 70, 90, 100).to_image();
    let whole = analyzer.analyze(Frame::from(&cut).as_face()).unwrap();
    assert_eq!((whole.faces[0].bounds, &whole.faces[0].scores), ([0.0, 0.0, 90.0, 100.0], &found.faces[0].scores));
    // Nothing would be found in it.
    assert!(analyzer.analyze(RgbImage::new(48, 48)).unwrap().faces.is_empty());
    let json = serde_json::to_value(&whole).unwrap();
    assert_eq!(json["faces"][0]["box"], serde_json::json!([0.0, 0.0, 90.0, 100.0]));
    assert!(json["faces"][0]["probability"].is_null() && json["faces"][0].get("id").is_none(), "{json}");
}

#[test]
fn boxes_end_at_the_picture_and_small_or_doubtful_faces_are_left_out() {
    // The astronaut's face with its forehead cut off.
    let cut = image::imageops::crop_imm(&astronaut(), 195, 75, 120, 200).to_image();
    let mut analyzer = analyzer(&Device::Cpu);
    let found = analyzer.analyze(&cut).unwrap();
    let face = &found.faces[0];
    let raw = face.face.as_ref().unwrap().bounds;
    assert!(raw[0] < 0.0 || raw[1] < 0.0, "{raw:?} is within the picture already");
    assert!(face.bounds[0] >= 0.0 && face.bounds[1] >= 0.0 && face.bounds[2] <= 120.0 && face.bounds[3] <= 200.0);

    let image = astronaut();
    let side = analyzer.analyze(&image).unwrap().faces[0].bounds;
    let side = (side[2] - side[0]).max(side[3] - side[1]);
    for (size, count) in [
        (FaceSize::Pixels(side - 1.0), 1),
        (FaceSize::Pixels(side + 1.0), 0),
        (FaceSize::Share((side - 1.0) / 512.0), 1),
        (FaceSize::Share((side + 1.0) / 512.0), 0),
    ] {
        assert_eq!(analyzer.analyze(Frame::from(&image).min_face(size)).unwrap().faces.len(), count, "{size:?}");
    }
    // The next picture is searched as the analyzer was made to.
    let probability = analyzer.analyze(&image).unwrap().faces[0].face.as_ref().unwrap().probability;
    for (least, count) in [(probability, 1), (probability + 1e-3, 0)] {
        let builder = builder(&Device::Cpu, light_card()).min_probability(least);
        assert_eq!(builder.build().unwrap().analyze(&image).unwrap().faces.len(), count);
    }
    let refused = analyzer.analyze(Frame::from(&image).min_face(FaceSize::Pixels(3.0)));
    assert!(matches!(refused, Err(Error::InvalidArgument { .. })));
}

/// What the last network of MTCNN corrects can become smaller than what its first one looked for, and a box that YuNet
/// takes for better can be smaller than another of the same face.
#[test]
fn no_detector_returns_faces_that_are_smaller_than_asked_for() {
    let image = astronaut();
    let picture = Device::Cpu.upload(&image, image.width(), image.height()).unwrap();
    let store = vultus::weights::Store::open(Some(Path::new("weights"))).unwrap();
    for kind in DetectorKind::ALL {
        let options = DetectorOptions { kind, ..DetectorOptions::default() };
        let mut detector = Detector::new(&Device::Cpu, store.load(kind.file()).unwrap(), options).unwrap();
        let side = |face: &Face| (face.bounds[2] - face.bounds[0]).max(face.bounds[3] - face.bounds[1]);
        let found = side(&detector.detect(&picture).unwrap()[0]);
        for (least, count) in [(found - 8.0, 1), (found - 0.5, 1), (found + 0.5, 0), (found + 8.0, 0)] {
            detector.set_min_face(least).unwrap();
            let faces = detector.detect(&picture).unwrap();
            assert!(faces.iter().all(|face| side(face) >= least), "{kind:?} from {least}: {faces:?}");
            // MTCNN looks in other sizes then, and may see the face a little larger or smaller.
            assert!(kind == DetectorKind::Mtcnn || faces.len() == count, "{kind:?} from {least}: {faces:?}");
        }
    }
}

#[test]
fn faces_are_followed_from_the_third_frame_on() {
    let mut analyzer = analyzer(&Device::Cpu);
    let (image, empty) = (astronaut(), RgbImage::new(512, 512));
    let mut ids = |time: f64, image: &RgbImage| -> Vec<u64> {
        let analysis = analyzer.follow(time, image).unwrap();
        analysis.faces.iter().map(|face| face.track.as_ref().unwrap().id).collect()
    };
    assert_eq!([0.0, 0.1, 0.2, 0.3].map(|time| ids(time, &image)), [vec![], vec![], vec![1], vec![1]]);
    assert!(ids(0.4, &empty).is_empty());
    assert_eq!(ids(0.5, &image), [1]);
    analyzer.forget();
    assert!(analyzer.follow(0.0, &image).unwrap().faces.is_empty());
    let json = serde_json::to_value(&{
        analyzer.follow(0.1, &image).unwrap();
        analyzer.follow(0.2, &image).unwrap()
    });
    let face = &json.unwrap()["faces"][0];
    let keys: Vec<&String> = face.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["box", "expression", "id", "landmarks", "probability", "scores", "since", "smoothed"]);
    assert_eq!((&face["id"], face["scores"].as_object().unwrap().len()), (&2.into(), 3));
}

#[test]
fn what_cannot_be_is_refused() {
    let new = || builder(&Device::Cpu, light_card());
    for (builder, part) in [
        (new().min_face(FaceSize::Pixels(11.0)), "at least 12"),
        (new().min_face(FaceSize::Share(1.5)), "within 0 and 100%"),
        (new().min_probability(f32::NAN), "within 0 and 1"),
        (new().batch(0), "at least one face"),
    ] {
        let error = builder.build().err().expect("this should be refused");
        assert!(matches!(error, Error::InvalidArgument { .. }) && error.to_string().contains(part), "{error}");
    }
}
