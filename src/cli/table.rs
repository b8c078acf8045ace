//! Tables for people.

use std::io::{self, Write};

use super::printable::on_one_line;

/// On which side a column's cells stand.
#[derive(Clone, Copy)]
pub enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// A table whose rows are written as they come, so the columns' widths are set before.
pub struct Table<const N: usize> {
    columns: [(&'static str, Align, usize); N],
}

impl<const N: usize> Table<N> {
    /// A table of these columns: title, side, and the width of the widest cell.
    pub fn new(columns: [(&'static str, Align, usize); N]) -> Self {
        Table { columns: columns.map(|(title, align, width)| (title, align, width.max(title.len()))) }
    }

    /// Writes the titles.
    pub fn head(&self, out: &mut dyn Write) -> io::Result<()> {
        self.row(out, self.columns.map(|(title, ..)| title.to_owned()))
    }

    /// Writes a row.
    pub fn row(&self, out: &mut dyn Write, cells: [String; N]) -> io::Result<()> {
        let cells = cells.map(|cell| on_one_line(&cell));
        let cells = cells.iter().zip(&self.columns).map(|(cell, &(_, align, width))| match align {
            Align::Left => format!("{cell:<width$}"),
            Align::Right => format!("{cell:>width$}"),
        });
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())
    }
}

/// The width of the widest of these.
pub fn widest<'a>(cells: impl IntoIterator<Item = &'a str>) -> usize {
    cells.into_iter().map(|cell| on_one_line(cell).chars().count()).max().unwrap_or(0)
}
