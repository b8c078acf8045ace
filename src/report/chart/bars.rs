//! Bars in groups: measures of classes, or methods beside each other.

use super::super::number;
use super::super::style::series_class;
use super::super::table::{Cell, Table};
use super::line::vertical_ticks;
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::text::{fitted, text_width, widest};
use super::{Drawing, TEXT, Unit, WIDTH};

/// Horizontal bars: a group for each thing that is compared, in it a bar for each series.
///
/// ```
/// use vultus::report::{Bar, BarChart, Chart, Page, Section, Unit};
///
/// let bar = |value| Bar { value: Some(value), interval: None };
/// let chart = BarChart::new(["happy", "sad"], "recall", Unit::Percent)
///     .series("this model", [bar(0.9), bar(0.7)])
///     .series("before", [bar(0.8)]);
/// let section = Section::new("Classes").chart("Recall", Chart::Bars(chart), "No one was sad before.");
/// assert!(Page::new("Report").section(section).html().contains("Bars of recall for happy, sad"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BarChart {
    groups: Vec<String>,
    series: Vec<BarSeries>,
    label: String,
    unit: Unit,
}

/// The bars of one colour, one for each group.
///
/// ```
/// use vultus::report::{Bar, BarSeries};
///
/// let bars = [0.9, 0.7].map(|value| Bar { value: Some(value), interval: None });
/// let series = BarSeries { name: "recall".to_owned(), bars: bars.to_vec() };
/// assert_eq!(series.bars[1].value, Some(0.7));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct BarSeries {
    /// What they are of.
    pub name: String,
    /// The bars in the order of the groups; those that lack are undefined.
    pub bars: Vec<Bar>,
}

/// The length of a bar.
///
/// ```
/// use vultus::report::Bar;
///
/// let accuracy = Bar { value: Some(0.63), interval: Some([0.61, 0.65]) };
/// assert_eq!(Bar::default(), Bar { value: None, interval: None });
/// assert!(accuracy.value > accuracy.interval.map(|[low, _]| low));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Bar {
    /// The value; `None` where it is undefined.
    pub value: Option<f64>,
    /// Lower and upper end of its interval, drawn as a whisker.
    pub interval: Option<[f64; 2]>,
}

const BAR: f64 = 12.0;
/// From a bar to the next, within which its value is written.
const PITCH: f64 = 16.0;
const BETWEEN_GROUPS: f64 = 12.0;
/// The most room for names left of the bars; longer ones stand above them.
const NAMES: f64 = 140.0;
/// The height of a name above bars.
const NAME_LINE: f64 = 18.0;

/// Where things are.
struct Layout {
    left: f64,
    top: f64,
    /// From a group to the next.
    pitch: f64,
    names: Vec<String>,
    names_above: bool,
    legend: Vec<LegendEntry>,
}

/// An entry of the legend: where its text line begins, and what it says.
struct LegendEntry {
    x: f64,
    y: f64,
    name: String,
}

impl BarChart {
    /// A chart of these groups without bars. `label` and `unit` are those of the axis.
    pub fn new<T: Into<String>>(groups: impl IntoIterator<Item = T>, label: impl Into<String>, unit: Unit) -> Self {
        let groups = groups.into_iter().map(Into::into).collect();
        BarChart { groups, series: Vec::new(), label: label.into(), unit }
    }

    /// Adds a bar to every group.
    #[must_use]
    pub fn series(mut self, name: impl Into<String>, bars: impl IntoIterator<Item = Bar>) -> Self {
        self.series.push(BarSeries { name: name.into(), bars: bars.into_iter().collect() });
        self
    }

    fn bar(&self, series: usize, group: usize) -> Bar {
        let bar = self.series[series].bars.get(group).copied().unwrap_or_default();
        Bar {
            value: bar.value.filter(|value| value.is_finite()),
            interval: bar.interval.filter(|ends| ends.iter().all(|end| end.is_finite())),
        }
    }

    fn bars(&self) -> impl Iterator<Item = Bar> {
        let series = 0..self.series.len();
        series.flat_map(move |series| (0..self.groups.len()).map(move |group| self.bar(series, group)))
    }

