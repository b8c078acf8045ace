//! Data sets as they lie on a disk: what is found in them.

use std::fs;
use std::path::Path;

use tempfile::TempDir;
use vultus::data::{Dataset, Part};
use vultus::image::RgbImage;

/// A folder with these files, each a small picture of its own.
fn pictures(files: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (number, file) in files.iter().enumerate() {
        let path = folder.path().join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let pixel = ::image::Rgb([number as u8, 0, 1]);
        let picture = RgbImage::from_fn(4, 3, |x, y| if (x, y) == (0, 0) { pixel } else { ::image::Rgb([9; 3]) });
        picture.save(&path).unwrap();
    }
    folder
}

fn refused(path: &Path) -> String {
    Dataset::open(path).unwrap_err().to_string()
}

#[test]
fn a_folder_per_class_tells_subjects_by_its_files_names() {
    let folder = pictures(&["sad/S010_004_00000017.png", "happy/S011_004_00000001.png", "happy/KA.HA1.3.tiff"]);
    fs::write(folder.path().join("happy/.hidden"), b"").unwrap();
    fs::write(folder.path().join("README.txt"), b"").unwrap();
    let set = Dataset::open(folder.path()).unwrap();
    assert_eq!(set.classes, ["happy", "sad"]);
    assert_eq!(set.names(), ["happy/KA.HA1.3.tiff", "happy/S011_004_00000001.png", "sad/S010_004_00000017.png"]);
    assert_eq!(set.labels(), [0, 0, 1]);
    let subjects: Vec<_> = set.samples.iter().map(|sample| sample.subject.as_deref()).collect();
    assert_eq!(subjects, [Some("KA"), Some("S011"), Some("S010")]);
    assert_eq!(set.subjects(), Some(3));
    assert!(set.samples.iter().all(|sample| sample.part.is_none() && sample.decode().unwrap().dimensions() == (4, 3)));
}

#[test]
fn a_folder_of_parts_tells_the_part_of_each_picture() {
    let files = ["train/happy/1.png", "train/sad/2.png", "test/happy/1.png", "test/calm/3.png", "Validation/sad/4.png"];
    let set = Dataset::open(pictures(&files).path()).unwrap();
    assert_eq!(set.classes, ["calm", "happy", "sad"]);
    let found: Vec<_> = set.samples.iter().map(|sample| (sample.name(&set.path), sample.label, sample.part)).collect();
    let named = |name: &str, label, part| (name.to_owned(), label, Some(part));
    assert_eq!(
        found,
        [
            named("test/calm/3.png", 0, Part::Test),
            named("test/happy/1.png", 1, Part::Test),
            named("train/happy/1.png", 1, Part::Train),
            named("Validation/sad/4.png", 2, Part::Validation),
            named("train/sad/2.png", 2, Part::Train),
        ]
    );
    assert_eq!(set.part(Part::Train), [2, 4]);
    // Two classes that happen to be called so are classes.
    let set = Dataset::open(pictures(&["train/1.png", "test/2.png"]).path()).unwrap();
    assert_eq!(set.classes, ["test", "train"]);
}

#[test]
fn folders_that_are_no_data_set_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(refused(&folder.path().join("missing")).contains("missing: "));
    assert!(refused(folder.path()).contains("has 0 sub-folders"));
    fs::create_dir(folder.path().join("happy")).unwrap();
    assert!(refused(folder.path()).contains("the class \"happy\" has no pictures"));
    fs::write(folder.path().join("happy/a.png"), b"").unwrap();
    assert!(refused(folder.path()).contains("has 1 sub-folders"));
    // Pictures deeper down would be missed without a word.
    fs::create_dir_all(folder.path().join("sad/more")).unwrap();
    assert!(refused(folder.path()).contains("more is a folder in a class's folder"));
}

#[cfg(target_os = "linux")]
#[test]
fn classes_whose_names_would_become_one_are_refused() {
    use std::os::unix::ffi::OsStrExt;

    let folder = tempfile::tempdir().unwrap();
    for name in [b"sad\xFE", b"sad\xFF"] {
        let class = folder.path().join(std::ffi::OsStr::from_bytes(name));
        fs::create_dir(&class).unwrap();
        fs::write(class.join("a.png"), b"").unwrap();
    }
    assert!(refused(folder.path()).contains("must be Unicode"));
}
