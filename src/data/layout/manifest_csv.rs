//! A manifest as CSV with a header: `path,label`, and `subject`, `split`, `face` (or `x1,y1,x2,y2`) and votes for classes
//! (`votes_happy`, `votes_sad` …, `votes_unknown`) where they are known. Other usual names of columns and other separators
//! than commas are understood.

use std::borrow::Cow;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::manifest::{Entry, Manifest, parse_box};
use super::votes::parse_votes;
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
    /// Columns of votes, and for which class.
    votes: Vec<(usize, String)>,
    /// What stands between fields.
    separator: char,
}

/// What columns are called, ours first: the names that data sets and tools give to the same.
const PATH: [&str; 9] =
    ["path", "file", "filename", "file_name", "filepath", "image", "image_path", "img", "subdirectory_filepath"];
const LABEL: [&str; 6] = ["label", "emotion", "expression", "class", "category", "target"];
const SUBJECT: [&str; 4] = ["subject", "subject_id", "person", "identity"];
const SPLIT: [&str; 4] = ["split", "part", "usage", "subset"];

/// What separates fields, besides commas: spreadsheets of many languages write semicolons.
const SEPARATORS: [char; 3] = [',', ';', '\t'];

/// What names of columns of votes begin with.
const VOTES: &str = "votes_";

impl Columns {
    /// The columns of a header, or what is wrong with it.
    fn of(header: &[u8]) -> std::result::Result<Self, String> {
        let with = |&separator: &char| Self::separated(header, separator);
        // What is wrong is said for commas.
        SEPARATORS.iter().find_map(|separator| with(separator).ok()).map_or_else(|| Self::separated(header, ','), Ok)
    }

    fn separated(header: &[u8], separator: char) -> std::result::Result<Self, String> {
        let record = |line| record(line, separator);
        let names: Vec<String> = record(header)?.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
        let column = |wanted: &str| {
            let mut found = (0..names.len()).filter(|&column| names[column] == wanted);
            match (found.next(), found.next()) {
                (_, Some(_)) => Err(format!("has two columns {wanted}")),
                (column, None) => Ok(column),
            }
        };
        let any = |wanted: &[&str]| {
            let found = wanted.iter().map(|name| column(name)).collect::<std::result::Result<Vec<_>, String>>()?;
            Ok::<_, String>(found.into_iter().flatten().next())
        };
        let needed = |wanted: &[&str]| any(wanted)?.ok_or_else(|| format!("has no column {}", wanted[0]));
        let corners = match [column("x1")?, column("y1")?, column("x2")?, column("y2")?] {
            [Some(x1), Some(y1), Some(x2), Some(y2)] => Some([x1, y1, x2, y2]),
            [None, None, None, None] => None,
            _ => return Err("has some of the columns x1, y1, x2, y2, but not all".to_owned()),
        };
        let titles = record(header)?;
        let class = |(column, title): (usize, &Cow<str>)| {
            let title = title.trim();
            let class = title.get(VOTES.len()..).filter(|_| names[column].starts_with(VOTES))?;
            Some((column, class.to_owned()))
        };
        let votes = titles.iter().enumerate().filter_map(class);
        if let Some((column, _)) =
            votes.clone().find(|(column, class)| class.is_empty() || column_twice(&names, *column))
        {
            return Err(format!("has a column {} that names no class, or a class again", names[column]));
        }
        Ok(Columns {
            number: names.len(),
            path: needed(&PATH)?,
            label: needed(&LABEL)?,
            subject: any(&SUBJECT)?,
            split: any(&SPLIT)?,
            face: column("face")?,
            corners,
            votes: votes.collect(),
            separator,
        })
    }

    /// Adds the entry that a line is.
    fn add(&self, line: &[u8], number: u64, manifest: &mut Manifest) -> std::result::Result<(), String> {
        let fields = record(line, self.separator)?;
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
            votes: self.votes(&fields)?,
        };
        manifest.add(number, &entry)
    }

    fn votes<'a>(&'a self, fields: &[Cow<str>]) -> std::result::Result<Vec<(&'a str, f32)>, String> {
        let given = self.votes.iter().filter(|(column, _)| !fields[*column].trim().is_empty());
        given.map(|(column, class)| Ok((class.as_str(), parse_votes(&fields[*column])?))).collect()
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

/// Whether a column has the name of one before it.
fn column_twice(names: &[String], column: usize) -> bool {
    names[..column].contains(&names[column])
}

fn record(line: &[u8], separator: char) -> std::result::Result<Vec<Cow<'_, str>>, String> {
    csv::separated(str::from_utf8(line).map_err(|error| format!("is not UTF-8: {error}"))?, separator)
}

/// Whether a file that begins with this line is such a list.
pub(super) fn is_header(line: &[u8]) -> bool {
    SEPARATORS.iter().any(|&separator| {
        let names = record(line, separator).unwrap_or_default();
        let has = |wanted: &[&str]| {
            names.iter().any(|name| wanted.iter().any(|wanted| name.trim().eq_ignore_ascii_case(wanted)))
        };
        has(&PATH) && has(&LABEL)
    })
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
    let voted = dataset.samples.iter().any(|sample| sample.votes.is_some());
    let titles = dataset.classes.iter().map(String::as_str).chain(["unknown"]);
    let titles: String = titles.map(|class| format!(",{}", csv::quoted(&format!("{VOTES}{class}")))).collect();
    writeln!(out, "path,label,subject,split,face{}", if voted { titles } else { String::new() }).map_err(failed)?;
    for sample in &dataset.samples {
        let file: PathBuf = absolute(sample.file())?;
        let within = file.strip_prefix(&folder).unwrap_or(&file);
        let name = within.to_str().ok_or_else(|| Error::data(&file, "its name is not Unicode, a list must be"))?;
        let face = sample.face.map(|face| face.map(|number| number.to_string()).join(" ")).unwrap_or_default();
        let (subject, split) = (sample.subject.as_deref().unwrap_or(""), sample.part.map_or("", |part| part.name()));
        let fields = [name, &dataset.classes[sample.label], subject, split, &face].map(csv::quoted);
        let votes = match &sample.votes {
            Some(votes) => {
                let counts = votes.for_classes().iter().copied().chain([votes.for_others()]);
                counts.map(|count| format!(",{count}")).collect()
            }
            None if voted => ",".repeat(dataset.classes.len() + 1),
            None => String::new(),
        };
        writeln!(out, "{}{votes}", fields.join(",")).map_err(failed)?;
    }
    Ok(())
}
