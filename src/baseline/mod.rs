//! The older methods to compare a network with: handmade features and a support vector machine.
//!
//! A face becomes a row of features ([`FeatureKind`]), each is standardised on the training faces, and a linear or RBF
//! machine for each pair of classes votes ([`SvmKind`]; the optimiser is LIBSVM's). The cost C, the width γ and the
//! slope of the probabilities are those that do best on a part of the training faces that is kept aside; then all
//! training faces are used. Nothing is learned from others. The same faces, settings and seed give the same classifier.
//!
//! Memory: the features are f32 (4 bytes × faces × features), and kernel matrices take at most 2 GiB; see [`Settings`].
//!
//! ```
//! use vultus::baseline::{Examples, FeatureKind, Method, Settings, SvmKind, train};
//! use vultus::image::GrayImage;
//!
//! // Stripes in place of faces: across or down.
//! let stripes = |i: u32| GrayImage::from_fn(48, 48, |x, y| {
//!     [if ([y, x][i as usize % 2] + i / 2) % 6 < 3 { 60 } else { 180 }].into()
//! });
//! let (faces, labels): (Vec<_>, Vec<_>) = (0..20).map(|i| (stripes(i), i as usize % 2)).unzip();
//! let method = Method { features: FeatureKind::Hog, svm: SvmKind::Linear };
//! let examples = Examples { faces: &faces, labels: &labels, subjects: None, classes: 2 };
//! let classifier = train(method, examples, &Settings::default())?;
//! let scores = classifier.scores(&stripes(20))?;
//! assert!(scores[0] > scores[1]);
//! # Ok::<(), vultus::Error>(())
//! ```

mod cells;
mod circle;
mod dominant;
mod features;
mod hog;
mod pairwise;
mod rows;
mod search;
mod trial;

use image::GrayImage;
use serde::{Deserialize, Serialize};

pub use circle::Circle;
pub use trial::{Faces, Selection, Trial, evaluate};

use crate::error::{Error, Result};
use features::Extractor;
use pairwise::{Kernel, Machines, probabilities, train_on_rows};
use rows::Standardization;
use search::{Choice, Labelled, search, thinned};

/// What is measured of a face.
///
/// ```
/// use vultus::baseline::{Examples, FeatureKind, Method, Settings, SvmKind, train};
/// # let stripes = |i: u32| vultus::image::GrayImage::from_fn(48, 48, |x, y| {
/// #     [if ([y, x][i as usize % 2] + i / 2) % 6 < 3 { 60 } else { 180 }].into()
/// # });
/// # let (faces, labels): (Vec<_>, Vec<_>) = (0..20).map(|i| (stripes(i), i as usize % 2)).unzip();
///
/// let examples = Examples { faces: &faces, labels: &labels, subjects: None, classes: 2 };
/// let count = |features| {
///     let method = Method { features, svm: SvmKind::Linear };
///     train(method, examples, &Settings::default()).map(|classifier| classifier.summary().features)
/// };
/// // 36 cells of 59 patterns; 25 blocks of 36 numbers.
/// assert_eq!([count(FeatureKind::Lbp)?, count(FeatureKind::Hog)?], [36 * 59, 25 * 36]);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FeatureKind {
    /// Dominant rotated local binary patterns (Mehta & Egiazarian 2016), a histogram for each cell: the square roots
    /// of the shares. Which patterns are dominant is learned from the training faces.
    Drlbp,
    /// Uniform local binary patterns (u2; Ojala et al. 2002), a histogram for each cell (Ahonen, Hadid & Pietikäinen
    /// 2006): the square roots of the shares.
    Lbp,
    /// Histograms of oriented gradients (Dalal & Triggs 2005): cells of 8×8 pixels, blocks of 2×2 cells, 9 bins without
    /// sign, L2-Hys.
    Hog,
}

