//! One labelled picture of a data set: where it is and what is known of it.

use std::path::Path;
use std::sync::Arc;

use ::image::RgbImage;
use serde::{Deserialize, Serialize};

use super::votes::Votes;
use crate::error::{Error, Result};
use crate::image::decode_file;
use crate::prepare::face::Face;

/// One labelled picture. It is not held in memory; [`Sample::decode`] reads it. Copies are cheap: paths and names of
/// subjects are shared.
///
/// ```
/// use std::path::Path;
/// use vultus::data::{Sample, Source};
///
/// let source = Source::File(Path::new("faces/happy/crowd.png").into());
/// let face = Some([10.0, 12.0, 58.0, 60.0]);
/// let sample = Sample { source, label: 0, subject: None, part: None, face, detected: None, votes: None };
/// assert_eq!(sample.name(Path::new("faces")), "happy/crowd.png#10,12,58,60");
/// // Nothing is read before it is asked for, and there is no such file.
/// assert!(sample.decode().is_err());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Where the picture is.
    pub source: Source,
    /// The number of its class in [`crate::data::Dataset::classes`].
    pub label: usize,
    /// Whom it shows, where that is known.
    pub subject: Option<Arc<str>>,
    /// The part of the data set that its authors put it in, where they did.
    pub part: Option<Part>,
    /// The face's box where it is given: x1, y1, x2, y2 in pixels of the upright picture. Without one the picture is
    /// whole.
    pub face: Option<[f32; 4]>,
    /// The face as a detector found it, where one was asked. It is not a part of the sample's name.
    pub detected: Option<Face>,
    /// What several people said of it, where they were asked: votes for each of the data set's classes.
    pub votes: Option<Votes>,
}

/// Where a picture is.
///
/// ```
/// use std::path::Path;
/// use vultus::data::{Sample, Source};
///
/// let source = Source::Row { file: Path::new("fer2013.csv").into(), offset: 96_004, line: 17, column: 1 };
/// let sample = Sample { source, label: 3, subject: None, part: None, face: None, detected: None, votes: None };
/// assert_eq!(sample.name(Path::new("fer2013.csv")), "fer2013.csv:17");
/// assert_eq!(sample.file(), Path::new("fer2013.csv"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A file of its own.
    File(Arc<Path>),
    /// A row of a table of pixels, as FER2013's CSV.
    Row {
        /// The table.
        file: Arc<Path>,
        /// The byte at which the row begins.
        offset: u64,
        /// The row's line, counted from 1.
        line: u32,
        /// The column of the pixels, counted from 0.
        column: u8,
    },
}

/// What a picture is for.
///
/// ```
/// use vultus::data::Part;
///
/// assert_eq!(Part::named("PublicTest"), Some(Part::Validation));
/// assert_eq!(Part::ALL.map(Part::name), ["train", "validation", "test"]);
/// // They are in the order in which they are used.
/// assert!(Part::Train < Part::Test);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Training.
    Train,
    /// Choosing between models while training.
    Validation,
    /// Saying how good the chosen one is.
    Test,
}

impl Part {
    /// All parts.
    pub const ALL: [Part; 3] = [Part::Train, Part::Validation, Part::Test];

    /// `train`, `validation` or `test`.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Validation => "validation",
            Part::Test => "test",
        }
    }

    /// The part of this name in any case, or of one that is usual for it: `training`, `val`, `valid`, `testing`, and
    /// FER2013's `PublicTest` (validation) and `PrivateTest` (test).
    pub fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "train" | "training" => Some(Part::Train),
            "val" | "valid" | "validation" | "publictest" => Some(Part::Validation),
            "test" | "testing" | "privatetest" => Some(Part::Test),
            _ => None,
        }
    }
}

/// Endings of lists: what such a file names is found beside it.
const LISTS: [&str; 4] = ["csv", "json", "jsonl", "txt"];

