//! The page of an evaluation.

use vultus::report::{Page, Section, evaluation_cards, evaluation_sections};

use super::results::Results;

/// All measures with their charts, and what was evaluated.
pub fn page(results: &Results) -> Page {
    let yes = |on: bool| if on { "yes" } else { "no" }.to_owned();
    let facts = [
        ("data set", results.data.clone()),
        ("part", results.part.to_owned()),
        ("model", results.model.clone().unwrap_or_else(|| "the default model".to_owned())),
        ("images are faces", yes(results.faces)),
        ("faces found by", results.detector.unwrap_or("none were searched").to_owned()),
        ("test-time augmentation", results.tta.to_owned()),
        ("forced choice among common classes", yes(results.restricted)),
        ("images without a face", results.without_face.len().to_string()),
        ("images that could not be read", results.unreadable.len().to_string()),
        ("software", format!("vultus {}", env!("CARGO_PKG_VERSION"))),
    ];
    Page::new(format!("Evaluation on {}", results.data))
        .cards(evaluation_cards(&results.evaluation))
        .section(Section::new("What was evaluated").facts(facts))
        .sections(evaluation_sections(&results.evaluation))
}
