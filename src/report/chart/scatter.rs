//! Things by two values, such as accuracy against time.

use super::super::number;
use super::super::style::series_class;
use super::super::table::{Cell, Table};
use super::labels::{Area, place};
use super::line::{horizontal_grid, vertical_ticks};
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::text::{fitted, text_width, widest};
use super::{Drawing, TEXT, Unit, WIDTH};

/// Points with their names beside them. The horizontal axis is logarithmic, the vertical one in percent.
///
/// ```
/// use vultus::report::{Chart, Page, ScatterChart, ScatterPoint, Section};
///
/// let point = |name: &str, x, y| ScatterPoint { name: name.to_owned(), x, y, interval: None };
/// let points = vec![point("large", 21.0, 0.71), point("small", 1.5, 0.66)];
/// let chart = ScatterChart::new("milliseconds", "accuracy", points);
/// let section = Section::new("Cost").chart("Accuracy and time", Chart::Scatter(chart), "");
/// assert!(Page::new("Report").section(section).html().contains("accuracy against milliseconds"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterChart {
    x_label: String,
    y_label: String,
    points: Vec<ScatterPoint>,
}

/// A point and its name.
///
/// ```
/// use vultus::report::ScatterPoint;
///
/// let point = ScatterPoint { name: "small".to_owned(), x: 1.5, y: 0.66, interval: Some([0.64, 0.68]) };
/// assert!(point.interval.is_some_and(|[low, high]| low <= point.y && point.y <= high));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ScatterPoint {
    /// Its name.
    pub name: String,
    /// Where it is on the horizontal axis, above 0.
    pub x: f64,
    /// Where it is on the vertical axis: 0 to 1.
    pub y: f64,
    /// Lower and upper end of the interval of `y`, drawn as a whisker.
    pub interval: Option<[f64; 2]>,
}

const TOP: f64 = 28.0;
const PLOT: f64 = 240.0;
const RIGHT: f64 = WIDTH - 10.0;
/// The most room for a name.
const NAMES: f64 = 190.0;

impl ScatterChart {
    /// A chart of these points. Those that are not finite, or not above 0 on the horizontal axis, are only in its
    /// table.
    pub fn new(x_label: impl Into<String>, y_label: impl Into<String>, points: Vec<ScatterPoint>) -> Self {
        ScatterChart { x_label: x_label.into(), y_label: y_label.into(), points }
    }

    fn drawn(&self) -> Vec<&ScatterPoint> {
        self.points.iter().filter(|point| point.x.is_finite() && point.x > 0.0 && point.y.is_finite()).collect()
    }

    pub(super) fn draw(&self) -> Drawing {
        let (points, bottom) = (self.drawn(), TOP + PLOT);
        let values = points.iter().flat_map(|point| finite(point.interval).into_iter().flatten().chain([point.y]));
        let y = Scale::round(values, bottom, TOP);
        let labels: Vec<String> = y.ticks().iter().map(|&tick| y.label(tick, Unit::Percent)).collect();
        let left = widest(labels.iter().map(String::as_str), TEXT) + 12.0;
        let x = Scale::logarithmic(points.iter().map(|point| point.x), left, RIGHT);

        let mut svg = Svg::new(WIDTH, bottom + 44.0);
        svg.text([0.0, 12.0], Anchor::Start, "axis", &fitted(&self.y_label, TEXT, WIDTH));
        horizontal_grid(&mut svg, &y, &labels, left, RIGHT);
        vertical_ticks(&mut svg, &x, Unit::Number, bottom);
        let middle = (left + RIGHT) / 2.0;
        svg.text([middle, bottom + 36.0], Anchor::Middle, "axis", &fitted(&self.x_label, TEXT, WIDTH - left));
        let bounds = Area { left, top: TOP - 8.0, right: WIDTH, bottom: bottom - 2.0 };
        draw_points(&mut svg, &points, &x, &y, bounds);
        Drawing { svg, description: self.description(), data: self.data() }
    }

    fn description(&self) -> String {
        let point = |point: &ScatterPoint| {
            format!("{} {} at {}", point.name, number::percent(point.y), number::significant(point.x))
        };
        let points: Vec<String> = self.points.iter().map(point).collect();
        format!("{} against {}: {}.", self.y_label, self.x_label, points.join(", "))
    }

