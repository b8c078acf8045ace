//! `GET /api/model`: what computes, and what is known of the model.

use serde_json::{Value, json};
use vultus::face::{Architecture, ModelCard, TestTimeAugmentation};

use super::limits::Limits;
use super::machine::Machine;

/// What no model of this program is for, unless its file says something else.
const NOT_FOR: &str = "It says what a face resembles, not what a person feels. Not to be used to judge, select, monitor or \
                       diagnose people.";

/// Keys of notes that have a place of their own.
const PLACED: [&str; 5] = ["model", "trained_on", "license", "measured", "not_for"];

/// What is done to a face before it is scaled, in words.
fn preparation(card: &ModelCard) -> String {
    let gray = card.preparation.gray || card.preprocessing.gray;
    let denoise = card.preparation.denoise.to_string();
    let illumination = card.preparation.illumination.to_string();
    let steps = [if gray { "gray" } else { "none" }, &denoise, &illumination];
    let steps: Vec<&str> = steps.into_iter().filter(|step| *step != "none").collect();
    if steps.is_empty() { "none".to_owned() } else { steps.join(", ") }
}

/// A number as it is written: the nearest f32 has more digits.
fn as_written(number: f32) -> Option<f64> {
    number.to_string().parse().ok()
}

/// The answer.
pub fn about(machine: &Machine, limits: &Limits) -> Value {
    let card = machine.card();
    let note = |key: &str| card.notes.get(key);
    let network = match card.architecture {
        Architecture::Vgg16 { .. } => "vgg16",
        Architecture::Light => "light",
        Architecture::Published(network) => network.name(),
        Architecture::Imported(ref network) => network.name(),
    };
    // Measures are JSON where this program wrote them; anything else is shown as it is.
    let measured = note("measured").map(|text| serde_json::from_str(text).unwrap_or_else(|_| json!(text)));
    let notes: serde_json::Map<String, Value> = card
        .notes
        .iter()
        .filter(|(key, _)| !PLACED.contains(&key.as_str()))
        .map(|(k, v)| (k.clone(), json!(v)))
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "device": machine.device().to_string(),
        "detector": machine.detector().name(),
        "model": {
            "name": note("model").cloned().unwrap_or_else(|| format!("{network} for {} classes", card.classes.len())),
            "classes": card.classes,
            "network": network,
            "input": card.input,
            "margin": as_written(card.margin),
            "tta": if card.tta == TestTimeAugmentation::Flip { "flip" } else { "none" },
            "alignment": card.alignment.map(|_| "by the eyes"),
            "preparation": preparation(card),
            "uncertain_below": card.uncertain_below.and_then(as_written),
            "temperature": card.temperature.and_then(as_written),
            "trained_on": note("trained_on"),
            "license": note("license"),
            "measured": measured.unwrap_or_else(|| json!([])),
            "not_for": note("not_for").map_or(NOT_FOR, String::as_str),
            "notes": notes,
        },
        "limits": {
            "max_bytes": limits.body,
            "max_pixels": limits.pixels,
            "max_frame_pixels": limits.frame_pixels,
            "max_pictures": limits.pictures,
            "max_frames_per_second": limits.frames_per_second,
        },
    })
}