/// What tells the classes apart.
///
/// ```
/// use vultus::baseline::{Examples, FeatureKind, Method, Settings, SvmKind, train};
/// # let stripes = |i: u32| vultus::image::GrayImage::from_fn(48, 48, |x, y| {
/// #     [if ([y, x][i as usize % 2] + i / 2) % 6 < 3 { 60 } else { 180 }].into()
/// # });
/// # let (faces, labels): (Vec<_>, Vec<_>) = (0..20).map(|i| (stripes(i), i as usize % 2)).unzip();
///
/// let examples = Examples { faces: &faces, labels: &labels, subjects: None, classes: 2 };
/// let method = |svm| Method { features: FeatureKind::Hog, svm };
/// let linear = train(method(SvmKind::Linear), examples, &Settings::default())?;
/// let rbf = train(method(SvmKind::Rbf), examples, &Settings::default())?;
/// // Only radial basis functions keep faces of the training.
/// assert!(linear.summary().support_vectors.is_none() && rbf.summary().support_vectors.is_some());
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SvmKind {
    /// A hyperplane for each pair of classes.
    Linear,
    /// Radial basis functions exp(−γ |a − b|²) around the support vectors.
    Rbf,
}

/// An older method.
///
/// ```
/// use vultus::baseline::{FeatureKind, Method, SvmKind};
///
/// let method = Method { features: FeatureKind::Drlbp, svm: SvmKind::Rbf };
/// assert_eq!(method.to_string(), "DRLBP + RBF SVM");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Method {
    /// What is measured.
    pub features: FeatureKind,
    /// What tells the classes apart.
    pub svm: SvmKind,
}

impl std::fmt::Display for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let features = match self.features {
            FeatureKind::Drlbp => "DRLBP",
            FeatureKind::Lbp => "LBP",
            FeatureKind::Hog => "HOG",
        };
        let svm = match self.svm {
            SvmKind::Linear => "linear",
            SvmKind::Rbf => "RBF",
        };
        write!(f, "{features} + {svm} SVM")
    }
}

/// How a classifier is made.
///
/// ```
/// use vultus::baseline::{Circle, Settings};
///
/// // Larger faces, and patterns at a distance that fits them.
/// let settings = Settings { side: 96, circle: Circle { points: 8, radius: 2.0 }, ..Settings::default() };
/// assert_eq!((settings.cells, settings.validation), (6, 0.2));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Height and width that faces are scaled to, in pixels.
    pub side: u32,
    /// Rows and columns of the grid of cells of local binary patterns.
    pub cells: usize,
    /// Where local binary patterns look.
    pub circle: Circle,
    /// The share of all occurrences that DRLBP's patterns cover: above 0 and up to 1.
    pub coverage: f64,
    /// The share of the training faces that is kept aside to choose C and γ: above 0 and below 1.
    pub validation: f64,
    /// The most faces, about, that take part in that choice. Twice 4 bytes × its square of memory are needed.
    pub search_samples: usize,
    /// The most faces, about, that a linear machine is trained on: more are thinned out at random, class by class.
    pub linear_samples: usize,
    /// The same for RBF machines, which keep most of them.
    pub rbf_samples: usize,
    /// Seed of all that is drawn at random.
    pub seed: u64,
}

/// The most faces of two classes that are trained on: their kernel matrix takes 1 GiB.
const MOST_IN_PAIR: usize = 16_384;

impl Default for Settings {
    /// 48×48 pixels, 6×6 cells, eight neighbours at one pixel, patterns that cover 80 %, 20 % kept aside.
    fn default() -> Self {
        Settings {
            side: 48,
            cells: 6,
            circle: Circle::default(),
            coverage: 0.8,
            validation: 0.2,
            search_samples: 7_000,
            linear_samples: 50_000,
            rbf_samples: 7_000,
            seed: 0,
        }
    }
}

/// Labelled faces to train on.
///
/// ```
/// use vultus::baseline::Examples;
/// use vultus::image::GrayImage;
///
/// let faces = vec![GrayImage::new(48, 48); 4];
/// // Two people, each of whom shows both classes.
/// let examples = Examples { faces: &faces, labels: &[0, 1, 0, 1], subjects: Some(&[0, 0, 1, 1]), classes: 2 };
/// assert_eq!(examples.faces.len(), examples.labels.len());
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Examples<'a> {
    /// Faces; those of another size than [`Settings::side`] are scaled to it.
    pub faces: &'a [GrayImage],
    /// The class of each face.
    pub labels: &'a [usize],
    /// Where known, a number for the person of each face: what is kept aside to choose C and γ is then whole persons.
    pub subjects: Option<&'a [usize]>,
    /// The number of classes. Those without a face get the probability 0.
    pub classes: usize,
}

