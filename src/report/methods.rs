//! Methods beside each other.

use super::chart::{Bar, BarChart, Chart, ScatterChart, ScatterPoint, Unit};
use super::number;
use super::section::Section;
use super::table::{Cell, Table};
use crate::metrics::{Evaluation, Interval, Intervals, PairedTest, Unit as Tossed};

/// A method and how it did.
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions};
/// use vultus::report::Method;
///
/// let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
/// (predictions.labels, predictions.probabilities) = (vec![0], vec![vec![0.9, 0.1]]);
/// let evaluation = Evaluation::new(&predictions, 1, 0)?;
/// let name = "small".to_owned();
/// let (evaluation, milliseconds, parameters) = (&evaluation, Some(1.5), Some(841_703));
/// let method = Method { name, evaluation, milliseconds, parameters, against_best: None };
/// assert_eq!(method.evaluation.accuracy, 1.0);
/// # Ok::<(), vultus::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Method<'a> {
    /// Its name.
    pub name: String,
    /// What its predictions are worth.
    pub evaluation: &'a Evaluation,
    /// The time that it takes for an image, if it was measured.
    pub milliseconds: Option<f64>,
    /// The number of its trained parameters, if it is known.
    pub parameters: Option<u64>,
    /// How it compares with the best method, if that was tested; nothing for the best one itself.
    pub against_best: Option<PairedTest>,
}