    fn layout(&self) -> Layout {
        let widest = widest(self.groups.iter().map(String::as_str), TEXT);
        let names_above = widest > NAMES;
        let legend = self.legend();
        Layout {
            left: if names_above { 14.0 } else { widest + 10.0 },
            top: 10.0 + legend.last().map_or(0.0, |entry| entry.y + NAME_LINE),
            pitch: PITCH * self.series.len().max(1) as f64 + BETWEEN_GROUPS + if names_above { NAME_LINE } else { 0.0 },
            names: self.groups.iter().map(|name| fitted(name, TEXT, WIDTH)).collect(),
            names_above,
            legend,
        }
    }

    pub(super) fn draw(&self) -> Drawing {
        let layout = self.layout();
        let Layout { left, top, pitch, .. } = layout;
        let right = WIDTH - 56.0;
        let bottom = top + pitch * self.groups.len().max(1) as f64;
        let mut svg = Svg::new(WIDTH, bottom + 44.0);
        for (series, LegendEntry { x, y, name }) in layout.legend.iter().enumerate() {
            svg.open(&series_class(series));
            svg.rect([*x, y + 2.0], [12.0, 12.0], "bar");
            svg.text([x + 17.0, y + 12.5], Anchor::Start, "", name);
            svg.close();
        }
        let scale = self.scale(left, right);
        for &tick in scale.ticks() {
            svg.line([scale.at(tick), top], [scale.at(tick), bottom], "grid");
        }
        vertical_ticks(&mut svg, &scale, self.unit, bottom);
        let middle = (left + right) / 2.0;
        svg.text([middle, bottom + 36.0], Anchor::Middle, "axis", &fitted(&self.label, TEXT, WIDTH - left));
        for group in 0..self.groups.len() {
            self.draw_group(&mut svg, &scale, &layout, group);
        }
        svg.line([scale.at(0.0), top], [scale.at(0.0), bottom], "rule");
        Drawing { svg, description: self.description(), data: self.data() }
    }

    fn draw_group(&self, svg: &mut Svg, scale: &Scale, layout: &Layout, group: usize) {
        let above = layout.top + layout.pitch * group as f64;
        let (anchor, place, class) = match layout.names_above {
            true => (Anchor::Start, [layout.left + 4.0, above + NAME_LINE], "group"),
            false => (Anchor::End, [layout.left - 8.0, above + layout.pitch / 2.0 + 4.0], ""),
        };
        svg.open("");
        svg.tip(&self.groups[group]);
        svg.text(place, anchor, class, &layout.names[group]);
        svg.close();
        let first = above + BETWEEN_GROUPS / 2.0 + if layout.names_above { NAME_LINE } else { 0.0 };
        for series in 0..self.series.len() {
            self.draw_bar(svg, scale, series, group, first + PITCH * series as f64 + (PITCH - BAR) / 2.0);
        }
    }

    /// Shares go to 100 % unless all are small.
    fn scale(&self, left: f64, right: f64) -> Scale {
        let values = || self.bars().flat_map(|bar| bar.value.into_iter().chain(bar.interval.into_iter().flatten()));
        let shares = self.unit == Unit::Percent && values().all(|value| (0.0..=1.0).contains(&value));
        let empty = values().next().is_none();
        if shares && (empty || values().any(|value| value > 0.4)) {
            return Scale::unit(left, right);
        }
        Scale::round(values().chain([0.0]), left, right)
    }

    fn draw_bar(&self, svg: &mut Svg, scale: &Scale, series: usize, group: usize, y: f64) {
        let (bar, zero) = (self.bar(series, group), scale.at(0.0));
        let middle = y + BAR / 2.0;
        let value = self.text(bar.value);
        svg.open(&series_class(series));
        svg.tip(&format!("{}, {}: {value}{}", self.groups[group], self.series[series].name, self.interval(bar)));
        let Some(length) = bar.value else {
            svg.text([zero + 5.0, middle + 4.0], Anchor::Start, "undefined", number::UNDEFINED);
            svg.close();
            return;
        };
        let end = scale.at(length);
        svg.rect([zero.min(end), y], [(end - zero).abs(), BAR], "bar");
        let mut free = end.max(zero);
        if let Some([low, high]) = bar.interval.map(|ends| ends.map(|end| scale.at(end))) {
            for class in ["whisker-edge", "whisker"] {
                svg.line([low, middle], [high, middle], class);
                svg.line([low, middle - 3.0], [low, middle + 3.0], class);
                svg.line([high, middle - 3.0], [high, middle + 3.0], class);
            }
            free = free.max(low).max(high);
        }
        svg.text([free + 5.0, middle + 4.0], Anchor::Start, "value", &value);
        svg.close();
    }