/// What became of the training.
///
/// ```
/// use vultus::baseline::{Examples, FeatureKind, Method, Settings, SvmKind, train};
/// # let stripes = |i: u32| vultus::image::GrayImage::from_fn(48, 48, |x, y| {
/// #     [if ([y, x][i as usize % 2] + i / 2) % 6 < 3 { 60 } else { 180 }].into()
/// # });
/// # let (faces, labels): (Vec<_>, Vec<_>) = (0..20).map(|i| (stripes(i), i as usize % 2)).unzip();
///
/// let examples = Examples { faces: &faces, labels: &labels, subjects: None, classes: 2 };
/// let method = Method { features: FeatureKind::Hog, svm: SvmKind::Rbf };
/// let classifier = train(method, examples, &Settings::default())?;
/// let summary = classifier.summary();
/// assert_eq!((summary.given, summary.used), (20, 20));
/// println!("C {}, γ {:?}: {:.0} % right", summary.c, summary.gamma, 100.0 * summary.validation_accuracy);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The method.
    pub method: Method,
    /// Training faces that were given.
    pub given: usize,
    /// Training faces that were used: fewer if there were more than the settings allow.
    pub used: usize,
    /// Features of a face.
    pub features: usize,
    /// The cost C that was chosen.
    pub c: f64,
    /// The width γ that was chosen, for squared distances of about 2 between unlike faces.
    pub gamma: Option<f32>,
    /// The share of the faces kept aside that was told right with them.
    pub validation_accuracy: f64,
    /// The support vectors of RBF machines.
    pub support_vectors: Option<usize>,
}

/// A trained older method.
///
/// ```
/// use vultus::baseline::{Examples, FeatureKind, Method, Settings, SvmKind, train};
/// # let stripes = |i: u32| vultus::image::GrayImage::from_fn(48, 48, |x, y| {
/// #     [if ([y, x][i as usize % 2] + i / 2) % 6 < 3 { 60 } else { 180 }].into()
/// # });
/// # let (faces, labels): (Vec<_>, Vec<_>) = (0..20).map(|i| (stripes(i), i as usize % 2)).unzip();
///
/// let examples = Examples { faces: &faces, labels: &labels, subjects: None, classes: 2 };
/// let method = Method { features: FeatureKind::Lbp, svm: SvmKind::Linear };
/// let classifier = train(method, examples, &Settings::default())?;
/// for row in classifier.scores_of(&faces)? {
///     assert_eq!(row.len(), 2);
///     assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5);
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Classifier {
    extractor: Extractor,
    scale: Standardization,
    machines: Machines,
    slope: f64,
    classes: usize,
    summary: Summary,
}

