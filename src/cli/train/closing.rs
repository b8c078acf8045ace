//! What is said at the end of a training.

use std::io::{self, Write};
use std::path::Path;

use vultus::data::Dataset;
use vultus::train::{Labels, Trained};

use super::Arguments;
use super::progress::percent;

/// A training that has ended, and on what it was done.
pub struct Closing<'a> {
    pub arguments: &'a Arguments,
    pub data: &'a Dataset,
    pub labels: &'a Labels,
    pub training: &'a [usize],
    pub validation: &'a [usize],
    pub trained: &'a Trained,
}

impl Closing<'_> {
    /// Says which epoch was kept, on what it was trained, what chance would reach, and how to use the model.
    pub fn say(&self, out: &mut dyn Write) -> io::Result<()> {
        let (best, file) = (self.trained.best, &self.arguments.out);
        let classes = &self.data.classes;
        let counts = self.counts();
        let listed: Vec<String> =
            classes.iter().zip(&counts).map(|(class, count)| format!("{class} {count}")).collect();
        let all: usize = counts.iter().sum();
        let most = counts.iter().max().copied().unwrap_or_default();
        let [guessed, lazy] = [1.0 / classes.len() as f64, most as f64 / all.max(1) as f64].map(percent);
        writeln!(out, "trained on {all} pictures of {} classes: {}", classes.len(), listed.join(", "))?;
        writeln!(out, "chance: {guessed} by guessing, {lazy} by always taking the largest class")?;
        let kept = self.trained.epochs.iter().find(|epoch| epoch.number == best).and_then(|epoch| epoch.validation);
        if let Some(kept) = kept {
            let (right, recall, n) = (percent(kept.accuracy), percent(kept.macro_recall), self.validation.len());
            writeln!(
                out,
                "epoch {best} of {}: {right} of {n} pictures for validation right, recall {recall}",
                self.epochs()
            )?;
        }
        writeln!(out, "saved epoch {best} in {}", file.display())?;
        writeln!(out, "to use it: vultus predict photo.jpg --model {}", quoted(file))
    }

    fn epochs(&self) -> usize {
        self.trained.epochs.len()
    }

    /// Pictures of each class that were trained on.
    fn counts(&self) -> Vec<usize> {
        let mut counts = vec![0; self.data.classes.len()];
        let read = self.training.iter().filter(|index| !self.trained.unreadable.contains_key(index));
        read.for_each(|&index| counts[self.labels.classes()[index]] += 1);
        counts
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+:\\".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
