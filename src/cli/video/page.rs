//! The page of a video: what each face showed over time, and its surest moments.

use std::path::Path;

use vultus::report::{Card, Cell, Chart, Gallery, GalleryItem, Page, Section, Table, TimelineChart, number};

use super::people::{People, Person};
use super::span::moment;
use super::summary::expressions;
use crate::cli::models;

/// Faces with a chart and pictures of their own, those that were seen the longest.
const SHOWN: usize = 24;

/// What the page tells of the video besides its faces.
pub struct Facts<'a> {
    pub name: &'a str,
    pub size: (u32, u32),
    /// Frames per second.
    pub rate: String,
    /// When the first frame begins and the last one ends.
    pub span: [f64; 2],
    /// Of how many frames one was looked at.
    pub every: u64,
    pub smoothing: f64,
    pub model: Option<&'a Path>,
    /// Why the video could not be read to its end.
    pub cut: Option<String>,
}

/// The whole page.
pub fn page(facts: &Facts, people: &People, classes: &[String]) -> Page {
    let [from, to] = facts.span;
    let name = Path::new(facts.name).file_name().map_or(facts.name.into(), |name| name.to_string_lossy());
    let lead = "What each face showed, frame by frame, as the model sees it. It says what a face resembles, not what a \
        person feels.";
    let page = Page::new(format!("Faces in {name}"))
        .lead(lead)
        .card(Card::new("length", moment(to - from)).note(format!("from {} to {}", moment(from), moment(to))))
        .card(Card::new("frames looked at", number::count(people.looks())))
        .card(Card::new("faces", number::count(people.all().len() as u64 + people.dropped())))
        .section(overview(facts, people, classes));
    let mut shown: Vec<&Person> = people.all().iter().collect();
    shown.sort_by_key(|person| std::cmp::Reverse(person.looks));
    shown.truncate(SHOWN);
    shown.sort_by_key(|person| person.id);
    page.sections(shown.into_iter().map(|person| face(person, facts, people, classes))).section(settings(facts))
}

fn overview(facts: &Facts, people: &People, classes: &[String]) -> Section {
    let mut section = Section::new("All faces");
    if let Some(cut) = &facts.cut {
        section = section.note(format!("The video could not be read to its end. {cut}"));
    }
    if people.all().is_empty() {
        return section.text("No face was found.");
    }
    let row = |person: &Person| {
        let [from, to] = person.seen.map(moment);
        let looks = Cell::count(person.looks);
        [Cell::count(person.id), Cell::number(from), Cell::number(to), looks, Cell::text(expressions(person, classes))]
    };
    let table = Table::new(["face", "from", "to", "frames", "share of time (at mean probability)"])
        .rows(people.all().iter().map(row));
    let section = section.table(table);
    match people.dropped() {
        0 => section,
        dropped => section.text(format!("{dropped} more faces were seen for less time than any of these.")),
    }
}

fn face(person: &Person, facts: &Facts, people: &People, classes: &[String]) -> Section {
    let scale = people.scale();
    let [from, to] = facts.span;
    // The last part of the time may end later than the video.
    let end = person.sums.means().last().map_or(to, |(part, _)| scale.times(part)[1]).max(to);
    let mut chart = TimelineChart::new(classes.iter().map(String::as_str), [from, end]);
    for (part, means) in person.sums.means() {
        let [from, to] = scale.times(part);
        chart = chart.part(from, to, means);
    }
    let moments = person.moments.iter().filter_map(|moment| {
        let class = classes.get(moment.class)?;
        let (time, surely) = (self::moment(moment.time), number::percent(f64::from(moment.probability)));
        let item = GalleryItem::new(moment.picture.clone(), format!("Face {} at {time}: {class}", person.id));
        Some(item.heading(class).line(surely).line(time))
    });
    let gallery = Gallery::new("Surest moments").note("The surest of each expression.").items(moments);
    let [first, last] = person.seen.map(moment);
    let section = Section::new(format!("Face {}", person.id))
        .text(format!(
            "From {first} to {last}, by share of time and mean probability: {}.",
            expressions(person, classes)
        ))
        .chart(
            "Expressions over time",
            Chart::Timeline(chart),
            "Smoothed probabilities. Where it is empty, the face was not seen.",
        );
    // There are none where the model was never certain.
    if person.moments.is_empty() { section } else { section.gallery(gallery) }
}

fn settings(facts: &Facts) -> Section {
    let (width, height) = facts.size;
    let model = models::title(facts.model);
    Section::new("How it was made").facts([
        ("video", facts.name.to_owned()),
        ("size", format!("{width}×{height} pixels")),
        ("frames per second", facts.rate.clone()),
        (
            "looked at",
            if facts.every == 1 { "every frame".to_owned() } else { format!("one of {} frames", facts.every) },
        ),
        ("smoothed over", format!("{} s", facts.smoothing)),
        ("model", model),
        ("software", format!("vultus {}", env!("CARGO_PKG_VERSION"))),
    ])
}
