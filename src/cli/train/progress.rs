//! What is seen of a training while it runs: a bar with the course of the loss, and a row for each epoch.

use std::io::{self, Write};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vultus::train::{Epoch, Event};

use crate::cli::table::{Align, Table};

/// Columns of the curve.
const WIDTH: usize = 30;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A bar of pictures or steps on standard error; hidden where nothing is to be said.
pub fn bar(quiet: bool, what: &'static str, length: usize) -> ProgressBar {
    let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(length as u64), target).with_prefix(what);
    let style = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} {per_sec} {eta} left {msg}");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// The rows of a training, and its bar.
pub struct Progress<'a> {
    bar: ProgressBar,
    table: Table<7>,
    out: &'a mut dyn Write,
    losses: Vec<f32>,
    batch: usize,
    /// Whether all rows could be written.
    pub written: io::Result<()>,
}

impl<'a> Progress<'a> {
    pub fn new(quiet: bool, batch: usize, out: &'a mut dyn Write) -> io::Result<Self> {
        let table = Table::new([
            ("epoch", Align::Right, 5),
            ("loss", Align::Right, 8),
            ("val. loss", Align::Right, 9),
            ("accuracy", Align::Right, 8),
            ("recall", Align::Right, 8),
            ("pictures/s", Align::Right, 10),
            ("waited", Align::Right, 6),
        ]);
        table.head(out)?;
        Ok(Progress { bar: bar(quiet, "training", 0), table, out, losses: Vec::new(), batch, written: Ok(()) })
    }

    pub fn hear(&mut self, event: Event) {
        match event {
            Event::Step { done, all, loss } => {
                self.losses.push(loss);
                self.bar.set_length((all * self.batch) as u64);
                self.bar.set_position((done * self.batch) as u64);
                self.bar.set_message(format!("{} {loss:.3}", curve(&self.losses)));
            }
            Event::Epoch(epoch) => self.row(epoch),
            Event::Resumed(epochs) => epochs.iter().for_each(|epoch| self.row(epoch)),
        }
    }

    pub fn finish(self) -> io::Result<()> {
        self.bar.finish_and_clear();
        self.written
    }

    fn row(&mut self, epoch: &Epoch) {
        let (table, out) = (&self.table, &mut *self.out);
        let row = || {
            table.row(out, cells(epoch))?;
            out.flush()
        };
        let written = self.bar.suspend(row);
        if self.written.is_ok() {
            self.written = written;
        }
    }
}

fn cells(epoch: &Epoch) -> [String; 7] {
    let judged = |text: &dyn Fn(&vultus::train::Judgement) -> String| {
        epoch.validation.as_ref().map_or_else(|| "-".to_owned(), text)
    };
    [
        epoch.number.to_string(),
        format!("{:.4}", epoch.loss),
        judged(&|validation| format!("{:.4}", validation.loss)),
        judged(&|validation| percent(validation.accuracy)),
        judged(&|validation| percent(validation.macro_recall)),
        format!("{:.1}", epoch.pictures_per_second),
        percent(epoch.waited),
    ]
}

pub fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}

/// The course of a loss as a row of blocks, each for the mean of its part of the steps.
fn curve(losses: &[f32]) -> String {
    let columns = WIDTH.min(losses.len());
    let part = |i: usize| &losses[i * losses.len() / columns..(i + 1) * losses.len() / columns];
    let means: Vec<f32> = (0..columns).map(|i| part(i).iter().sum::<f32>() / part(i).len() as f32).collect();
    let (low, high) = means.iter().fold((f32::MAX, f32::MIN), |(low, high), &mean| (low.min(mean), high.max(mean)));
    let level = |mean: f32| ((mean - low) / (high - low).max(1e-6) * 7.0).round().clamp(0.0, 7.0) as usize;
    means.into_iter().map(|mean| LEVELS[level(mean)]).collect()
}

/// The epochs as a CSV file.
pub fn log(epochs: &[Epoch]) -> String {
    let mut text =
        "epoch,learning_rate,loss,validation_loss,accuracy,macro_recall,seconds,pictures_per_second,waited\n"
            .to_owned();
    for epoch in epochs {
        let judged = epoch.validation.map_or_else(
            || ",,".to_owned(),
            |validation| format!("{},{},{}", validation.loss, validation.accuracy, validation.macro_recall),
        );
        let Epoch { number, learning_rate, loss, seconds, pictures_per_second, waited, .. } = epoch;
        text +=
            &format!("{number},{learning_rate},{loss},{judged},{seconds:.3},{pictures_per_second:.2},{waited:.4}\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_falling_loss_is_a_falling_curve() {
        let losses: Vec<f32> = (0..300).map(|step| 2.0 - step as f32 / 300.0).collect();
        let curve = curve(&losses);
        assert_eq!(curve.chars().count(), WIDTH);
        assert!(curve.starts_with('█') && curve.ends_with('▁'), "{curve}");
        assert_eq!(super::curve(&[1.0]), "▁");
        assert_eq!(super::curve(&[]), "");
    }
}
