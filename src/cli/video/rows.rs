//! The faces of each frame, for programs.

use std::io::Write;

use serde::Serialize;
use vultus::csv::quoted;
use vultus::face::Analysis;

use crate::cli::failure::Failure;
use crate::cli::predict::report::{FACE_COLUMNS, face_fields};

/// How the faces of each frame are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// Not at all.
    None,
    /// As a JSON object for each frame, on a line of its own.
    Json,
    /// As lines of comma-separated values after a header: one for each face, and one for each frame without any.
    Csv,
}

/// The columns of CSV that say which frame and face it is.
const WHICH_COLUMNS: &str = "frame,time,face";

/// A frame as it is written.
#[derive(Serialize)]
struct Row<'a> {
    frame: u64,
    time: f64,
    #[serde(flatten)]
    analysis: &'a Analysis,
}

impl Rows {
    /// Writes what stands before the first face.
    pub fn begin(self, out: &mut dyn Write, classes: &[String]) -> Result<(), Failure> {
        if self == Rows::Csv {
            let columns = |prefix: &str| -> String {
                classes.iter().map(|class| format!(",{}", quoted(&format!("{prefix}{class}")))).collect()
            };
            writeln!(out, "{WHICH_COLUMNS},{FACE_COLUMNS}{}{}", columns(""), columns("smoothed_"))?;
        }
        Ok(())
    }

    /// Writes the faces of a frame, so that a reader has them at once.
    pub fn write(
        self,
        out: &mut dyn Write,
        (frame, time): (u64, f64),
        analysis: &Analysis,
        classes: &[String],
    ) -> Result<(), Failure> {
        let time = rounded(time);
        match self {
            Rows::None => return Ok(()),
            Rows::Json => {
                serde_json::to_writer(&mut *out, &Row { frame, time, analysis })?;
                writeln!(out)?;
            }
            Rows::Csv if analysis.faces.is_empty() => {
                let columns = WHICH_COLUMNS.split(',').count() + FACE_COLUMNS.split(',').count() + 2 * classes.len();
                writeln!(out, "{frame},{time}{}", ",".repeat(columns - 2))?;
            }
            Rows::Csv => {
                for face in &analysis.faces {
                    let (id, smoothed) = match &face.track {
                        Some(track) => (track.id.to_string(), track.smoothed.as_slice()),
                        None => (String::new(), [].as_slice()),
                    };
                    let mut fields = vec![frame.to_string(), time.to_string(), id];
                    fields.extend(face_fields(face));
                    fields.extend(smoothed.iter().map(|(_, score)| score.to_string()));
                    writeln!(out, "{}", fields.join(","))?;
                }
            }
        }
        Ok(out.flush()?)
    }
}

/// Microseconds are enough for any frame rate, and 0.12 reads better than 0.12000000000000001.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}
