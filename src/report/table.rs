//! Tables and their cells.

use std::fmt::Write as _;

use super::escape::escaped;
use super::number;

/// A table: the first column names the rows. A column of numbers stands right.
///
/// ```
/// use vultus::report::{Cell, Page, Section, Table};
///
/// let table = Table::new(["class", "pictures", "recall"])
///     .caption("The test part")
///     .row([Cell::text("happy"), Cell::count(1774), Cell::percent(0.86)])
///     .row([Cell::text("disgust"), Cell::count(111), Cell::percent(None)]);
/// assert!(!table.is_empty());
/// assert!(Page::new("Report").section(Section::new("Classes").table(table)).html().contains("1,774"));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    caption: String,
    columns: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

/// What stands in a cell.
///
/// ```
/// use vultus::report::Cell;
///
/// let accuracies = [0.66, 0.71];
/// let best = accuracies.iter().copied().fold(0.0, f64::max);
/// let cells = accuracies.map(|accuracy| Cell::percent(accuracy).strong_if(accuracy == best));
/// assert_eq!(cells[0], Cell::percent(0.66));
/// assert_ne!(cells[1], Cell::percent(0.71));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    text: String,
    interval: Option<String>,
    numeric: bool,
    strong: bool,
}

impl Cell {
    /// A text.
    pub fn text(text: impl Into<String>) -> Self {
        Cell { text: text.into(), interval: None, numeric: false, strong: false }
    }

    /// A number that is formatted already.
    pub fn number(text: impl Into<String>) -> Self {
        Cell { numeric: true, ..Cell::text(text) }
    }

    /// A whole number.
    pub fn count(value: u64) -> Self {
        Cell::number(number::count(value))
    }

    /// A number from 0 to 1 in percent; `undefined` for `None` and what is not finite.
    pub fn percent(value: impl Into<Option<f64>>) -> Self {
        Cell::number(value.into().map_or(number::UNDEFINED.to_owned(), number::percent))
    }

    /// A number with this many decimals; `undefined` for `None` and what is not finite.
    pub fn decimal(value: impl Into<Option<f64>>, decimals: usize) -> Self {
        Cell::number(value.into().map_or(number::UNDEFINED.to_owned(), |value| number::decimal(value, decimals)))
    }

    /// An interval with this many decimals; `–` for `None`.
    pub fn range(interval: Option<[f64; 2]>, decimals: usize) -> Self {
        let cell = Cell::number("–").decimal_interval(interval, decimals);
        cell.interval.map_or(Cell::number("–"), Cell::number)
    }

    /// Adds an interval of numbers from 0 to 1, in percent.
    #[must_use]
    pub fn percent_interval(self, interval: Option<[f64; 2]>) -> Self {
        self.interval(interval, |value| number::decimal(100.0 * value, 1))
    }

    /// Adds an interval of numbers with this many decimals.
    #[must_use]
    pub fn decimal_interval(self, interval: Option<[f64; 2]>, decimals: usize) -> Self {
        self.interval(interval, |value| number::decimal(value, decimals))
    }

    fn interval(mut self, interval: Option<[f64; 2]>, format: impl Fn(f64) -> String) -> Self {
        let finite = interval.filter(|ends| ends.iter().all(|end| end.is_finite()));
        self.interval = finite.map(|[low, high]| format!("{} to {}", format(low), format(high)));
        self
    }

    /// The cell, set in bold if it is so.
    #[must_use]
    pub fn strong_if(mut self, strong: bool) -> Self {
        self.strong = strong;
        self
    }

    fn html(&self) -> String {
        let mut html = escaped(&self.text);
        if self.text == number::UNDEFINED && self.numeric {
            html = format!("<span class=\"undefined\">{html}</span>");
        }
        if self.strong {
            html = format!("<strong>{html}</strong>");
        }
        if let Some(interval) = &self.interval {
            let _ = write!(html, " <span class=\"interval\">{}</span>", escaped(interval));
        }
        html
    }
}

impl Table {
    /// A table of columns with these titles.
    pub fn new<T: Into<String>>(columns: impl IntoIterator<Item = T>) -> Self {
        Table { columns: columns.into_iter().map(Into::into).collect(), ..Table::default() }
    }

    /// What the table shows, in a line above it.
    #[must_use]
    pub fn caption(mut self, caption: impl Into<String>) -> Self {
        self.caption = caption.into();
        self
    }

    /// Adds a row. Cells that it lacks stay empty.
    #[must_use]
    pub fn row(mut self, cells: impl IntoIterator<Item = Cell>) -> Self {
        self.rows.push(cells.into_iter().collect());
        self
    }

    /// Adds rows.
    #[must_use]
    pub fn rows<R: IntoIterator<Item = Cell>>(self, rows: impl IntoIterator<Item = R>) -> Self {
        rows.into_iter().fold(self, Table::row)
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub(super) fn html(&self, out: &mut String) {
        let width = self.rows.iter().map(Vec::len).chain([self.columns.len()]).max().unwrap_or(0);
        let numeric: Vec<bool> = (0..width).map(|column| self.is_numeric(column)).collect();
        let class = |column: usize| if numeric[column] { " class=\"number\"" } else { "" };
        out.push_str("<div class=\"scroll\"><table>");
        if !self.caption.is_empty() {
            let _ = write!(out, "<caption>{}</caption>", escaped(&self.caption));
        }
        out.push_str("<thead><tr>");
        for column in 0..width {
            let title = self.columns.get(column).map_or("", String::as_str);
            let _ = write!(out, "<th scope=\"col\"{}>{}</th>", class(column), escaped(title));
        }
        out.push_str("</tr></thead><tbody>");
        for row in &self.rows {
            out.push_str("<tr>");
            for column in 0..width {
                let html = row.get(column).map_or_else(String::new, Cell::html);
                let _ = match column {
                    0 => write!(out, "<th scope=\"row\"{}>{html}</th>", class(0)),
                    _ => write!(out, "<td{}>{html}</td>", class(column)),
                };
            }
            out.push_str("</tr>");
        }
        out.push_str("</tbody></table></div>\n");
    }

    /// Whether a column holds numbers only, and at least one.
    fn is_numeric(&self, column: usize) -> bool {
        let mut cells = self.rows.iter().filter_map(|row| row.get(column)).peekable();
        cells.peek().is_some() && cells.all(|cell| cell.numeric)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_right_and_what_has_no_value_says_so() {
        let table = Table::new(["class", "recall", "note"])
            .row([Cell::text("a<b"), Cell::percent(0.5).percent_interval(Some([0.4, 0.61])), Cell::text("x")])
            .row([Cell::text("c"), Cell::percent(None).percent_interval(None)]);
        let mut html = String::new();
        table.html(&mut html);
        assert!(html.contains("<th scope=\"col\" class=\"number\">recall</th><th scope=\"col\">note</th>"), "{html}");
        assert!(html.contains("<th scope=\"row\">a&lt;b</th>"), "{html}");
        assert!(html.contains("<td class=\"number\">50.0\u{A0}% <span class=\"interval\">40.0 to 61.0</span></td>"));
        assert!(html.contains("<span class=\"undefined\">undefined</span></td><td></td></tr>"), "{html}");
    }

    #[test]
    fn a_table_without_anything_is_still_one() {
        let mut html = String::new();
        Table::default().html(&mut html);
        assert!(html.contains("<tbody></tbody>"));
    }
}
