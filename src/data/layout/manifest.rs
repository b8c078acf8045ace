//! A list of one's own: which picture, of which class, of whom, for what, and where in it the face is. The same entries
//! come as CSV ([`super::manifest_csv`]) or as JSON ([`super::manifest_json`]).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::lines::shortened;
use super::subject::{self, Interned};
use super::votes::OTHERS;
use crate::data::dataset::Dataset;
use crate::data::sample::{Part, Sample, Source};
use crate::data::votes::Votes;
use crate::error::{Error, Result};

/// One entry as it stands in the list. Empty texts count as missing.
#[derive(Default)]
pub(super) struct Entry<'a> {
    pub path: &'a str,
    pub label: &'a str,
    pub subject: Option<&'a str>,
    pub split: Option<&'a str>,
    pub face: Option<[f32; 4]>,
    /// What several people said: the class, and how many did.
    pub votes: Vec<(&'a str, f32)>,
}

/// What tells one entry from another: the picture, and the bits of the face's box.
type Key = (Arc<Path>, Option<[u32; 4]>);

/// A data set in the making.
pub(super) struct Manifest {
    path: PathBuf,
    /// The classes by name with their numbers in order of appearance.
    classes: HashMap<String, usize>,
    subjects: Interned,
    samples: Vec<Sample>,
    /// The votes on each sample, for classes in order of appearance, and for none of them.
    votes: Vec<Option<(Vec<f32>, f32)>>,
    /// The number of the line or entry.
    seen: HashMap<Key, u64>,
    /// Which of the two is counted.
    counted: &'static str,
}

impl Manifest {
    /// An empty one for this list, whose lines (`line`) or entries (`entry`) are counted.
    pub(super) fn counting(path: &Path, counted: &'static str) -> Self {
        Manifest {
            path: path.to_path_buf(),
            classes: HashMap::new(),
            subjects: Interned::default(),
            samples: Vec::new(),
            votes: Vec::new(),
            seen: HashMap::new(),
            counted,
        }
    }

    /// Adds an entry. The error says what is wrong with it.
    pub(super) fn add(&mut self, number: u64, entry: &Entry) -> std::result::Result<(), String> {
        for (what, text) in [("path", entry.path), ("label", entry.label), ("subject", entry.subject.unwrap_or(""))] {
            if text.chars().any(char::is_control) {
                return Err(format!("the {what} {} has a control character in it", shortened(text)));
            }
        }
        let label = entry.label.trim();
        if entry.path.trim().is_empty() || label.is_empty() {
            return Err(format!("the {} is missing", if label.is_empty() { "label" } else { "path" }));
        }
        let given = |text: Option<&str>| text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let part = given(entry.split).map(|name| part(&name)).transpose()?;
        if let Some(face) = entry.face {
            check_box(face)?;
        }

        // As Windows writes paths.
        let is_windows = entry.path.contains('\\') && !entry.path.contains('/');
        let path = if is_windows { entry.path.replace('\\', "/") } else { entry.path.to_owned() };
        let file = self.path.parent().unwrap_or(Path::new("")).join(path);
        let subject = given(entry.subject).or_else(|| subject::of_file(&file).map(str::to_owned));
        let file: Arc<Path> = file.into();
        let key = (file.clone(), entry.face.map(|face| face.map(f32::to_bits)));
        if let Some(earlier) = self.seen.insert(key, number) {
            return Err(format!("{} stands in {} {earlier} already", entry.path, self.counted));
        }
        let label = self.class(label);
        let votes = (!entry.votes.is_empty()).then(|| self.voted(&entry.votes));
        self.votes.push(votes);
        let subject = subject.map(|name| self.subjects.get(&name));
        self.samples.push(Sample {
            source: Source::File(file),
            label,
            subject,
            part,
            face: entry.face,
            detected: None,
            votes: None,
        });
        Ok(())
    }

    /// The number of a class, which is a new one where the name has not appeared.
    fn class(&mut self, name: &str) -> usize {
        let next = self.classes.len();
        *self.classes.entry(name.to_owned()).or_insert(next)
    }

    /// Votes by the numbers of their classes, and those for none.
    fn voted(&mut self, votes: &[(&str, f32)]) -> (Vec<f32>, f32) {
        let (mut for_classes, mut for_others) = (Vec::new(), 0.0);
        for &(name, count) in votes {
            if OTHERS.contains(&name.to_lowercase().as_str()) {
                for_others += count;
                continue;
            }
            let class = self.class(name);
            for_classes.resize(for_classes.len().max(class + 1), 0.0);
            for_classes[class] += count;
        }
        (for_classes, for_others)
    }

    /// The data set, its classes sorted by name.
    pub(super) fn finish(self) -> Result<Dataset> {
        if self.classes.len() < 2 {
            let reason = format!("lists pictures of {} classes, at least two are needed", self.classes.len());
            return Err(Error::data(&self.path, reason));
        }
        let mut classes: Vec<(String, usize)> = self.classes.into_iter().collect();
        classes.sort_unstable();
        let mut sorted = vec![0; classes.len()];
        classes.iter().enumerate().for_each(|(number, (_, appeared))| sorted[*appeared] = number);
        let mut samples = self.samples;
        for (sample, votes) in samples.iter_mut().zip(self.votes) {
            sample.label = sorted[sample.label];
            let Some((appeared, others)) = votes else { continue };
            let mut for_classes = vec![0.0; classes.len()];
            appeared.iter().zip(&sorted).for_each(|(votes, class)| for_classes[*class] = *votes);
            // Where all are 0, nobody has voted.
            sample.votes = Votes::new(for_classes, others).ok();
        }
        samples.shrink_to_fit();
        Ok(Dataset { path: self.path, classes: classes.into_iter().map(|(name, _)| name).collect(), samples })
    }
}

fn part(name: &str) -> std::result::Result<Part, String> {
    Part::named(name).ok_or_else(|| format!("the split {} is none of train, validation and test", shortened(name)))
}

/// A box from a text of four numbers with spaces or commas between them.
pub(super) fn parse_box(text: &str) -> std::result::Result<[f32; 4], String> {
    let numbers = text.split([' ', ',', '\t']).filter(|number| !number.is_empty());
    let numbers: Option<Vec<f32>> = numbers.map(|number| number.parse().ok()).collect();
    let four = numbers.and_then(|numbers| numbers.try_into().ok());
    four.ok_or_else(|| format!("the face {} is not a box of four numbers x1 y1 x2 y2", shortened(text)))
}

fn check_box(face: [f32; 4]) -> std::result::Result<(), String> {
    let [x1, y1, x2, y2] = face;
    let good = face.iter().all(|number| number.is_finite()) && x1 < x2 && y1 < y2;
    good.then_some(())
        .ok_or_else(|| format!("the face's box {x1} {y1} {x2} {y2} is not x1 y1 x2 y2 with x1 < x2, y1 < y2"))
}
