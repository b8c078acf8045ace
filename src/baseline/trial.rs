//! A method's answers for faces that it has not seen: one split of a data set, or one data set after another.

use std::collections::BTreeMap;
use std::sync::Arc;

use image::{GrayImage, Luma};
use rayon::prelude::*;

use super::{Examples, Method, Settings, Summary, train};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::metrics::Predictions;
use crate::train::Pictures;

/// The gray faces of a data set, decoded once: a byte for each pixel. All methods and splits share them.
///
/// ```
/// use vultus::baseline::Faces;
/// use vultus::data::Dataset;
/// use vultus::ops::Normalization;
/// use vultus::prepare::{Augmentation, Preparation};
/// use vultus::train::Pictures;
///
/// # let folder = tempfile::tempdir()?;
/// # for i in 0..24 {
/// #     let class = folder.path().join(["across", "down"][i % 2]);
/// #     std::fs::create_dir_all(&class)?;
/// #     let shade = |x: u32, y: u32| if ([y, x][i % 2] as usize + i / 2) % 6 < 3 { 60 } else { 180 };
/// #     let picture = vultus::image::RgbImage::from_fn(48, 48, |x, y| [shade(x, y); 3].into());
/// #     picture.save(class.join(format!("{i}.png")))?;
/// # }
/// let pictures = Pictures {
///     data: &Dataset::open(folder.path())?,
///     input: 48,
///     normalization: Normalization::TORCHVISION,
///     preparation: Preparation::default(),
///     augmentation: Augmentation::none(),
///     alignment: None,
///     margin: 1.0,
/// };
/// let faces = Faces::load(&pictures);
/// assert_eq!(faces.classes, ["across", "down"]);
/// assert!(faces.unreadable.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Faces {
    /// The names of the classes.
    pub classes: Vec<String>,
    /// Why samples could not be read, by their indices. They are left out of every trial.
    pub unreadable: BTreeMap<usize, Error>,
    faces: BTreeMap<usize, GrayImage>,
    labels: Vec<usize>,
    /// Whom each sample shows, if that is known for all.
    subjects: Option<Vec<Arc<str>>>,
}

/// What a method answered.
///
/// ```
/// use vultus::baseline::{Faces, FeatureKind, Method, Selection, Settings, SvmKind, evaluate};
/// use vultus::data::Dataset;
/// use vultus::metrics::Evaluation;
/// use vultus::ops::Normalization;
/// use vultus::prepare::{Augmentation, Preparation};
/// use vultus::train::Pictures;
///
/// # let folder = tempfile::tempdir()?;
/// # for i in 0..24 {
/// #     let class = folder.path().join(["across", "down"][i % 2]);
/// #     std::fs::create_dir_all(&class)?;
/// #     let shade = |x: u32, y: u32| if ([y, x][i % 2] as usize + i / 2) % 6 < 3 { 60 } else { 180 };
/// #     let picture = vultus::image::RgbImage::from_fn(48, 48, |x, y| [shade(x, y); 3].into());
/// #     picture.save(class.join(format!("{i}.png")))?;
/// # }
/// let pictures = Pictures {
///     data: &Dataset::open(folder.path())?,
///     input: 48,
///     normalization: Normalization::TORCHVISION,
///     preparation: Preparation::default(),
///     augmentation: Augmentation::none(),
///     alignment: None,
///     margin: 1.0,
/// };
/// let (faces, training, test) = (Faces::load(&pictures), (0..20).collect::<Vec<_>>(), [20, 21, 22, 23]);
/// let select = |indices| Selection { faces: &faces, indices };
/// let method = Method { features: FeatureKind::Hog, svm: SvmKind::Linear };
/// let trial = evaluate(method, select(&training), select(&test), &Settings::default())?;
/// assert_eq!(trial.tested, test);
/// println!("{:.2} of {}", Evaluation::new(&trial.predictions, 1, 0)?.accuracy, trial.summary.method);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Trial {
    /// The answers and the truth.
    pub predictions: Predictions,
    /// The index of each answer's sample.
    pub tested: Vec<usize>,
    /// What became of the training.
    pub summary: Summary,
}