    /// One entry for each series, in lines. A single series without a name needs none.
    fn legend(&self) -> Vec<LegendEntry> {
        if self.series.len() == 1 && self.series[0].name.is_empty() {
            return Vec::new();
        }
        let (mut x, mut y) = (0.0, 0.0);
        let entry = |series: &BarSeries| {
            let name = fitted(&series.name, TEXT, WIDTH - 20.0);
            let width = 17.0 + text_width(&name, TEXT);
            if x > 0.0 && x + width > WIDTH {
                (x, y) = (0.0, y + NAME_LINE);
            }
            let entry = LegendEntry { x, y, name };
            x += width + 16.0;
            entry
        };
        self.series.iter().map(entry).collect()
    }

    fn text(&self, value: Option<f64>) -> String {
        match (value, self.unit) {
            (None, _) => number::UNDEFINED.to_owned(),
            (Some(value), Unit::Percent) => number::percent(value),
            (Some(value), Unit::Number) => number::significant(value),
        }
    }

    fn interval(&self, bar: Bar) -> String {
        let interval = bar.interval.map(|ends| ends.map(|end| self.text(Some(end))));
        interval.map_or(String::new(), |[low, high]| format!(" ({low} to {high})"))
    }

    fn description(&self) -> String {
        let series: Vec<&str> = self.series.iter().map(|series| series.name.as_str()).collect();
        let (label, groups) = (&self.label, self.groups.join(", "));
        format!("Bars of {label} for {groups}: {}. The table below has all values.", series.join(", "))
    }

    fn data(&self) -> Table {
        let titles = [""].into_iter().chain(self.series.iter().map(|series| series.name.as_str()));
        let row = |(group, name): (usize, &String)| {
            let cell = move |series| {
                let bar = self.bar(series, group);
                let cell = Cell::number(self.text(bar.value));
                match self.unit {
                    Unit::Percent => cell.percent_interval(bar.interval),
                    Unit::Number => cell.decimal_interval(bar.interval, 3),
                }
            };
            [Cell::text(name)].into_iter().chain((0..self.series.len()).map(cell))
        };
        Table::new(titles).rows(self.groups.iter().enumerate().map(row))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::super::tests::checked;
    use super::*;

    fn bar(value: f64) -> Bar {
        Bar { value: Some(value), interval: Some([value - 0.1, value + 0.1]) }
    }

    #[test]
    fn bars_have_values_and_whiskers() {
        let chart =
            BarChart::new(["happy", "sad"], "recall", Unit::Percent).series("vgg16", [bar(0.5), Bar::default()]);
        let html = checked(&Chart::Bars(chart));
        assert!(
            html.contains(">50.0\u{A0}%</text>") && html.contains("class=\"undefined\">undefined</text>"),
            "{html}"
        );
        assert_eq!(html.matches("class=\"whisker\"").count(), 3);
        assert!(html.contains("happy, vgg16: 50.0\u{A0}% (40.0\u{A0}% to 60.0\u{A0}%)"), "{html}");
        assert!(html.contains("<span class=\"interval\">40.0 to 60.0</span>"), "{html}");
    }

    #[test]
    fn any_number_of_groups_and_series_is_drawn() {
        for groups in [0, 1, 2, 30] {
            for series in [0, 1, 9] {
                let names = (0..groups).map(|i| format!("class {i} with <script> and a name that is far too long"));
                let chart = (0..series).fold(BarChart::new(names, "a label", Unit::Percent), |chart, i| {
                    chart.series(format!("method {i}"), (0..groups).map(|group| bar(group as f64 / 30.0)))
                });
                checked(&Chart::Bars(chart));
            }
        }
    }

    #[test]
    fn odd_values_are_drawn() {
        for value in [f64::NAN, f64::NEG_INFINITY, -0.4, 0.0, 0.01, 1e300] {
            let chart = BarChart::new(["a"], "kappa", Unit::Number).series("", [bar(value)]);
            checked(&Chart::Bars(chart.series("x", [])));
        }
    }
}
