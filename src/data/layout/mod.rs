//! Which of the known layouts a data set has, and writing lists of one's own.

mod class_folders;
mod fer2013;
mod jaffe;
mod lines;
mod manifest;
mod manifest_csv;
mod manifest_json;
pub(super) mod pixel_row;
mod raf_db;
mod subject;
mod votes;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use self::class_folders::Listing;
use self::lines::{BYTE_ORDER_MARK, MAX_LINE, shortened};
use super::dataset::Dataset;
use super::sample::Source;
use crate::error::{Error, Result};
use crate::file::write_atomically;

/// Lists that say what their folder is, whatever else is in it.
const LISTS: [&str; 5] = ["manifest.csv", "manifest.json", "manifest.jsonl", "fer2013.csv", "icml_face_data.csv"];

impl Dataset {
    /// Opens a data set, a folder or a list. Its layout is recognised by its contents:
    ///
    /// - a folder with one sub-folder per class, named after it; every file in it that is not hidden is a picture.
    ///   Names of files like CK+'s (`S010_004_00000017.png`) or JAFFE's (`KA.AN1.39.tiff`) tell the subject;
    /// - a folder with such folders for its parts: `train/happy/…`, `test/happy/…`, `validation/happy/…`;
    /// - a folder of pictures named like JAFFE's;
    /// - FER2013's table of pixels (`emotion,pixels,Usage`), of which PublicTest is the part for validation;
    /// - RAF-DB's `list_patition_label.txt`, its pictures beside it or in `aligned`;
    /// - a manifest, paths relative to its folder: CSV with the columns `path` and `label` (and `subject`, `split`,
    ///   `face` or `x1`, `y1`, `x2`, `y2` where they are known), a JSON list of objects with such keys, or one object per
    ///   line. A face is a box in pixels, `x1 y1 x2 y2`. Columns of CSV may have other usual names (`filename`, `image`,
    ///   `emotion`, `expression`, `class`, `usage`), and semicolons or tabs between them;
    /// - a folder with one of these lists.
    ///
    /// No picture is opened here, and that a manifest's pictures exist is not checked.
    ///
    /// # Errors
    /// [`Error::Io`] if something cannot be read; [`Error::Line`] for a line of a list that is wrong; [`Error::Data`]
    /// if this is none of the layouts, or there are fewer than two classes or one without pictures.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_file() {
            return open_list(path);
        }
        let listing = Listing::of(path)?;
        if let Some(list) = raf_db::LISTS.iter().chain(&LISTS).map(|list| path.join(list)).find(|list| list.is_file()) {
            return in_folder(path, &list);
        }
        if let Some(parts) = listing.parts()? {
            return class_folders::open_parts(path, &parts);
        }
        if let Some(folder) = affectnet(&listing) {
            let reason = "looks like AffectNet: annotations in NumPy files beside the pictures are not read. Give a list \
                          instead, such as AffectNet's CSV with subDirectory_filePath and expression, or path and label";
            return Err(Error::data(&folder, reason));
        }
        if jaffe::is_jaffe(&listing) {
            return jaffe::open(path, &listing);
        }
        match only_list(&listing) {
            Some(list) if listing.folders.len() < 2 => in_folder(path, list),
            _ => class_folders::open_classes(path, &listing),
        }
    }

    /// Writes a list of the samples, which [`Dataset::open`] reads: a manifest as CSV, or FER2013's table if they are
    /// rows of one. It appears complete or not at all. Paths are relative to the list where the pictures lie in or
    /// below its folder, else absolute.
    ///
    /// ```
    /// use vultus::data::Dataset;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let list = folder.path().join("faces.csv");
    /// # std::fs::write(&list, "path,label\na.png,happy\nb.png,happy\nc.png,sad\n")?;
    /// let (faces, kept) = (Dataset::open(&list)?, folder.path().join("kept.csv"));
    /// faces.subset(&[0, 2]).write(&kept)?;
    /// assert_eq!(Dataset::open(&kept)?.names(), ["a.png", "c.png"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written; [`Error::Data`] if a path is not Unicode.
    pub fn write(&self, path: &Path) -> Result<()> {
        let rows = self.samples.iter().any(|sample| matches!(sample.source, Source::Row { .. }));
        write_atomically(path, |out| match rows {
            true => fer2013::write(self, out),
            false => manifest_csv::write(self, path, out),
        })
    }
}

/// A folder of AffectNet: `images` and `annotations` side by side, or a set with both.
fn affectnet(listing: &Listing) -> Option<PathBuf> {
    let is_set = |folder: &Path| folder.join("images").is_dir() && folder.join("annotations").is_dir();
    let sets = listing.folders.iter().flat_map(|folder| [folder.parent(), Some(folder.as_path())]).flatten();
    sets.into_iter().find(|folder| is_set(folder)).map(Path::to_path_buf)
}

/// The data set of a list in a folder, called after the folder.
fn in_folder(folder: &Path, list: &Path) -> Result<Dataset> {
    Ok(Dataset { path: folder.to_path_buf(), ..open_list(list)? })
}

fn only_list(listing: &Listing) -> Option<&PathBuf> {
    let is_list = |file: &&PathBuf| {
        file.extension().is_some_and(|ending| ["csv", "json", "jsonl"].iter().any(|known| ending == *known))
    };
    let mut lists = listing.files.iter().filter(is_list);
    lists.next().filter(|_| lists.next().is_none())
}

fn open_list(path: &Path) -> Result<Dataset> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|error| Error::io(path, error))?;
    file.take(MAX_LINE as u64).read_to_end(&mut start).map_err(|error| Error::io(path, error))?;
    let start = start.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&start).trim_ascii_start();
    let line = start.split(|&byte| byte == b'\n').next().unwrap_or_default().trim_ascii_end();
    let text = String::from_utf8_lossy(line);
    match start.first() {
        Some(b'[') => manifest_json::open_list(path),
        Some(b'{') => manifest_json::open_lines(path),
        _ if fer2013::is_header(line) => fer2013::open(path),
        _ if manifest_csv::is_header(line) => manifest_csv::open(path).map(raf_db::placed),
        _ if votes::is_header(line) => {
            let reason = "a table of votes, as FER+'s, has no pictures: open FER2013's table, and give this as --votes";
            Err(Error::data(path, reason))
        }
        _ if raf_db::is_line(&text) => raf_db::open(path),
        None => Err(Error::data(path, "the list is empty")),
        Some(_) => {
            let reason = format!(
                "begins with {}; a list has a header with path and label (or emotion and pixels), separated by commas, \
                 is JSON, or is RAF-DB's",
                shortened(&text)
            );
            Err(Error::line(path, 1, reason))
        }
    }
}
