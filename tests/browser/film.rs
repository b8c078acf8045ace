//! A film for the camera: the photo's face here, then there and turned, then gone, and from the start.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use image::codecs::jpeg::JpegEncoder;
use image::{Rgb, RgbImage, imageops};

use super::harness::astronaut;

/// Width and height of the film.
pub const SIZE: [u32; 2] = [640, 480];

/// The face's box in the photo.
const FACE: [f64; 4] = [181.1, 62.2, 267.8, 172.1];

/// The photo's centre, in the film, where it rests: on the left, and on the right.
const PLACES: [[f64; 2]; 2] = [[250.0, 250.0], [420.0, 262.0]];

/// How far the photo is turned at the second place, in radians.
const TURN: f64 = 0.2;

/// Frames that each part takes.
const REST: u32 = 20;
const MOVE: u32 = 10;

/// The photo's place and turn on the way from the first place (0) to the second (1).
fn pose(way: f64) -> ([f64; 2], f64) {
    let between = |axis: usize| PLACES[0][axis] + way * (PLACES[1][axis] - PLACES[0][axis]);
    ([between(0), between(1)], way * TURN)
}

/// The box around the face at this part of the way.
pub fn face(way: f64) -> [f64; 4] {
    let (centre, turn) = pose(way);
    let (x, y) = ((FACE[0] + FACE[2]) / 2.0 - 256.0, (FACE[1] + FACE[3]) / 2.0 - 256.0);
    let (sin, cos) = turn.sin_cos();
    let (x, y) = (centre[0] + cos * x - sin * y, centre[1] + sin * x + cos * y);
    let (half_width, half_height) = ((FACE[2] - FACE[0]) / 2.0, (FACE[3] - FACE[1]) / 2.0);
    [x - half_width, y - half_height, x + half_width, y + half_height]
}

/// Writes the film as JPEGs behind each other, which Chromium plays at 30 frames in a second, again and again.
pub fn write(path: &Path) {
    let photo = astronaut();
    let mut out = BufWriter::new(File::create(path).expect("a file"));
    let mut frame = |image: &RgbImage, count: u32| {
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 90).encode_image(image).expect("a frame");
        (0..count).for_each(|_| out.write_all(&bytes).expect("the film"));
    };
    frame(&at(&photo, 0.0), 3 * REST);
    (1..MOVE).for_each(|step| frame(&at(&photo, f64::from(step) / f64::from(MOVE)), 3));
    frame(&at(&photo, 1.0), 3 * REST);
    frame(&RgbImage::from_pixel(SIZE[0], SIZE[1], Rgb([96, 104, 112])), 3 * REST);
}

/// The photo in front of a gray wall.
fn at(photo: &RgbImage, way: f64) -> RgbImage {
    let ([x, y], turn) = pose(way);
    let (sin, cos) = turn.sin_cos();
    RgbImage::from_fn(SIZE[0], SIZE[1], |column, row| {
        let (dx, dy) = (f64::from(column) - x, f64::from(row) - y);
        let (u, v) = (cos * dx + sin * dy + 256.0, cos * dy - sin * dx + 256.0);
        imageops::interpolate_bilinear(photo, u as f32, v as f32).unwrap_or(Rgb([96, 104, 112]))
    })
}
