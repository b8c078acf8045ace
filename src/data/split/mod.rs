//! Data sets cut into parts, by picture or by subject.

mod by_subject;
mod file;
mod stratified;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::sample::Part;
use crate::error::{Error, Result};

/// How it is decided which sample goes into which part.
///
/// ```
/// use vultus::data::{Dataset, Protocol, Split};
///
/// # let folder = tempfile::tempdir()?;
/// # let list = folder.path().join("faces.csv");
/// # let lines: String = (0..20).map(|i| format!("{i}.png,{},{}\n", ["happy", "sad"][i % 2], i / 4)).collect();
/// # std::fs::write(&list, format!("path,label,subject\n{lines}"))?;
/// // 20 pictures of five people, who are happy in every other one.
/// let faces = Dataset::open(&list)?;
/// // Who is in the test part is in no other picture.
/// let split = Split::shares(&faces, Protocol::Subject, &[0.6, 0.4], 1)?;
/// let subjects = |part| faces.subset(split.part(part).unwrap()).subjects().unwrap();
/// assert_eq!(subjects("train") + subjects("test"), 5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// Each picture by itself. Where a person is in several pictures, the same person is in several parts, and a model
    /// that remembers people does better on the test part than on strangers.
    Random,
    /// Each person with all pictures.
    Subject,
    /// As the data set's authors did.
    Given,
}

/// A data set cut into parts. Every part has about its share of every class.
///
/// ```
/// use vultus::data::{Dataset, Protocol, SHARES, Split};
///
/// # let folder = tempfile::tempdir()?;
/// # let list = folder.path().join("faces.csv");
/// # let lines: String = (0..20).map(|i| format!("{i}.png,{},{}\n", ["happy", "sad"][i % 2], i / 4)).collect();
/// # std::fs::write(&list, format!("path,label,subject\n{lines}"))?;
/// // 20 pictures of five people, who are happy in every other one.
/// let faces = Dataset::open(&list)?;
/// let split = Split::shares(&faces, Protocol::Random, &SHARES, 1)?;
/// assert_eq!([&split.parts[0], &split.parts[1]].map(|part| part.samples.len()), [14, 6]);
/// // The same pictures, whatever order the data set has next time.
/// split.write(&faces, &folder.path().join("split.json"))?;
/// assert_eq!(Split::read(&folder.path().join("split.json"), &faces)?, split);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// How it was made.
    pub protocol: Protocol,
    /// The seed that it was made with.
    pub seed: u64,
    /// The parts; no sample is in two.
    pub parts: Vec<SplitPart>,
}

/// One part of a split.
///
/// ```
/// use vultus::data::{Dataset, Protocol, Split};
///
/// # let folder = tempfile::tempdir()?;
/// # let list = folder.path().join("faces.csv");
/// # let lines: String = (0..20).map(|i| format!("{i}.png,{},{}\n", ["happy", "sad"][i % 2], i / 4)).collect();
/// # std::fs::write(&list, format!("path,label,subject\n{lines}"))?;
/// // 20 pictures of five people, who are happy in every other one.
/// let faces = Dataset::open(&list)?;
/// let split = Split::folds(&faces, Protocol::Random, 5, 1)?;
/// for (place, fold) in split.parts.iter().enumerate() {
///     assert_eq!(fold.name, format!("fold{}", place + 1));
///     assert_eq!((split.all_but(place).len(), fold.samples.len()), (16, 4));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SplitPart {
    /// `train`, `validation`, `test`, or `fold1` and so on.
    pub name: String,
    /// The indices of its samples, sorted.
    pub samples: Vec<usize>,
}

/// The usual shares of training and test.
pub const SHARES: [f64; 2] = [0.7, 0.3];

impl Split {
    /// Cuts a data set into `train` and `test`, or `train`, `validation` and `test`, of these shares. The same seed
    /// gives the same parts.
    ///
    /// # Errors
    /// [`Error::Data`] for shares that are not two or three positive numbers with the sum 1, by subject where subjects
    /// are not known or fewer than parts, or as [`Split::given`] where that is the protocol.
    pub fn shares(dataset: &Dataset, protocol: Protocol, shares: &[f64], seed: u64) -> Result<Self> {
        let names = match shares.len() {
            2 => vec!["train", "test"],
            3 => vec!["train", "validation", "test"],
            number => {
                return Err(Error::data(&dataset.path, format!("cannot be split into {number} parts, only 2 or 3")));
            }
        };
        let sum: f64 = shares.iter().sum();
        if !shares.iter().all(|&share| share > 0.0) || (sum - 1.0).abs() > 1e-6 {
            let reason = format!("cannot be split into shares of {shares:?}: all must be above 0, and their sum 1");
            return Err(Error::data(&dataset.path, reason));
        }
        let shares: Vec<f64> = shares.iter().map(|share| share / sum).collect();
        let parts = match protocol {
            Protocol::Random => stratified::shares(&dataset.labels(), &shares, seed),
            Protocol::Subject => {
                by_subject::shares(&dataset.labels(), &enough_subjects(dataset, shares.len())?, &shares, seed)
            }
            Protocol::Given => return Split::given(dataset),
        };
        Ok(Split::new(protocol, seed, names.into_iter().map(str::to_owned).zip(parts)))
    }

