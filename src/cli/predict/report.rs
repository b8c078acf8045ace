//! How results are printed: a table for people, JSON lines or CSV for programs.

use std::cell::Cell;
use std::io::Write;

use serde::Serialize;
use vultus::csv::quoted;
use vultus::face::{Analysis, Answer, FaceExpression, ModelCard};

use crate::cli::failure::Failure;
use crate::cli::table::{Align, Table, widest};

/// How results are printed.
pub enum Report {
    /// A table for people, whose titles are written once there is something to list.
    Table(Table<5>, Cell<bool>),
    /// One JSON object per picture and line.
    Json,
    /// Comma-separated values after a header: a line for each face, and for each picture without any.
    Csv(Vec<String>),
}

/// The columns of CSV that say which face it is.
const WHICH_COLUMNS: &str = "file,width,height,face";

/// The columns of CSV for a face, before those of the classes.
pub const FACE_COLUMNS: &str = "x1,y1,x2,y2,probability,\
    left_eye_x,left_eye_y,right_eye_x,right_eye_y,nose_x,nose_y,\
    left_mouth_x,left_mouth_y,right_mouth_x,right_mouth_y,expression";

/// A picture and its faces.
#[derive(Serialize)]
pub struct Found {
    /// The file, as it was named.
    pub file: String,
    #[serde(flatten)]
    pub analysis: Analysis,
}

#[derive(Serialize)]
struct Unreadable<'a> {
    file: &'a str,
    error: &'a str,
}

impl Report {
    /// A table that is wide enough for these files and for what this model says.
    pub fn table<'a>(files: impl IntoIterator<Item = &'a str>, card: &ModelCard) -> Self {
        let class = widest(card.classes.iter().map(String::as_str)) + " 100.0%".len();
        let around = card.uncertain_below.map_or(0, |_| Answer::UNCERTAIN.len() + " ()".len());
        let table = Table::new([
            ("FILE", Align::Left, widest(files)),
            ("FACE", Align::Right, 4),
            ("BOX", Align::Left, "1000,1000 - 1000,1000".len()),
            ("EXPRESSION", Align::Left, class + around),
            ("SECOND", Align::Left, class),
        ]);
        Report::Table(table, Cell::new(false))
    }

    /// Writes what stands before the first result.
    pub fn begin(&self, out: &mut dyn Write) -> Result<(), Failure> {
        if let Report::Csv(classes) = self {
            let classes = classes.iter().map(|class| format!(",{}", quoted(class))).collect::<String>();
            writeln!(out, "{WHICH_COLUMNS},{FACE_COLUMNS}{classes},error")?;
        }
        Ok(())
    }

    /// Writes the faces of a picture, so that a reader has them at once.
    pub fn found(&self, out: &mut dyn Write, found: &Found) -> Result<(), Failure> {
        match self {
            Report::Table(table, is_begun) => {
                if !is_begun.replace(true) {
                    table.head(out)?;
                }
                if found.analysis.faces.is_empty() {
                    table.row(out, [&found.file, "-", "no face", "", ""].map(str::to_owned))?;
                }
                for (number, face) in (1..).zip(&found.analysis.faces) {
                    table.row(out, cells(found, number, face))?;
                }
            }
            Report::Json => {
                serde_json::to_writer(&mut *out, found)?;
                writeln!(out)?;
            }
            Report::Csv(classes) => {
                if found.analysis.faces.is_empty() {
                    let of_picture = [
                        quoted(&found.file).into_owned(),
                        found.analysis.width.to_string(),
                        found.analysis.height.to_string(),
                    ];
                    writeln!(out, "{}{}", of_picture.join(","), ",".repeat(columns(classes) - of_picture.len()))?;
                }
                for (number, face) in (1..).zip(&found.analysis.faces) {
                    writeln!(out, "{},", csv_line(found, number, face))?;
                }
            }
        }
        Ok(out.flush()?)
    }

    /// Writes that a picture failed, where the form has a place for it.
    pub fn failed(&self, out: &mut dyn Write, file: &str, error: &str) -> Result<(), Failure> {
        match self {
            Report::Table(..) => {}
            Report::Json => {
                serde_json::to_writer(&mut *out, &Unreadable { file, error })?;
                writeln!(out)?;
            }
            Report::Csv(classes) => {
                writeln!(out, "{}{}{}", quoted(file), ",".repeat(columns(classes) - 1), quoted(error))?
            }
        }
        Ok(out.flush()?)
    }
}

/// The columns of CSV for a model of these classes.
fn columns(classes: &[String]) -> usize {
    WHICH_COLUMNS.split(',').count() + FACE_COLUMNS.split(',').count() + classes.len() + 1
}

fn cells(found: &Found, number: usize, face: &FaceExpression) -> [String; 5] {
    let [x1, y1, x2, y2] = face.bounds;
    let ranked = face.ranked();
    let score = |rank: usize| {
        let ranked = ranked.get(rank);
        ranked.map_or(String::new(), |(class, score)| format!("{class} {:.1}%", 100.0 * score))
    };
    let bounds = format!("{x1:.0},{y1:.0} - {x2:.0},{y2:.0}");
    let expression = match face.answer.class {
        Some(_) => score(0),
        None => format!("{} ({})", face.expression, score(0)),
    };
    [found.file.clone(), number.to_string(), bounds, expression, score(1)]
}

