//! The table for people: who was seen when, and what they showed.

use std::io::{self, Write};

use vultus::face::Answer;

use super::people::{People, Person, Share};
use super::span::moment;
use crate::cli::table::{Align, Table, widest};

/// Expressions that are named for each face.
const NAMED: usize = 3;

/// Writes a row for each face.
pub fn write(out: &mut dyn Write, people: &People, classes: &[String]) -> io::Result<()> {
    let rows: Vec<[String; 5]> = people.all().iter().map(|person| cells(person, classes)).collect();
    let width = |column: usize| widest(rows.iter().map(|row| row[column].as_str()));
    let table = Table::new([
        ("FACE", Align::Right, width(0)),
        ("FROM", Align::Right, width(1)),
        ("TO", Align::Right, width(2)),
        ("FRAMES", Align::Right, width(3)),
        ("SHARE OF TIME (AT MEAN PROBABILITY)", Align::Left, width(4)),
    ]);
    table.head(out)?;
    rows.into_iter().try_for_each(|row| table.row(out, row))
}

fn cells(person: &Person, classes: &[String]) -> [String; 5] {
    let [from, to] = person.seen.map(moment);
    [person.id.to_string(), from, to, person.looks.to_string(), expressions(person, classes)]
}

/// The expressions that a face showed the longest, with their parts of the time and, while they were the answer, their
/// mean probability.
pub fn expressions(person: &Person, classes: &[String]) -> String {
    let named = |share: &Share| {
        let of_time = 100.0 * share.of_time;
        let Some(class) = share.class else { return Some(format!("{} {of_time:.0}%", Answer::UNCERTAIN)) };
        Some(format!("{} {of_time:.0}% (at {:.0}%)", classes.get(class)?, 100.0 * share.probability))
    };
    person.shares().iter().take(NAMED).filter_map(named).collect::<Vec<_>>().join(", ")
}
