//! What does each face in a photo express? `cargo run --release --example recognize -- PHOTO`

use std::path::Path;

use vultus::face::{Detector, DetectorOptions, Recognizer, needs_base};
use vultus::weights::{DefaultFile, Store};
use vultus::{Device, Result};

fn main() -> Result<()> {
    let photo = std::env::args().nth(1).unwrap_or_else(|| "tests/photos/astronaut.png".to_owned());
    let device = Device::best();
    let weights = Store::open(None)?;
    let mut detector = Detector::new(&device, weights.load(DefaultFile::Yunet)?, DetectorOptions::default())?;
    let model = weights.load(DefaultFile::ExpressionModel)?;
    let base = if needs_base(&model)? { Some(weights.load(DefaultFile::Vgg16Base)?) } else { None };
    let mut recognizer = Recognizer::new(&device, base, model, 1)?;

    let rgb = vultus::image::decode_file(Path::new(&photo))?;
    let picture = device.upload(rgb.as_raw(), rgb.width(), rgb.height())?;
    for face in detector.detect(&picture)? {
        let crop = recognizer.crop(&face, &picture);
        for scores in recognizer.recognize(&picture, &[crop])? {
            let expression = recognizer.card().answer(&scores).name(recognizer.classes());
            let scores: Vec<String> =
                recognizer.classes().iter().zip(&scores).map(|(class, score)| format!("{class} {score:.2}")).collect();
            println!("{:?}: {expression} ({})", face.bounds, scores.join(", "));
        }
    }
    Ok(())
}
