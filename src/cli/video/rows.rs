//! A line for each face of each frame, for programs.

use std::io::Write;

use serde::Serialize;
use vultus::csv::quoted;
use vultus::face::ModelCard;
use vultus::track::TrackedFace;

use crate::answer::found::{FoundFace, as_map};
use crate::cli::failure::Failure;
use crate::cli::predict::report::{FACE_COLUMNS, face_fields};

/// How each face of each frame is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Not at all.
    None,
    /// As a JSON object on a line of its own.
    Json,
    /// As a line of comma-separated values, after a header.
    Csv,
}

#[derive(Serialize)]
struct Row {
    frame: u64,
    time: f64,
    face: u64,
    #[serde(flatten)]
    found: FoundFace,
    #[serde(serialize_with = "as_map")]
    smoothed: Vec<(String, f32)>,
}

impl Rows {
    /// Writes what stands before the first face.
    pub fn begin(self, out: &mut dyn Write, classes: &[String]) -> Result<(), Failure> {
        if self == Rows::Csv {
            let columns = |prefix: &str| -> String {
                classes.iter().map(|class| format!(",{}", quoted(&format!("{prefix}{class}")))).collect()
            };
            writeln!(out, "frame,time,face,{FACE_COLUMNS}{}{}", columns(""), columns("smoothed_"))?;
        }
        Ok(())
    }

    /// Writes the faces of a frame, so that a reader has them at once.
    pub fn write(
        self,
        out: &mut dyn Write,
        (frame, time): (u64, f64),
        faces: &[TrackedFace],
        card: &ModelCard,
    ) -> Result<(), Failure> {
        if self == Rows::None {
            return Ok(());
        }
        for TrackedFace { id, face, scores, smoothed, .. } in faces {
            let found = FoundFace::new(face.clone(), card, scores.clone());
            if self == Rows::Csv {
                let mut fields = vec![frame.to_string(), rounded(time).to_string(), id.to_string()];
                fields.extend(face_fields(&found));
                fields.extend(smoothed.iter().map(f32::to_string));
                writeln!(out, "{}", fields.join(","))?;
            } else {
                let smoothed = card.classes.iter().cloned().zip(smoothed.iter().copied()).collect();
                serde_json::to_writer(&mut *out, &Row { frame, time: rounded(time), face: *id, found, smoothed })?;
                writeln!(out)?;
            }
        }
        Ok(out.flush()?)
    }
}

/// Microseconds are enough for any frame rate, and 0.12 reads better than 0.12000000000000001.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
