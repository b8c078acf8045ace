//! The page: head, key figures, table of contents, sections.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;

use super::escape::escaped;
use super::section::Section;
use super::style;
use crate::error::Result;
use crate::file;

/// From more characters on a key figure is set smaller: it is rather a name.
const LONG_VALUE: usize = 10;

/// A report. Nothing on it is loaded from elsewhere, which its content security policy enforces.
///
/// ```
/// use vultus::report::{Card, Page, Section};
///
/// # let folder = tempfile::tempdir()?;
/// let page = Page::new("Expressions <beta>")
///     .lead("Seven expressions, tested on people that the model has never seen.")
///     .card(Card::new("pictures", "3,589"))
///     .section(Section::new("Method").text("Each picture is looked at twice."));
/// page.save(&folder.path().join("report.html"))?;
/// assert!(page.html().contains("Expressions &lt;beta&gt;"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    title: String,
    lead: String,
    cards: Vec<Card>,
    sections: Vec<Section>,
}

/// A key figure.
///
/// ```
/// use vultus::report::{Card, Page};
///
/// let card = Card::new("accuracy", "63.2 %").note("95 % interval 61.6 to 64.8 %");
/// assert!(Page::new("Expressions").card(card).html().contains("61.6 to 64.8"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    label: String,
    value: String,
    note: String,
}

impl Card {
    /// What is measured, and how much it is.
    pub fn new(label: impl Into<String>, value: impl Into<String>) -> Self {
        Card { label: label.into(), value: value.into(), note: String::new() }
    }

    /// Adds a line below the figure, such as its interval.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    fn html(&self, out: &mut String) {
        let [label, value, note] = [&self.label, &self.value, &self.note].map(|text| escaped(text));
        let long = if self.value.chars().count() > LONG_VALUE { " long" } else { "" };
        let _ = write!(out, "<div class=\"card{long}\"><dt>{label}</dt><dd><b>{value}</b>");
        if !note.is_empty() {
            let _ = write!(out, "<span>{note}</span>");
        }
        out.push_str("</dd></div>");
    }
}

impl Page {
    /// A page without anything but its title.
    pub fn new(title: impl Into<String>) -> Self {
        Page { title: title.into(), ..Page::default() }
    }

    /// One or two sentences below the title.
    #[must_use]
    pub fn lead(mut self, lead: impl Into<String>) -> Self {
        self.lead = lead.into();
        self
    }

    /// Adds a key figure; all of them stand above the sections.
    #[must_use]
    pub fn card(mut self, card: Card) -> Self {
        self.cards.push(card);
        self
    }

    /// Adds key figures.
    #[must_use]
    pub fn cards(mut self, cards: impl IntoIterator<Item = Card>) -> Self {
        self.cards.extend(cards);
        self
    }

    /// Adds a section.
    #[must_use]
    pub fn section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Adds sections.
    #[must_use]
    pub fn sections(mut self, sections: impl IntoIterator<Item = Section>) -> Self {
        self.sections.extend(sections);
        self
    }

    /// The page as HTML. The same page gives the same text.
    pub fn html(&self) -> String {
        let title = escaped(&self.title);
        let mut out = format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta http-equiv=\"Content-Security-Policy\" \
             content=\"default-src 'none'; style-src 'unsafe-inline'; img-src data:\">\n\
             <title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n",
            style::sheet()
        );
        self.header(&title, &mut out);
        out.push_str("<div class=\"columns\">\n");
        self.contents(&mut out);
        out.push_str("<main>\n");
        let mut figure = 0;
        for (number, section) in self.sections.iter().enumerate() {
            section.html(number + 1, &mut figure, &mut out);
        }
        out.push_str("</main>\n</div>\n</body>\n</html>\n");
        out
    }

    /// Writes the page to a file, which appears complete or not at all.
    ///
    /// # Errors
    /// [`crate::Error::Io`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let html = self.html();
        file::write(path, |out| out.write_all(html.as_bytes()))
    }

    fn header(&self, title: &str, out: &mut String) {
        out.push_str("<header>\n<fieldset class=\"theme\"><legend>Colours</legend>");
        for (name, checked) in [("auto", " checked"), ("light", ""), ("dark", "")] {
            let input = format!("<input type=\"radio\" name=\"theme\" id=\"theme-{name}\"{checked}>");
            let _ = write!(out, "{input}<label for=\"theme-{name}\">{name}</label>");
        }
        let _ = write!(out, "</fieldset>\n<h1>{title}</h1>\n");
        if !self.lead.is_empty() {
            let _ = writeln!(out, "<p class=\"lead\">{}</p>", escaped(&self.lead));
        }
        if !self.cards.is_empty() {
            out.push_str("<dl class=\"cards\">");
            self.cards.iter().for_each(|card| card.html(out));
            out.push_str("</dl>\n");
        }
        out.push_str("</header>\n");
    }

    fn contents(&self, out: &mut String) {
        out.push_str("<nav aria-label=\"Contents\"><h2>Contents</h2><ol>");
        for (number, section) in self.sections.iter().enumerate() {
            let (number, title) = (number + 1, escaped(section.title()));
            let _ = write!(out, "<li><a href=\"#section{number}\"><span>{number}</span>{title}</a></li>");
        }
        out.push_str("</ol></nav>\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write_stays_text() {
        let evil = "<script>alert(\"1\")</script>' onload='x";
        let page = Page::new(evil).lead(evil).card(Card::new(evil, evil).note(evil)).section(Section::new(evil));
        let html = page.html();
        assert!(!html.contains("<script") && !html.contains("' onload"), "{html}");
        // The title twice; lead; label, value and note; the section in the contents and at its place.
        assert_eq!(html.matches("&lt;script&gt;alert(&quot;1&quot;)").count(), 8);
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let html = Page::new("report").section(Section::new("one")).html();
        assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("@import"));
        assert!(html.contains("default-src 'none'"));
    }

    #[test]
    fn a_page_is_saved_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, page) = (folder.path().join("report.html"), Page::new("report"));
        page.save(&path).expect("saved");
        assert_eq!(std::fs::read_to_string(&path).expect("a file"), page.html());
        let missing = folder.path().join("none/report.html");
        assert!(page.save(&missing).expect_err("no folder").to_string().contains("report.html"));
    }
}
