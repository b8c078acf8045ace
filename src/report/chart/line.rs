//! Values along an axis, such as the loss over the epochs.

use super::super::number;
use super::super::style::series_class;
use super::super::table::{Cell, Table};
use super::labels::spread;
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::text::{fitted, widest};
use super::{Drawing, TEXT, Unit, WIDTH};

/// Curves over one axis, each with its name at its end.
///
/// ```
/// use vultus::report::{Chart, LineChart, Page, Section, Series, Unit};
///
/// let chart = LineChart::new("epoch", "accuracy", Unit::Percent)
///     .series(Series::new("training", [[1.0, 0.4], [2.0, 0.6], [3.0, 0.8]]))
///     .series(Series::new("validation", [[1.0, 0.4], [2.0, 0.55], [3.0, 0.5]]))
///     .mark(2.0, "kept");
/// let section = Section::new("Training").chart("Accuracy", Chart::Line(chart), "");
/// assert!(Page::new("Report").section(section).html().contains("accuracy over epoch. training: from"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LineChart {
    x_label: String,
    y_label: String,
    unit: Unit,
    series: Vec<Series>,
    mark: Option<(f64, String)>,
}

/// A curve.
///
/// ```
/// use vultus::report::Series;
///
/// // Without a value for the second epoch there is a gap.
/// let losses = [1.9, f64::NAN, 1.2];
/// let series = Series::new("loss", losses.iter().enumerate().map(|(epoch, &loss)| [epoch as f64 + 1.0, loss]));
/// assert_ne!(series, Series::new("loss", [[1.0, 1.9], [3.0, 1.2]]));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    name: String,
    points: Vec<[f64; 2]>,
}

impl Series {
    /// A curve through points (x, y) in this order. Where one is not finite the curve is interrupted.
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = [f64; 2]>) -> Self {
        Series { name: name.into(), points: points.into_iter().collect() }
    }
}

/// The height of the plot itself.
const PLOT: f64 = 220.0;
const TOP: f64 = 28.0;
const BOTTOM: f64 = 44.0;
/// The most room for names.
const NAMES: f64 = 150.0;
/// From a name to the one below.
const LEADING: f64 = 16.0;

impl LineChart {
    /// A chart without curves. `unit` is that of the vertical axis.
    pub fn new(x_label: impl Into<String>, y_label: impl Into<String>, unit: Unit) -> Self {
        LineChart { x_label: x_label.into(), y_label: y_label.into(), unit, series: Vec::new(), mark: None }
    }

    /// Adds a curve.
    #[must_use]
    pub fn series(mut self, series: Series) -> Self {
        self.series.push(series);
        self
    }

    /// Marks a place on the horizontal axis, such as the epoch that was kept.
    #[must_use]
    pub fn mark(mut self, x: f64, label: impl Into<String>) -> Self {
        self.mark = Some((x, label.into()));
        self
    }

    fn points(&self) -> impl Iterator<Item = [f64; 2]> {
        self.series.iter().flat_map(|series| series.points.iter().copied()).filter(is_finite)
    }

    pub(super) fn draw(&self) -> Drawing {
        let plot = PLOT.max(LEADING * self.series.len() as f64);
        let bottom = TOP + plot;
        let whole = self.points().all(|[x, _]| x.fract() == 0.0);
        let y = Scale::round(self.points().map(|[_, y]| y), bottom, TOP);
        let y_labels: Vec<String> = y.ticks().iter().map(|&tick| y.label(tick, self.unit)).collect();
        let left = widest(y_labels.iter().map(String::as_str), TEXT) + 12.0;
        let names: Vec<String> = self.series.iter().map(|series| fitted(&series.name, TEXT, NAMES)).collect();
        let right = WIDTH - widest(names.iter().map(String::as_str), TEXT) - 14.0;
        let x = Scale::tight(self.points().map(|[x, _]| x), whole, left, right);

        let mut svg = Svg::new(WIDTH, bottom + BOTTOM);
        horizontal_grid(&mut svg, &y, &y_labels, left, right);
        vertical_ticks(&mut svg, &x, Unit::Number, bottom);
        svg.text([0.0, 12.0], Anchor::Start, "axis", &fitted(&self.y_label, TEXT, WIDTH));
        let middle = (left + right) / 2.0;
        svg.text([middle, bottom + 36.0], Anchor::Middle, "axis", &fitted(&self.x_label, TEXT, WIDTH - left));
        self.draw_mark(&mut svg, &x, [left, right], bottom);
        self.draw_curves(&mut svg, &x, &y, &names, [right, bottom]);
        Drawing { svg, description: self.description(), data: self.data() }
    }

