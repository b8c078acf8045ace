//! What to leave out before training.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::{Digest, Inspected};
use crate::data::dataset::Dataset;
use crate::data::sample::Part;

/// Samples to leave out before training, each in the first list that it fits. Indices, sorted.
///
/// ```
/// use vultus::data::{Dataset, inspect};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let faces = Dataset::open(folder.path())?;
/// let cleaning = inspect(&faces, |_| ()).clean(None);
/// // The same picture is labelled happy twice and sad once.
/// assert_eq!(cleaning.conflicting, [0, 1, 2]);
/// assert_eq!(faces.without(&cleaning.all()).names(), ["sad/2.png"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cleaning {
    /// Cannot be read, in any part.
    pub unreadable: Vec<usize>,
    /// For training or in no part, and equal to a picture that the model is chosen or tested on; or for validation, and
    /// equal to one that it is tested on.
    pub held_out: Vec<usize>,
    /// For training, and equal to another one with another label: which is right is not known.
    pub conflicting: Vec<usize>,
    /// For training, and equal to an earlier one with the same label.
    pub repeated: Vec<usize>,
    /// For training, and without anything to see.
    pub blank: Vec<usize>,
}

impl Cleaning {
    /// All of them, for [`Dataset::without`].
    pub fn all(&self) -> Vec<usize> {
        [&self.unreadable, &self.held_out, &self.conflicting, &self.repeated, &self.blank]
            .into_iter()
            .flatten()
            .copied()
            .collect()
    }
}

/// The training set without the pictures that are pixel for pixel in the set that the model is tested on.
///
/// ```
/// use vultus::data::{Dataset, dedup, inspect};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let inspected = inspect(&Dataset::open(folder.path())?, |_| ());
/// let (train, test) = (inspected.subset(&[1, 2, 3]), inspected.subset(&[0]));
/// assert_eq!(dedup(&train, &test).names(), ["sad/2.png"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn dedup(train: &Inspected, against: &Inspected) -> Dataset {
    train.dataset.without(&train.repeated_in(against))
}

impl Inspected {
    /// What to leave out before training. Nothing is taken from the test part but what cannot be read, so that results
    /// on it can be compared with others'; pictures of `against`, another data set to test on, count as held out.
    pub fn clean(&self, against: Option<&Inspected>) -> Cleaning {
        let elsewhere: HashSet<Digest> =
            against.map(|other| other.by_digest().into_keys().collect()).unwrap_or_default();
        let groups = self.by_digest();
        let mut cleaning = Cleaning::default();
        for index in 0..self.pictures.len() {
            let Some(content) = self.content(index) else {
                cleaning.unreadable.push(index);
                continue;
            };
            let stage = self.stage(index);
            if stage == Part::Test {
                continue;
            }
            let group = &groups[&content.digest];
            let equals: Vec<usize> = group.iter().copied().filter(|&other| self.stage(other) == stage).collect();
            if elsewhere.contains(&content.digest) || group.iter().any(|&other| self.stage(other) > stage) {
                cleaning.held_out.push(index);
            } else if stage == Part::Train && self.in_conflict(&equals) {
                cleaning.conflicting.push(index);
            } else if stage == Part::Train && equals[0] < index {
                cleaning.repeated.push(index);
            } else if stage == Part::Train && content.blank {
                cleaning.blank.push(index);
            }
        }
        cleaning
    }

    /// The part of a sample; what is in none is there to train on.
    fn stage(&self, index: usize) -> Part {
        self.dataset.samples[index].part.unwrap_or(Part::Train)
    }
}
