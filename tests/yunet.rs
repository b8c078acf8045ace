//! YuNet: the same faces as OpenCV's FaceDetectorYN, and those that are too small or too large for it.
#![cfg(feature = "files")]

mod compare;
#[path = "mtcnn_reference/iou.rs"]
mod iou;

use std::path::Path;

use compare::gpu;
use image::imageops;
use iou::iou;
use serde::Deserialize;
use vultus::Device;
use vultus::face::{Detector, DetectorOptions, Face};
use vultus::image::{RgbImage, decode_file};
use vultus::weights::DefaultFile;
use vultus::weights::safetensors::read;

/// What both have in common of a face's box, of what they cover together. Only the order of sums differs.
const MIN_IOU: f32 = 0.98;
/// How far scores may be apart.
const MAX_SCORE_ERROR: f32 = 0.01;
/// How far landmarks may be apart, relative to the width of the face.
const MAX_LANDMARK_ERROR: f32 = 0.01;

/// What `tests/golden/make_yunet.py` writes.
#[derive(Deserialize)]
struct Golden {
    pictures: Vec<Case>,
}

/// A part of the photo: every `step`-th pixel of it, each repeated `times` times along both axes.
#[derive(Deserialize)]
struct Case {
    crop: [u32; 4],
    step: u32,
    times: u32,
    faces: Vec<GoldenFace>,
}

#[derive(Deserialize)]
struct GoldenFace {
    #[serde(rename = "box")]
    bounds: [f32; 4],
    score: f32,
    landmarks: [[f32; 2]; 5],
}

impl Golden {
    fn read() -> Self {
        serde_json::from_slice(&std::fs::read("tests/golden/yunet.json").unwrap()).unwrap()
    }
}

impl Case {
    fn picture(&self) -> RgbImage {
        let (photo, [x, y, width, height]) = (astronaut(), self.crop);
        let size = |pixels: u32| pixels.div_ceil(self.step) * self.times;
        let source = |at: u32| at / self.times * self.step;
        RgbImage::from_fn(size(width), size(height), |column, row| {
            *photo.get_pixel(x + source(column), y + source(row))
        })
    }
}

impl GoldenFace {
    /// Whether this is the face, as exactly as it should be.
    fn is(&self, face: &Face) -> bool {
        let width = self.bounds[2] - self.bounds[0];
        let distance = |(a, b): (&[f32; 2], &[f32; 2])| (a[0] - b[0]).hypot(a[1] - b[1]) / width;
        iou(&self.bounds, &face.bounds) >= MIN_IOU
            && (self.score - face.probability).abs() <= MAX_SCORE_ERROR
            && self.landmarks.iter().zip(&face.landmarks).map(distance).all(|error| error <= MAX_LANDMARK_ERROR)
    }
}

fn astronaut() -> RgbImage {
    decode_file(Path::new("tests/photos/astronaut.png")).unwrap()
}

fn detector(device: &Device, options: DetectorOptions) -> Detector {
    let weights = read(&Path::new("weights").join(DefaultFile::Yunet.file_name())).unwrap();
    Detector::new(device, weights, options).unwrap()
}

fn found(device: &Device, detector: &mut Detector, image: &RgbImage) -> Vec<Face> {
    detector.detect(&device.upload(image, image.width(), image.height()).unwrap()).unwrap()
}

fn check_golden(device: &Device) {
    let mut detector = detector(device, DetectorOptions::default());
    for case in Golden::read().pictures {
        let faces = found(device, &mut detector, &case.picture());
        let same =
            faces.len() == case.faces.len() && case.faces.iter().zip(&faces).all(|(wanted, face)| wanted.is(face));
        assert!(same, "{:?}, every {}th, {} times: {faces:?}", case.crop, case.step, case.times);
    }
}

#[test]
fn the_cpu_finds_what_opencv_finds() {
    check_golden(&Device::Cpu);
}

#[test]
fn the_gpu_finds_what_opencv_finds() {
    check_golden(&Device::Gpu(gpu()));
}

