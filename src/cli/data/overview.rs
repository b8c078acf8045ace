//! What was found, for people.

use std::io::{self, Write};

use vultus::data::{ClassCount, Cleaning, Found, Inspection, Leakage, Sizes, Spread};

use super::Report;
use crate::cli::table::{Align, Table, widest};

/// Prints a report; of each kind of bad pictures only so many are named.
pub fn print(report: &Report, listed: usize, out: &mut dyn Write) -> io::Result<()> {
    let found = &report.inspection;
    title(found, out)?;
    classes(&found.classes, out)?;
    writeln!(out)?;
    if let Some(sizes) = &found.sizes {
        size(sizes, out)?;
    }
    named(out, "unreadable", found.unreadable.iter().map(|picture| picture.reason.clone()), listed)?;
    named(out, "blank", found.blank.iter().map(label), listed)?;
    duplicates(found, listed, out)?;
    for leak in &found.leakage {
        leaks(&leak.leakage, leak.part.name(), leak.within.name(), listed, out)?;
    }
    if let Some(against) = &report.against {
        leaks(&against.leakage, &found.path, &against.path, listed, out)?;
    }
    report.left_out.as_ref().map_or(Ok(()), |cleaning| left_out(cleaning, out))
}

fn title(found: &Inspection, out: &mut dyn Write) -> io::Result<()> {
    write!(out, "{}: {} pictures, {} classes", found.path, found.pictures, found.classes.len())?;
    match (found.subjects, found.with_subject) {
        (Some(subjects), _) => write!(out, ", {subjects} people")?,
        (None, 0) => write!(out, ", people not known")?,
        (None, known) => write!(out, ", people known for {known} pictures only")?,
    }
    if found.with_face > 0 {
        write!(out, ", {} boxes of faces", found.with_face)?;
    }
    writeln!(out, "\n")
}

fn classes(counts: &[ClassCount], out: &mut dyn Write) -> io::Result<()> {
    let width = widest(counts.iter().map(|count| count.class.as_str()));
    let number = |title| (title, Align::Right, 6);
    let sum = |of: fn(&ClassCount) -> usize| counts.iter().map(of).sum::<usize>();
    let all = ClassCount {
        class: "all".to_owned(),
        pictures: sum(|count| count.pictures),
        train: sum(|count| count.train),
        validation: sum(|count| count.validation),
        test: sum(|count| count.test),
    };
    let rows = counts.iter().chain([&all]);
    if all.train + all.validation + all.test == 0 {
        let table = Table::new([("class", Align::Left, width), number("pictures")]);
        table.head(out)?;
        return rows.into_iter().try_for_each(|row| table.row(out, [row.class.clone(), row.pictures.to_string()]));
    }
    let table = Table::new([
        ("class", Align::Left, width),
        number("train"),
        number("validation"),
        number("test"),
        number("pictures"),
    ]);
    table.head(out)?;
    for row in rows {
        let numbers = [row.train, row.validation, row.test, row.pictures].map(|number| number.to_string());
        let [train, validation, test, pictures] = numbers;
        table.row(out, [row.class.clone(), train, validation, test, pictures])?;
    }
    Ok(())
}

fn size(sizes: &Sizes, out: &mut dyn Write) -> io::Result<()> {
    let (width, height) = (sizes.width, sizes.height);
    if width.min == width.max && height.min == height.max {
        heading(out, "size", &format!("{}×{} pixels", width.min, height.min))?;
    } else {
        let spread = |Spread { min, median, max }| format!("{min} to {max} (median {median})");
        heading(out, "size", &format!("width {}, height {} pixels", spread(width), spread(height)))?;
    }
    heading(out, "colour", &format!("{} gray, {} in colour", sizes.gray, sizes.color))
}

fn duplicates(found: &Inspection, listed: usize, out: &mut dyn Write) -> io::Result<()> {
    let pictures: usize = found.duplicates.iter().map(|group| group.pictures.len()).sum();
    let text = format!(
        "{pictures} pictures in {} groups, {} of which have more than one label",
        found.duplicates.len(),
        found.conflicts
    );
    heading(out, "duplicates", if pictures == 0 { "0" } else { &text })?;
    let conflicting = found.duplicates.iter().filter(|group| group.conflicting);
    let lines = conflicting.map(|group| equal(&group.pictures));
    some(out, lines, found.conflicts, listed)
}

/// A group in one line, which names a few of a large one.
fn equal(group: &[Found]) -> String {
    const NAMED: usize = 4;
    let mut names: Vec<String> = group.iter().take(NAMED).map(label).collect();
    if group.len() > NAMED {
        names.push(format!("{} more", group.len() - NAMED));
    }
    names.join(" = ")
}

fn leaks(leakage: &Leakage, of: &str, within: &str, listed: usize, out: &mut dyn Write) -> io::Result<()> {
    let Leakage { pictures, other_class, leaks } = leakage;
    heading(out, "leakage", &format!("{pictures} pictures of {of} are in {within}, {other_class} with another label"))?;
    // Those that contradict each other first.
    let (other, same): (Vec<_>, Vec<_>) = leaks.iter().partition(|leak| leak.picture.class != leak.twin.class);
    let lines = other.into_iter().chain(same);
    some(out, lines.map(|leak| format!("{} = {}", label(&leak.picture), label(&leak.twin))), leaks.len(), listed)
}

fn left_out(cleaning: &Cleaning, out: &mut dyn Write) -> io::Result<()> {
    let Cleaning { unreadable, held_out, conflicting, repeated, blank } = cleaning;
    let numbers = [
        (unreadable.len(), "unreadable"),
        (held_out.len(), "held out elsewhere"),
        (conflicting.len(), "with conflicting labels"),
        (repeated.len(), "repeated"),
        (blank.len(), "blank"),
    ];
    let texts = numbers.map(|(number, what)| format!("{number} {what}"));
    heading(out, "left out", &texts.join(", "))
}

/// How many pictures are like this, and some of them.
fn named(
    out: &mut dyn Write,
    what: &str,
    lines: impl ExactSizeIterator<Item = String>,
    listed: usize,
) -> io::Result<()> {
    let number = lines.len();
    heading(out, what, &number.to_string())?;
    some(out, lines, number, listed)
}

/// The first lines, and how many more there are.
fn some(out: &mut dyn Write, lines: impl Iterator<Item = String>, all: usize, listed: usize) -> io::Result<()> {
    for line in lines.take(listed) {
        writeln!(out, "  {line}")?;
    }
    if listed > 0 && all > listed {
        writeln!(out, "  … and {} more", all - listed)?;
    }
    Ok(())
}

fn heading(out: &mut dyn Write, what: &str, text: &str) -> io::Result<()> {
    writeln!(out, "{what:<10}  {text}")
}

fn label(picture: &Found) -> String {
    format!("{} ({})", picture.name, picture.class)
}
