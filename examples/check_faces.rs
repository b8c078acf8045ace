//! Compares the faces that MTCNN finds in photos with a reference: `cargo run --release --example check_faces --
//! PHOTO_FOLDER REFERENCE.json [DEVICE]`
//!
//! The reference has the format of `tests/photos/mtcnn_reference.json`. The device is `cpu`, `gpu` or a part of an
//! adapter's name; without it, the best. Ends with 1 if a picture is missing or its faces differ.

#[path = "../tests/mtcnn_reference/mod.rs"]
mod mtcnn_reference;

use std::error::Error;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use mtcnn_reference::{Comparison, Reference, ReferenceImage};
use vultus::Device;
use vultus::face::{Detector, DetectorKind, DetectorOptions};
use vultus::weights::{DefaultFile, Store};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, reference, device) = match arguments.as_slice() {
        [folder, reference] => (folder, reference, Device::best()),
        [folder, reference, device] => (folder, reference, Device::named(device)?),
        _ => return Err("usage: check_faces PHOTO_FOLDER REFERENCE.json [DEVICE]".into()),
    };
    let weights = Store::open(None)?.load(DefaultFile::Mtcnn)?;
    let options = DetectorOptions { kind: DetectorKind::Mtcnn, ..DetectorOptions::default() };
    let mut detector = Detector::new(&device, weights, options)?;
    println!("{device}");
    println!(
        "{:<20} {:>5} {:>6} {:>8} {:>9} {:>7} {:>9}",
        "file", "faces", "wanted", "min IoU", "landmarks", "extras", "ms"
    );
    let mut agree = true;
    for image in &Reference::read(Path::new(reference))?.images {
        agree &= check(&device, &mut detector, Path::new(folder), image)?;
    }
    Ok(if agree { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Prints a picture's line; whether its faces are those of the reference.
fn check(
    device: &Device,
    detector: &mut Detector,
    folder: &Path,
    image: &ReferenceImage,
) -> Result<bool, Box<dyn Error>> {
    let rgb = vultus::image::decode_file(&folder.join(&image.file))?;
    if rgb.dimensions() != (image.width, image.height) {
        return Err(format!("{} is not the reference's picture: its size is {:?}", image.file, rgb.dimensions()).into());
    }
    let picture = device.upload(&rgb, rgb.width(), rgb.height())?;
    // The first time compiles the plans for this size of picture.
    detector.detect(&picture)?;
    let start = Instant::now();
    let faces = detector.detect(&picture)?;
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    let comparison = Comparison::new(&faces, &image.faces);
    let Comparison { min_iou, worst_landmark, extras } = comparison;
    let (file, found, wanted) = (&image.file, faces.len(), image.faces.len());
    println!("{file:<20} {found:>5} {wanted:>6} {min_iou:>8.4} {worst_landmark:>9.5} {extras:>7} {milliseconds:>9.1}");
    Ok(comparison.agrees())
}