/// Trains an older method.
///
/// ```
/// use vultus::baseline::{Examples, FeatureKind, Method, Settings, SvmKind, train};
/// # let stripes = |i: u32| vultus::image::GrayImage::from_fn(48, 48, |x, y| {
/// #     [if ([y, x][i as usize % 2] + i / 2) % 6 < 3 { 60 } else { 180 }].into()
/// # });
/// # let (faces, labels): (Vec<_>, Vec<_>) = (0..20).map(|i| (stripes(i), i as usize % 2)).unzip();
///
/// let examples = Examples { faces: &faces, labels: &labels, subjects: None, classes: 2 };
/// let method = Method { features: FeatureKind::Drlbp, svm: SvmKind::Linear };
/// assert_eq!(train(method, examples, &Settings::default())?.summary().method, method);
/// // Faces of a single class are nothing to learn from.
/// assert!(train(method, Examples { labels: &[0; 20], ..examples }, &Settings::default()).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if there are not as many labels or subjects as faces, or a face has no pixels;
/// [`Error::InvalidArgument`] if a label is not a class, fewer than two classes have faces, the faces are too few to keep
/// some aside, or a setting is out of its range.
pub fn train(method: Method, examples: Examples, settings: &Settings) -> Result<Classifier> {
    check(&examples, settings)?;
    let extractor = Extractor::fit(method.features, examples.faces, settings)?;
    let mut rows = extractor.features(examples.faces);
    let scale = Standardization::fit(&rows);
    scale.apply(&mut rows);
    rows.check_finite()?;
    let Examples { labels, subjects: groups, classes, .. } = examples;
    let choice = search(Labelled { rows: &rows, labels, groups, classes }, method.svm, settings)?;
    let Choice { kernel, c, slope, accuracy } = choice;

    let most = if method.svm == SvmKind::Linear { settings.linear_samples } else { settings.rbf_samples };
    let used = thinned(labels, most, MOST_IN_PAIR, settings.seed);
    let used_labels: Vec<usize> = used.iter().map(|&i| labels[i]).collect();
    let rows = if used.len() < labels.len() { rows.select(&used) } else { rows };
    let pairs = train_on_rows(&rows, &used_labels, classes, kernel, c);
    if pairs.is_empty() {
        return Err(wrong(format!("{} faces are too few to train on", used.len())));
    }
    let machines = Machines::new(kernel, pairs, &rows);
    let summary = Summary {
        method,
        given: labels.len(),
        used: used.len(),
        features: extractor.length(),
        c,
        gamma: match kernel {
            Kernel::Linear => None,
            Kernel::Rbf { gamma } => Some(gamma),
        },
        validation_accuracy: accuracy,
        support_vectors: machines.support_vectors(),
    };
    Ok(Classifier { extractor, scale, machines, slope, classes, summary })
}

impl Classifier {
    /// The probabilities of the classes for a face, which is scaled to the training's size. They come from the
    /// machines' decision values by a logistic function and pairwise coupling (Wu, Lin & Weng 2004): good for ranking
    /// and for a log loss, hardly calibrated.
    ///
    /// # Errors
    /// [`Error::Shape`] if the face has no pixels.
    pub fn scores(&self, face: &GrayImage) -> Result<Vec<f32>> {
        Ok(self.scores_of(std::slice::from_ref(face))?.concat())
    }

    /// [`Self::scores`] of many faces, in parallel.
    ///
    /// # Errors
    /// [`Error::Shape`] if a face has no pixels.
    pub fn scores_of(&self, faces: &[GrayImage]) -> Result<Vec<Vec<f32>>> {
        check_pixels(faces)?;
        let mut rows = self.extractor.features(faces);
        self.scale.apply(&mut rows);
        let (decisions, pairs) = (self.machines.decisions(&rows), self.machines.pairs());
        let scores = |values: &[f32]| probabilities(values, pairs, self.classes, self.slope);
        Ok(decisions.chunks_exact(pairs.len()).map(scores).collect())
    }

    /// What became of the training.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }
}

fn wrong(reason: String) -> Error {
    Error::invalid("older methods", reason)
}

fn check(examples: &Examples, settings: &Settings) -> Result<()> {
    let (faces, labels) = (examples.faces.len(), examples.labels);
    if labels.len() != faces || examples.subjects.is_some_and(|subjects| subjects.len() != faces) {
        let subjects = examples.subjects.map_or(String::new(), |subjects| format!(" and {} subjects", subjects.len()));
        return Err(Error::shape("older methods", format!("{} labels{subjects} for {faces} faces", labels.len())));
    }
    if let Some(label) = labels.iter().find(|&&label| label >= examples.classes) {
        return Err(wrong(format!("a face has the label {label}, there are {} classes", examples.classes)));
    }
    if labels.iter().all(|label| Some(label) == labels.first()) {
        return Err(wrong(format!("all {faces} faces are of one class, two classes at least are needed")));
    }
    if !(settings.validation > 0.0 && settings.validation < 1.0) {
        return Err(wrong(format!(
            "a share of {} cannot be kept aside: give one between 0 and 1",
            settings.validation
        )));
    }
    check_pixels(examples.faces)
}

fn check_pixels(faces: &[GrayImage]) -> Result<()> {
    match faces.iter().position(|face| face.is_empty()) {
        Some(index) => Err(Error::shape("older methods", format!("face {index} has no pixels"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
