//! Shares over time, stacked upon each other: which part of the probability each class has, from second to second.

use super::super::number;
use super::super::style::series_class;
use super::super::table::{Cell, Table};
use super::svg::{Anchor, Svg};
use super::text::{fitted, text_width, widest};
use super::{Drawing, TEXT};

/// Shares of some things over a span of time. Times without any stay empty.
///
/// ```
/// use vultus::report::{Chart, Page, Section, TimelineChart};
///
/// // Nobody is seen from the second to the third second.
/// let chart = TimelineChart::new(["happy", "sad"], [0.0, 4.0])
///     .part(0.0, 2.0, [0.9, 0.1])
///     .part(3.0, 4.0, [0.3, 0.7]);
/// let section = Section::new("Video").chart("Expressions", Chart::Timeline(chart), "");
/// assert!(Page::new("clip.mp4").section(section).html().contains("happy: 70.0"));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct TimelineChart {
    names: Vec<String>,
    span: [f64; 2],
    parts: Vec<Part>,
}

/// What holds for a part of the time.
#[derive(Clone, Debug, PartialEq)]
struct Part {
    from: f64,
    to: f64,
    shares: Vec<f64>,
}

/// All of the page's width.
const WIDTH: f64 = 900.0;
/// The height of the plot itself.
const PLOT: f64 = 96.0;
const LEGEND_LINE: f64 = 20.0;
const BOTTOM: f64 = 40.0;
/// Pixels from one labelled time to the next, at least.
const BETWEEN_TICKS: f64 = 80.0;
/// Steps between labelled times that read well, in seconds.
const STEPS: [f64; 21] = [
    0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0,
    28800.0, 43200.0, 86400.0,
];

impl TimelineChart {
    /// A chart of these things, which are stacked in this order from below, from one time to another in seconds.
    pub fn new<T: Into<String>>(names: impl IntoIterator<Item = T>, span: [f64; 2]) -> Self {
        TimelineChart { names: names.into_iter().map(Into::into).collect(), span, parts: Vec::new() }
    }

    /// Adds what holds from one time to another: a share from 0 to 1 for each name. Parts come in the order of time.
    #[must_use]
    pub fn part(mut self, from: f64, to: f64, shares: impl IntoIterator<Item = f64>) -> Self {
        self.parts.push(Part { from, to, shares: shares.into_iter().collect() });
        self
    }

    pub(super) fn draw(&self) -> Drawing {
        let left = widest(["100\u{A0}%"], TEXT) + 12.0;
        let places = self.legend();
        let top = places.last().map_or(0.0, |place| place[1] + LEGEND_LINE) + 10.0;
        let mut svg = Svg::new(WIDTH, top + PLOT + BOTTOM);
        for (number, (name, &[x, y])) in self.names.iter().zip(&places).enumerate() {
            svg.open(&series_class(number));
            svg.rect([x, y + 2.0], [12.0, 12.0], "bar");
            svg.text([x + 17.0, y + 12.5], Anchor::Start, "", &fitted(name, TEXT, WIDTH - 20.0));
            svg.close();
        }
        for (share, label) in [(0.0, "0\u{A0}%"), (0.5, "50\u{A0}%"), (1.0, "100\u{A0}%")] {
            let y = top + PLOT * (1.0 - share);
            svg.line([left, y], [WIDTH - 1.0, y], "grid");
            svg.text([left - 7.0, y + 4.0], Anchor::End, "tick", label);
        }
        let axis = Axis { span: self.span, left, top };
        for number in 0..self.names.len() {
            self.draw_areas(&mut svg, &axis, number);
        }
        axis.draw_ticks(&mut svg);
        Drawing { svg, description: self.description(), data: self.data() }
    }

    /// Draws all of one name: an area for each time without a gap.
    fn draw_areas(&self, svg: &mut Svg, axis: &Axis, number: usize) {
        svg.open(&series_class(number));
        svg.tip(&self.names[number]);
        let follows = |a: &Part, b: &Part| (b.from - a.to).abs() <= 1e-6 * (a.to - a.from).abs();
        for parts in self.parts.chunk_by(follows) {
            let (mut upper, mut lower) = (Vec::new(), Vec::new());
            for part in parts {
                let below: f64 = part.shares.iter().take(number).map(|&share| finite(share)).sum();
                let share = part.shares.get(number).map_or(0.0, |&share| finite(share));
                for time in [part.from, part.to] {
                    upper.push(axis.at(time, below + share));
                    lower.push(axis.at(time, below));
                }
            }
            // What is nowhere to be seen needs no area.
            if upper.iter().zip(&lower).any(|(upper, lower)| lower[1] - upper[1] > 0.05) {
                upper.extend(lower.iter().rev());
                svg.polygon(&upper, "area");
            }
        }
        svg.close();
    }

    /// Where each name stands in the legend.
    fn legend(&self) -> Vec<[f64; 2]> {
        let (mut x, mut y) = (0.0, 0.0);
        let place = |name: &String| {
            let width = 17.0 + text_width(&fitted(name, TEXT, WIDTH - 20.0), TEXT);
            if x > 0.0 && x + width > WIDTH {
                (x, y) = (0.0, y + LEGEND_LINE);
            }
            let place = [x, y];
            x += width + 16.0;
            place
        };
        self.names.iter().map(place).collect()
    }