    fn data(&self) -> Table {
        let row = |point: &ScatterPoint| {
            let y = Cell::percent(point.y).percent_interval(point.interval);
            [Cell::text(&point.name), Cell::number(number::significant(point.x)), y]
        };
        Table::new(["", &self.x_label, &self.y_label]).rows(self.points.iter().map(row))
    }
}

fn draw_points(svg: &mut Svg, points: &[&ScatterPoint], x: &Scale, y: &Scale, bounds: Area) {
    let places: Vec<[f64; 2]> = points.iter().map(|point| [x.at(point.x), y.at(point.y)]).collect();
    let whiskers: Vec<Option<[f64; 2]>> =
        points.iter().map(|point| finite(point.interval).map(|ends| ends.map(|end| y.at(end)))).collect();
    let whisker_area = |(&[x, _], ends): (&[f64; 2], &Option<[f64; 2]>)| {
        ends.map(|[low, high]| Area { left: x - 4.0, top: low.min(high), right: x + 4.0, bottom: low.max(high) })
    };
    let mut taken: Vec<Area> = places.iter().map(|&place| Area::around(place, 6.0)).collect();
    taken.extend(places.iter().zip(&whiskers).filter_map(whisker_area));
    let names: Vec<String> = points.iter().map(|point| fitted(&point.name, TEXT, NAMES)).collect();
    let widths: Vec<f64> = names.iter().map(|name| text_width(name, TEXT)).collect();
    let areas = place(&places, &widths, TEXT + 2.0, &taken, bounds);
    // Lines to labels that are further away go below all labels.
    for (number, (&[x, y], area)) in places.iter().zip(&areas).enumerate() {
        let end = [x.clamp(area.left, area.right), y.clamp(area.top, area.bottom)];
        if (end[0] - x).hypot(end[1] - y) > 12.0 {
            svg.open(&series_class(number));
            svg.line([x, y], end, "leader");
            svg.close();
        }
    }
    for (number, (&[x, y], area)) in places.iter().zip(&areas).enumerate() {
        svg.open(&series_class(number));
        svg.tip(&format!("{}: {}", points[number].name, number::percent(points[number].y)));
        if let Some([low, high]) = whiskers[number] {
            svg.line([x, low], [x, high], "gap");
        }
        svg.circle([x, y], 5.0, "dot");
        svg.text([area.left, area.bottom - 3.0], Anchor::Start, "name", &names[number]);
        svg.close();
    }
}

fn finite(interval: Option<[f64; 2]>) -> Option<[f64; 2]> {
    interval.filter(|ends| ends.iter().all(|end| end.is_finite()))
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::super::tests::checked;
    use super::*;

    fn point(name: &str, x: f64, y: f64) -> ScatterPoint {
        ScatterPoint { name: name.to_owned(), x, y, interval: Some([y - 0.02, y + 0.02]) }
    }

    #[test]
    fn points_have_names_and_whiskers() {
        let points = vec![point("VGG16", 72.0, 0.63), point("HOG, linear SVM", 1.4, 0.45)];
        let html = checked(&Chart::Scatter(ScatterChart::new("ms", "accuracy", points)));
        assert!(html.contains(">VGG16</text>") && html.contains(">HOG, linear SVM</text>"), "{html}");
        assert_eq!(html.matches("class=\"gap\"").count(), 2);
        assert!(html.contains("VGG16 63.0\u{A0}% at 72.0"), "{html}");
    }

    #[test]
    fn odd_points_are_left_out_of_the_plot() {
        let points = [(0.0, 0.5), (-1.0, 0.5), (f64::NAN, 0.5), (1.0, f64::NAN), (f64::INFINITY, 0.2)];
        let points = points.map(|(x, y)| point("<script>", x, y)).to_vec();
        let html = checked(&Chart::Scatter(ScatterChart::new("ms", "accuracy", points)));
        assert!(!html.contains("<circle"));
        checked(&Chart::Scatter(ScatterChart::new("", "", vec![])));
        checked(&Chart::Scatter(ScatterChart::new("", "", vec![point("one", 5.0, 0.5)])));
        let crowd = (0..30).map(|i| point(&format!("a method with a long name {i}"), 5.0, 0.5)).collect();
        checked(&Chart::Scatter(ScatterChart::new("ms", "accuracy", crowd)));
        checked(&Chart::Scatter(ScatterChart::new("ms", "y", vec![point("a", 1e-300, 0.1), point("b", 1e300, 0.2)])));
    }
}
