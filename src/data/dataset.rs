//! A data set: its classes and an index of its pictures.

use std::collections::HashSet;
use std::path::PathBuf;

use super::class_map::ClassMap;
use super::sample::{Part, Sample};
use crate::error::{Error, Result};

/// A data set of labelled pictures: an index, which holds no pixels.
///
/// ```
/// use vultus::data::{ClassMap, Dataset};
///
/// # let folder = tempfile::tempdir()?;
/// let list = folder.path().join("faces.csv");
/// std::fs::write(&list, "path,label,subject\na.png,anger,Ada\nb.png,joy,Ada\nc.png,joy,Ben\n")?;
/// let faces = Dataset::open(&list)?;
/// assert_eq!((faces.counts(), faces.subjects()), (vec![1, 2], Some(2)));
/// let renamed = faces.map_classes(&ClassMap::parse("angry=anger,happy=joy")?)?;
/// assert_eq!(renamed.classes, ["angry", "happy"]);
/// assert_eq!(renamed.without(&[1]).names(), ["a.png", "c.png"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// What it was opened from: a folder or a list.
    pub path: PathBuf,
    /// The names of its classes.
    pub classes: Vec<String>,
    /// Its pictures in an order that is the same each time.
    pub samples: Vec<Sample>,
}

impl Dataset {
    /// The class number of each sample.
    pub fn labels(&self) -> Vec<usize> {
        self.samples.iter().map(|sample| sample.label).collect()
    }

