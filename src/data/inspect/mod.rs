//! What the pictures of a data set are: every one is decoded once, and only its size and a digest are kept.

mod clean;
mod summary;

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use ::image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::dataset::Dataset;
use super::sample::{Part, Sample};
use crate::error::Result;

pub use clean::{Cleaning, dedup};
pub use summary::{ClassCount, Duplicates, Inspection, PartLeakage, Sizes, Spread, Unreadable};

/// SHA-256 of a picture's size, pixels and face box.
type Digest = [u8; 32];

/// A data set whose pictures have all been decoded once.
///
/// ```
/// use vultus::data::{Dataset, inspect};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let inspected = inspect(&Dataset::open(folder.path())?, |_| ());
/// // happy/1.png, happy/2.png and sad/1.png show the same.
/// assert_eq!(inspected.duplicates(), [[0, 1, 2]]);
/// assert!(inspected.unreadable().is_empty() && inspected.blank().is_empty());
/// // What is in `sad` is looked for in `happy`.
/// assert_eq!(inspected.subset(&[2, 3]).repeated_in(&inspected.subset(&[0, 1])), [0]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Inspected {
    dataset: Dataset,
    pictures: Vec<Picture>,
}

/// What is kept of a picture.
#[derive(Clone, Debug)]
enum Picture {
    Readable(Content),
    /// Why it cannot be read.
    Unreadable(String),
}

#[derive(Clone, Copy, Debug)]
struct Content {
    digest: Digest,
    width: u32,
    height: u32,
    /// Whether every pixel's channels are equal.
    gray: bool,
    /// Whether all pixels are equal.
    blank: bool,
}

impl Content {
    fn of(sample: &Sample) -> Result<Self> {
        let picture = sample.decode()?;
        let (width, height) = picture.dimensions();
        let first = picture.pixels().next();
        Ok(Content {
            digest: digest(&picture, sample.face),
            width,
            height,
            gray: picture.pixels().all(|pixel| pixel[0] == pixel[1] && pixel[1] == pixel[2]),
            blank: picture.pixels().all(|pixel| Some(pixel) == first),
        })
    }
}

/// Pictures are equal if their sizes and pixels are, whatever file they come from. Two faces of one picture are not.
fn digest(picture: &RgbImage, face: Option<[f32; 4]>) -> Digest {
    let mut hash = Sha256::new();
    hash.update(picture.width().to_le_bytes());
    hash.update(picture.height().to_le_bytes());
    hash.update(picture.as_raw());
    face.iter().flatten().for_each(|number| hash.update(number.to_le_bytes()));
    hash.finalize().into()
}

/// Decodes all pictures of a data set, on all cores; at any time as many are in memory as there are threads. Those that
/// cannot be read are part of the result. `progress` hears how many are done, from any thread.
///
/// ```
/// use std::sync::atomic::{AtomicUsize, Ordering};
/// use vultus::data::{Dataset, inspect};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let looked_at = AtomicUsize::new(0);
/// let inspected = inspect(&Dataset::open(folder.path())?, |done| {
///     looked_at.fetch_max(done, Ordering::Relaxed);
/// });
/// assert_eq!((looked_at.into_inner(), inspected.dataset().samples.len()), (4, 4));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn inspect(dataset: &Dataset, progress: impl Fn(usize) + Sync) -> Inspected {
    let done = AtomicUsize::new(0);
    let look = |sample: &Sample| {
        let content = Content::of(sample);
        progress(done.fetch_add(1, Ordering::Relaxed) + 1);
        match content {
            Ok(content) => Picture::Readable(content),
            Err(error) => Picture::Unreadable(error.to_string()),
        }
    };
    Inspected { dataset: dataset.clone(), pictures: dataset.samples.par_iter().map(look).collect() }
}

impl Inspected {
    /// The data set.
    pub fn dataset(&self) -> &Dataset {
        &self.dataset
    }

    /// The same of the samples at these indices only.
    ///
    /// # Panics
    /// If there is no sample at an index.
    pub fn subset(&self, indices: &[usize]) -> Self {
        let pictures = indices.iter().map(|&index| self.pictures[index].clone()).collect();
        Inspected { dataset: self.dataset.subset(indices), pictures }
    }

