//! Explanations hold: without what they call important a class becomes less probable, and what they call important for a
//! smile is the mouth.
//!
//! The faces are variants of one photo in the public domain (`tests/photos`): shifted, turned, scaled, in other light and
//! with noise. `examples/deletion.rs` does the same to the faces of any data set.
#![cfg(feature = "files")]

mod deletion;

use std::path::Path;

use deletion::{Deletion, Drops, METHODS, at, load, mean};
use vultus::face::{Detector, DetectorOptions, Face, HeatMap};
use vultus::image::{RgbImage, decode_file};
use vultus::ops::Crop;
use vultus::prepare::{Augmentation, resize};
use vultus::weights::{DefaultFile, Store};
use vultus::{Device, Random};

/// Faces of the test.
const VARIANTS: usize = 40;
/// How they vary. Shifts are fractions of a picture that is three times as wide as the face.
const VARIATION: Augmentation = Augmentation {
    flip: 0.5,
    shift: 0.03,
    rotation: 12.0,
    scale: 0.12,
    brightness: 0.12,
    contrast: 0.25,
    noise: 6.0,
    ..Augmentation::none()
};

fn deletion() -> Deletion {
    let (card, parameters) = load(None).unwrap();
    Deletion::new(&Device::Cpu, card, &parameters).unwrap()
}

/// The photo and its face.
fn astronaut() -> (RgbImage, Face) {
    let photo = decode_file(Path::new("tests/photos/astronaut.png")).unwrap();
    let yunet = Store::open(None).unwrap().load(DefaultFile::Yunet).unwrap();
    let mut detector = Detector::new(&Device::Cpu, yunet, DetectorOptions::default()).unwrap();
    let picture = Device::Cpu.upload(&photo, photo.width(), photo.height()).unwrap();
    let face = detector.detect(&picture).unwrap().swap_remove(0);
    (photo, face)
}

/// The face in a picture that is three times as wide, so that variants have no borders within the face.
fn surroundings(photo: &RgbImage, face: &Face) -> (RgbImage, Face) {
    let [x1, y1, x2, y2] = face.bounds;
    let side = 3.0 * (x2 - x1).max(y2 - y1);
    let [left, top] = [(x1 + x2 - side) / 2.0, (y1 + y2 - side) / 2.0].map(|start| start.round().max(0.0));
    let side = (side as u32).min(photo.width() - left as u32).min(photo.height() - top as u32);
    let part = Crop { x: left as u32, y: top as u32, width: side, height: side, mirror: false };
    let moved = Face {
        bounds: [x1 - left, y1 - top, x2 - left, y2 - top],
        landmarks: face.landmarks.map(|[x, y]| [x - left, y - top]),
        ..face.clone()
    };
    (resize(photo, &part, side, side), moved)
}

/// The lower end of the mean's interval.
fn lower_bound(values: &[f32]) -> f32 {
    let [mean, half] = mean(values);
    mean - half
}

#[test]
fn without_the_most_important_tenth_a_class_is_less_probable_than_without_others() {
    let ((photo, face), mut deletion, mut random) = (astronaut(), deletion(), Random::new(1));
    let (around, face) = surroundings(&photo, &face);
    let mut drops = [const { Vec::new() }; METHODS.len()];
    for _ in 0..VARIANTS {
        let variant = VARIATION.apply(&around, &mut random);
        let variant = deletion.card().cut(&variant, &face).unwrap();
        for (drops, drop) in drops.iter_mut().zip(deletion.drops(&variant, &mut random).unwrap()) {
            drops.push(drop);
        }
    }
    for (method, drops) in METHODS.iter().zip(&drops) {
        let over = |other: fn(&Drops) -> f32| lower_bound(&drops.iter().map(|d| d.most - other(d)).collect::<Vec<_>>());
        let (random, least) = (over(|drop| drop.random), over(|drop| drop.least));
        println!("{method}: at least {random:.3} more than random, {least:.3} more than the least important");
        assert!(random > 0.0 && least > 0.0, "{method}: {random} more than random, {least} more than the least");
    }
}

/// How much of a map lies where a mask is white, which is cut out as the face is.
fn mass(map: &HeatMap, mask: &RgbImage) -> f32 {
    let (width, height) = mask.dimensions();
    let value = |(x, y, pixel): (u32, u32, &image::Rgb<u8>)| {
        let place = [(x as f32 + 0.5) / width as f32, (y as f32 + 0.5) / height as f32];
        at(map, place) * f32::from(pixel.0[0]) / 255.0
    };
    mask.enumerate_pixels().map(value).sum::<f32>() / (width * height) as f32
}

#[test]
fn a_smile_is_seen_at_the_mouth_and_not_at_the_hair() {
    let ((photo, face), mut deletion) = (astronaut(), deletion());
    let card = deletion.card().clone();
    let cut = |image: &RgbImage| card.cut(image, &face).unwrap();
    let (class, maps) = deletion.maps(&cut(&photo)).unwrap();
    assert_eq!(card.classes[class], "happy");
    let [left_eye, right_eye, _, left_corner, right_corner] = face.landmarks;
    // The head is upright. The mouth is half as high as it is wide. The brows end 0.4 of the eyes' distance above them: from
    // there on there are forehead and hair, up to the picture's edge.
    let [width, apart] = [right_corner[0] - left_corner[0], right_eye[0] - left_eye[0]];
    let (mouth_y, hair_y) = ((left_corner[1] + right_corner[1]) / 2.0, left_eye[1].min(right_eye[1]) - 0.4 * apart);
    let across = left_corner[0] - 0.1 * width..right_corner[0] + 0.1 * width;
    let white = |is: bool| image::Rgb([if is { 255u8 } else { 0 }; 3]);
    let region = |is: &dyn Fn(f32, f32) -> bool| {
        cut(&RgbImage::from_fn(photo.width(), photo.height(), |x, y| white(is(x as f32, y as f32))))
    };
    let mouth = region(&|x, y| across.contains(&x) && (y - mouth_y).abs() < 0.25 * width);
    let hair = region(&|_, y| y < hair_y);
    let everywhere: HeatMap = (vec![1.0], [1, 1]);
    let [mouth_area, hair_area] = [&mouth, &hair].map(|mask| mass(&everywhere, mask));
    assert!(mouth_area > 0.05 && hair_area > mouth_area, "{mouth_area} of the face, {hair_area}");
    for (method, map) in METHODS.iter().zip(&maps) {
        let [mouth, hair] = [mass(map, &mouth), mass(map, &hair)];
        println!("{method}: {mouth:.4} at the mouth, {hair:.4} at the hair");
        assert!(mouth > hair, "{method}: {mouth} at the mouth, {hair} at the hair");
    }
}