    fn draw_mark(&self, svg: &mut Svg, x: &Scale, [left, right]: [f64; 2], bottom: f64) {
        let Some((value, label)) = self.mark.as_ref().filter(|(value, _)| value.is_finite()) else { return };
        let place = x.at(*value);
        svg.line([place, TOP - 4.0], [place, bottom], "mark");
        // The label stands on the side with more room.
        let (anchor, room) = match place > (left + right) / 2.0 {
            true => (Anchor::End, place),
            false => (Anchor::Start, WIDTH - place),
        };
        svg.text([place, TOP - 9.0], anchor, "axis", &fitted(label, TEXT, room));
    }

    fn draw_curves(&self, svg: &mut Svg, x: &Scale, y: &Scale, names: &[String], [right, bottom]: [f64; 2]) {
        let ends: Vec<Option<[f64; 2]>> =
            self.series.iter().map(|series| series.points.iter().copied().rfind(is_finite)).collect();
        let wanted: Vec<f64> = ends.iter().map(|end| end.map_or(bottom, |[_, value]| y.at(value))).collect();
        let places = spread(&wanted, LEADING, TOP + 4.0, bottom - 4.0);
        for (number, (series, end)) in self.series.iter().zip(&ends).enumerate() {
            svg.open(&series_class(number));
            svg.tip(&series.name);
            for part in series.points.split(|point| !is_finite(point)) {
                let part: Vec<[f64; 2]> = part.iter().map(|&[a, b]| [x.at(a), y.at(b)]).collect();
                match part[..] {
                    [] => {}
                    [point] => svg.circle(point, 3.0, "dot"),
                    _ => svg.polyline(&part, "curve"),
                }
            }
            if let &Some([a, b]) = end {
                svg.circle([x.at(a), y.at(b)], 3.0, "dot");
                if x.at(a) < right - 1.0 || (places[number] - y.at(b)).abs() > 4.0 {
                    svg.line([x.at(a) + 4.0, y.at(b)], [right + 10.0, places[number]], "leader");
                }
            }
            svg.text([right + 12.0, places[number] + 4.0], Anchor::Start, "name", &names[number]);
            svg.close();
        }
    }

    fn description(&self) -> String {
        let mut text = format!("{} over {}.", self.y_label, self.x_label);
        for series in &self.series {
            let mut finite = series.points.iter().copied().filter(is_finite);
            let sentence = match (finite.next(), finite.next_back()) {
                (Some([_, from]), Some([_, to])) => format!("from {} to {}", self.value(from), self.value(to)),
                (Some([_, only]), None) => self.value(only),
                _ => "no values".to_owned(),
            };
            text.push_str(&format!(" {}: {sentence}.", series.name));
        }
        if let Some((value, label)) = &self.mark {
            text.push_str(&format!(" {label} at {}.", number::significant(*value)));
        }
        text
    }

    fn value(&self, value: f64) -> String {
        if self.unit == Unit::Percent { number::percent(value) } else { number::significant(value) }
    }