    /// The indices of the samples that cannot be read.
    pub fn unreadable(&self) -> Vec<usize> {
        (0..self.pictures.len()).filter(|&index| self.content(index).is_none()).collect()
    }

    /// The indices of the samples whose pixels are all equal.
    pub fn blank(&self) -> Vec<usize> {
        (0..self.pictures.len()).filter(|&index| self.content(index).is_some_and(|content| content.blank)).collect()
    }

    /// Groups of samples whose pictures are pixel for pixel the same, two or more in each; groups and samples in the
    /// order of the data set.
    pub fn duplicates(&self) -> Vec<Vec<usize>> {
        let mut groups: Vec<Vec<usize>> = self.by_digest().into_values().filter(|group| group.len() > 1).collect();
        groups.sort_unstable();
        groups
    }

    /// The indices of the samples whose pictures are also in another data set.
    pub fn repeated_in(&self, other: &Inspected) -> Vec<usize> {
        let others = other.by_digest();
        let repeated = |index: &usize| self.content(*index).is_some_and(|own| others.contains_key(&own.digest));
        (0..self.pictures.len()).filter(repeated).collect()
    }

    fn content(&self, index: usize) -> Option<&Content> {
        match &self.pictures[index] {
            Picture::Readable(content) => Some(content),
            Picture::Unreadable(_) => None,
        }
    }

    fn class(&self, index: usize) -> &str {
        &self.dataset.classes[self.dataset.samples[index].label]
    }

    /// Whether samples of a group have different labels.
    fn in_conflict(&self, group: &[usize]) -> bool {
        group.iter().any(|&index| self.dataset.samples[index].label != self.dataset.samples[group[0]].label)
    }

    /// The indices of the readable samples with each digest, ascending.
    fn by_digest(&self) -> HashMap<Digest, Vec<usize>> {
        let mut groups: HashMap<Digest, Vec<usize>> = HashMap::new();
        for index in 0..self.pictures.len() {
            if let Some(content) = self.content(index) {
                groups.entry(content.digest).or_default().push(index);
            }
        }
        groups
    }

    fn found(&self, index: usize) -> Found {
        let sample = &self.dataset.samples[index];
        let (name, class) = (sample.name(&self.dataset.path), self.class(index).to_owned());
        Found { index, name, class, part: sample.part }
    }
}

/// A picture that something was found about.
///
/// ```
/// use vultus::data::{Found, Part};
///
/// let found = Found { index: 4, name: "happy/5.png".to_owned(), class: "happy".to_owned(), part: Some(Part::Test) };
/// let part = found.part.map_or("no part", Part::name);
/// assert_eq!(format!("{} ({part})", found.name), "happy/5.png (test)");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// Its index among the samples.
    pub index: usize,
    /// Its name, see [`Sample::name`].
    pub name: String,
    /// Its class.
    pub class: String,
    /// Its part, where it is known.
    pub part: Option<Part>,
}

/// Pictures that are in two sets of which one must not know the other.
///
/// ```
/// use vultus::data::{Dataset, inspect, leakage};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let inspected = inspect(&Dataset::open(folder.path())?, |_| ());
/// let leakage = leakage(&inspected.subset(&[2, 3]), &inspected.subset(&[0, 1]));
/// // One of the sad pictures is among the happy ones, as another class of course.
/// assert_eq!((leakage.pictures, leakage.other_class), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leakage {
    /// How many pictures of the first set are pixel for pixel in the second.
    pub pictures: usize,
    /// For how many of these a picture of the second set has another class.
    pub other_class: usize,
    /// These pictures.
    pub leaks: Vec<Leak>,
}

/// A picture that is in two sets.
///
/// ```
/// use vultus::data::{Found, Leak};
///
/// let found = |class: &str| Found { index: 0, name: format!("{class}/1.png"), class: class.to_owned(), part: None };
/// let leak = Leak { picture: found("sad"), twin: found("happy") };
/// let text = format!("{} is {} too", leak.picture.name, leak.twin.name);
/// assert_eq!(text, "sad/1.png is happy/1.png too");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leak {
    /// The picture in the first set.
    pub picture: Found,
    /// The same in the second set: one of another class if there is one, else the first.
    pub twin: Found,
}

