//! True against predicted classes.

use super::super::number;
use super::super::style::HEAT_STEPS;
use super::super::table::{Cell, Table};
use super::svg::{Anchor, Svg};
use super::text::{fitted, text_width, widest};
use super::{Drawing, TEXT, WIDTH};

/// A confusion matrix: a row for each true class, a column for each predicted one. Each cell has its count and its
/// share of the row, which is also its colour.
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions};
/// use vultus::report::ConfusionMatrix;
///
/// let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
/// predictions.labels = vec![0, 1];
/// predictions.probabilities = vec![vec![0.9, 0.1], vec![0.6, 0.4]];
/// let Evaluation { classes, confusion, .. } = Evaluation::new(&predictions, 1, 0)?;
/// assert_eq!(confusion, [[1, 0], [1, 0]]);
/// let matrix = ConfusionMatrix::new(classes, confusion);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ConfusionMatrix {
    classes: Vec<String>,
    counts: Vec<Vec<u64>>,
}

/// The most room for the names of classes.
const NAMES: f64 = 120.0;
const CELL_HEIGHT: f64 = 38.0;

/// Where things are.
struct Layout {
    left: f64,
    top: f64,
    cell: f64,
    names: Vec<String>,
    slanted: bool,
}

impl ConfusionMatrix {
    /// Rows beyond the number of classes are left out, cells that lack are 0.
    pub fn new(classes: Vec<String>, counts: Vec<Vec<u64>>) -> Self {
        ConfusionMatrix { classes, counts }
    }

    fn count(&self, row: usize, column: usize) -> u64 {
        self.counts.get(row).and_then(|row| row.get(column)).copied().unwrap_or(0)
    }

    fn total(&self, row: usize) -> u64 {
        (0..self.classes.len()).map(|column| self.count(row, column)).fold(0, u64::saturating_add)
    }

    /// The share of a cell in its row; `None` for a class without samples.
    fn share(&self, row: usize, column: usize) -> Option<f64> {
        let total = self.total(row);
        (total > 0).then(|| self.count(row, column) as f64 / total as f64)
    }

    fn layout(&self) -> Layout {
        let names: Vec<String> = self.classes.iter().map(|name| fitted(name, TEXT, NAMES)).collect();
        let name_width = widest(names.iter().map(String::as_str), TEXT);
        let left = 22.0 + name_width + 8.0;
        let room = WIDTH - left - TOTALS;
        let cell = (room / self.classes.len().max(1) as f64).clamp(40.0, 64.0);
        let slanted = name_width > cell - 6.0;
        // A slanted name is as high as it is wide.
        let top = 24.0 + if slanted { (name_width + TEXT) * std::f64::consts::FRAC_1_SQRT_2 } else { TEXT + 4.0 };
        Layout { left, top, cell, names, slanted }
    }

    pub(super) fn draw(&self) -> Drawing {
        let Layout { left, top, cell, names, slanted } = &self.layout();
        let n = self.classes.len();
        let (right, bottom) = (left + cell * n as f64, top + CELL_HEIGHT * n as f64);
        // A slanted name of the last column reaches over the totals.
        let overhang = if *slanted { (top - 24.0 - cell / 2.0 + 3.0).max(TOTALS) } else { TOTALS };
        let mut svg = Svg::new((right + overhang).max(260.0), bottom + 44.0);
        svg.text([*left, 12.0], Anchor::Start, "axis", "predicted");
        svg.upright_text([12.0, (top + bottom) / 2.0], "axis", "true");
        svg.text([right + TOTALS - 4.0, bottom + 16.0], Anchor::End, "axis", "sum");
        for (class, name) in names.iter().enumerate() {
            let (x, y) = (left + cell * class as f64, top + CELL_HEIGHT * class as f64);
            svg.open("");
            svg.tip(&self.classes[class]);
            match slanted {
                true => svg.slanted_text([x + cell / 2.0 + 3.0, top - 7.0], "", name),
                false => svg.text([x + cell / 2.0, top - 7.0], Anchor::Middle, "", name),
            }
            svg.text([left - 8.0, y + CELL_HEIGHT / 2.0 + 4.0], Anchor::End, "", name);
            svg.close();
            let total = number::compact(self.total(class));
            svg.text([right + TOTALS - 4.0, y + CELL_HEIGHT / 2.0 + 4.0], Anchor::End, "tick", &total);
            for column in 0..n {
                self.draw_cell(&mut svg, [class, column], [left + cell * column as f64, y], *cell);
            }
        }
        legend(&mut svg, *left, bottom + 14.0);
        Drawing { svg, description: self.description(), data: self.data() }
    }

