//! What does each face in a photo express? `cargo run --release --example recognize -- PHOTO`

use std::path::Path;

use vultus::Result;
use vultus::face::Analyzer;

fn main() -> Result<()> {
    let photo = std::env::args().nth(1).unwrap_or_else(|| "tests/photos/astronaut.png".to_owned());
    let image = vultus::image::decode_file(Path::new(&photo))?;
    let mut analyzer = Analyzer::builder().build()?;
    for face in analyzer.analyze(&image)?.faces {
        let scores: Vec<String> = face.scores.iter().map(|(class, score)| format!("{class} {score:.2}")).collect();
        println!("{:?}: {} ({})", face.bounds, face.expression, scores.join(", "));
    }
    Ok(())
}
