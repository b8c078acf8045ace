//! The stages of preparation against what OpenCV and SciPy make of the same picture (`golden/make_prepare.py`).
#![cfg(feature = "files")]

use std::path::Path;

use vultus::image::RgbImage;
use vultus::ops::Crop;
use vultus::prepare::{Alignment, Denoise, Illumination, Preparation, resize};

const WIDTH: u32 = 53;
const HEIGHT: u32 = 44;

/// A block of the golden picture.
fn block(number: u32) -> RgbImage {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/prepare.png");
    let sheet = vultus::image::decode_file(&path).unwrap();
    assert_eq!(sheet.dimensions(), (WIDTH, 15 * HEIGHT));
    resize(&sheet, &Crop { x: 0, y: number * HEIGHT, width: WIDTH, height: HEIGHT, mirror: false }, WIDTH, HEIGHT)
}

fn color() -> RgbImage {
    block(0)
}

fn gray() -> RgbImage {
    block(1)
}

/// The largest difference of any value, and the mean difference.
fn difference(ours: &RgbImage, reference: &RgbImage) -> (u8, f64) {
    assert_eq!(ours.dimensions(), reference.dimensions());
    let differences: Vec<u8> = ours.iter().zip(reference.iter()).map(|(a, b)| a.abs_diff(*b)).collect();
    let sum: f64 = differences.iter().map(|&d| f64::from(d)).sum();
    (differences.iter().copied().max().unwrap(), sum / differences.len() as f64)
}

/// That no value differs by more than this, and that the stage does anything: the picture before it differs by more.
fn agree(name: &str, before: &RgbImage, ours: &RgbImage, reference: &RgbImage, tolerance: u8) {
    let (largest, mean) = difference(ours, reference);
    println!("{name}: at most {largest}, mean {mean:.4}");
    assert!(largest <= tolerance, "{name}: {largest}, mean {mean}");
    assert!(difference(before, reference).0 > tolerance.max(8), "{name} changes next to nothing");
}

fn denoised(text: &str, image: &RgbImage) -> RgbImage {
    text.parse::<Denoise>().unwrap().apply(image)
}

fn lit(text: &str, image: &RgbImage) -> RgbImage {
    text.parse::<Illumination>().unwrap().apply(image)
}

#[test]
fn gray_is_opencvs() {
    // OpenCV computes in fixed point: where the luma is near a half, it may round the other way.
    agree("gray", &color(), &Preparation::default().apply(&color()), &gray(), 1);
}

#[test]
fn medians_are_opencvs() {
    agree("median:1", &gray(), &denoised("median:1", &gray()), &block(2), 0);
    agree("median:2", &color(), &denoised("median:2", &color()), &block(3), 0);
}

#[test]
fn bilateral_filters_are_opencvs() {
    // Sums in f32 in another order: near a half they may be rounded the other way.
    agree("bilateral", &gray(), &denoised("bilateral:3:2:25", &gray()), &block(4), 1);
    agree("bilateral in colour", &color(), &denoised("bilateral:3:2:25", &color()), &block(5), 1);
}

#[test]
fn non_local_means_are_opencvs() {
    // OpenCV takes the mean of a patch by a power of two, and weights from a table in fixed point.
    agree("nlm", &gray(), &denoised("nlm:5:11:12", &gray()), &block(6), 2);
    agree("nlm in colour", &color(), &denoised("nlm:3:9:12", &color()), &block(7), 2);
}

#[test]
fn illumination_is_opencvs() {
    agree("equalize", &gray(), &lit("equalize", &gray()), &block(8), 1);
    agree("clahe:8", &gray(), &lit("clahe:8:2", &gray()), &block(10), 1);
    agree("clahe:3", &gray(), &lit("clahe:3:4", &gray()), &block(11), 1);
    agree("gamma", &color(), &lit("gamma:0.6", &color()), &block(13), 1);
    // OpenCV rounds the differences of colour to whole numbers, multiplies them by up to 1.8 again, and rounds that.
    agree("equalize in colour", &color(), &lit("equalize", &color()), &block(9), 3);
    agree("clahe in colour", &color(), &lit("clahe:8:2", &color()), &block(12), 3);
}

#[test]
fn alignment_is_scipys_interpolation() {
    let landmarks = [[14.0, 21.0], [34.0, 16.0], [0.0; 2], [0.0; 2], [0.0; 2]];
    let alignment = Alignment { eye_x: 0.25, eye_y: 0.4 };
    // What becomes smaller would be the mean of several places.
    assert!(alignment.native_side(&landmarks) <= 44);
    let aligned = alignment.align(&color(), &landmarks, 44).unwrap();
    let part = Crop::whole(44, 44);
    let before = resize(&color(), &part, 44, 44);
    agree("alignment", &before, &aligned, &resize(&block(14), &part, 44, 44), 1);
}
