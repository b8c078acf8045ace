//! RAF-DB (Li & Deng, "Reliable crowdsourcing and deep locality-preserving learning for expression recognition in the
//! wild", 2017), basic expressions: `list_patition_label.txt` with lines such as `train_00001.jpg 5`.

use std::path::{Path, PathBuf};

use super::lines::{Lines, shortened};
use crate::data::dataset::Dataset;
use crate::data::sample::{Part, Sample, Source};
use crate::error::{Error, Result};

/// The name that the list comes with, and the folder that it comes in.
pub(super) const LISTS: [&str; 2] = ["list_patition_label.txt", "EmoLabel/list_patition_label.txt"];

/// The classes by their numbers in the list, which begin with 1.
const CLASSES: [&str; 7] = ["surprise", "fear", "disgust", "happy", "sad", "angry", "neutral"];

/// After so many pictures of the list it must be clear where they are.
const LOOKED_FOR: usize = 100;

/// Whether a file that begins with this line is such a list.
pub(super) fn is_line(line: &str) -> bool {
    line.split_whitespace().count() == 2 && entry(line).is_ok()
}

/// A line's picture, part and class, or what is wrong with it.
fn entry(line: &str) -> std::result::Result<(&str, Part, usize), String> {
    let mut fields = line.split_whitespace();
    let (Some(name), Some(label), None) = (fields.next(), fields.next(), fields.next()) else {
        return Err(format!("{} is not the name of a picture and a number", shortened(line.trim())));
    };
    let part = name.split_once('_').and_then(|(part, _)| match part {
        "train" => Some(Part::Train),
        "test" => Some(Part::Test),
        _ => None,
    });
    let part = part.ok_or_else(|| format!("the name {} begins with neither train_ nor test_", shortened(name)))?;
    let number = label.parse().ok().filter(|number: &usize| (1..=CLASSES.len()).contains(number));
    let number = number.ok_or_else(|| format!("the label {} is not a number from 1 to 7", shortened(label)))?;
    Ok((name, part, number - 1))
}

/// Reads such a list and finds out where its pictures are.
pub(super) fn open(path: &Path) -> Result<Dataset> {
    let (mut lines, mut entries) = (Lines::of(path)?, Vec::new());
    while let Some(line) = lines.next()? {
        let refused = |reason| Error::line(path, line.number.into(), reason);
        let text = str::from_utf8(line.bytes).map_err(|error| refused(format!("is not UTF-8: {error}")))?;
        let (name, part, label) = entry(text).map_err(refused)?;
        entries.push((name.to_owned(), part, label));
    }
    let place = Place::find(path, entries.iter().take(LOOKED_FOR).map(|(name, ..)| name.as_str()))?;
    let samples = entries.into_iter().map(|(name, part, label)| {
        let source = Source::File(place.picture(&name).into());
        Sample { source, label, subject: None, part: Some(part), face: None, detected: None, votes: None }
    });
    Ok(Dataset { path: place.root(path), classes: CLASSES.map(str::to_owned).to_vec(), samples: samples.collect() })
}

/// The data set of a list of RAF-DB as it is on Kaggle (`train_labels.csv`: `image,label`), whose pictures lie in folders of
/// their classes' numbers, `train/5/train_00001_aligned.jpg` or in `DATASET`. Others are left as they are.
pub(super) fn placed(mut data: Dataset) -> Dataset {
    let folder = data.path.parent().unwrap_or(Path::new("")).to_path_buf();
    let place = |sample: &Sample, class: &str| {
        let name = sample.file().file_name()?.to_str()?;
        let (part, _) = name.split_once('_').filter(|(part, _)| matches!(*part, "train" | "test"))?;
        let within = Path::new(part).join(class).join(name);
        let places = [folder.join(&within), folder.join("DATASET").join(&within)];
        Some((Part::named(part)?, places.into_iter().find(|place| place.is_file())?))
    };
    let Dataset { classes, samples, .. } = &data;
    let is_elsewhere = |sample: &Sample| !sample.file().is_file() && place(sample, &classes[sample.label]).is_some();
    if samples.first().is_some_and(is_elsewhere) {
        for sample in &mut data.samples {
            if let Some((part, file)) = place(sample, &data.classes[sample.label]) {
                (sample.part, sample.source) = (Some(part), Source::File(file.into()));
            }
        }
    }
    data
}

/// Where the pictures are.
struct Place {
    folder: PathBuf,
    /// Whether they are called `train_00001_aligned.jpg` there.
    aligned: bool,
}

impl Place {
    /// The first of the usual places that has one of these pictures.
    fn find<'a>(list: &Path, names: impl Iterator<Item = &'a str> + Clone) -> Result<Self> {
        let beside = list.parent().unwrap_or(Path::new(""));
        let above = beside.parent().unwrap_or(Path::new(".."));
        let folders = [
            beside.join("aligned"),
            beside.join("Image/aligned"),
            above.join("Image/aligned"),
            above.join("aligned"),
            beside.to_path_buf(),
            above.join("Image/original"),
        ];
        let places = folders
            .into_iter()
            .flat_map(|folder| [true, false].map(|aligned| Place { folder: folder.clone(), aligned }));
        let mut places = places.filter(|place| names.clone().any(|name| place.picture(name).is_file()));
        places.next().ok_or_else(|| {
            let reason =
                "none of the first pictures of the list is in the folder aligned, in Image/aligned or beside it";
            Error::data(list, reason)
        })
    }

    fn picture(&self, name: &str) -> PathBuf {
        match name.rsplit_once('.') {
            Some((stem, ending)) if self.aligned => self.folder.join(format!("{stem}_aligned.{ending}")),
            _ => self.folder.join(name),
        }
    }

    /// What names of samples are relative to: the list, or the folder above where the pictures are not below it.
    fn root(&self, list: &Path) -> PathBuf {
        let beside = list.parent().unwrap_or(Path::new(""));
        match beside.parent() {
            Some(above) if !self.folder.starts_with(beside) => above.to_path_buf(),
            _ => list.to_path_buf(),
        }
    }
}