    fn description(&self) -> String {
        let time: f64 = self.parts.iter().map(|part| finite(part.to - part.from)).sum();
        let mean = |number: usize| {
            let seconds =
                |part: &Part| finite(part.to - part.from) * part.shares.get(number).map_or(0.0, |&s| finite(s));
            self.parts.iter().map(seconds).sum::<f64>() / time
        };
        let shares = self.names.iter().enumerate().map(|(i, name)| format!(" {name}: {}.", number::percent(mean(i))));
        format!("Shares over time, on average:{}", shares.collect::<String>())
    }

    fn data(&self) -> Table {
        let titles = ["time"].into_iter().chain(self.names.iter().map(String::as_str));
        let row = |part: &Part| {
            let shares = part.shares.iter().map(|&share| Cell::percent(share));
            [Cell::number(clock(part.from, 0.1))].into_iter().chain(shares).collect::<Vec<_>>()
        };
        Table::new(titles).rows(self.parts.iter().map(row))
    }
}

/// From times and shares to places.
struct Axis {
    span: [f64; 2],
    left: f64,
    top: f64,
}

impl Axis {
    fn at(&self, time: f64, share: f64) -> [f64; 2] {
        let [from, to] = self.span;
        let part = finite((time - from) / (to - from)).min(1.0);
        [self.left + (WIDTH - 1.0 - self.left) * part, self.top + PLOT * (1.0 - share.clamp(0.0, 1.0))]
    }

    fn draw_ticks(&self, svg: &mut Svg) {
        let [from, to] = self.span;
        let most = ((WIDTH - self.left) / BETWEEN_TICKS).floor();
        let step = STEPS.into_iter().find(|step| (to - from) / step <= most);
        let step = step.unwrap_or_else(|| (to - from) / most);
        // As many as fit, whatever the span is.
        let first = (from / step).ceil();
        for time in (0..=most as u32).map(|i| (first + f64::from(i)) * step).take_while(|&time| time <= to) {
            let ([x, bottom], label) = (self.at(time, 0.0), clock(time, step));
            svg.line([x, bottom], [x, bottom + 4.0], "rule");
            let half = text_width(&label, TEXT) / 2.0;
            svg.text([x.min(WIDTH - half), bottom + 18.0], Anchor::Middle, "tick", &label);
        }
    }
}

/// A number from 0 to 1, and 0 for what is none.
fn finite(value: f64) -> f64 {
    if value.is_finite() { value.max(0.0) } else { 0.0 }
}

/// A time as it reads best where times are so far apart.
fn clock(seconds: f64, step: f64) -> String {
    if !(seconds.is_finite() && seconds.abs() < 1e12) {
        return number::UNDEFINED.to_owned();
    }
    let tenths = (seconds.max(0.0) * 10.0).round() as u64;
    let (hours, minutes, whole) = (tenths / 36_000, tenths / 600 % 60, tenths / 10 % 60);
    let fraction = if step < 1.0 { format!(".{}", tenths % 10) } else { String::new() };
    match hours {
        0 => format!("{minutes}:{whole:02}{fraction}"),
        _ => format!("{hours}:{minutes:02}:{whole:02}{fraction}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::super::tests::checked;
    use super::*;

    #[test]
    fn shares_are_stacked_and_gaps_stay_empty() {
        let chart = TimelineChart::new(["happy", "<x>"], [0.0, 4.0])
            .part(0.0, 1.0, [0.25, 0.75])
            .part(1.0, 2.0, [0.5, 0.5])
            .part(3.0, 4.0, [1.0, 0.0]);
        let html = checked(&Chart::Timeline(chart));
        // Two areas of the first, before and after the gap; one of the second, which has nothing after it.
        assert_eq!(html.matches("<polygon").count(), 3);
        assert!(html.contains("happy: 58.3\u{A0}%."), "{html}");
        assert!(html.contains("<th scope=\"row\" class=\"number\">0:03.0</th><td class=\"number\">100.0\u{A0}%</td>"));
    }

    #[test]
    fn odd_spans_are_drawn_too() {
        let odd =
            [[0.0, 0.0], [5.0, 1.0], [0.0, 1e-9], [0.0, 1e9], [f64::NAN, 1.0], [0.0, f64::INFINITY], [1e15, 2e15]];
        for span in odd {
            let chart = TimelineChart::new(["a"; 14], span)
                .part(span[0], span[1], [0.1; 14])
                .part(f64::NAN, 3.0, [f64::NAN, 2.0])
                .part(3.0, 2.0, []);
            checked(&Chart::Timeline(chart));
        }
        checked(&Chart::Timeline(TimelineChart::new([""; 0], [0.0, 1.0])));
    }

    #[test]
    fn times_are_labelled_as_they_are_read() {
        assert_eq!([(0.0, 0.1), (61.26, 0.1)].map(|(time, step)| clock(time, step)), ["0:00.0", "1:01.3"]);
        assert_eq!([(90.0, 15.0), (3600.0, 600.0)].map(|(time, step)| clock(time, step)), ["1:30", "1:00:00"]);
    }
}