    fn draw_cell(&self, svg: &mut Svg, [row, column]: [usize; 2], [x, y]: [f64; 2], width: f64) {
        let (count, share) = (self.count(row, column), self.share(row, column));
        let step = (share.unwrap_or(0.0) * (HEAT_STEPS - 1) as f64).round() as usize;
        svg.open(&format!("h{}", step.min(HEAT_STEPS - 1)));
        let rate = share.map_or(number::UNDEFINED.to_owned(), number::percent);
        let (truth, predicted) = (&self.classes[row], &self.classes[column]);
        svg.tip(&format!("true {truth}, predicted {predicted}: {}, {rate} of the row", number::count(count)));
        let outline = if row == column { "right" } else { "" };
        svg.rect([x + 1.0, y + 1.0], [width - 2.0, CELL_HEIGHT - 2.0], outline);
        let middle = x + width / 2.0;
        let share = share.map_or("–".to_owned(), |share| number::decimal(100.0 * share, usize::from(width >= 42.0)));
        svg.text([middle, y + 17.0], Anchor::Middle, "rate", &share);
        svg.text([middle, y + 31.0], Anchor::Middle, "count", &number::compact(count));
        svg.close();
    }

    fn description(&self) -> String {
        let recall = |class: usize| {
            let share = self.share(class, class).map_or(number::UNDEFINED.to_owned(), number::percent);
            format!("{} {share}", self.classes[class])
        };
        let recalls: Vec<String> = (0..self.classes.len()).map(recall).collect();
        let text = "Confusion matrix, a row for each true class, a column for each predicted one.";
        format!("{text} Share of each class that is recognised: {}.", recalls.join(", "))
    }

    fn data(&self) -> Table {
        let titles = ["true \\ predicted"].into_iter().chain(self.classes.iter().map(String::as_str)).chain(["sum"]);
        let row = |(class, name): (usize, &String)| {
            let counts = (0..self.classes.len()).map(move |column| Cell::count(self.count(class, column)));
            [Cell::text(name)].into_iter().chain(counts).chain([Cell::count(self.total(class))])
        };
        Table::new(titles).rows(self.classes.iter().enumerate().map(row))
    }
}

/// Room for the sums of rows.
const TOTALS: f64 = 46.0;

/// The colours from none to all.
fn legend(svg: &mut Svg, left: f64, top: f64) {
    let (none, all) = ("0", "100\u{A0}% of the row");
    svg.text([left, top + 11.0], Anchor::Start, "tick", none);
    let mut place = left + text_width(none, TEXT) + 6.0;
    for step in 0..HEAT_STEPS {
        svg.open(&format!("h{step}"));
        svg.rect([place, top], [11.0, 13.0], "");
        svg.close();
        place += 11.0;
    }
    svg.text([place + 6.0, top + 11.0], Anchor::Start, "tick", all);
}

#[cfg(test)]
mod tests {
    use super::super::Chart;
    use super::super::tests::checked;
    use super::*;

    fn matrix(classes: &[&str], counts: Vec<Vec<u64>>) -> String {
        let classes = classes.iter().map(|&class| class.to_owned()).collect();
        checked(&Chart::Confusion(ConfusionMatrix::new(classes, counts)))
    }

    #[test]
    fn rows_are_true_classes() {
        let html = matrix(&["happy", "sad"], vec![vec![90, 10], vec![2, 6]]);
        assert!(html.contains("true happy, predicted sad: 10, 10.0\u{A0}% of the row"), "{html}");
        assert!(html.contains("true sad, predicted happy: 2, 25.0\u{A0}% of the row"), "{html}");
        assert!(html.contains("happy 90.0\u{A0}%, sad 75.0\u{A0}%."), "{html}");
        // 90 of 100 lie nearest to the eighth of nine steps, 10 to the second.
        assert!(html.contains("<g class=\"h7\">") && html.contains("<g class=\"h1\">"), "{html}");
    }

    #[test]
    fn classes_without_samples_have_no_rates() {
        let html = matrix(&["a", "b"], vec![vec![0, 0], vec![1, 3]]);
        assert!(html.contains("a undefined, b 75.0\u{A0}%"), "{html}");
        assert!(html.contains(">–</text>"));
    }

    #[test]
    fn any_matrix_is_drawn() {
        matrix(&[], vec![]);
        matrix(&["<script>", "\"quotes\" & so on, a class with a name that is far too long"], vec![vec![1]]);
        matrix(&["a", "b"], vec![vec![u64::MAX, u64::MAX], vec![1, 2, 3], vec![4]]);
        let names: Vec<String> = (0..30).map(|i| format!("a rather long class {i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        matrix(&names, vec![vec![123_456; 30]; 30]);
    }
}
