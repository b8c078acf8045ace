//! What is seen of a training while it runs: a bar with the course of the loss, and a row for each epoch, on standard
//! output and in a file.

use std::io::{self, Write};
use std::path::Path;

use indicatif::ProgressBar;
use vultus::file;
use vultus::train::{Epoch, Event};

use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::table::{Align, Table};

/// Columns of the curve.
const WIDTH: usize = 30;
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The rows of a training, and its bar.
pub struct Progress<'a> {
    global: &'a Global,
    bar: ProgressBar,
    table: Table<7>,
    has_head: bool,
    out: &'a mut dyn Write,
    curve: Curve,
    batch: usize,
    epochs: Vec<Epoch>,
    /// Where all epochs so far stand as CSV, if that is asked for.
    log: Option<&'a Path>,
    /// Whether that file has them.
    logged: Result<(), vultus::Error>,
    /// Whether all rows could be written.
    written: io::Result<()>,
}

impl<'a> Progress<'a> {
    pub fn new(global: &'a Global, batch: usize, log: Option<&'a Path>, out: &'a mut dyn Write) -> Self {
        let table = Table::new([
            ("epoch", Align::Right, 5),
            ("loss", Align::Right, 8),
            ("val. loss", Align::Right, 9),
            ("accuracy", Align::Right, 8),
            ("recall", Align::Right, 8),
            ("pictures/s", Align::Right, 10),
            ("waited", Align::Right, 6),
        ]);
        Progress {
            global,
            bar: global.progress("training", 0),
            table,
            has_head: false,
            out,
            curve: Curve::default(),
            batch,
            epochs: Vec::new(),
            log,
            logged: Ok(()),
            written: Ok(()),
        }
    }

    pub fn hear(&mut self, event: Event) {
        match event {
            Event::Step { done, all, loss } => {
                self.curve.push(loss);
                self.bar.set_length((all * self.batch) as u64);
                self.bar.set_position((done * self.batch) as u64);
                self.bar.set_message(format!("{} {loss:.3}", self.curve.draw()));
            }
            Event::Epoch(epoch) => self.add(std::slice::from_ref(epoch)),
            Event::Resumed(epochs) => self.add(epochs),
            Event::Warning(text) => self.bar.suspend(|| self.global.note(&format!("warning: {text}"))),
        }
    }

    /// # Errors
    /// If a row could not be printed, or the file does not have them all.
    pub fn finish(self) -> Result<(), Failure> {
        self.bar.finish_and_clear();
        self.written?;
        Ok(self.logged?)
    }

    fn add(&mut self, epochs: &[Epoch]) {
        epochs.iter().for_each(|epoch| self.row(epoch));
        self.epochs.extend_from_slice(epochs);
        if let Some(path) = self.log {
            // A later epoch writes again what cannot be written now.
            self.logged = file::write(path, |out| out.write_all(log(&self.epochs).as_bytes()));
        }
    }

    fn row(&mut self, epoch: &Epoch) {
        let (table, out, is_first) = (&self.table, &mut *self.out, !self.has_head);
        let row = || {
            if is_first {
                table.head(out)?;
            }
            table.row(out, cells(epoch))?;
            out.flush()
        };
        let written = self.bar.suspend(row);
        self.has_head = true;
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

/// The course of a loss, in as many means over equally many steps as fit into a line, however long it gets.
#[derive(Default)]
struct Curve {
    /// Each over `span` steps, but for the last.
    means: Vec<f32>,
    /// Steps in the last mean.
    last: usize,
    span: usize,
}

impl Curve {
    fn push(&mut self, loss: f32) {
        if self.means.is_empty() || self.last == self.span {
            if self.means.len() == 2 * WIDTH {
                self.means = self.means.as_chunks().0.iter().map(|[a, b]| f32::midpoint(*a, *b)).collect();
                self.span *= 2;
            }
            self.span = self.span.max(1);
            self.means.push(0.0);
            self.last = 0;
        }
        self.last += 1;
        if let Some(mean) = self.means.last_mut() {
            *mean += (loss - *mean) / self.last as f32;
        }
    }

    /// A row of blocks between the lowest and the highest.
    fn draw(&self) -> String {
        let columns = WIDTH.min(self.means.len());
        let part = |i: usize| &self.means[i * self.means.len() / columns..(i + 1) * self.means.len() / columns];
        let heights: Vec<f32> = (0..columns).map(|i| part(i).iter().sum::<f32>() / part(i).len() as f32).collect();
        let (low, high) = heights.iter().fold((f32::MAX, f32::MIN), |(low, high), &h| (low.min(h), high.max(h)));
        let level = |height: f32| ((height - low) / (high - low).max(1e-6) * 7.0).round().clamp(0.0, 7.0) as usize;
        heights.into_iter().map(|height| LEVELS[level(height)]).collect()
    }
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
        for steps in [30, 100, 10_000] {
            let mut curve = Curve::default();
            (0..steps).for_each(|step| curve.push(2.0 - step as f32 / steps as f32));
            let drawn = curve.draw();
            assert_eq!(drawn.chars().count(), WIDTH);
            assert!(drawn.starts_with('█') && drawn.ends_with('▁'), "{drawn}");
            assert!(drawn.chars().is_sorted_by(|a, b| a >= b), "{drawn}");
            assert!(curve.means.len() <= 2 * WIDTH);
        }
        assert_eq!(Curve::default().draw(), "");
        let mut one = Curve::default();
        one.push(1.0);
        assert_eq!(one.draw(), "▁");
    }
}