    /// Keeps a share of some samples aside: what is left of them, and what is kept, each sorted. A share of 0 keeps
    /// nothing.
    ///
    /// ```
    /// use vultus::data::{Dataset, Protocol, Split};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// # let list = folder.path().join("faces.csv");
    /// # let lines: String = (0..20).map(|i| format!("{i}.png,{},{}\n", ["happy", "sad"][i % 2], i / 4)).collect();
    /// # std::fs::write(&list, format!("path,label,subject\n{lines}"))?;
    /// // 20 pictures of five people, who are happy in every other one.
    /// let faces = Dataset::open(&list)?;
    /// let all: Vec<usize> = (0..faces.samples.len()).collect();
    /// // Two of the five people are kept aside.
    /// let (rest, kept) = Split::hold_out(&faces, &all, Protocol::Subject, 0.4, 1)?;
    /// assert_eq!((faces.subset(&rest).subjects(), faces.subset(&kept).subjects()), (Some(3), Some(2)));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`Split::shares`].
    ///
    /// # Panics
    /// If there is no sample at an index.
    pub fn hold_out(
        dataset: &Dataset,
        samples: &[usize],
        protocol: Protocol,
        share: f64,
        seed: u64,
    ) -> Result<(Vec<usize>, Vec<usize>)> {
        if share == 0.0 {
            return Ok((samples.to_vec(), Vec::new()));
        }
        let split = Split::shares(&dataset.subset(samples), protocol, &[1.0 - share, share], seed)?;
        let numbers = |part: &SplitPart| part.samples.iter().map(|&place| samples[place]).collect();
        Ok((numbers(&split.parts[0]), numbers(&split.parts[1])))
    }

    /// Cuts a data set into this many parts of equal size, `fold1`, `fold2` …, each of which is to be the test part of
    /// a run of its own.
    ///
    /// # Errors
    /// [`Error::Data`] for fewer than two folds or more than samples, by subject where subjects are not known or fewer
    /// than folds, and for [`Protocol::Given`].
    pub fn folds(dataset: &Dataset, protocol: Protocol, folds: usize, seed: u64) -> Result<Self> {
        if folds < 2 || folds > dataset.samples.len() {
            let reason = format!("has {} samples, which cannot be split into {folds} folds", dataset.samples.len());
            return Err(Error::data(&dataset.path, reason));
        }
        let parts = match protocol {
            Protocol::Random => stratified::folds(&dataset.labels(), folds, seed),
            Protocol::Subject => {
                let shares = vec![1.0 / folds as f64; folds];
                by_subject::shares(&dataset.labels(), &enough_subjects(dataset, folds)?, &shares, seed)
            }
            Protocol::Given => return Err(Error::data(&dataset.path, "has parts, but no folds of its own")),
        };
        Ok(Split::new(protocol, seed, (1..=folds).map(|number| format!("fold{number}")).zip(parts)))
    }

    /// The parts that the data set's authors made; those without samples are left out.
    ///
    /// ```
    /// use vultus::data::{Dataset, Split};
    ///
    /// # let folder = tempfile::tempdir()?;
    /// let list = folder.path().join("faces.csv");
    /// std::fs::write(&list, "path,label,split\na.png,happy,train\nb.png,sad,train\nc.png,happy,test\n")?;
    /// let split = Split::given(&Dataset::open(&list)?)?;
    /// assert_eq!((split.part("train"), split.part("test")), (Some(&[0, 1][..]), Some(&[2][..])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Data`] if a sample is in none, or all are in the same.
    pub fn given(dataset: &Dataset) -> Result<Self> {
        let without = dataset.samples.iter().filter(|sample| sample.part.is_none()).count();
        if without > 0 {
            let reason =
                format!("does not say to which part {without} of its {} samples belong", dataset.samples.len());
            return Err(Error::data(&dataset.path, reason));
        }
        let parts = Part::ALL.map(|part| (part.name().to_owned(), dataset.part(part)));
        let split = Split::new(Protocol::Given, 0, parts.into_iter().filter(|(_, samples)| !samples.is_empty()));
        match split.parts.len() {
            0 | 1 => Err(Error::data(&dataset.path, "has only one part")),
            _ => Ok(split),
        }
    }

    fn new(protocol: Protocol, seed: u64, parts: impl Iterator<Item = (String, Vec<usize>)>) -> Self {
        Split { protocol, seed, parts: parts.map(|(name, samples)| SplitPart { name, samples }).collect() }
    }

    /// The samples of a part, if there is one of this name.
    pub fn part(&self, name: &str) -> Option<&[usize]> {
        self.parts.iter().find(|part| part.name == name).map(|part| part.samples.as_slice())
    }