    /// How many samples each class has.
    pub fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.classes.len()];
        self.samples.iter().for_each(|sample| counts[sample.label] += 1);
        counts
    }

    /// How many people it shows, if it is known for every sample whom it shows. Where it is, a split of the pictures at
    /// random puts the same person on both sides.
    pub fn subjects(&self) -> Option<usize> {
        let subjects: Option<HashSet<&str>> = self.samples.iter().map(|sample| sample.subject.as_deref()).collect();
        subjects.map(|subjects| subjects.len()).filter(|&number| number > 0)
    }

    /// The indices of the samples that the data set's authors put into this part.
    pub fn part(&self, part: Part) -> Vec<usize> {
        (0..self.samples.len()).filter(|&index| self.samples[index].part == Some(part)).collect()
    }

    /// A short name for each sample, see [`Sample::name`].
    pub fn names(&self) -> Vec<String> {
        self.samples.iter().map(|sample| sample.name(&self.path)).collect()
    }

    /// The samples at these indices, in this order; an index may be given more than once.
    ///
    /// # Panics
    /// If there is no sample at an index.
    pub fn subset(&self, indices: &[usize]) -> Self {
        let samples = indices.iter().map(|&index| self.samples[index].clone()).collect();
        Dataset { path: self.path.clone(), classes: self.classes.clone(), samples }
    }

    /// All samples but those at these indices.
    pub fn without(&self, indices: &[usize]) -> Self {
        let dropped: HashSet<usize> = indices.iter().copied().collect();
        let kept: Vec<usize> = (0..self.samples.len()).filter(|index| !dropped.contains(index)).collect();
        self.subset(&kept)
    }

    /// The same samples with the class numbers of another list of classes; those of classes that are not in it are
    /// left out.
    ///
    /// ```
    /// use vultus::data::Dataset;
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let list = folder.path().join("faces.csv");
    /// # std::fs::write(&list, "path,label\na.png,anger\nb.png,happy\nc.png,sad\n")?;
    /// // As a model has them that does not know anger.
    /// let known = ["sad", "happy"].map(str::to_owned);
    /// let faces = Dataset::open(&list)?.with_classes(&known)?;
    /// assert_eq!((faces.names(), faces.labels()), (vec!["b.png".to_owned(), "c.png".to_owned()], vec![1, 0]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`] if no sample is left.
    pub fn with_classes(self, classes: &[String]) -> Result<Self> {
        let number = |class: &String| classes.iter().position(|name| name == class);
        let numbers: Vec<Option<usize>> = self.classes.iter().map(number).collect();
        let renumbered = |mut sample: Sample| {
            sample.label = numbers[sample.label]?;
            sample.votes = sample.votes.map(|votes| votes.renumbered(&numbers, classes.len()));
            Some(sample)
        };
        let samples: Vec<Sample> = self.samples.into_iter().filter_map(renumbered).collect();
        if samples.is_empty() {
            let reason = format!("its classes ({}) are none of {}", self.classes.join(", "), classes.join(", "));
            return Err(Error::data(&self.path, reason));
        }
        Ok(Dataset { path: self.path, classes: classes.to_vec(), samples })
    }

    /// The same samples with classes renamed from the data set's words to the model's. Those that a map of
    /// [`ClassMap::matching`] or [`ClassMap::unifying`] gives the same name become one class.
    ///
    /// # Errors
    /// [`Error::Classes`] if the map names a class that the data set does not have, or two classes would get the same
    /// name by a map of [`ClassMap::parse`].
    pub fn map_classes(self, map: &ClassMap) -> Result<Self> {
        let renamed = map.rename(&self.classes)?;
        let mut classes: Vec<String> = Vec::new();
        let mut numbers = Vec::new();
        for name in renamed {
            let known = classes.iter().position(|class| *class == name);
            numbers.push(known.unwrap_or(classes.len()));
            if known.is_none() {
                classes.push(name);
            }
        }
        let mut samples = self.samples;
        let places: Vec<Option<usize>> = numbers.iter().copied().map(Some).collect();
        for sample in &mut samples {
            sample.label = numbers[sample.label];
            sample.votes = sample.votes.take().map(|votes| votes.renumbered(&places, classes.len()));
        }
        Ok(Dataset { path: self.path, classes, samples })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::data::Source;

    /// Samples of these classes, which have no files.
    pub fn dataset(classes: &[&str], labels: &[usize]) -> Dataset {
        let sample = |(number, &label): (usize, &usize)| {
            let file = PathBuf::from(format!("set/{number}.png"));
            Sample {
                source: Source::File(file.into()),
                label,
                subject: None,
                part: None,
                face: None,
                detected: None,
                votes: None,
            }
        };
        Dataset {
            path: Path::new("set").to_path_buf(),
            classes: classes.iter().map(|&class| class.to_owned()).collect(),
            samples: labels.iter().enumerate().map(sample).collect(),
        }
    }

    #[test]
    fn samples_are_chosen_and_left_out_by_index() {
        let all = dataset(&["happy", "sad"], &[0, 1, 1, 0]);
        assert_eq!((all.counts(), all.labels()), (vec![2, 2], vec![0, 1, 1, 0]));
        assert_eq!(all.subset(&[3, 1, 1]).names(), ["3.png", "1.png", "1.png"]);
        assert_eq!(all.without(&[1, 2, 1]).names(), ["0.png", "3.png"]);
    }

    #[test]
    fn subjects_are_known_only_if_each_is() {
        let mut set = dataset(&["happy", "sad"], &[0, 1, 1]);
        assert_eq!(set.subjects(), None);
        for (sample, subject) in set.samples.iter_mut().zip(["ann", "bob", "ann"]) {
            sample.subject = Some(subject.into());
        }
        assert_eq!(set.subjects(), Some(2));
        set.samples[1].subject = None;
        assert_eq!(set.subjects(), None);
    }

    #[test]
    fn classes_of_one_name_become_one() {
        let set = dataset(&["Happy", "anger", "happy"], &[0, 1, 2, 0]);
        let map = ClassMap::unifying(&set.classes);
        let merged = set.map_classes(&map).unwrap();
        assert_eq!((merged.counts(), merged.labels()), (vec![3, 1], vec![0, 1, 0, 0]));
        assert_eq!(merged.classes, ["happy", "anger"]);
    }

    #[test]
    fn classes_are_renumbered_by_name() {
        let names = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        let set = dataset(&["anger", "happy", "contempt"], &[0, 1, 2, 1]);
        let renamed = set.clone().map_classes(&ClassMap::parse("angry=anger").unwrap()).unwrap();
        assert_eq!(renamed.classes, ["angry", "happy", "contempt"]);
        let model = renamed.with_classes(&names(&["happy", "sad", "angry"])).unwrap();
        assert_eq!((model.labels(), model.counts()), (vec![2, 0, 0], vec![2, 0, 1]));
        assert_eq!(model.names(), ["0.png", "1.png", "3.png"]);
        let refused = set.with_classes(&names(&["calm"])).unwrap_err().to_string();
        assert!(refused.contains("set: its classes (anger, happy, contempt) are none of calm"), "{refused}");
    }
}