/// A figure of an evaluation: its name, the value and its interval.
type Figure = (&'static str, fn(&Evaluation) -> Option<f64>, fn(&Intervals) -> Option<Interval>);

const FIGURES: [Figure; 3] = [
    ("accuracy", |evaluation| Some(evaluation.accuracy), |intervals| Some(intervals.accuracy)),
    ("balanced accuracy", |evaluation| Some(evaluation.balanced_accuracy), |known| Some(known.balanced_accuracy)),
    ("macro F1", |evaluation| evaluation.macro_average.f1, |intervals| intervals.macro_average.f1),
];

/// A section that compares methods on the same test: a table with the best of each column in bold, bars with intervals,
/// accuracy against time where that is known, and the recall of each class.
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions};
/// use vultus::report::{Method, Page, methods_section};
///
/// let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
/// predictions.labels = vec![0, 1];
/// predictions.probabilities = vec![vec![0.9, 0.1], vec![0.4, 0.6]];
/// let network = Evaluation::new(&predictions, 1, 0)?;
/// predictions.probabilities[1] = vec![0.6, 0.4];
/// let older = Evaluation::new(&predictions, 1, 0)?;
/// let method = |name: &str, evaluation| {
///     Method { name: name.to_owned(), evaluation, milliseconds: None, parameters: None, against_best: None }
/// };
/// let section = methods_section(&[method("network", &network), method("LBP", &older)]);
/// assert!(Page::new("Comparison").section(section).html().contains("LBP"));
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn methods_section(methods: &[Method<'_>]) -> Section {
    let section = Section::new("Methods").table(table(methods));
    let section = match methods.iter().find_map(|method| method.against_best) {
        Some(test) => section.note(how_tested(&test)),
        None => section,
    };
    let bar = |evaluation: &Evaluation, (_, value, interval): &Figure| Bar {
        value: value(evaluation),
        interval: evaluation.intervals.as_ref().and_then(interval),
    };
    let names = methods.iter().map(|method| method.name.as_str());
    let figures = FIGURES.iter().fold(BarChart::new(names, "share", Unit::Percent), |chart, figure| {
        chart.series(figure.0, methods.iter().map(|method| bar(method.evaluation, figure)))
    });
    let note = "Lines on the bars are 95\u{A0}% intervals where they were computed.";
    let section = section.chart("The methods compared", Chart::Bars(figures), note);
    let points: Vec<ScatterPoint> = methods.iter().filter_map(point).collect();
    let section = if points.is_empty() {
        section
    } else {
        let scatter = ScatterChart::new("milliseconds for an image, logarithmic", "accuracy", points);
        section.chart("Accuracy against time", Chart::Scatter(scatter), "Up and to the left is better.")
    };
    section.chart("Recall of each class", Chart::Bars(recalls(methods)), "")
}

/// What the column p is.
fn how_tested(test: &PairedTest) -> String {
    let (test, units) = match test.unit {
        Tossed::Image => ("McNemar's exact test", "images"),
        Tossed::Subject => ("an exact randomisation test over people", "people with all of their images"),
    };
    format!(
        "p: how probable a difference in accuracy at least as large as that to the best method would be if both were \
         equally good, by {test} ({units} of the same test part). It is not corrected for the number of methods."
    )
}

fn table(methods: &[Method<'_>]) -> Table {
    let is_tested = methods.iter().any(|method| method.against_best.is_some());
    let best = FIGURES.map(|(_, value, _)| {
        methods.iter().filter_map(|method| value(method.evaluation)).filter(|v| v.is_finite()).fold(f64::MIN, f64::max)
    });
    let row = |method: &Method<'_>| {
        let figures = FIGURES.iter().zip(best).map(|((_, value, interval), best)| {
            let value = value(method.evaluation);
            let interval = method.evaluation.intervals.as_ref().and_then(interval);
            Cell::percent(value).percent_interval(interval).strong_if(methods.len() > 1 && value == Some(best))
        });
        let kappa = Cell::decimal(method.evaluation.kappa, 3);
        let parameters = method.parameters.map_or(Cell::number("–"), Cell::count);
        let time = Cell::number(method.milliseconds.map_or("–".to_owned(), number::significant));
        let images = Cell::count(method.evaluation.n as u64);
        let p = method.against_best.map_or_else(|| "best".to_owned(), |test| number::p_value(test.p));
        let p = is_tested.then(|| Cell::number(p));
        let rest = [kappa, images, parameters, time];
        let cells: Vec<Cell> = [Cell::text(&method.name)].into_iter().chain(figures).chain(p).chain(rest).collect();
        cells
    };
    let titles = ["method"].into_iter().chain(FIGURES.map(|figure| figure.0)).chain(is_tested.then_some("p"));
    Table::new(titles.chain(["kappa", "images", "parameters", "ms per image"])).rows(methods.iter().map(row))
}

fn point(method: &Method<'_>) -> Option<ScatterPoint> {
    let evaluation = method.evaluation;
    let interval = evaluation.intervals.as_ref().map(|known| known.accuracy);
    Some(ScatterPoint { name: method.name.clone(), x: method.milliseconds?, y: evaluation.accuracy, interval })
}

/// Of the classes of the first method, which all should have.
fn recalls(methods: &[Method<'_>]) -> BarChart {
    let classes = methods.first().map_or(&[][..], |method| &method.evaluation.classes);
    methods.iter().fold(BarChart::new(classes, "recall", Unit::Percent), |chart, method| {
        let bar = |class: &String| Bar {
            value: method.evaluation.per_class.get(class).and_then(|of| of.measures.recall),
            interval: method.evaluation.intervals.as_ref().and_then(|known| known.per_class.get(class)?.recall),
        };
        chart.series(&method.name, classes.iter().map(bar))
    })
}

#[cfg(test)]
mod tests {
    use super::super::evaluation::tests::evaluation;
    use super::*;
    use crate::report::Page;

    #[test]
    fn methods_stand_beside_each_other() {
        let (good, mut poor) = (evaluation(4, 20), evaluation(4, 0));
        poor.accuracy = 0.25;
        let method = |name: &str, evaluation, milliseconds| Method {
            name: name.to_owned(),
            evaluation,
            milliseconds,
            parameters: Some(14_714_688),
            against_best: None,
        };
        let html = Page::new("t")
            .section(methods_section(&[method("VGG16", &good, Some(72.0)), method("LBP <b>", &poor, None)]))
            .html();
        assert!(html.contains(&format!("<strong>{}</strong>", number::percent(good.accuracy))));
        assert!(!html.contains("<strong>25.0"));
        assert!(
            html.contains("14,714,688") && html.contains("LBP &lt;b&gt;") && html.contains("Accuracy against time")
        );
        assert_eq!(html.matches("<svg").count(), 3);
        assert!(!html.contains(">p<"));
        let against_best = PairedTest::new(&[true; 6], &[false; 6], None).ok();
        let tested = [method("A", &good, None), Method { against_best, ..method("B", &poor, None) }];
        let html = Page::new("t").section(methods_section(&tested)).html();
        assert!(html.contains(">p<") && html.contains(">0.031<") && html.contains(">best<"), "{html}");
        assert!(html.contains("McNemar"), "{html}");
        let none = Page::new("t").section(methods_section(&[])).html();
        assert!(!none.contains("NaN"));
    }
}
