//! The way through a video: frame by frame, with the memory of one frame.

use std::io::Write;

use vultus::face::{Answer, ModelCard};
use vultus::image::RgbImage;
use vultus::track::{TrackedFace, Tracker};

use super::annotated::Annotated;
use super::people::People;
use super::progress::Progress;
use super::rows::Rows;
use super::source::Source;
use super::span::{Span, moment};
use crate::answer::annotate::{self, Mark};
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::predictor::Predictor;

/// All that it needs.
pub struct Course {
    pub predictor: Predictor,
    pub tracker: Tracker,
    pub source: Source,
    pub annotated: Option<Annotated>,
    pub rows: Rows,
    /// Whether pictures of the faces are kept.
    pub pictures: bool,
    pub span: Span,
}

/// What is known at the end.
pub struct Seen {
    pub people: People,
    pub classes: Vec<String>,
    pub size: (u32, u32),
    /// When the first frame begins and the last one ends.
    pub span: [f64; 2],
    /// The number of the first frame.
    first: u64,
    /// Why the video could not be read to its end.
    pub cut: Option<Failure>,
}

impl Course {
    /// Looks at the frames and writes those files that are written on the way.
    ///
    /// # Errors
    /// [`Failure`] if there is no frame to look at, or something cannot be computed or written. That the video cannot
    /// be read to its end is in what was seen.
    pub fn run(mut self, global: &Global, out: &mut dyn Write) -> Result<Seen, Failure> {
        let card = self.predictor.card().clone();
        let progress = Progress::new(self.span, self.source.share(), self.rows, global);
        let (mut seen, mut marks) = (None, Vec::new());
        self.rows.begin(out, &card.classes)?;
        let cut = loop {
            let (time, is_look, mut image) = match self.next(seen.as_ref()) {
                Ok(Some(next)) => next,
                Ok(None) => break None,
                Err(failure) => break Some(failure),
            };
            let new = || self.begin(&card, image.dimensions(), time);
            let seen: &mut Seen = seen.get_or_insert_with(new);
            if is_look {
                let faces = self.look(time, &image)?;
                self.rows.write(out, (self.source.place().0, time), &faces, &card)?;
                seen.people.see(time, &image, &faces);
                marks = faces.iter().map(|face| mark(face, &card)).collect();
            }
            seen.span[1] = time + self.source.rate().time_of(1);
            if let Some(annotated) = &mut self.annotated {
                annotate::draw(&mut image, &marks);
                annotated.write(&image)?;
            }
            progress.at(time, self.source.share(), marks.len());
        };
        progress.finish();
        let Some(seen) = seen else { return Err(cut.unwrap_or_else(|| self.nothing())) };
        self.annotated.map_or(Ok(()), Annotated::finish)?;
        Ok(Seen { cut, ..seen })
    }

    /// The time of the next frame that is needed, whether it is looked at, and its picture. The first one always is.
    fn next(&mut self, seen: Option<&Seen>) -> Result<Option<(f64, bool, RgbImage)>, Failure> {
        while self.source.advance()? {
            let (number, time) = self.source.place();
            if self.span.to.is_some_and(|to| time >= to) {
                return Ok(None);
            }
            if time < self.span.from {
                continue;
            }
            let first = seen.map_or(number, |seen| seen.first);
            let is_look = (number - first).is_multiple_of(self.span.every);
            if is_look || self.annotated.is_some() {
                return Ok(Some((time, is_look, self.source.image()?)));
            }
        }
        Ok(None)
    }

    fn begin(&self, card: &ModelCard, size: (u32, u32), time: f64) -> Seen {
        let (first, apart) = (self.source.place().0, self.source.rate().time_of(self.span.every));
        let people = People::new(card, time, apart, self.pictures);
        Seen { people, classes: card.classes.clone(), size, span: [time; 2], first, cut: None }
    }

    fn look(&mut self, time: f64, image: &RgbImage) -> Result<Vec<TrackedFace>, Failure> {
        let (faces, scores) = self.predictor.predict(image)?;
        Ok(self.tracker.update(time, faces, scores)?)
    }

    /// Why there is nothing to show.
    fn nothing(&self) -> Failure {
        let Span { from, to, .. } = self.span;
        let (_, last) = self.source.place();
        let to = to.map_or(String::new(), |to| format!(" and before {}", moment(to)));
        Failure::Failed(format!("no frame is at {} or later{to}: the last one is at {}", moment(from), moment(last)))
    }
}

/// The box of a face, in a colour that it keeps.
fn mark(face: &TrackedFace, card: &ModelCard) -> Mark {
    let answer = card.answer(&face.smoothed);
    let Answer { class, probability, .. } = answer;
    let share = class.map_or(String::new(), |_| format!(" {:.0}%", 100.0 * probability));
    let label = format!("{} {}{share}", face.id, answer.name(&card.classes));
    Mark { bounds: face.face.bounds, label, color: Some(face.id.saturating_sub(1) as usize) }
}
