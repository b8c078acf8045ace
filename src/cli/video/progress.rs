//! What is seen while a video is worked through.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::rows::Rows;
use super::span::{Span, moment};
use crate::cli::global::Global;

/// Steps of the bar, whatever it stands for.
const STEPS: f64 = 1000.0;

/// A bar with the time left where the length is known, else only how far it is.
pub struct Progress {
    bar: ProgressBar,
    span: Span,
}

impl Progress {
    /// `share` is which part was read, where that is known. Nothing is shown where it would mix with results.
    pub fn new(span: Span, share: Option<f64>, rows: Rows, global: &Global) -> Self {
        let mixes = rows != Rows::None && io::stdout().is_terminal();
        let target = if global.quiet || mixes { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let is_known = share.is_some() || span.to.is_some();
        let bar = ProgressBar::with_draw_target(is_known.then_some(STEPS as u64), target);
        let template = if is_known {
            "{prefix} {wide_bar} {percent} % {eta} left {msg}"
        } else {
            "{prefix} {spinner} {elapsed} {msg}"
        };
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = bar.with_style(style).with_prefix("video");
        bar.enable_steady_tick(Duration::from_millis(500));
        Progress { bar, span }
    }

    /// Takes note of a frame that is done.
    pub fn at(&self, time: f64, share: Option<f64>, faces: usize) {
        // A file may end before the end that was asked for, or long after it.
        let of_span = self.span.to.map(|to| time / to);
        let done = share.into_iter().chain(of_span).fold(0.0, f64::max).min(1.0);
        self.bar.set_position((STEPS * done) as u64);
        let faces = if faces == 1 { "1 face".to_owned() } else { format!("{faces} faces") };
        self.bar.set_message(format!("at {}, {faces}", moment(time)));
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
