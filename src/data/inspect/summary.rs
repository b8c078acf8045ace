//! All that was found about a data set, as plain data.

use serde::{Deserialize, Serialize};

use super::{Found, Inspected, Leakage, Picture, leakage};
use crate::data::sample::Part;

/// What is in a data set.
///
/// ```
/// use vultus::data::{Dataset, inspect};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let found = inspect(&Dataset::open(folder.path())?, |_| ()).summary();
/// assert_eq!((found.pictures, found.readable, found.subjects), (4, 4, None));
/// assert_eq!((found.duplicates.len(), found.conflicts), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Inspection {
    /// Its path.
    pub path: String,
    /// How many pictures it has, readable or not.
    pub pictures: usize,
    /// How many can be read.
    pub readable: usize,
    /// How many pictures each class has, readable or not.
    pub classes: Vec<ClassCount>,
    /// How many people it shows, if that is known for every picture.
    pub subjects: Option<usize>,
    /// For how many pictures the person is known.
    pub with_subject: usize,
    /// For how many pictures the face's box is given.
    pub with_face: usize,
    /// The sizes of the readable pictures, if there are any.
    pub sizes: Option<Sizes>,
    /// The pictures that cannot be read.
    pub unreadable: Vec<Unreadable>,
    /// The pictures whose pixels are all equal.
    pub blank: Vec<Found>,
    /// Groups of pictures that are pixel for pixel the same.
    pub duplicates: Vec<Duplicates>,
    /// How many of these groups have more than one label.
    pub conflicts: usize,
    /// Pictures of a part that are also in a part before it; only pairs of parts for which there are some.
    pub leakage: Vec<PartLeakage>,
}

/// How many pictures a class has.
///
/// ```
/// use vultus::data::ClassCount;
///
/// let count = ClassCount { class: "happy".to_owned(), pictures: 10, train: 6, validation: 1, test: 2 };
/// // One picture is in no part.
/// assert_eq!(count.pictures - count.train - count.validation - count.test, 1);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassCount {
    /// The class.
    pub class: String,
    /// All its pictures.
    pub pictures: usize,
    /// Those for training.
    pub train: usize,
    /// Those for validation.
    pub validation: usize,
    /// Those for testing.
    pub test: usize,
}

/// The sizes of pictures, in pixels.
///
/// ```
/// use vultus::data::{Dataset, inspect};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let sizes = inspect(&Dataset::open(folder.path())?, |_| ()).summary().sizes.expect("all can be read");
/// assert_eq!((sizes.width.max, sizes.height.max, sizes.gray, sizes.color), (8, 8, 4, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sizes {
    /// Their widths.
    pub width: Spread,
    /// Their heights.
    pub height: Spread,
    /// How many are gray: all channels are equal in every pixel.
    pub gray: usize,
    /// How many are not.
    pub color: usize,
}

/// The smallest, the middle and the largest of some numbers. Of an even count, the middle is the lower of the two.
///
/// ```
/// use vultus::data::Spread;
///
/// let width = Spread { min: 48, median: 48, max: 640 };
/// assert!(width.min < width.max, "all pictures are {} pixels wide", width.median);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Spread {
    pub min: u32,
    pub median: u32,
    pub max: u32,
}

impl Spread {
    fn of(mut numbers: Vec<u32>) -> Option<Self> {
        numbers.sort_unstable();
        let (min, max) = (*numbers.first()?, *numbers.last()?);
        Some(Spread { min, median: numbers[(numbers.len() - 1) / 2], max })
    }
}

/// A picture that cannot be read.
///
/// ```
/// use vultus::data::{Dataset, inspect};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// std::fs::write(folder.path().join("sad/3.png"), "no picture")?;
/// let unreadable = inspect(&Dataset::open(folder.path())?, |_| ()).summary().unreadable;
/// assert_eq!(unreadable[0].picture.name, "sad/3.png");
/// assert!(unreadable[0].reason.contains("this is not a JPEG, PNG"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unreadable {
    /// Which.
    pub picture: Found,
    /// Why.
    pub reason: String,
}

/// Pictures that are pixel for pixel the same.
///
/// ```
/// use vultus::data::{Dataset, inspect};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let duplicates = inspect(&Dataset::open(folder.path())?, |_| ()).summary().duplicates;
/// let names: Vec<&str> = duplicates[0].pictures.iter().map(|found| found.name.as_str()).collect();
/// assert_eq!(names, ["happy/1.png", "happy/2.png", "sad/1.png"]);
/// assert!(duplicates[0].conflicting);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Duplicates {
    /// Two or more.
    pub pictures: Vec<Found>,
    /// Whether they have different labels.
    pub conflicting: bool,
}

