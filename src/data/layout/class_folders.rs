//! A folder with one sub-folder per class, or with such a folder for each part (`train/happy/…`, `test/happy/…`).

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::subject::{self, Interned};
use crate::data::dataset::Dataset;
use crate::data::sample::{Part, Sample, Source};
use crate::error::{Error, Result};
use crate::image::pictures_in;

/// What file managers, archives and network drives leave in folders.
const LEFT_BEHIND: [&str; 6] = ["thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "__macosx", "@eadir"];

fn is_left_behind(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".") || LEFT_BEHIND.iter().any(|left| name.eq_ignore_ascii_case(left))
}

/// What a folder holds, without hidden entries and what systems leave behind, sorted. Links count as what they lead to.
pub(super) struct Listing {
    pub folders: Vec<PathBuf>,
    pub files: Vec<PathBuf>,
}

impl Listing {
    pub(super) fn of(folder: &Path) -> Result<Self> {
        let failed = |error| Error::io(folder, error);
        let mut listing = Listing { folders: Vec::new(), files: Vec::new() };
        for entry in fs::read_dir(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            if is_left_behind(&entry.file_name()) {
                continue;
            }
            let (path, kind) = (entry.path(), entry.file_type().map_err(failed)?);
            // What a link leads to may be gone: then it is a file that cannot be read.
            if kind.is_dir() || (kind.is_symlink() && path.is_dir()) {
                listing.folders.push(path);
            } else {
                listing.files.push(path);
            }
        }
        listing.folders.sort_unstable();
        listing.files.sort_unstable();
        Ok(listing)
    }

    /// The parts among the sub-folders, if they have folders in turn. What lies beside them must have no pictures then.
    pub(super) fn parts(&self) -> Result<Option<Vec<(PathBuf, Part)>>> {
        let part = |folder: &PathBuf| Part::named(folder.file_name()?.to_str()?);
        let parts: Vec<_> = self.folders.iter().filter_map(|folder| Some((folder.clone(), part(folder)?))).collect();
        let mut have_classes = false;
        for (folder, _) in &parts {
            have_classes |= !Listing::of(folder)?.folders.is_empty();
        }
        if !have_classes {
            return Ok(None);
        }
        for other in self.folders.iter().filter(|folder| part(folder).is_none()) {
            if !pictures_in(other)?.is_empty() {
                let reason =
                    "has pictures and lies beside folders of parts such as train: move it into one of them, or away";
                return Err(Error::data(other, reason));
            }
        }
        Ok(Some(parts))
    }
}

/// The data set of a folder that has these class folders.
pub(super) fn open_classes(folder: &Path, listing: &Listing) -> Result<Dataset> {
    let mut files = Files::default();
    files.add(&listing.folders, None)?;
    files.dataset(folder)
}

/// The data set of a folder whose sub-folders are these parts.
pub(super) fn open_parts(folder: &Path, parts: &[(PathBuf, Part)]) -> Result<Dataset> {
    let mut files = Files::default();
    for (path, part) in parts {
        files.add(&Listing::of(path)?.folders, Some(*part))?;
    }
    files.dataset(folder)
}

/// The files of each class, by its name.
#[derive(Default)]
struct Files {
    by_class: BTreeMap<String, Vec<(PathBuf, Option<Part>)>>,
}

impl Files {
    fn add(&mut self, folders: &[PathBuf], part: Option<Part>) -> Result<()> {
        for folder in folders {
            let name = folder.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| Error::data(folder, "the name of a class must be Unicode"))?;
            let listing = Listing::of(folder)?;
            if let Some(inner) = listing.folders.first() {
                let reason = format!(
                    "{} is a folder in a class's folder, where only pictures are read: move or remove it",
                    inner.display()
                );
                return Err(Error::data(folder, reason));
            }
            let of_class = self.by_class.entry(name.to_owned()).or_default();
            of_class.extend(listing.files.into_iter().map(|file| (file, part)));
        }
        Ok(())
    }

    fn dataset(self, folder: &Path) -> Result<Dataset> {
        if let Some((class, _)) = self.by_class.iter().find(|(_, files)| files.is_empty()) {
            return Err(Error::data(folder, format!("the class {class:?} has no pictures")));
        }
        if self.by_class.len() < 2 {
            let found = match self.by_class.keys().next() {
                Some(class) => format!("has pictures of one class only, {class:?}"),
                None => "has no sub-folders with pictures".to_owned(),
            };
            return Err(Error::data(
                folder,
                format!("{found}: a sub-folder for each of two classes or more is needed"),
            ));
        }
        let classes: Vec<String> = self.by_class.keys().cloned().collect();
        let mut subjects = Interned::default();
        let files = self.by_class.into_values().enumerate();
        let files = files.flat_map(|(label, files)| files.into_iter().map(move |(file, part)| (file, part, label)));
        let samples = files.map(|(file, part, label)| {
            let subject: Option<Arc<str>> = subject::of_file(&file).map(|name| subjects.get(name));
            Sample { source: Source::File(file.into()), label, subject, part, face: None, detected: None, votes: None }
        });
        let samples = samples.collect();
        Ok(Dataset { path: folder.to_path_buf(), classes, samples })
    }
}
