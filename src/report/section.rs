//! Sections: what stands below a heading, in the order in which it was added.

use std::fmt::Write as _;

use super::chart::Chart;
use super::escape::escaped;
use super::gallery::Gallery;
use super::table::Table;

/// A section of a [`super::Page`].
///
/// ```
/// use vultus::report::{Page, Section};
///
/// let section = Section::new("Training")
///     .text("All layers were trained.")
///     .facts([("seed", "7"), ("epochs", "40")])
///     .heading("Pictures that could not be read")
///     .list(["happy/17.png", "sad/3.png"])
///     .note("They are left out of all figures.");
/// assert!(Page::new("Report").section(section).html().contains("happy/17.png"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Section {
    title: String,
    blocks: Vec<Block>,
}

#[derive(Clone, Debug, PartialEq)]
enum Block {
    Heading(String),
    Text(String),
    Note(String),
    Facts(Vec<[String; 2]>),
    List(Vec<String>),
    Table(Table),
    Chart { title: String, chart: Chart, note: String },
    Gallery(Gallery),
}

impl Section {
    /// A section without anything but its title.
    pub fn new(title: impl Into<String>) -> Self {
        Section { title: title.into(), blocks: Vec::new() }
    }

    /// Adds a heading within the section.
    #[must_use]
    pub fn heading(self, heading: impl Into<String>) -> Self {
        self.block(Block::Heading(heading.into()))
    }

    /// Adds a paragraph.
    #[must_use]
    pub fn text(self, text: impl Into<String>) -> Self {
        self.block(Block::Text(text.into()))
    }

    /// Adds a paragraph that stands out: a warning or what must be known to read the figures.
    #[must_use]
    pub fn note(self, note: impl Into<String>) -> Self {
        self.block(Block::Note(note.into()))
    }

    /// Adds names and values: settings, seeds, versions.
    #[must_use]
    pub fn facts<K: Into<String>, V: Into<String>>(self, facts: impl IntoIterator<Item = (K, V)>) -> Self {
        self.block(Block::Facts(facts.into_iter().map(|(name, value)| [name.into(), value.into()]).collect()))
    }

    /// Adds a list of short texts, such as files.
    #[must_use]
    pub fn list<T: Into<String>>(self, items: impl IntoIterator<Item = T>) -> Self {
        self.block(Block::List(items.into_iter().map(Into::into).collect()))
    }

    /// Adds a table.
    #[must_use]
    pub fn table(self, table: Table) -> Self {
        self.block(Block::Table(table))
    }

    /// Adds a chart with its title and a note below it, which may be empty. Charts that follow each other stand beside
    /// each other where there is room.
    #[must_use]
    pub fn chart(self, title: impl Into<String>, chart: Chart, note: impl Into<String>) -> Self {
        self.block(Block::Chart { title: title.into(), chart, note: note.into() })
    }

    /// Adds pictures.
    #[must_use]
    pub fn gallery(self, gallery: Gallery) -> Self {
        self.block(Block::Gallery(gallery))
    }

    fn block(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }

    pub(super) fn title(&self) -> &str {
        &self.title
    }

    /// Writes the section; `figure` counts the page's charts, whose elements need names of their own.
    pub(super) fn html(&self, number: usize, figure: &mut usize, out: &mut String) {
        let title = escaped(&self.title);
        let _ = writeln!(
            out,
            "<section id=\"section{number}\" aria-labelledby=\"title{number}\">\
             <h2 id=\"title{number}\"><span>{number}</span>{title}</h2>"
        );
        let is_chart = |block: &Block| matches!(block, Block::Chart { .. });
        for group in self.blocks.chunk_by(|a, b| is_chart(a) && is_chart(b)) {
            let charts = group.first().is_some_and(is_chart);
            out.push_str(if charts { "<div class=\"charts\">\n" } else { "" });
            group.iter().for_each(|block| block.html(figure, out));
            out.push_str(if charts { "</div>\n" } else { "" });
        }
        out.push_str("</section>\n");
    }
}

impl Block {
    fn html(&self, figure: &mut usize, out: &mut String) {
        let _ = match self {
            Block::Heading(text) => writeln!(out, "<h3>{}</h3>", escaped(text)),
            Block::Text(text) => writeln!(out, "<p>{}</p>", escaped(text)),
            Block::Note(text) => writeln!(out, "<p class=\"note\">{}</p>", escaped(text)),
            Block::Facts(facts) => facts_html(facts, out),
            Block::List(items) => {
                let items: String = items.iter().map(|item| format!("<li>{}</li>", escaped(item))).collect();
                writeln!(out, "<ul>{items}</ul>")
            }
            Block::Table(table) => {
                table.html(out);
                Ok(())
            }
            Block::Chart { title, chart, note } => {
                *figure += 1;
                chart.html(*figure, title, note, out);
                Ok(())
            }
            Block::Gallery(gallery) => {
                gallery.html(out);
                Ok(())
            }
        };
    }
}

fn facts_html(facts: &[[String; 2]], out: &mut String) -> std::fmt::Result {
    out.push_str("<dl class=\"facts\">");
    for [name, value] in facts {
        write!(out, "<div><dt>{}</dt><dd>{}</dd></div>", escaped(name), escaped(value))?;
    }
    writeln!(out, "</dl>")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{LineChart, Unit};

    #[test]
    fn charts_that_follow_each_other_stand_together() {
        let chart = || Chart::Line(LineChart::new("epoch", "loss", Unit::Number));
        let section =
            Section::new("a").chart("1", chart(), "").chart("2", chart(), "").text("t").chart("3", chart(), "");
        let (mut html, mut figure) = (String::new(), 4);
        section.html(1, &mut figure, &mut html);
        assert_eq!(figure, 7);
        assert_eq!(html.matches("<div class=\"charts\">").count(), 2);
        assert_eq!(html.matches("<div").count(), html.matches("</div>").count());
        assert!(html.contains("id=\"figure5\"") && html.contains("id=\"figure7\""), "{html}");
    }

    #[test]
    fn all_blocks_escape_their_text() {
        let evil = "<i>\"";
        let section = Section::new(evil).heading(evil).text(evil).note(evil).facts([(evil, evil)]).list([evil]).chart(
            evil,
            Chart::Line(LineChart::new(evil, evil, Unit::Number)),
            evil,
        );
        let mut html = String::new();
        section.html(1, &mut 0, &mut html);
        assert!(!html.contains("<i>"), "{html}");
    }
}