    fn data(&self) -> Table {
        let mut places: Vec<f64> = self.series.iter().flat_map(|s| s.points.iter().map(|point| point[0])).collect();
        places.retain(|place| place.is_finite());
        places.sort_by(f64::total_cmp);
        places.dedup();
        let whole = places.iter().all(|place| place.fract() == 0.0);
        let titles = [self.x_label.as_str()].into_iter().chain(self.series.iter().map(|series| series.name.as_str()));
        let row = |&place: &f64| {
            let label = if whole { number::decimal(place, 0) } else { number::significant(place) };
            let values = self.series.iter().map(move |series| {
                let point = series.points.iter().find(|point| point[0] == place);
                Cell::number(point.map_or(String::new(), |point| self.value(point[1])))
            });
            [Cell::number(label)].into_iter().chain(values)
        };
        Table::new(titles).rows(places.iter().map(row))
    }
}

fn is_finite(point: &[f64; 2]) -> bool {
    point.iter().all(|value| value.is_finite())
}

/// Lines across the plot at the ticks of a vertical axis, with their labels left of it.
pub(super) fn horizontal_grid(svg: &mut Svg, y: &Scale, labels: &[String], left: f64, right: f64) {
    for (&tick, label) in y.ticks().iter().zip(labels) {
        svg.line([left, y.at(tick)], [right, y.at(tick)], "grid");
        svg.text([left - 7.0, y.at(tick) + 4.0], Anchor::End, "tick", label);
    }
}

/// Ticks and labels below a horizontal axis; labels that would touch the one before are left out.
pub(super) fn vertical_ticks(svg: &mut Svg, x: &Scale, unit: Unit, bottom: f64) {
    let mut free = f64::NEG_INFINITY;
    for &tick in x.ticks() {
        let (place, label) = (x.at(tick), x.label(tick, unit));
        svg.line([place, bottom], [place, bottom + 4.0], "rule");
        let half = widest([label.as_str()], TEXT) / 2.0;
        if place - half > free {
            svg.text([place, bottom + 17.0], Anchor::Middle, "tick", &label);
            free = place + half + 4.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::super::tests::checked;
    use super::*;

    fn chart(series: &[&[[f64; 2]]]) -> String {
        let chart = LineChart::new("epoch", "loss", Unit::Number);
        let names = ["training", "a validation whose name is far too long to fit beside the plot", "<script>"];
        let series = series.iter().zip(names.iter().cycle()).map(|(points, name)| Series::new(*name, points.to_vec()));
        checked(&Chart::Line(series.fold(chart, LineChart::series).mark(2.0, "kept")))
    }

    #[test]
    fn curves_are_drawn_through_their_points() {
        let html = chart(&[&[[1.0, 2.0], [2.0, 1.0], [3.0, 0.5]]]);
        assert_eq!(html.matches("<polyline").count(), 1);
        assert!(html.contains("training: from 2.00 to 0.500."), "{html}");
        assert!(html.contains("<th scope=\"row\" class=\"number\">3</th><td class=\"number\">0.500</td>"), "{html}");
        assert!(html.contains(">kept</text>"));
    }

    #[test]
    fn odd_series_are_drawn_too() {
        chart(&[]);
        chart(&[&[]]);
        let one = chart(&[&[[1.0, 0.5]]]);
        assert!(one.contains("<circle") && !one.contains("<polyline"));
        chart(&[&[[1.0, 0.5], [2.0, 0.5]], &[[1.0, 0.5], [2.0, 0.5]], &[[1.0, 0.5]]]);
        let gap = chart(&[&[[1.0, 1.0], [2.0, 1.5], [3.0, f64::NAN], [4.0, 1.0], [5.0, f64::INFINITY]]]);
        assert!(gap.contains("undefined"), "{gap}");
        assert_eq!(gap.matches("<polyline").count(), 1);
        chart(&[&[[f64::NAN, f64::NAN]], &[[-1e300, 1e300], [1e300, -1e300]]]);
        chart(&[&[[1.0, 1.0], [2.0, 2.0]][..]; 30]);
    }
}
