//! A folder with one sub-folder per class, as a plain list of files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::random::Random;

/// A folder with one sub-folder per class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFolder {
    /// The folder.
    pub folder: PathBuf,
    /// The classes: the names of the sub-folders, sorted.
    pub classes: Vec<String>,
    /// Every file of the sub-folders with the number of its class, by class and name.
    pub samples: Vec<(PathBuf, usize)>,
}

impl ImageFolder {
    /// Lists the files of a folder; hidden ones are passed over. They are not opened here.
    ///
    /// # Errors
    /// [`Error::Io`] if a folder cannot be read; [`Error::Data`] if there are fewer than two classes, one is empty, or
    /// its name is not Unicode.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut by_class = BTreeMap::new();
        for class in entries(folder)?.into_iter().filter(|path| path.is_dir()) {
            let files: Vec<PathBuf> = entries(&class)?.into_iter().filter(|path| path.is_file()).collect();
            let name = class.file_name().unwrap_or_default().to_str().map(str::to_owned);
            let name = name.ok_or_else(|| data(&class, "the name of a class must be Unicode".to_owned()))?;
            if files.is_empty() {
                return Err(data(folder, format!("the class {name:?} has no pictures")));
            }
            by_class.insert(name, files);
        }
        if by_class.len() < 2 {
            let reason = format!("has {} sub-folders with pictures; one for each class is needed", by_class.len());
            return Err(data(folder, reason));
        }
        let classes: Vec<String> = by_class.keys().cloned().collect();
        let samples = by_class.into_values().enumerate();
        let samples = samples.flat_map(|(class, files)| files.into_iter().map(move |file| (file, class))).collect();
        Ok(ImageFolder { folder: folder.to_path_buf(), classes, samples })
    }

    /// The same samples with the class numbers of another data set; classes that it does not have are left out.
    ///
    /// # Errors
    /// [`Error::Data`] if they have no class in common.
    pub fn with_classes(self, classes: &[String]) -> Result<Self> {
        let number = |class: usize| classes.iter().position(|name| *name == self.classes[class]);
        let samples: Vec<(PathBuf, usize)> =
            self.samples.iter().filter_map(|(path, class)| Some((path.clone(), number(*class)?))).collect();
        if samples.is_empty() {
            let reason = format!("its classes ({}) are none of {}", self.classes.join(", "), classes.join(", "));
            return Err(data(&self.folder, reason));
        }
        Ok(ImageFolder { folder: self.folder, classes: classes.to_vec(), samples })
    }
}

/// Indices of the labels, split at random into two parts, class by class: the first holds `fraction` of each class,
/// rounded, but never all of one. The same for the same seed.
pub fn stratified_split(labels: &[usize], fraction: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut by_class: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, &label) in labels.iter().enumerate() {
        by_class.entry(label).or_default().push(index);
    }
    let mut random = Random::new(seed);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for mut members in by_class.into_values() {
        random.shuffle(&mut members);
        let count = (members.len() as f64 * fraction.clamp(0.0, 1.0)).round() as usize;
        let count = count.min(members.len() - 1);
        first.extend_from_slice(&members[..count]);
        second.extend_from_slice(&members[count..]);
    }
    first.sort_unstable();
    second.sort_unstable();
    (first, second)
}

fn data(folder: &Path, reason: String) -> Error {
    Error::Data { folder: folder.to_path_buf(), reason }
}

/// What a folder holds, sorted, without hidden files.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        if !entry.file_name().to_string_lossy().starts_with('.') {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_keeps_the_shares_of_the_classes_and_every_sample() {
        let labels: Vec<usize> = (0..100).map(|i| usize::from(i % 4 == 0)).collect();
        let (first, second) = stratified_split(&labels, 0.2, 5);
        assert_eq!(first.iter().filter(|&&i| labels[i] == 1).count(), 5);
        assert_eq!(first.iter().filter(|&&i| labels[i] == 0).count(), 15);
        let mut all = [first.clone(), second].concat();
        all.sort_unstable();
        assert_eq!(all, (0..100).collect::<Vec<_>>());
        assert_eq!(stratified_split(&labels, 0.2, 5).0, first);
        assert_ne!(stratified_split(&labels, 0.2, 6).0, first);
        // A class of one sample keeps it for the second part, whatever the fraction.
        assert_eq!(stratified_split(&[0, 1, 1, 1], 0.9, 5).1.len(), 2);
        assert_eq!(stratified_split(&[0, 1, 1, 1], 0.9, 5).1[0], 0);
    }

    #[test]
    fn folders_without_two_classes_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let refused = |folder: &Path| ImageFolder::open(folder).unwrap_err().to_string();
        assert!(refused(folder.path()).contains("has 0 sub-folders"));
        std::fs::create_dir(folder.path().join("happy")).unwrap();
        assert!(refused(folder.path()).contains("\"happy\" has no pictures"));
        std::fs::write(folder.path().join("happy/a.png"), b"").unwrap();
        std::fs::write(folder.path().join("happy/.hidden"), b"").unwrap();
        assert!(refused(folder.path()).contains("has 1 sub-folders"));
        std::fs::create_dir(folder.path().join("sad")).unwrap();
        std::fs::write(folder.path().join("sad/b.png"), b"").unwrap();
        let found = ImageFolder::open(folder.path()).unwrap();
        assert_eq!(found.classes, ["happy", "sad"]);
        assert_eq!(found.samples.iter().map(|(_, class)| *class).collect::<Vec<_>>(), [0, 1]);
        let other = found.clone().with_classes(&["sad".into(), "angry".into()]).unwrap();
        assert_eq!(other.samples, [(folder.path().join("sad/b.png"), 0)]);
        assert!(found.with_classes(&["angry".into()]).is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn classes_whose_names_would_become_one_are_refused() {
        use std::os::unix::ffi::OsStrExt;

        let folder = tempfile::tempdir().unwrap();
        for name in [b"sad\xFE", b"sad\xFF"] {
            let class = folder.path().join(std::ffi::OsStr::from_bytes(name));
            std::fs::create_dir(&class).unwrap();
            std::fs::write(class.join("a.png"), b"").unwrap();
        }
        assert!(ImageFolder::open(folder.path()).unwrap_err().to_string().contains("must be Unicode"));
    }
}
