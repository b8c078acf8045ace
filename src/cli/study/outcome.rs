//! A method of a study, and what became of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use vultus::Parameters;
use vultus::baseline::{FeatureKind, Method, SvmKind};
use vultus::face::ModelCard;
use vultus::metrics::{PairedTest, Predictions};
use vultus::nn::Published;
use vultus::train::Epoch;

use super::Failure;
use crate::cli::network::{and_published, published_value};

/// A method.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Choice {
    DrlbpLinear,
    DrlbpRbf,
    LbpLinear,
    LbpRbf,
    HogLinear,
    HogRbf,
    /// A head on VGG16.
    Head,
    /// VGG16, its last blocks trained too.
    Deep,
    /// The same, from a model that knows expressions already.
    Adapted,
    Light,
    /// A network of the literature, from random numbers.
    Published(Published),
}

impl ValueEnum for Choice {
    fn value_variants<'a>() -> &'a [Self] {
        and_published!(
            Choice: DrlbpLinear, DrlbpRbf, LbpLinear, LbpRbf, HogLinear, HogRbf, Head, Deep, Adapted, Light
        )
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let (name, help) = match self {
            Choice::DrlbpLinear => {
                ("drlbp-linear", "Dominant rotated local binary patterns, linear support vector machine")
            }
            Choice::DrlbpRbf => (
                "drlbp-rbf",
                "Dominant rotated local binary patterns, support vector machine with radial basis functions",
            ),
            Choice::LbpLinear => ("lbp-linear", "Uniform local binary patterns, linear support vector machine"),
            Choice::LbpRbf => ("lbp-rbf", "Uniform local binary patterns, radial basis functions"),
            Choice::HogLinear => ("hog-linear", "Histograms of oriented gradients, linear support vector machine"),
            Choice::HogRbf => ("hog-rbf", "Histograms of oriented gradients, radial basis functions"),
            Choice::Head => ("head", "A head on VGG16 as it was trained on ImageNet"),
            Choice::Deep => ("deep", "VGG16 from ImageNet, its last blocks trained too"),
            Choice::Adapted => ("adapted", "The same, from a model that knows expressions already"),
            Choice::Light => ("light", "The light network, from random numbers"),
            Choice::Published(network) => return Some(published_value(*network)),
        };
        Some(PossibleValue::new(name).help(help))
    }
}

impl Choice {
    /// Its name on the command line.
    pub fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// The older method that it is, if it is one.
    pub fn older(self) -> Option<Method> {
        let (features, svm) = match self {
            Choice::DrlbpLinear => (FeatureKind::Drlbp, SvmKind::Linear),
            Choice::DrlbpRbf => (FeatureKind::Drlbp, SvmKind::Rbf),
            Choice::LbpLinear => (FeatureKind::Lbp, SvmKind::Linear),
            Choice::LbpRbf => (FeatureKind::Lbp, SvmKind::Rbf),
            Choice::HogLinear => (FeatureKind::Hog, SvmKind::Linear),
            Choice::HogRbf => (FeatureKind::Hog, SvmKind::Rbf),
            Choice::Head | Choice::Deep | Choice::Adapted | Choice::Light | Choice::Published(_) => return None,
        };
        Some(Method { features, svm })
    }
}

/// What became of a method.
pub struct Outcome {
    pub choice: Choice,
    pub name: String,
    /// The answers of all splits.
    pub predictions: Predictions,
    /// The picture that each answer is about.
    pub tested: Vec<usize>,
    /// The time for all trainings and tests.
    pub seconds: f64,
    /// The time for one picture, where it was measured.
    pub milliseconds: Option<f64>,
    /// The number of parameters, where it has some.
    pub parameters: Option<u64>,
    /// The epochs of the first split's training.
    pub epochs: Vec<Epoch>,
    /// How it was made, as names and values.
    pub settings: Vec<(String, String)>,
    /// The first split's network, to be looked into.
    pub model: Option<(ModelCard, Parameters)>,
}

impl Outcome {
    /// Adds the answers of a split.
    pub fn add(&mut self, predictions: Predictions, tested: Vec<usize>) -> Result<(), Failure> {
        self.tested.extend(tested);
        if self.predictions.labels.is_empty() {
            self.predictions = predictions;
            return Ok(());
        }
        Ok(self.predictions.extend(predictions)?)
    }

    /// Whether it is right about other pictures than another method, on those that both have answered.
    pub fn tested_against(&self, other: &Outcome) -> Result<PairedTest, Failure> {
        let theirs: BTreeMap<usize, bool> = other.right().collect();
        let both: Vec<(usize, bool, bool)> =
            self.right().filter_map(|(index, right)| Some((index, right, *theirs.get(&index)?))).collect();
        let (ours, theirs): (Vec<bool>, Vec<bool>) = both.iter().map(|&(_, a, b)| (a, b)).unzip();
        let shown: Option<BTreeMap<usize, Arc<str>>> = self
            .predictions
            .subjects
            .as_ref()
            .map(|subjects| self.tested.iter().copied().zip(subjects.iter().cloned()).collect());
        let subjects: Option<Vec<Arc<str>>> =
            shown.map(|shown| both.iter().map(|(index, ..)| shown[index].clone()).collect());
        Ok(PairedTest::new(&ours, &theirs, subjects.as_deref())?)
    }

    /// Each picture and whether the answer about it is right.
    fn right(&self) -> impl Iterator<Item = (usize, bool)> {
        let predicted = self.predictions.predicted();
        let right = predicted.into_iter().zip(&self.predictions.labels).map(|(predicted, &label)| predicted == label);
        self.tested.iter().copied().zip(right)
    }
}