/// Faces that take part, and which of them.
///
/// ```
/// use vultus::baseline::{Faces, Selection};
/// use vultus::data::{Dataset, Protocol, SHARES, Split};
/// use vultus::ops::Normalization;
/// use vultus::prepare::{Augmentation, Preparation};
/// use vultus::train::Pictures;
///
/// # let folder = tempfile::tempdir()?;
/// # for i in 0..24 {
/// #     let class = folder.path().join(["across", "down"][i % 2]);
/// #     std::fs::create_dir_all(&class)?;
/// #     let shade = |x: u32, y: u32| if ([y, x][i % 2] as usize + i / 2) % 6 < 3 { 60 } else { 180 };
/// #     let picture = vultus::image::RgbImage::from_fn(48, 48, |x, y| [shade(x, y); 3].into());
/// #     picture.save(class.join(format!("{i}.png")))?;
/// # }
/// let pictures = Pictures {
///     data: &Dataset::open(folder.path())?,
///     input: 48,
///     normalization: Normalization::TORCHVISION,
///     preparation: Preparation::default(),
///     augmentation: Augmentation::none(),
///     alignment: None,
///     margin: 1.0,
/// };
/// let split = Split::shares(pictures.data, Protocol::Random, &SHARES, 1)?;
/// let faces = Faces::load(&pictures);
/// let training = Selection { faces: &faces, indices: split.part("train").expect("shares have one") };
/// assert_eq!(training.indices.len(), 17);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Selection<'a> {
    /// A data set's faces.
    pub faces: &'a Faces,
    /// Indices of samples of the data set.
    pub indices: &'a [usize],
}

impl Faces {
    /// Reads the pictures as a network would get them, in gray: cut, prepared, and scaled to [`Pictures::input`].
    pub fn load(pictures: &Pictures) -> Self {
        let Dataset { classes, samples, .. } = pictures.data;
        let read = (0..samples.len()).into_par_iter().map(|index| pictures.picture(index, None));
        let read: Vec<Result<GrayImage>> = read.map(|picture| picture.map(|picture| gray(&picture))).collect();
        let (mut faces, mut unreadable) = (BTreeMap::new(), BTreeMap::new());
        for (index, face) in read.into_iter().enumerate() {
            match face {
                Ok(face) => drop(faces.insert(index, face)),
                Err(error) => drop(unreadable.insert(index, error)),
            }
        }
        let labels = pictures.data.labels();
        let subjects = samples.iter().map(|sample| sample.subject.clone()).collect();
        Faces { classes: classes.clone(), unreadable, faces, labels, subjects }
    }
}

impl Selection<'_> {
    /// The samples that could be read: index and face.
    fn readable(&self) -> Vec<(usize, &GrayImage)> {
        self.indices.iter().filter_map(|&index| Some((index, self.faces.faces.get(&index)?))).collect()
    }

    /// A number for the person of each of these samples, if all are known.
    fn persons(&self, indices: &[usize]) -> Option<Vec<usize>> {
        let subjects = self.faces.subjects.as_ref()?;
        let mut numbers = BTreeMap::new();
        let number = |&index: &usize| {
            let next = numbers.len();
            *numbers.entry(&subjects[index]).or_insert(next)
        };
        Some(indices.iter().map(number).collect())
    }
}

/// Trains a method on some faces and asks it about others. Nothing of the others is used before. Where the subjects
/// of the training faces are known, C and γ are chosen on subjects kept aside as a whole.
///
/// ```
/// use vultus::baseline::{Faces, FeatureKind, Method, Selection, Settings, SvmKind, evaluate};
/// use vultus::data::{Dataset, Protocol, Split};
/// use vultus::ops::Normalization;
/// use vultus::prepare::{Augmentation, Preparation};
/// use vultus::train::Pictures;
///
/// # let folder = tempfile::tempdir()?;
/// # for i in 0..24 {
/// #     let class = folder.path().join(["across", "down"][i % 2]);
/// #     std::fs::create_dir_all(&class)?;
/// #     let shade = |x: u32, y: u32| if ([y, x][i % 2] as usize + i / 2) % 6 < 3 { 60 } else { 180 };
/// #     let picture = vultus::image::RgbImage::from_fn(48, 48, |x, y| [shade(x, y); 3].into());
/// #     picture.save(class.join(format!("{i}.png")))?;
/// # }
/// let pictures = Pictures {
///     data: &Dataset::open(folder.path())?,
///     input: 48,
///     normalization: Normalization::TORCHVISION,
///     preparation: Preparation::default(),
///     augmentation: Augmentation::none(),
///     alignment: None,
///     margin: 1.0,
/// };
/// let faces = Faces::load(&pictures);
/// let split = Split::folds(pictures.data, Protocol::Random, 2, 1)?;
/// let select = |place: usize| Selection { faces: &faces, indices: &split.parts[place].samples };
/// let method = Method { features: FeatureKind::Lbp, svm: SvmKind::Linear };
/// let trial = evaluate(method, select(0), select(1), &Settings::default())?;
/// assert_eq!(trial.predictions.labels.len(), 12);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`train`]; also [`Error::InvalidArgument`] if the two sets differ in their classes, or if there is nothing to ask
/// about.
pub fn evaluate(method: Method, training: Selection, test: Selection, settings: &Settings) -> Result<Trial> {
    let classes = &training.faces.classes;
    if *classes != test.faces.classes {
        let (ours, theirs) = (classes.join(", "), test.faces.classes.join(", "));
        return Err(Error::invalid("older methods", format!("trained on {ours}, to be tested on {theirs}")));
    }
    let (indices, faces): (Vec<usize>, Vec<&GrayImage>) = training.readable().into_iter().unzip();
    let faces: Vec<GrayImage> = faces.into_iter().cloned().collect();
    let labels: Vec<usize> = indices.iter().map(|&index| training.faces.labels[index]).collect();
    let subjects = training.persons(&indices);
    let examples = Examples { faces: &faces, labels: &labels, subjects: subjects.as_deref(), classes: classes.len() };
    let classifier = train(method, examples, settings)?;

    let (tested, faces): (Vec<usize>, Vec<&GrayImage>) = test.readable().into_iter().unzip();
    if tested.is_empty() {
        return Err(Error::invalid("older methods", "there are no faces to test on"));
    }
    let faces: Vec<GrayImage> = faces.into_iter().cloned().collect();
    let subjects = test.faces.subjects.as_ref();
    let predictions = Predictions {
        classes: classes.clone(),
        labels: tested.iter().map(|&index| test.faces.labels[index]).collect(),
        probabilities: classifier.scores_of(&faces)?,
        subjects: subjects.map(|subjects| tested.iter().map(|&index| subjects[index].clone()).collect()),
    };
    Ok(Trial { predictions, tested, summary: classifier.summary().clone() })
}