#[test]
fn a_face_that_is_a_little_elsewhere_is_another() {
    let case = Golden::read().pictures.remove(0);
    let mut faces = found(&Device::Cpu, &mut detector(&Device::Cpu, DetectorOptions::default()), &case.picture());
    let (wanted, face) = (&case.faces[0], faces.remove(0));
    assert!(wanted.is(&face));
    // Half a cell of the finest grid, as it would be if a cell's place were its middle.
    let moved = |axis: usize| {
        let mut bounds = face.bounds;
        bounds[axis] += 4.0;
        bounds[axis + 2] += 4.0;
        Face { bounds, ..face.clone() }
    };
    assert!(!wanted.is(&moved(0)) && !wanted.is(&moved(1)));
    for landmark in 0..5 {
        let mut other = face.clone();
        other.landmarks[landmark][1] += 4.0;
        assert!(!wanted.is(&other));
    }
    let mut other = face.clone();
    other.landmarks.swap(3, 4);
    assert!(!wanted.is(&other));
    assert!(!wanted.is(&Face { probability: face.probability - 0.05, ..face }));
}

#[test]
fn eyes_nose_and_mouth_stand_in_their_order() {
    let mut detector = detector(&Device::Cpu, DetectorOptions::default());
    let [face] = found(&Device::Cpu, &mut detector, &astronaut()).try_into().unwrap();
    let [left, right, nose, mouth_left, mouth_right] = face.landmarks;
    assert!(left[0] < nose[0] && nose[0] < right[0] && mouth_left[0] < mouth_right[0], "{face:?}");
    assert!(left[1] < nose[1] && right[1] < nose[1] && nose[1] < mouth_left[1], "{face:?}");
}

/// YuNet alone sees no face of more than some hundreds of pixels.
#[test]
fn a_face_that_fills_a_picture_is_found_at_any_size() {
    let face = decode_file(Path::new("tests/photos/astronaut_face_224.png")).unwrap();
    let mut detector = detector(&Device::Cpu, DetectorOptions::default());
    for cut in [0, 35] {
        let part = imageops::crop_imm(&face, cut, cut, 224 - 2 * cut, 224 - 2 * cut).to_image();
        let shape = |faces: Vec<Face>, side: u32| -> [f32; 4] {
            let [face] = faces.try_into().unwrap();
            face.bounds.map(|edge| edge / side as f32)
        };
        let wanted = shape(found(&Device::Cpu, &mut detector, &part), part.width());
        for side in [500, 1000, 1280, 2000] {
            let large = imageops::resize(&part, side, side, imageops::Triangle);
            let bounds = shape(found(&Device::Cpu, &mut detector, &large), side);
            assert!(iou(&bounds, &wanted) > 0.8, "{side}: {bounds:?}, not {wanted:?}");
        }
    }
}

/// In its corners and where four tiles meet, small faces must be found as in a small picture, and once.
#[test]
fn small_faces_are_found_in_every_part_of_a_large_picture() {
    let (side, large) = (128, 3200);
    let small = imageops::thumbnail(&astronaut(), side, side);
    // Scaled down to 1280 pixels, such a face has less than 10.
    let options = DetectorOptions { min_face: 20.0, ..DetectorOptions::default() };
    let mut detector = detector(&Device::Cpu, options);
    let [alone] = found(&Device::Cpu, &mut detector, &small).try_into().unwrap();
    let places = [(0, 0), (1088, 1100), (1050, 0), (0, 2100), (2090, 1020), (large - side, large - side)];
    let mut picture = RgbImage::from_pixel(large, large, *small.get_pixel(0, 0));
    for (x, y) in places {
        imageops::replace(&mut picture, &small, x.into(), y.into());
    }
    let faces = found(&Device::Cpu, &mut detector, &picture);
    assert_eq!(faces.len(), places.len(), "{faces:?}");
    for (x, y) in places.map(|(x, y)| (x as f32, y as f32)) {
        let [x1, y1, x2, y2] = alone.bounds;
        let there = [x1 + x, y1 + y, x2 + x, y2 + y];
        // The grid of cells lies another way.
        assert!(faces.iter().any(|face| iou(&face.bounds, &there) > 0.75), "{there:?}: {faces:?}");
    }
}

#[test]
fn smaller_faces_than_wanted_are_left_out() {
    let mut detector = detector(&Device::Cpu, DetectorOptions::default());
    assert_eq!(found(&Device::Cpu, &mut detector, &astronaut()).len(), 1);
    detector.set_min_face(120.0).unwrap();
    assert!(found(&Device::Cpu, &mut detector, &astronaut()).is_empty());
    detector.set_min_face(100.0).unwrap();
    assert_eq!(found(&Device::Cpu, &mut detector, &astronaut()).len(), 1);
}