    /// The samples of all parts but the one at this place, sorted: what to train on when that one is the test part.
    pub fn all_but(&self, place: usize) -> Vec<usize> {
        let others = self.parts.iter().enumerate().filter(|(number, _)| *number != place);
        let mut samples: Vec<usize> = others.flat_map(|(_, part)| part.samples.iter().copied()).collect();
        samples.sort_unstable();
        samples
    }
}

/// Each sample's subject, if all are known and there are enough for so many parts.
fn enough_subjects(dataset: &Dataset, parts: usize) -> Result<Vec<Arc<str>>> {
    let known = dataset.subjects();
    let subjects: Option<Vec<Arc<str>>> = dataset.samples.iter().map(|sample| sample.subject.clone()).collect();
    let Some((number, subjects)) = known.zip(subjects) else {
        let unknown = dataset.samples.iter().filter(|sample| sample.subject.is_none()).count();
        let reason =
            format!("cannot be split by subject: {unknown} of its {} samples have none", dataset.samples.len());
        return Err(Error::data(&dataset.path, reason));
    };
    if number < parts {
        return Err(Error::data(&dataset.path, format!("has {number} subjects, too few for {parts} parts")));
    }
    Ok(subjects)
}

#[cfg(feature = "baseline")]
/// The places of labels in two parts, each sorted: the first holds this share (0 to 1) of every class.
pub(crate) fn stratified_split(labels: &[usize], share: f64, seed: u64) -> (Vec<usize>, Vec<usize>) {
    if share <= 0.0 {
        return (Vec::new(), (0..labels.len()).collect());
    }
    let mut parts = stratified::shares(labels, &[share, 1.0 - share], seed);
    let rest = parts.pop().unwrap_or_default();
    (parts.pop().unwrap_or_default(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::dataset::tests::dataset;

    fn people() -> Dataset {
        let labels: Vec<usize> = (0..60).map(|index| index % 2).collect();
        let mut set = dataset(&["happy", "sad"], &labels);
        for (index, sample) in set.samples.iter_mut().enumerate() {
            sample.subject = Some(format!("S{}", index / 6).into());
        }
        set
    }

    #[test]
    fn parts_have_names_and_cover_everything() {
        let set = people();
        for protocol in [Protocol::Random, Protocol::Subject] {
            let split = Split::shares(&set, protocol, &SHARES, 1).unwrap();
            assert_eq!((split.part("train").unwrap().len(), split.part("test").unwrap().len()), (42, 18));
            assert_eq!(split.all_but(1), split.part("train").unwrap());
            assert_eq!(split.part("validation"), None);
            let folds = Split::folds(&set, protocol, 10, 1).unwrap();
            assert_eq!((folds.parts.len(), folds.parts[9].name.as_str()), (10, "fold10"));
            assert!(folds.parts.iter().all(|fold| fold.samples.len() == 6));
            assert_eq!(folds.all_but(3).len(), 54);
        }
        assert_eq!(
            Split::shares(&set, Protocol::Random, &[0.5, 0.25, 0.25], 1).unwrap().part("validation").unwrap().len(),
            15
        );
    }

    #[test]
    fn the_authors_parts_are_kept() {
        let mut set = people();
        let refused = |set: &Dataset| Split::given(set).unwrap_err().to_string();
        assert!(refused(&set).contains("to which part 60 of its 60 samples"));
        set.samples.iter_mut().for_each(|sample| sample.part = Some(Part::Train));
        assert!(refused(&set).contains("only one part"));
        set.samples[7].part = Some(Part::Test);
        let split = Split::given(&set).unwrap();
        assert_eq!((split.part("test").unwrap(), split.parts.len()), ([7].as_slice(), 2));
        assert_eq!(Split::shares(&set, Protocol::Given, &SHARES, 1).unwrap(), split);
    }

    #[test]
    fn splits_that_cannot_be_are_refused() {
        let set = people();
        let shares = |shares: &[f64]| Split::shares(&set, Protocol::Random, shares, 1).unwrap_err().to_string();
        for wrong in [vec![0.7, 0.2], vec![1.0, 0.0], vec![1.5, -0.5], vec![f64::NAN, 0.5], vec![f64::INFINITY, 0.1]] {
            assert!(shares(&wrong).contains("their sum 1"), "{}", shares(&wrong));
        }
        assert!(shares(&[1.0]).contains("into 1 parts"));
        let folds = |protocol, folds| Split::folds(&set, protocol, folds, 1).unwrap_err().to_string();
        assert!(folds(Protocol::Random, 1).contains("into 1 folds"));
        assert!(folds(Protocol::Random, 61).contains("has 60 samples"));
        assert!(folds(Protocol::Subject, 11).contains("has 10 subjects, too few for 11 parts"));
        assert!(folds(Protocol::Given, 5).contains("no folds of its own"));
        let mut set = people();
        set.samples[3].subject = None;
        let refused = Split::shares(&set, Protocol::Subject, &SHARES, 1).unwrap_err().to_string();
        assert!(refused.contains("cannot be split by subject: 1 of its 60 samples"), "{refused}");
    }
}