/// The luma of ITU-R BT.601, as everywhere in gray faces.
fn gray(picture: &image::RgbImage) -> GrayImage {
    GrayImage::from_fn(picture.width(), picture.height(), |x, y| {
        let [red, green, blue] = picture.get_pixel(x, y).0.map(u32::from);
        Luma([((299 * red + 587 * green + 114 * blue + 500) / 1000) as u8])
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::baseline::{FeatureKind, SvmKind};
    use crate::ops::Normalization;
    use crate::prepare::{Augmentation, Preparation};

    /// Four people, each with ten pictures of each of two directions of stripes; one file is no picture.
    fn write_set(folder: &Path) {
        for (class, name) in ["across", "down"].into_iter().enumerate() {
            std::fs::create_dir(folder.join(name)).unwrap();
            for index in 0..40u32 {
                let stripe = |x: u32, y: u32| ([y, x][class] + index) / 3 % 2 * 120 + 30 + (x * y + index) % 7;
                let face = image::RgbImage::from_fn(20, 20, |x, y| image::Rgb([stripe(x, y) as u8; 3]));
                let file = format!("S{:03}_001_{index:08}.png", index / 10);
                face.save(folder.join(name).join(file)).unwrap();
            }
        }
        std::fs::write(folder.join("down/S009_001_00000000.png"), "no picture").unwrap();
    }

    fn pictures(data: &Dataset) -> Pictures<'_> {
        Pictures {
            data,
            input: 48,
            normalization: Normalization::CAFFE,
            preparation: Preparation::default(),
            augmentation: Augmentation::none(),
            alignment: None,
            margin: 1.0,
        }
    }

    #[test]
    fn a_trial_answers_about_the_readable_faces_of_the_test_only() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path());
        let data = Dataset::open(folder.path()).unwrap();
        let faces = Faces::load(&pictures(&data));
        assert_eq!(faces.unreadable.keys().copied().collect::<Vec<_>>(), [80]);
        assert!(faces.subjects.is_some());
        let (test, training): (Vec<usize>, Vec<usize>) = (0..81).partition(|index| index % 4 == 0);
        let select = |indices| Selection { faces: &faces, indices };
        let method = Method { features: FeatureKind::Hog, svm: SvmKind::Linear };
        let settings = Settings::default();
        let trial = evaluate(method, select(&training), select(&test), &settings).unwrap();
        // Sample 80 cannot be read.
        assert_eq!(trial.tested, test[..20]);
        assert_eq!(trial.summary.given, 60);
        trial.predictions.check().unwrap();
        assert_eq!(trial.predictions.predicted(), trial.predictions.labels);
        assert_eq!(trial.predictions.subjects.unwrap().len(), 20);
        let nothing = evaluate(method, select(&training), select(&[80]), &settings).unwrap_err();
        assert!(nothing.to_string().contains("no faces to test on"));
    }

    #[test]
    fn sets_of_other_classes_are_refused_and_persons_are_numbered() {
        let folder = tempfile::tempdir().unwrap();
        write_set(folder.path());
        let mut data = Dataset::open(folder.path()).unwrap();
        let faces = Faces::load(&pictures(&data));
        let all: Vec<usize> = (0..80).collect();
        let training = Selection { faces: &faces, indices: &all };
        assert_eq!(training.persons(&[0, 1, 10, 41, 79]), Some(vec![0, 0, 1, 0, 2]));
        data.classes[0] = "sideways".to_owned();
        let others = Faces::load(&pictures(&data));
        let method = Method { features: FeatureKind::Hog, svm: SvmKind::Linear };
        let test = Selection { faces: &others, indices: &all };
        let refused = evaluate(method, training, test, &Settings::default()).unwrap_err().to_string();
        assert!(refused.contains("trained on across, down, to be tested on sideways, down"), "{refused}");
    }
}
