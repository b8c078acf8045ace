//! Probabilities against how often they are right.

use super::super::number;
use super::super::table::{Cell, Table};
use super::line::{horizontal_grid, vertical_ticks};
use super::scale::Scale;
use super::svg::{Anchor, Svg};
use super::{Drawing, Unit, WIDTH};
use crate::metrics::ReliabilityBin;

/// A reliability diagram: for each bin of probabilities the share that is right, and below how many predictions it has.
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions};
/// use vultus::report::{Chart, Page, ReliabilityCurve, Section};
///
/// let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
/// predictions.labels = vec![0, 1];
/// predictions.probabilities = vec![vec![0.9, 0.1], vec![0.9, 0.1]];
/// let curve = ReliabilityCurve::new(Evaluation::new(&predictions, 1, 0)?.reliability);
/// let section = Section::new("Trust").chart("Reliability", Chart::Reliability(curve), "");
/// assert!(Page::new("Report").section(section).html().contains("1 of 1 bins are too sure"));
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ReliabilityCurve {
    bins: Vec<ReliabilityBin>,
}

const LEFT: f64 = 54.0;
const RIGHT: f64 = WIDTH - 22.0;
const TOP: f64 = 28.0;
const PLOT: f64 = 250.0;
/// The height of the bars below.
const COUNTS: f64 = 56.0;

impl ReliabilityCurve {
    /// The curve of these bins, as in [`crate::metrics::Evaluation::reliability`].
    pub fn new(bins: Vec<ReliabilityBin>) -> Self {
        ReliabilityCurve { bins }
    }

    /// Confidence and accuracy of the bins that have predictions.
    fn points(&self) -> Vec<[f64; 2]> {
        let point = |bin: &ReliabilityBin| Some([bin.confidence?, bin.accuracy?]);
        let points = self.bins.iter().filter(|bin| bin.count > 0).filter_map(point);
        points.filter(|point| point.iter().all(|value| value.is_finite())).collect()
    }

    pub(super) fn draw(&self) -> Drawing {
        let bottom = TOP + PLOT;
        let (x, y) = (Scale::unit(LEFT, RIGHT), Scale::unit(bottom, TOP));
        let mut svg = Svg::new(WIDTH, bottom + 30.0 + COUNTS + 44.0);
        let labels: Vec<String> = y.ticks().iter().map(|&tick| y.label(tick, Unit::Percent)).collect();
        svg.text([0.0, 12.0], Anchor::Start, "axis", "share that is right");
        horizontal_grid(&mut svg, &y, &labels, LEFT, RIGHT);
        svg.line([x.at(0.0), y.at(0.0)], [x.at(1.0), y.at(1.0)], "mark");
        let points: Vec<[f64; 2]> = self.points().iter().map(|&[a, b]| [x.at(a), y.at(b)]).collect();
        svg.open("s0");
        for (point, &[confidence, _]) in points.iter().zip(&self.points()) {
            svg.line([point[0], y.at(confidence)], *point, "gap");
        }
        if points.len() > 1 {
            svg.polyline(&points, "curve");
        }
        points.iter().for_each(|&point| svg.circle(point, 3.5, "dot"));
        svg.close();
        self.draw_counts(&mut svg, &x, bottom + 30.0);
        Drawing { svg, description: self.description(), data: self.data() }
    }

    fn draw_counts(&self, svg: &mut Svg, x: &Scale, top: f64) {
        let bottom = top + COUNTS;
        let most = self.bins.iter().map(|bin| bin.count).max().unwrap_or(0);
        let label = format!("predictions, at most {}", number::count(most));
        svg.text([x.at(0.0), top - 8.0], Anchor::Start, "axis", &label);
        svg.open("s5");
        for bin in &self.bins {
            let (left, right) = (x.at(bin.low), x.at(bin.high));
            let height = COUNTS * bin.count as f64 / most.max(1) as f64;
            svg.open("");
            svg.tip(&format!("{}: {}", range(bin), number::count(bin.count)));
            svg.rect([left + 1.0, bottom - height], [right - left - 2.0, height], "bar");
            svg.close();
        }
        svg.close();
        svg.line([LEFT, bottom], [RIGHT, bottom], "rule");
        vertical_ticks(svg, x, Unit::Percent, bottom);
        svg.text([(LEFT + RIGHT) / 2.0, bottom + 36.0], Anchor::Middle, "axis", "highest probability");
    }

    fn description(&self) -> String {
        let sure = self.points().iter().filter(|[confidence, accuracy]| confidence > accuracy).count();
        let bins = self.points().len();
        format!("Share of right predictions against their highest probability: {sure} of {bins} bins are too sure.")
    }

    fn data(&self) -> Table {
        let row = |bin: &ReliabilityBin| {
            let [confidence, accuracy] = [bin.confidence, bin.accuracy].map(Cell::percent);
            [Cell::text(range(bin)), Cell::count(bin.count), confidence, accuracy]
        };
        Table::new(["highest probability", "predictions", "mean of it", "right"]).rows(self.bins.iter().map(row))
    }
}

fn range(bin: &ReliabilityBin) -> String {
    let [low, high] = [bin.low, bin.high].map(|end| number::decimal(100.0 * end, 1));
    format!("{low} to {high}\u{A0}%")
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::super::tests::checked;
    use super::*;

    fn bin(low: f64, count: u64, confidence: Option<f64>, accuracy: Option<f64>) -> ReliabilityBin {
        ReliabilityBin { low, high: low + 0.1, count, confidence, accuracy }
    }

    #[test]
    fn bins_with_predictions_are_points() {
        let bins =
            vec![bin(0.0, 0, None, None), bin(0.5, 10, Some(0.55), Some(0.4)), bin(0.9, 5, Some(0.95), Some(1.0))];
        let html = checked(&Chart::Reliability(ReliabilityCurve::new(bins)));
        assert_eq!(html.matches("<circle").count(), 2);
        assert!(html.contains("1 of 2 bins are too sure") && html.contains("at most 10"), "{html}");
        assert!(html.contains("50.0 to 60.0\u{A0}%</th><td class=\"number\">10</td><td class=\"number\">55.0\u{A0}%"));
    }

    #[test]
    fn odd_bins_are_drawn() {
        let odd = bin(f64::NAN, u64::MAX, Some(f64::NAN), Some(f64::INFINITY));
        for bins in [vec![], vec![bin(0.0, 0, None, None)], vec![odd], vec![bin(0.2, 1, Some(0.3), Some(0.0))]] {
            checked(&Chart::Reliability(ReliabilityCurve::new(bins)));
        }
    }
}
