//! A manifest as JSON: a list of objects, or one object per line. Their keys are the columns of the CSV.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::Deserialize;

use super::lines::{BYTE_ORDER_MARK, Lines};
use super::manifest::{Entry, Manifest, parse_box};
use crate::data::dataset::Dataset;
use crate::error::{Error, Result};

/// The largest list of objects that is read: 256 MiB.
const MAX_BYTES: u64 = 1 << 28;

#[derive(Deserialize)]
struct Object {
    path: String,
    label: Name,
    subject: Option<Name>,
    split: Option<String>,
    face: Option<Face>,
    #[serde(default)]
    votes: BTreeMap<String, f32>,
}

/// A name; where people are numbered, a number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a name must be a text or a whole number")]
enum Name {
    Text(String),
    Number(i64),
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a face must be a list of four numbers x1, y1, x2, y2")]
enum Face {
    Numbers([f32; 4]),
    Text(String),
}

impl Name {
    fn text(self) -> String {
        match self {
            Name::Text(text) => text,
            Name::Number(number) => number.to_string(),
        }
    }
}

impl Object {
    /// Adds the entry that this object is.
    fn add_to(self, manifest: &mut Manifest, line: u64) -> std::result::Result<(), String> {
        let (label, subject) = (self.label.text(), self.subject.map(Name::text));
        let face = match self.face {
            Some(Face::Numbers(numbers)) => Some(numbers),
            Some(Face::Text(text)) => Some(parse_box(&text)?),
            None => None,
        };
        if let Some((class, wrong)) = self.votes.iter().find(|(_, votes)| !(0.0..f32::INFINITY).contains(*votes)) {
            return Err(format!("{wrong} is no number of votes for {class}"));
        }
        let votes = self.votes.iter().map(|(class, &votes)| (class.as_str(), votes)).collect();
        let (subject, split) = (subject.as_deref(), self.split.as_deref());
        manifest.add(line, &Entry { path: &self.path, label: &label, subject, split, face, votes })
    }
}

/// Reads a list of objects. Each is taken by itself, so that it is known in which line it begins.
pub(super) fn open_list(path: &Path) -> Result<Dataset> {
    let list = read_list(path)?;
    let mut manifest = Manifest::counting(path, "entry");
    let wrong = |at: usize, line: usize, reason: String| {
        let before = list[..at].iter().filter(|&&byte| byte == b'\n').count();
        Error::line(path, (before + line) as u64, reason)
    };
    let mut at = skip_space(&list, 0);
    let mut number = 0;
    loop {
        // Behind the opening bracket or a comma.
        at = skip_space(&list, at + 1);
        if number == 0 && list.get(at) == Some(&b']') {
            break;
        }
        number += 1;
        let mut objects = serde_json::Deserializer::from_slice(&list[at..]).into_iter::<Object>();
        let object = objects.next().ok_or_else(|| wrong(at, 1, "the end of the list is missing".to_owned()))?;
        let object = object.map_err(|error| wrong(at, error.line(), text(&error)))?;
        let added = object.add_to(&mut manifest, number);
        added.map_err(|reason| wrong(at, 1, format!("entry {number}: {reason}")))?;
        at = skip_space(&list, at + objects.byte_offset());
        match list.get(at) {
            Some(b',') => {}
            Some(b']') => break,
            _ => return Err(wrong(at, 1, format!("entry {number} is not followed by a comma or the end of the list"))),
        }
    }
    let rest = skip_space(&list, at + 1);
    if rest < list.len() {
        return Err(wrong(rest, 1, "there is more behind the end of the list".to_owned()));
    }
    manifest.finish()
}

/// The place of the first byte from here on that is not JSON's white space; the end if there is none.
fn skip_space(text: &[u8], from: usize) -> usize {
    let rest = text.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r')).count()
}

/// The whole file.
fn read_list(path: &Path) -> Result<Vec<u8>> {
    let failed = |error| Error::io(path, error);
    let bytes = fs::metadata(path).map_err(failed)?.len();
    if bytes > MAX_BYTES {
        return Err(Error::data(
            path,
            format!("has {bytes} bytes, at most {MAX_BYTES} are read; write one object per line"),
        ));
    }
    let text = fs::read(path).map_err(failed)?;
    Ok(text.strip_prefix(BYTE_ORDER_MARK).map(<[u8]>::to_vec).unwrap_or(text))
}

/// Reads one object per line.
pub(super) fn open_lines(path: &Path) -> Result<Dataset> {
    let (mut lines, mut manifest) = (Lines::of(path)?, Manifest::counting(path, "line"));
    while let Some(line) = lines.next()? {
        let number = line.number.into();
        let object: std::result::Result<Object, _> = serde_json::from_slice(line.bytes);
        let added = object.map_err(|error| text(&error)).and_then(|object| object.add_to(&mut manifest, number));
        added.map_err(|reason| Error::line(path, number, reason))?;
    }
    manifest.finish()
}

/// What is wrong, without the place that the error's own text ends with.
fn text(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned()
}
