//! The page of an evaluation.

use std::path::Path;

use vultus::report::{Page, Section, evaluation_cards, evaluation_sections, number};

use super::priors::Expectation;
use super::results::{Results, Uncertain};
use crate::cli::models;

/// All measures with their charts, and what was evaluated.
pub fn page(results: &Results) -> Page {
    let yes = |on: bool| if on { "yes" } else { "no" }.to_owned();
    let facts = [
        ("data set", results.data.clone()),
        ("part", results.part.to_owned()),
        ("model", models::title(results.model.as_deref().map(Path::new))),
        ("images are faces", yes(results.faces)),
        ("faces found by", results.detector.unwrap_or("none were searched").to_owned()),
        ("test-time augmentation", results.tta.to_owned()),
        ("uncertain answers", uncertain(results)),
        ("forced choice among common classes", yes(results.restricted)),
        ("classes are expected to be", expected(results)),
        ("images without a face", results.without_face.len().to_string()),
        ("images that could not be read", results.unreadable.len().to_string()),
        ("software", format!("vultus {}", env!("CARGO_PKG_VERSION"))),
    ];
    Page::new(format!("Evaluation on {}", results.data))
        .cards(evaluation_cards(&results.evaluation))
        .section(Section::new("What was evaluated").facts(facts))
        .sections(evaluation_sections(&results.evaluation))
}

/// How frequent classes were expected to be, in words.
fn expected(results: &Results) -> String {
    match results.priors.as_ref().map(|priors| priors.taken) {
        Some(Expectation::Equal) => "equally frequent",
        Some(Expectation::Learned) => "as frequent as the model learned",
        None => "as frequent as in what the model was trained on",
    }
    .to_owned()
}

/// What the model leaves open, in words.
fn uncertain(results: &Results) -> String {
    let Some(Uncertain { below, n, share, accuracy_of_others }) = &results.uncertain else {
        return "none: it always names a class".to_owned();
    };
    let below = number::percent(f64::from(*below));
    let others = accuracy_of_others.map(|right| format!("; {} of the others are right", number::percent(right)));
    format!("{n} below {below}, {} of all{}", number::percent(*share), others.unwrap_or_default())
}