/// Pictures of one part that are also in another.
///
/// ```
/// use vultus::data::{Dataset, Part, inspect};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let mut faces = Dataset::open(folder.path())?;
/// faces.samples[0].part = Some(Part::Test);
/// faces.samples[1].part = Some(Part::Train);
/// let leakage = &inspect(&faces, |_| ()).summary().leakage[0];
/// assert_eq!((leakage.part, leakage.within, leakage.leakage.pictures), (Part::Test, Part::Train, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLeakage {
    /// The part whose pictures are looked for.
    pub part: Part,
    /// The part that they are found in.
    pub within: Part,
    /// What is found.
    pub leakage: Leakage,
}

impl Inspected {
    /// All that was found.
    pub fn summary(&self) -> Inspection {
        let set = &self.dataset;
        let duplicates: Vec<Duplicates> = self.duplicates().into_iter().map(|group| self.group(&group)).collect();
        let unreadable = self.pictures.iter().enumerate().filter_map(|(index, picture)| match picture {
            Picture::Unreadable(reason) => Some(Unreadable { picture: self.found(index), reason: reason.clone() }),
            Picture::Readable(_) => None,
        });
        let unreadable: Vec<Unreadable> = unreadable.collect();
        Inspection {
            path: set.path.display().to_string(),
            pictures: set.samples.len(),
            readable: set.samples.len() - unreadable.len(),
            classes: self.class_counts(),
            subjects: set.subjects(),
            with_subject: set.samples.iter().filter(|sample| sample.subject.is_some()).count(),
            with_face: set.samples.iter().filter(|sample| sample.face.is_some()).count(),
            sizes: self.sizes(),
            unreadable,
            blank: self.blank().into_iter().map(|index| self.found(index)).collect(),
            conflicts: duplicates.iter().filter(|group| group.conflicting).count(),
            duplicates,
            leakage: self.leakage_of_parts(),
        }
    }

    fn group(&self, group: &[usize]) -> Duplicates {
        let pictures = group.iter().map(|&index| self.found(index)).collect();
        Duplicates { pictures, conflicting: self.in_conflict(group) }
    }

    fn class_counts(&self) -> Vec<ClassCount> {
        let empty = |class: &String| ClassCount { class: class.clone(), pictures: 0, train: 0, validation: 0, test: 0 };
        let mut counts: Vec<ClassCount> = self.dataset.classes.iter().map(empty).collect();
        for sample in &self.dataset.samples {
            let count = &mut counts[sample.label];
            count.pictures += 1;
            match sample.part {
                Some(Part::Train) => count.train += 1,
                Some(Part::Validation) => count.validation += 1,
                Some(Part::Test) => count.test += 1,
                None => {}
            }
        }
        counts
    }

    fn sizes(&self) -> Option<Sizes> {
        let contents: Vec<_> = (0..self.pictures.len()).filter_map(|index| self.content(index)).collect();
        let gray = contents.iter().filter(|content| content.gray).count();
        Some(Sizes {
            width: Spread::of(contents.iter().map(|content| content.width).collect())?,
            height: Spread::of(contents.iter().map(|content| content.height).collect())?,
            gray,
            color: contents.len() - gray,
        })
    }

    fn leakage_of_parts(&self) -> Vec<PartLeakage> {
        let indices = Part::ALL.map(|part| self.dataset.part(part));
        let parts = indices.each_ref().map(|indices| self.subset(indices));
        let pairs = [(Part::Validation, Part::Train), (Part::Test, Part::Train), (Part::Test, Part::Validation)];
        let found = pairs.map(|(part, within)| {
            let (first, second) = (part as usize, within as usize);
            let mut leakage = leakage(&parts[first], &parts[second]);
            for leak in &mut leakage.leaks {
                leak.picture.index = indices[first][leak.picture.index];
                leak.twin.index = indices[second][leak.twin.index];
            }
            PartLeakage { part, within, leakage }
        });
        found.into_iter().filter(|found| found.leakage.pictures > 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_of_numbers_is_one_of_them() {
        assert_eq!(Spread::of(vec![5, 1, 9]), Some(Spread { min: 1, median: 5, max: 9 }));
        assert_eq!(Spread::of(vec![4, 1, 9, 2]), Some(Spread { min: 1, median: 2, max: 9 }));
        assert_eq!(Spread::of(Vec::new()), None);
    }
}