fn csv_line(found: &Found, number: usize, face: &FaceExpression) -> String {
    let mut fields = vec![
        quoted(&found.file).into_owned(),
        found.analysis.width.to_string(),
        found.analysis.height.to_string(),
        number.to_string(),
    ];
    fields.extend(face_fields(face));
    fields.join(",")
}

/// What stands in [`FACE_COLUMNS`] and the columns of the classes.
pub fn face_fields(face: &FaceExpression) -> Vec<String> {
    let mut fields = Vec::new();
    fields.extend(face.bounds.iter().map(f32::to_string));
    match &face.face {
        Some(face) => {
            fields.extend([&face.probability].into_iter().chain(face.landmarks.as_flattened()).map(f32::to_string));
        }
        // Nobody looked for it.
        None => fields.extend(vec![String::new(); 11]),
    }
    fields.push(quoted(&face.expression).into_owned());
    fields.extend(face.scores.iter().map(|(_, score)| score.to_string()));
    fields
}

#[cfg(test)]
mod tests {
    use vultus::face::{AnalysisTimes, Architecture, Face, Place};
    use vultus::ops::Normalization;

    use super::*;

    fn card(uncertain_below: Option<f32>) -> ModelCard {
        let classes = ["sad", "happy"].map(str::to_owned).to_vec();
        ModelCard { uncertain_below, ..ModelCard::new(Architecture::Light, classes, 48, Normalization::CAFFE) }
    }

    fn found_in(file: &str, faces: Vec<FaceExpression>) -> Found {
        let analysis = Analysis { width: 20, height: 30, faces, times: AnalysisTimes::default() };
        Found { file: file.to_owned(), analysis }
    }

    fn judged(file: &str, card: &ModelCard) -> Found {
        let face = Face {
            bounds: [1.5, 2.0, 3.0, 4.0],
            probability: 0.5,
            landmarks: [[10.0, 11.0], [12.0, 13.0], [14.0, 15.0], [16.0, 17.0], [18.0, 19.0]],
        };
        found_in(file, vec![FaceExpression::new(Place::Found(face), [20, 30], card, vec![0.25, 0.75])])
    }

    fn found(file: &str) -> Found {
        judged(file, &card(None))
    }

    fn printed(report: &Report, found: &Found) -> String {
        let mut out = Vec::new();
        let written = report.found(&mut out, found);
        assert!(written.is_ok());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_of_csv_has_a_field_for_each_column() {
        let classes = card(None).classes;
        let (report, columns) = (Report::Csv(classes.clone()), columns(&classes));
        let line = printed(&report, &found("a,b.png"));
        assert_eq!(line, "\"a,b.png\",20,30,1,1.5,2,3,4,0.5,10,11,12,13,14,15,16,17,18,19,happy,0.25,0.75,\n");
        // The comma in the file's name does not separate columns.
        assert_eq!(line.split(',').count() - 1, columns);
        let none = printed(&report, &found_in("a", Vec::new()));
        assert_eq!((none.split(',').count(), &none[..8]), (columns, "a,20,30,"));
        let whole = FaceExpression::new(Place::Given([0.0, 0.0, 20.0, 30.0]), [20, 30], &card(None), vec![0.25, 0.75]);
        let whole = printed(&report, &found_in("a", vec![whole]));
        assert_eq!((whole.split(',').count(), &whole[..21]), (columns, "a,20,30,1,0,0,20,30,,"));
        let mut out = Vec::new();
        assert!(report.failed(&mut out, "a", "is \"cut\"").is_ok());
        let failed = String::from_utf8(out).unwrap();
        assert_eq!((failed.split(',').count(), failed.ends_with(",\"is \"\"cut\"\"\"\n")), (columns, true));
        let mut out = Vec::new();
        assert!(report.begin(&mut out).is_ok());
        assert_eq!(String::from_utf8(out).unwrap().split(',').count(), columns);
    }

    #[test]
    fn scores_keep_the_order_of_the_classes_in_json() {
        let line = printed(&Report::Json, &found("a"));
        assert!(line.contains(r#""expression":"happy","scores":{"sad":0.25,"happy":0.75}"#), "{line}");
    }

    #[test]
    fn the_table_shows_the_two_most_probable_classes() {
        let report = Report::table(["a.png"], &card(None));
        let printed = [printed(&report, &found("a.png")), printed(&report, &found("b.png"))];
        // The titles come once, with the first row.
        assert!(printed[0].starts_with("FILE ") && printed[1].starts_with("b.png "), "{printed:?}");
        let words: Vec<&str> = printed[0].lines().last().unwrap().split_whitespace().collect();
        assert_eq!(words, ["a.png", "1", "2,2", "-", "3,4", "happy", "75.0%", "sad", "25.0%"]);
    }

    #[test]
    fn what_is_uncertain_is_said_to_be_in_every_form() {
        let card = card(Some(0.8));
        let found = judged("a.png", &card);
        let row = printed(&Report::table(["a.png"], &card), &found);
        let words: Vec<&str> = row.lines().last().unwrap().split_whitespace().skip(5).collect();
        assert_eq!(words, ["uncertain", "(happy", "75.0%)", "sad", "25.0%"]);
        let line = printed(&Report::Json, &found);
        assert!(line.contains(r#""expression":"uncertain","scores":{"sad":0.25,"happy":0.75}"#), "{line}");
        assert!(printed(&Report::Csv(card.classes.clone()), &found).ends_with(",uncertain,0.25,0.75,\n"));
    }
}
