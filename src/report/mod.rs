//! Reports: one self-contained HTML page from plain data, with charts as SVG and pictures inside.
//!
//! The page needs no network, no script and no font of its own; it follows the reader's light or dark theme, prints,
//! and fits narrow screens. Every text is escaped, and the numbers behind every chart are there as a table too.
//!
//! ```
//! use vultus::report::{Card, Cell, Chart, LineChart, Page, Section, Series, Table, Unit};
//!
//! let curve = Series::new("training", [[1.0, 1.9], [2.0, 1.4], [3.0, 1.2]]);
//! let loss = LineChart::new("epoch", "loss", Unit::Number).series(curve);
//! let table = Table::new(["class", "images"]).row([Cell::text("happy"), Cell::count(7215)]);
//! let section = Section::new("Training").chart("Loss", Chart::Line(loss), "Mean over an epoch.").table(table);
//! let page = Page::new("Expressions").card(Card::new("accuracy", "63.2 %")).section(section);
//! assert!(page.html().starts_with("<!DOCTYPE html>"));
//! ```

mod base64;
mod chart;
mod color_map;
mod escape;
mod evaluation;
mod filters;
mod gallery;
mod grid;
mod heat;
mod maps;
mod methods;
pub mod number;
mod page;
mod picture;
mod section;
mod style;
mod table;

pub use chart::{
    Bar, BarChart, BarSeries, Chart, ConfusionMatrix, LineChart, ReliabilityCurve, ScatterChart, ScatterPoint, Series,
    TimelineChart, Unit,
};
pub use evaluation::{evaluation_cards, evaluation_sections};
pub use filters::filters_picture;
pub use gallery::{Gallery, GalleryItem};
pub use heat::heat_overlay;
pub use maps::maps_picture;
pub use methods::{Method, methods_section};
pub use page::{Card, Page};
pub use picture::data_uri;
pub use section::Section;
pub use table::{Cell, Table};
