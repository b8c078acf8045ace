//! Charts, drawn as SVG with text as text and the page's colours.

mod bars;
mod confusion;
mod labels;
mod line;
mod reliability;
mod scale;
mod scatter;
mod svg;
mod text;
mod timeline;

use std::fmt::Write as _;

use super::escape::escaped;
use super::table::Table;
pub use bars::{Bar, BarChart, BarSeries};
pub use confusion::ConfusionMatrix;
pub use line::{LineChart, Series};
pub use reliability::ReliabilityCurve;
pub use scatter::{ScatterChart, ScatterPoint};
use svg::Svg;
pub use timeline::TimelineChart;

/// A chart.
///
/// ```
/// use vultus::report::{Chart, ConfusionMatrix, Page, Section};
///
/// let confusion = ConfusionMatrix::new(["happy", "sad"].map(str::to_owned).into(), vec![vec![8, 2], vec![1, 9]]);
/// let section = Section::new("Errors").chart("Confusions", Chart::Confusion(confusion), "");
/// assert!(Page::new("Report").section(section).html().contains("<svg"));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Chart {
    /// Values along an axis.
    Line(LineChart),
    /// True against predicted classes.
    Confusion(ConfusionMatrix),
    /// Values of several things in groups.
    Bars(BarChart),
    /// Probabilities against how often they are right.
    Reliability(ReliabilityCurve),
    /// Things by two values.
    Scatter(ScatterChart),
    /// Shares over time.
    Timeline(TimelineChart),
}

/// In what an axis is labelled.
///
/// ```
/// use vultus::report::{Bar, BarChart, Unit};
///
/// let bar = |value| Bar { value: Some(value), interval: None };
/// let accuracy = BarChart::new(["ours"], "accuracy", Unit::Percent).series("test", [bar(0.632)]);
/// let time = BarChart::new(["ours"], "milliseconds", Unit::Number).series("GPU", [bar(2.4)]);
/// assert_ne!(accuracy, time);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// As it is.
    Number,
    /// 0.5 is 50 %.
    Percent,
}

/// The width of charts that do not need more, two of which fit beside each other.
const WIDTH: f64 = 440.0;

/// The size of the text in charts.
const TEXT: f64 = 13.0;

/// A chart, drawn.
struct Drawing {
    svg: Svg,
    /// What the chart shows, in words.
    description: String,
    /// The numbers that it shows.
    data: Table,
}

impl Chart {
    fn draw(&self) -> Drawing {
        match self {
            Chart::Line(chart) => chart.draw(),
            Chart::Confusion(chart) => chart.draw(),
            Chart::Bars(chart) => chart.draw(),
            Chart::Reliability(chart) => chart.draw(),
            Chart::Scatter(chart) => chart.draw(),
            Chart::Timeline(chart) => chart.draw(),
        }
    }

    /// Writes the chart with its title, note and numbers. `figure` is unique on the page.
    pub(super) fn html(&self, figure: usize, title: &str, note: &str, out: &mut String) {
        let Drawing { svg, description, data } = self.draw();
        let wide = if svg.width() > WIDTH { " wide" } else { "" };
        let title = escaped(title);
        let _ = write!(out, "<figure class=\"chart{wide}\"><figcaption><b>{title}</b>");
        if !note.is_empty() {
            let _ = write!(out, "<span>{}</span>", escaped(note));
        }
        out.push_str("</figcaption><div class=\"scroll\">");
        svg.finish(&format!("figure{figure}"), &title, &escaped(&description), out);
        out.push_str("</div>");
        if !data.is_empty() {
            out.push_str("<details><summary>The numbers</summary>");
            data.html(out);
            out.push_str("</details>");
        }
        out.push_str("</figure>\n");
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The chart's SVG and the rest of its figure, checked: all numbers finite and within the drawing, all elements
    /// closed, no text left as markup.
    pub fn checked(chart: &Chart) -> String {
        let drawing = chart.draw();
        let (width, height) = (drawing.svg.width(), drawing.svg.height());
        assert!((100.0..20_000.0).contains(&width) && (60.0..20_000.0).contains(&height), "{width} × {height}");
        let mut html = String::new();
        chart.html(1, "title <x>", "note", &mut html);
        for wrong in ["NaN", "inf\"", "inf ", "<x>", "<script"] {
            assert!(!html.contains(wrong), "{wrong} in {html}");
        }
        for (attribute, end) in [("x", width), ("x1", width), ("x2", width), ("y", height), ("cy", height)] {
            for part in html.split(&format!(" {attribute}=\"")).skip(1) {
                let text = part.split('"').next().unwrap_or_default();
                let value: f64 = text.parse().unwrap_or_else(|_| panic!("{attribute} is {text}"));
                assert!((-1.0..=end + 1.0).contains(&value), "{attribute} is {value} of {end}");
            }
        }
        for element in ["svg", "g", "text", "title", "table", "figure"] {
            let opened = html.matches(&format!("<{element} ")).count() + html.matches(&format!("<{element}>")).count();
            assert_eq!(opened, html.matches(&format!("</{element}>")).count(), "{element} in {html}");
        }
        html
    }
}
