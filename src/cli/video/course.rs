//! The way through a video: frame by frame, with the memory of one frame.

use std::io::Write;

use vultus::face::{Analysis, Analyzer, Answer, FaceExpression, Frame, ModelCard};
use vultus::image::RgbImage;

use super::annotated::Annotated;
use super::people::People;
use super::progress::Progress;
use super::rows::Rows;
use super::source::Source;
use super::span::{Span, moment};
use crate::answer::annotate::{self, Mark};
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::interrupt;

/// All that it needs.
pub struct Course {
    pub analyzer: Analyzer,
    /// Whether every frame is a face as a whole.
    pub is_face: bool,
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
        let card = self.analyzer.card().clone();
        let progress = Progress::new(self.span, self.source.share(), self.rows, global);
        let (mut seen, mut marks, mut damage) = (None, Vec::new(), Damage::default());
        self.rows.begin(out, &card.classes)?;
        let cut = loop {
            if interrupt::is_asked() {
                break Some(interrupted(seen.as_ref()));
            }
            let Next { time, is_look, mut image } = match self.next(seen.as_ref(), &mut damage) {
                Ok(Some(next)) => next,
                Ok(None) => break damage.failure(),
                // What sends the video is ended by Ctrl-C too, perhaps within a frame.
                Err(_) if interrupt::is_asked() => break Some(interrupted(seen.as_ref())),
                Err(failure) => break Some(failure),
            };
            let new = || self.begin(&card, image.dimensions(), time);
            let seen: &mut Seen = seen.get_or_insert_with(new);
            if is_look {
                let analysis = self.look(time, &image)?;
                self.rows.write(out, (self.source.place().0, time), &analysis, &card.classes)?;
                seen.people.see(time, &image, &analysis.faces);
                marks = analysis.faces.iter().filter_map(|face| mark(face, &card)).collect();
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

    /// The next frame that is needed. The first one is always looked at. In the place of a damaged one an annotated video
    /// has the one before.
    fn next(&mut self, seen: Option<&Seen>, damage: &mut Damage) -> Result<Option<Next>, Failure> {
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
            if !is_look && self.annotated.is_none() {
                continue;
            }
            match self.source.image() {
                Ok(image) => {
                    if self.annotated.is_some() {
                        damage.last = Some(image.clone());
                    }
                    return Ok(Some(Next { time, is_look, image }));
                }
                Err(failure) => {
                    damage.count(failure);
                    if let Some(image) = damage.last.clone() {
                        return Ok(Some(Next { time, is_look: false, image }));
                    }
                }
            }
        }
        Ok(None)
    }

    fn begin(&self, card: &ModelCard, size: (u32, u32), time: f64) -> Seen {
        let (first, apart) = (self.source.place().0, self.source.rate().time_of(self.span.every));
        let people = People::new(card, time, apart, self.pictures);
        Seen { people, classes: card.classes.clone(), size, span: [time; 2], first, cut: None }
    }

    fn look(&mut self, time: f64, image: &RgbImage) -> Result<Analysis, Failure> {
        let frame = Frame::from(image);
        Ok(self.analyzer.follow(time, if self.is_face { frame.as_face() } else { frame })?)
    }

    /// Why there is nothing to show.
    fn nothing(&self) -> Failure {
        let Span { from, to, .. } = self.span;
        let (_, last) = self.source.place();
        let to = to.map_or(String::new(), |to| format!(" and before {}", moment(to)));
        Failure::Failed(format!("no frame is at {} or later{to}: the last one is at {}", moment(from), moment(last)))
    }
}

/// A frame that is needed.
struct Next {
    time: f64,
    /// Whether it is looked at, or only drawn into.
    is_look: bool,
    image: RgbImage,
}

/// Frames that could not be read, while those after them could.
#[derive(Default)]
struct Damage {
    frames: u64,
    /// What was wrong with the first.
    first: Option<Failure>,
    /// The last good frame, where it may stand in for others.
    last: Option<RgbImage>,
}

impl Damage {
    fn count(&mut self, failure: Failure) {
        self.frames += 1;
        self.first.get_or_insert(failure);
    }

    /// That there were any.
    fn failure(&mut self) -> Option<Failure> {
        let (first, frames) = (self.first.take()?, self.frames);
        Some(match first {
            Failure::Failed(reason) if frames > 1 => {
                Failure::Failed(format!("{reason} (and {} more frames that could not be read)", frames - 1))
            }
            first => first,
        })
    }
}

/// What is said when the process was asked to end.
fn interrupted(seen: Option<&Seen>) -> Failure {
    let looks = seen.map_or(0, |seen| seen.people.looks());
    Failure::Interrupted(format!("interrupted after {looks} frames were looked at"))
}

/// The box of a face, in a colour that it keeps.
fn mark(face: &FaceExpression, card: &ModelCard) -> Option<Mark> {
    let track = face.track.as_ref()?;
    let Answer { class, probability, .. } = track.answer;
    let share = class.map_or(String::new(), |_| format!(" {:.0}%", 100.0 * probability));
    let label = format!("{} {}{share}", track.id, track.answer.name(&card.classes));
    Some(Mark { bounds: face.bounds, label, color: Some(track.id.saturating_sub(1) as usize) })
}
