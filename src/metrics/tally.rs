//! Samples, predictions and hits of each class: the margins and the diagonal of a confusion matrix, from which every
//! measure of decisions follows. The bootstrap fills one for each resample.

use super::measures::{Counts, Measures, ratio};

/// What was counted.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    classes: Vec<ClassTally>,
    n: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct ClassTally {
    support: u64,
    predicted: u64,
    correct: u64,
}

impl Tally {
    /// Nothing counted, for this many classes.
    pub fn new(classes: usize) -> Self {
        Tally { classes: vec![ClassTally::default(); classes], n: 0 }
    }

    /// Counts a sample of a class that was predicted as one.
    pub fn add(&mut self, label: usize, predicted: usize) {
        self.classes[label].support += 1;
        self.classes[predicted].predicted += 1;
        self.classes[label].correct += u64::from(label == predicted);
        self.n += 1;
    }

    /// The number of samples of a class.
    pub fn support(&self, class: usize) -> u64 {
        self.classes[class].support
    }

    /// How often a class was predicted.
    pub fn predicted(&self, class: usize) -> u64 {
        self.classes[class].predicted
    }

    fn counts(&self) -> impl Iterator<Item = Counts> {
        self.classes.iter().map(|class| {
            let false_positives = class.predicted - class.correct;
            Counts {
                true_positives: class.correct,
                false_positives,
                false_negatives: class.support - class.correct,
                true_negatives: self.n - class.support - false_positives,
            }
        })
    }

    /// The measures of each class.
    pub fn per_class(&self) -> Vec<Measures> {
        self.counts().map(|counts| counts.measures()).collect()
    }

    /// The share of samples that were predicted right.
    pub fn accuracy(&self) -> Option<f64> {
        ratio(self.classes.iter().map(|class| class.correct).sum(), self.n)
    }

    /// Cohen's kappa: the agreement beyond that of chance, relative to what was possible. Undefined where chance agrees
    /// always: all samples and all predictions are of one class.
    pub fn kappa(&self) -> Option<f64> {
        let chance: f64 = self.classes.iter().map(|class| class.support as f64 * class.predicted as f64).sum();
        let chance = chance / (self.n as f64).powi(2);
        let accuracy = self.accuracy()?;
        (chance < 1.0).then(|| (accuracy - chance) / (1.0 - chance))
    }

    /// The measures of the counts of all classes together.
    pub fn micro(&self) -> Measures {
        self.counts().fold(Counts::default(), Counts::plus).measures()
    }

    /// The mean of each measure over the classes that have samples and for which it is defined.
    pub fn macro_average(&self, per_class: &[Measures]) -> Measures {
        self.average(per_class, |class| f64::from(u8::from(class.support > 0)))
    }

    /// The mean of each measure over the classes for which it is defined, weighted by their numbers of samples.
    pub fn weighted(&self, per_class: &[Measures]) -> Measures {
        self.average(per_class, |class| class.support as f64)
    }

    fn average(&self, per_class: &[Measures], weight: impl Fn(&ClassTally) -> f64) -> Measures {
        let (mut sums, mut weights) = ([0.0; 6], [0.0; 6]);
        for (class, measures) in self.classes.iter().zip(per_class) {
            for (i, value) in measures.into_array().into_iter().enumerate() {
                if let Some(value) = value {
                    sums[i] += weight(class) * value;
                    weights[i] += weight(class);
                }
            }
        }
        Measures::from_array(std::array::from_fn(|i| (weights[i] > 0.0).then(|| sums[i] / weights[i])))
    }
}
