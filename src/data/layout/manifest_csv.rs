//! A manifest as CSV with a header: `path,label`, and `subject`, `split`, `face` (or `x1,y1,x2,y2`) where they are
//! known.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::manifest::{Entry, Manifest, parse_box};
use crate::csv;
use crate::data::dataset::Dataset;
use crate::error::{Error, Result};

/// Where the columns are.
struct Columns {
    number: usize,
    path: usize,
    label: usize,
    subject: Option<usize>,
    split: Option<usize>,
    face: Option<usize>,
    corners: Option<[usize; 4]>,
}

impl Columns {
    /// The columns of a header, or what is wrong with it.
    fn of(header: &[u8]) -> std::result::Result<Self, String> {
        let names: Vec<String> = record(header)?.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        let column = |wanted: &str| {
            let mut found = (0..names.len()).filter(|&column| names[column] == wanted);
            match (found.next(), found.next()) {
                (_, Some(_)) => Err(format!("has two columns {wanted}")),
                (column, None) => Ok(column),
            }
        };
        let needed = |wanted: &str| column(wanted)?.ok_or_else(|| format!("has no column {wanted}"));
        let corners = match [column("x1")?, column("y1")?, column("x2")?, column("y2")?] {
            [Some(x1), Some(y1), Some(x2), Some(y2)] => Some([x1, y1, x2, y2]),
            [None, None, None, None] => None,
            _ => return Err("has some of the columns x1, y1, x2, y2, but not all".to_owned()),
        };
        Ok(Columns {
            number: names.len(),
            path: needed("path")?,
            label: needed("label")?,
            subject: column("subject")?,
            split: column("split")?,
            face: column("face")?,
            corners,
        })
    }

    /// Adds the entry that a line is.
    fn add(&self, line: &[u8], number: u64, manifest: &mut Manifest) -> std::result::Result<(), String> {
        let fields = record(line)?;
        if fields.len() != self.number {
            return Err(format!("has {} fields, the header has {}", fields.len(), self.number));
        }
        let field = |column: Option<usize>| column.map(|column| fields[column].as_ref());
        let entry = Entry {
            path: &fields[self.path],
            label: &fields[self.label],
            subject: field(self.subject),
            split: field(self.split),
            face: self.face(&fields)?,
        };
        manifest.add(number, &entry)
    }

    fn face(&self, fields: &[Cow<str>]) -> std::result::Result<Option<[f32; 4]>, String> {
        let text = match (self.face, self.corners) {
            (Some(column), _) => fields[column].to_string(),
            (None, Some(columns)) => columns.map(|column| fields[column].as_ref()).join(" "),
            (None, None) => return Ok(None),
        };
        if text.trim().is_empty() { Ok(None) } else { parse_box(&text).map(Some) }
    }
}

fn record(line: &[u8]) -> std::result::Result<Vec<Cow<'_, str>>, String> {
    csv::fields(str::from_utf8(line).map_err(|error| format!("is not UTF-8: {error}"))?)
}

/// Whether a file that begins with this line is such a list.
pub(super) fn is_header(line: &[u8]) -> bool {
    let names = record(line).unwrap_or_default();
    ["path", "label"].iter().all(|wanted| names.iter().any(|name| name.trim().eq_ignore_ascii_case(wanted)))
}

/// Reads such a list.
pub(super) fn open(path: &Path) -> Result<Dataset> {
    let (mut lines, mut manifest) = (Lines::of(path)?, Manifest::counting(path, "line"));
    let mut columns = None;
    while let Some(line) = lines.next()? {
        let number = line.number.into();
        let taken = match &columns {
            None => Columns::of(line.bytes).map(|found| columns = Some(found)),
            Some(columns) => columns.add(line.bytes, number, &mut manifest),
        };
        taken.map_err(|reason| Error::line(path, number, reason))?;
    }
    manifest.finish()
}

/// Writes the samples of a data set as such a list for this file. Paths are relative to it where the pictures lie in
/// or below its folder.
pub(super) fn write(dataset: &Dataset, path: &Path, out: &mut impl Write) -> Result<()> {
    let absolute = |path: &Path| std::path::absolute(path).map_err(|error| Error::io(path, error));
    let failed = |error| Error::io(path, error);
    let folder = absolute(path)?.parent().map(Path::to_path_buf).unwrap_or_default();
    writeln!(out, "path,label,subject,split,face").map_err(failed)?;
    for sample in &dataset.samples {
        let file: PathBuf = absolute(sample.file())?;
        let within = file.strip_prefix(&folder).unwrap_or(&file);
        let name = within.to_str().ok_or_else(|| Error::data(&file, "its name is not Unicode, a list must be"))?;
        let face = sample.face.map(|face| face.map(|number| number.to_string()).join(" ")).unwrap_or_default();
        let (subject, split) = (sample.subject.as_deref().unwrap_or(""), sample.part.map_or("", |part| part.name()));
        let fields = [name, &dataset.classes[sample.label], subject, split, &face].map(csv::quoted);
        writeln!(out, "{}", fields.join(",")).map_err(failed)?;
    }
    Ok(())
}
