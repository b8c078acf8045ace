//! Where pictures with boxes drawn into them go.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use vultus::Error;
use vultus::face::{Answer, FaceExpression};
use vultus::image::{RgbImage, write_png};

use super::report::Found;
use super::shard::Shard;
use super::source::Source;
use crate::answer::annotate::{self, Mark};
use crate::cli::failure::Failure;

/// The file for each picture, in the order of the sources.
pub struct Annotations {
    files: Vec<PathBuf>,
}

impl Annotations {
    /// The files for a part of the pictures.
    pub fn part(self, shard: Shard) -> Self {
        Annotations { files: shard.part(self.files) }
    }

    /// Plans a file for each picture. For one picture, `out` is the file; for several or a folder of them, and where
    /// it is a folder already, it is the folder of the files, which is made if only itself is missing.
    pub fn plan(out: &Path, sources: &[Source], single: bool) -> Result<Self, Failure> {
        let files = if single && !out.is_dir() {
            if !out.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("png")) {
                let reason = "--annotate writes PNG: give the file the extension .png";
                return Err(Failure::Usage(format!("{}: {reason}", out.display())));
            }
            vec![out.to_path_buf()]
        } else {
            in_folder(out, sources)
        };
        let read: BTreeSet<PathBuf> = sources.iter().filter_map(place).collect();
        for file in &files {
            if file.canonicalize().is_ok_and(|file| read.contains(&file)) {
                let reason = "this is one of the pictures to read: name another place for --annotate";
                return Err(Failure::Usage(format!("{}: {reason}", file.display())));
            }
        }
        let is_folder = files.first().is_some_and(|file| file != out);
        prepare(out, is_folder)?;
        Ok(Annotations { files })
    }

    /// Draws what was found and writes the file of the picture with this number.
    pub fn write(&self, number: usize, mut image: RgbImage, found: &Found) -> Result<(), Error> {
        let marks: Vec<Mark> = found.analysis.faces.iter().map(mark).collect();
        annotate::draw(&mut image, &marks);
        self.files.get(number).map_or(Ok(()), |path| write_png(path, &image))
    }
}

fn mark(face: &FaceExpression) -> Mark {
    let Answer { class, probability, .. } = face.answer;
    let share = class.map_or(String::new(), |_| format!(" {:.0}%", 100.0 * probability));
    Mark { bounds: face.bounds, label: format!("{}{share}", face.expression), color: class }
}

/// The pictures' names in a folder. Those that are there already (`a.jpg` and `a.png`) get a number.
fn in_folder(folder: &Path, sources: &[Source]) -> Vec<PathBuf> {
    let mut taken = BTreeSet::new();
    let mut free = |source: &Source| {
        let first = source.annotated_name();
        let stem = first.file_stem().unwrap_or(OsStr::new("picture")).to_owned();
        let mut name = first;
        let mut number = 2;
        while !taken.insert(name.clone()) {
            let mut numbered = stem.clone();
            numbered.push(format!("-{number}.png"));
            name = numbered.into();
            number += 1;
        }
        folder.join(name)
    };
    sources.iter().map(&mut free).collect()
}

/// Where a picture really is.
fn place(source: &Source) -> Option<PathBuf> {
    if let Source::File(picture) = source { picture.canonicalize().ok() } else { None }
}

/// Finds out before any work whether there is a place for the files.
fn prepare(out: &Path, is_folder: bool) -> Result<(), Error> {
    let failed = |path: &Path, source| Error::Io { path: path.to_path_buf(), source };
    if is_folder {
        return if out.is_dir() { Ok(()) } else { fs::create_dir(out).map_err(|error| failed(out, error)) };
    }
    let parent = out.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::read_dir(parent).map(drop).map_err(|error| failed(parent, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_one_name_get_different_files() {
        let sources = ["x/a.jpg", "x/a.png", "y/a.webp", "y/b"].map(|path| Source::File(path.into()));
        let files = in_folder(Path::new("out"), &[sources.as_slice(), &[Source::Stdin]].concat());
        let wanted = ["out/a.png", "out/a-2.png", "out/a-3.png", "out/b.png", "out/stdin.png"];
        assert_eq!(files, wanted.map(PathBuf::from));
    }
}