/// The pictures of `a` that are pixel for pixel in `b`. Classes are compared by name.
///
/// ```
/// use vultus::data::{Dataset, inspect, leakage};
///
/// # let folder = tempfile::tempdir()?;
/// # for (name, shade) in [("happy/1.png", 90), ("happy/2.png", 90), ("sad/1.png", 90), ("sad/2.png", 40)] {
/// #     std::fs::create_dir_all(folder.path().join(name).parent().unwrap())?;
/// #     vultus::image::RgbImage::from_fn(8, 8, |x, _| [shade + x as u8; 3].into()).save(folder.path().join(name))?;
/// # }
/// let inspected = inspect(&Dataset::open(folder.path())?, |_| ());
/// for leak in leakage(&inspected.subset(&[3, 1]), &inspected.subset(&[0, 2])).leaks {
///     assert_eq!((leak.picture.name.as_str(), leak.twin.name.as_str()), ("happy/2.png", "sad/1.png"));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn leakage(a: &Inspected, b: &Inspected) -> Leakage {
    let in_b = b.by_digest();
    let leak = |index: usize| {
        let twins = in_b.get(&a.content(index)?.digest)?;
        let other = twins.iter().find(|&&twin| b.class(twin) != a.class(index));
        let twin = other.or(twins.first())?;
        Some(Leak { picture: a.found(index), twin: b.found(*twin) })
    };
    let leaks: Vec<Leak> = (0..a.pictures.len()).filter_map(leak).collect();
    let other_class = leaks.iter().filter(|leak| leak.picture.class != leak.twin.class).count();
    Leakage { pictures: leaks.len(), other_class, leaks }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::data::Source;
    use crate::data::dataset::tests::dataset;

    /// Samples with these values of their 2×2 gray pixels in the files of a folder; `None` is no picture.
    pub fn inspected(folder: &Path, pixels: &[Option<[u8; 4]>], labels: &[usize], parts: &[Option<Part>]) -> Inspected {
        let mut set = dataset(&["happy", "sad"], labels);
        set.path = folder.to_path_buf();
        for (index, (sample, pixels)) in set.samples.iter_mut().zip(pixels).enumerate() {
            let path = folder.join(format!("{index}.png"));
            match pixels {
                Some(pixels) => {
                    RgbImage::from_fn(2, 2, |x, y| ::image::Rgb([pixels[(2 * y + x) as usize]; 3]))
                        .save(&path)
                        .unwrap();
                }
                None => std::fs::write(&path, b"no picture").unwrap(),
            }
            sample.source = Source::File(path.into());
            sample.part = parts[index];
        }
        let done = AtomicUsize::new(0);
        let inspected = inspect(&set, |_| {
            done.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(done.into_inner(), labels.len());
        inspected
    }

    #[test]
    fn pictures_are_equal_by_size_pixels_and_box() {
        let base = RgbImage::from_raw(2, 3, (0..18).collect()).unwrap();
        let turned = RgbImage::from_raw(3, 2, (0..18).collect()).unwrap();
        let mut other = base.clone();
        other.get_pixel_mut(1, 2)[2] += 1;
        let face = Some([0.0, 0.0, 1.0, 1.0]);
        assert_eq!(digest(&base, None), digest(&base.clone(), None));
        for (picture, face) in [(&turned, None), (&other, None), (&base, face)] {
            assert_ne!(digest(&base, None), digest(picture, face));
        }
    }

    #[test]
    fn what_is_wrong_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b, blank) = (Some([1, 2, 3, 4]), Some([9, 9, 9, 8]), Some([7; 4]));
        let parts = [Part::Train, Part::Train, Part::Train, Part::Test, Part::Test, Part::Test, Part::Train];
        let set = inspected(folder.path(), &[a, b, None, a, blank, b, a], &[0, 1, 0, 1, 0, 1, 0], &parts.map(Some));
        assert_eq!((set.unreadable(), set.blank()), (vec![2], vec![4]));
        assert_eq!(set.duplicates(), [vec![0, 3, 6], vec![1, 5]]);
        let summary = set.summary();
        assert_eq!((summary.pictures, summary.readable, summary.conflicts), (7, 6, 1));
        assert_eq!(summary.duplicates.iter().map(|group| group.conflicting).collect::<Vec<_>>(), [true, false]);
        assert_eq!((summary.unreadable[0].picture.index, summary.blank[0].name.as_str()), (2, "4.png"));
        assert!(summary.unreadable[0].reason.contains("2.png: this is not a JPEG"));
        let sizes = summary.sizes.as_ref().unwrap();
        assert_eq!((sizes.width, sizes.gray, sizes.color), (Spread { min: 2, median: 2, max: 2 }, 6, 0));
        let [leaked] = summary.leakage.as_slice() else { panic!("{:?}", summary.leakage) };
        assert_eq!((leaked.part, leaked.within), (Part::Test, Part::Train));
        assert_eq!((leaked.leakage.pictures, leaked.leakage.other_class), (2, 1));
        assert_eq!(leaked.leakage.leaks[0].twin.name, "0.png");
        let again: Inspection = serde_json::from_str(&serde_json::to_string(&summary).unwrap()).unwrap();
        assert_eq!(again, summary);
    }

    #[test]
    fn two_sets_are_compared_by_pixels_and_names_of_classes() {
        let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
        let pictures = [Some([1, 2, 3, 4]), Some([5; 4]), None];
        let a = inspected(one.path(), &pictures, &[0, 1, 0], &[None; 3]);
        let mut b = inspected(two.path(), &[pictures[1], pictures[0], None], &[0, 1, 0], &[None; 3]);
        // What is called 0 there is called 1 here.
        b.dataset.classes = vec!["sad".to_owned(), "happy".to_owned()];
        let found = leakage(&a, &b);
        assert_eq!((found.pictures, found.other_class), (2, 0));
        b.dataset.classes.reverse();
        assert_eq!(leakage(&a, &b).other_class, 2);
        assert_eq!(a.repeated_in(&b), [0, 1]);
        assert_eq!(dedup(&a, &b).names(), ["2.png"]);
        assert_eq!(leakage(&a, &b.subset(&[2])), Leakage::default());
    }

    #[test]
    fn cleaning_takes_from_training_and_leaves_the_test_part_alone() {
        let folder = tempfile::tempdir().unwrap();
        let pictures: Vec<Option<[u8; 4]>> = vec![
            Some([1, 1, 1, 2]), // in the test part
            Some([2, 1, 1, 2]), // kept, once
            Some([2, 1, 1, 2]),
            Some([3, 1, 1, 2]), // with two classes
            Some([3, 1, 1, 2]),
            None,
            Some([4; 4]),       // blank
            Some([5, 1, 1, 2]), // in no part: to train on; the same in the validation part
            Some([1, 1, 1, 2]),
            Some([1, 1, 1, 2]),
            Some([5, 1, 1, 2]),
            Some([6; 4]),
            None,
        ];
        let labels = [0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1];
        let mut parts = [Some(Part::Train); 13];
        parts[7] = None;
        parts[8..].copy_from_slice(&[Part::Test, Part::Test, Part::Validation, Part::Test, Part::Test].map(Some));
        let set = inspected(folder.path(), &pictures, &labels, &parts);
        let cleaning = set.clean(None);
        let expected = Cleaning {
            unreadable: vec![5, 12],
            held_out: vec![0, 7],
            conflicting: vec![3, 4],
            repeated: vec![2],
            blank: vec![6],
        };
        assert_eq!(cleaning, expected);
        assert_eq!(set.dataset().without(&cleaning.all()).samples.len(), 5);
        let other = set.subset(&[1, 10]);
        assert_eq!(set.clean(Some(&other)).held_out, [0, 1, 2, 7, 10]);
    }
}