impl Sample {
    /// Reads the picture: upright 8-bit RGB. A row of gray pixels is put into all three channels.
    ///
    /// # Errors
    /// As [`decode_file`]; [`Error::Line`] for a row without the right number of pixels; [`Error::Image`] if the face's
    /// box lies outside of the picture.
    pub fn decode(&self) -> Result<RgbImage> {
        let picture = match &self.source {
            Source::File(file) => decode_file(file)?,
            Source::Row { file, offset, line, column } => {
                super::layout::pixel_row::decode(file, *offset, *line, *column)?
            }
        };
        let (width, height) = picture.dimensions();
        if let Some([x1, y1, x2, y2]) = self.face
            && !(x1 < width as f32 && y1 < height as f32 && x2 > 0.0 && y2 > 0.0)
        {
            let reason = format!("the box {x1} {y1} {x2} {y2} lies outside of the picture of {width}×{height}");
            return Err(Error::Image { file: self.file().to_path_buf(), reason });
        }
        Ok(picture)
    }

    /// The file that holds the picture.
    pub fn file(&self) -> &Path {
        match &self.source {
            Source::File(file) | Source::Row { file, .. } => file,
        }
    }

    /// A short name, the same wherever the data set lies: the file's path within `root` (a folder, or a list whose
    /// folder is meant) with `/` between folders; with a row's line (`fer2013.csv:17`) and a face's box
    /// (`crowd.jpg#10,12,58,60`) where there is one. No two samples of a data set have the same, unless their paths
    /// are not Unicode.
    pub fn name(&self, root: &Path) -> String {
        let is_list = root.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| LISTS.contains(&ending));
        let folder = if is_list { root.parent().unwrap_or(root) } else { root };
        let file = self.file();
        let within = file.strip_prefix(folder).unwrap_or(file);
        let mut name = within.to_string_lossy().into_owned();
        if std::path::MAIN_SEPARATOR != '/' {
            name = name.replace(std::path::MAIN_SEPARATOR, "/");
        }
        if let Source::Row { line, .. } = self.source {
            name += &format!(":{line}");
        }
        if let Some([x1, y1, x2, y2]) = self.face {
            name += &format!("#{x1},{y1},{x2},{y2}");
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(source: Source) -> Sample {
        Sample { source, label: 0, subject: None, part: None, face: None, detected: None, votes: None }
    }

    #[test]
    fn names_are_short_and_tell_samples_apart() {
        let mut file = sample(Source::File(Path::new("/sets/faces/happy/a.png").into()));
        assert_eq!(file.name(Path::new("/sets/faces")), "happy/a.png");
        assert_eq!(file.name(Path::new("/sets/faces/")), "happy/a.png");
        assert_eq!(file.name(Path::new("/sets/faces/list.csv")), "happy/a.png");
        assert_eq!(file.name(Path::new("/elsewhere")), "/sets/faces/happy/a.png");
        file.face = Some([1.0, 2.5, 30.0, 40.0]);
        assert_eq!(file.name(Path::new("/sets/faces")), "happy/a.png#1,2.5,30,40");
        let row = |line| sample(Source::Row { file: Path::new("fer2013.csv").into(), offset: 5, line, column: 1 });
        assert_eq!(row(17).name(Path::new("fer2013.csv")), "fer2013.csv:17");
        assert_ne!(row(17).name(Path::new("fer2013.csv")), row(18).name(Path::new("fer2013.csv")));
    }

    #[test]
    fn a_box_beside_the_picture_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png");
        RgbImage::new(20, 10).save(&path).unwrap();
        let mut boxed = sample(Source::File(path.as_path().into()));
        boxed.face = Some([-3.0, -3.0, 1.0, 1.0]);
        assert_eq!(boxed.decode().unwrap().dimensions(), (20, 10));
        for outside in [[20.0, 0.0, 30.0, 5.0], [0.0, 10.0, 5.0, 12.0], [-5.0, 0.0, 0.0, 5.0], [0.0, -5.0, 5.0, 0.0]] {
            boxed.face = Some(outside);
            assert!(boxed.decode().unwrap_err().to_string().contains("outside of the picture of 20×10"));
        }
    }

    #[test]
    fn parts_have_the_names_that_data_sets_use() {
        for part in Part::ALL {
            assert_eq!(Part::named(part.name()), Some(part));
        }
        assert_eq!(Part::named("PublicTest"), Some(Part::Validation));
        assert_eq!(Part::named("PrivateTest"), Some(Part::Test));
        assert_eq!(Part::named("Training"), Some(Part::Train));
        assert_eq!(Part::named("happy"), None);
    }
}
