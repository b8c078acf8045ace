//! Sections for what predictions are worth.

use super::chart::{Bar, BarChart, Chart, ConfusionMatrix, ReliabilityCurve, Unit};
use super::number;
use super::page::Card;
use super::section::Section;
use super::table::{Cell, Table};
use crate::metrics::{Evaluation, Interval, Intervals, Measures, Unit as Resampled};

/// How many of the most frequent mistakes are listed.
const MISTAKES: usize = 5;

/// From this many classes on their measures are drawn in charts of their own.
const MANY_CLASSES: usize = 12;

/// The key figures of an evaluation, with their 95 % intervals where there are any.
///
/// ```
/// use vultus::metrics::{Evaluation, Predictions};
/// use vultus::report::{Page, evaluation_cards};
///
/// let mut predictions = Predictions::new(["happy", "sad"].map(str::to_owned).into());
/// predictions.labels = vec![0, 1];
/// predictions.probabilities = vec![vec![0.9, 0.1], vec![0.2, 0.8]];
/// let page = Page::new("Expressions").cards(evaluation_cards(&Evaluation::new(&predictions, 1, 0)?));
/// assert!(page.html().contains("100.0\u{A0}%"));
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn evaluation_cards(evaluation: &Evaluation) -> Vec<Card> {
    let intervals = evaluation.intervals.as_ref();
    let share = |label: &str, value: f64, interval: Option<Interval>| {
        let card = Card::new(label, number::percent(value));
        let text = |[low, high]: Interval| {
            format!("{} to {}\u{A0}%", number::decimal(100.0 * low, 1), number::decimal(100.0 * high, 1))
        };
        interval.map(text).into_iter().fold(card, Card::note)
    };
    let macro_f1 = evaluation.macro_average.f1.unwrap_or(f64::NAN);
    vec![
        share("accuracy", evaluation.accuracy, intervals.map(|known| known.accuracy)),
        share("balanced accuracy", evaluation.balanced_accuracy, intervals.map(|known| known.balanced_accuracy)),
        share("macro F1", macro_f1, intervals.and_then(|known| known.macro_average.f1)),
        Card::new("images", number::count(evaluation.n as u64)).note(format!("{} classes", evaluation.classes.len())),
    ]
}

/// An evaluation in sections: the figures over all classes, the confusion matrix, the measures of each class, and
/// whether probabilities mean what they say.
///
/// ```no_run
/// use std::path::Path;
/// use vultus::metrics::{Evaluation, Predictions};
/// use vultus::report::{Page, evaluation_cards, evaluation_sections};
///
/// # let predictions = Predictions::new(vec![]);
/// let evaluation = Evaluation::new(&predictions, 1, 2000)?;
/// let page = Page::new("Expressions").cards(evaluation_cards(&evaluation));
/// page.sections(evaluation_sections(&evaluation)).save(Path::new("report.html"))?;
/// # Ok::<(), vultus::Error>(())
/// ```
pub fn evaluation_sections(evaluation: &Evaluation) -> Vec<Section> {
    vec![overall(evaluation), confusion(evaluation), classes(evaluation), calibration(evaluation)]
}

fn confusion(evaluation: &Evaluation) -> Section {
    let matrix = ConfusionMatrix::new(evaluation.classes.clone(), evaluation.confusion.clone());
    let note = "Each cell: per cent of the true class, and the number of images. The framed diagonal is right.";
    let section =
        Section::new("Confusion matrix").chart("What each class was taken for", Chart::Confusion(matrix), note);
    let mistakes = mistakes(evaluation);
    if mistakes.is_empty() { section } else { section.table(mistakes) }
}

/// The pairs of classes that were mistaken most often.
fn mistakes(evaluation: &Evaluation) -> Table {
    let classes = &evaluation.classes;
    let mut pairs: Vec<(u64, usize, usize)> = (evaluation.confusion.iter().enumerate())
        .flat_map(|(truth, row)| row.iter().enumerate().map(move |(predicted, &count)| (count, truth, predicted)))
        .filter(|&(count, truth, predicted)| count > 0 && truth != predicted)
        .filter(|&(_, truth, predicted)| truth.max(predicted) < classes.len())
        .collect();
    pairs.sort_by_key(|&(count, truth, predicted)| (std::cmp::Reverse(count), truth, predicted));
    let row = |&(count, truth, predicted): &(u64, usize, usize)| {
        let total: u64 = evaluation.confusion[truth].iter().copied().fold(0, u64::saturating_add);
        let share = Cell::percent(count as f64 / total as f64);
        [Cell::text(&classes[truth]), Cell::text(&classes[predicted]), Cell::count(count), share]
    };
    let table = Table::new(["true", "predicted", "images", "of the true class"]);
    table.caption("The most frequent mistakes").rows(pairs.iter().take(MISTAKES).map(row))
}

fn overall(evaluation: &Evaluation) -> Section {
    let known = evaluation.intervals.as_ref();
    let share = |name: &str, value: f64, interval: Option<Interval>| {
        [Cell::text(name), Cell::percent(value), Cell::range(interval.map(|ends| ends.map(|end| 100.0 * end)), 1)]
    };
    let figure = |name: &str, value: Option<f64>, interval: Option<Interval>| {
        [Cell::text(name), Cell::decimal(value, 3), Cell::range(interval, 3)]
    };
    let table = Table::new(["measure", "value", "95\u{A0}% interval"])
        .row(share("accuracy", evaluation.accuracy, known.map(|known| known.accuracy)))
        .row(share("balanced accuracy", evaluation.balanced_accuracy, known.map(|known| known.balanced_accuracy)))
        .row(share("top-2 accuracy", evaluation.top2, known.map(|known| known.top2)))
        .row(figure("Cohen’s kappa", evaluation.kappa, known.and_then(|known| known.kappa)))
        .row(figure("log loss", Some(evaluation.log_loss), known.map(|known| known.log_loss)))
        .row(figure("expected calibration error", Some(evaluation.ece), None));
    let section = Section::new("Overall").table(table).heading("Averages over the classes");
    let averages = [
        ("macro: every class alike", evaluation.macro_average, known.map(|known| known.macro_average)),
        ("weighted by images", evaluation.weighted, known.map(|known| known.weighted)),
        ("micro: all counts together", evaluation.micro, None),
    ];
    let rows =
        averages.map(|(name, measures, intervals)| [Cell::text(name)].into_iter().chain(cells(measures, intervals)));
    let section = section.table(Table::new(titles("average", &[])).rows(rows));
    let with: Vec<&str> = evaluation.classes_with_samples().collect();
    let section = if with.len() < evaluation.classes.len() {
        section.note(format!(
            "Macro averages are over the {} classes that have images: {}.",
            with.len(),
            with.join(", ")
        ))
    } else {
        section
    };
    section.note(intervals_note(known))
}

fn intervals_note(intervals: Option<&Intervals>) -> String {
    let Some(intervals) = intervals else {
        return "No intervals were computed.".to_owned();
    };
    let method = intervals.method;
    let (unit, why) = match method.unit {
        Resampled::Image => ("images", "as if each showed somebody else"),
        Resampled::Subject => ("subjects", "each with all of its images"),
    };
    let (level, units) = (number::decimal(100.0 * method.level, 0), number::count(method.units as u64));
    let resamples = number::count(method.resamples as u64);
    format!(
        "Ranges are {level}\u{A0}% intervals: percentiles of {resamples} resamples of {units} {unit}, {why}, drawn with \
         seed {}. They say how far the figures would scatter among tests of this size, not how far they would hold for \
         other cameras or people.",
        method.seed
    )
}

fn classes(evaluation: &Evaluation) -> Section {
    let intervals =
        |class: &String| evaluation.intervals.as_ref().and_then(|known| known.per_class.get(class)).copied();
    let known = || evaluation.classes.iter().filter_map(|class| Some((class, evaluation.per_class.get(class)?)));
    let rows = known().map(|(class, of)| {
        let counts = [Cell::text(class), Cell::count(of.support), Cell::count(of.predicted)];
        counts.into_iter().chain(cells(of.measures, intervals(class)))
    });
    let table = Table::new(titles("class", &["images", "predicted"])).rows(rows);
    let names: Vec<&String> = known().map(|(class, _)| class).collect();
    let bars =
        |name: &str, value: fn(Measures) -> Option<f64>, ends: fn(Measures<Option<Interval>>) -> Option<Interval>| {
            let bars = known()
                .map(|(class, of)| Bar { value: value(of.measures), interval: intervals(class).and_then(ends) })
                .collect::<Vec<_>>();
            (name.to_owned(), bars)
        };
    let series = [
        bars("recall", |measures| measures.recall, |ends| ends.recall),
        bars("precision", |measures| measures.precision, |ends| ends.precision),
        bars("F1", |measures| measures.f1, |ends| ends.f1),
    ];
    let chart = |series: &[(String, Vec<Bar>)], label: &str| {
        let empty = BarChart::new(names.iter().copied(), label, Unit::Percent);
        Chart::Bars(series.iter().fold(empty, |chart, (name, bars)| chart.series(name, bars.iter().copied())))
    };
    let text = "Recall (sensitivity): the share of a class that is found. Specificity: the share of all others that is not \
                taken for it. Precision: the share of what is taken for it that is right. F1 and Dice are the harmonic mean \
                of precision and recall, Jaccard is their intersection over union.";
    let section = Section::new("Classes").text(text).table(table);
    if names.len() < MANY_CLASSES {
        return section.chart("Measures of each class", chart(&series, "share"), "");
    }
    series.iter().fold(section, |section, of| {
        section.chart(format!("Each class: {}", of.0), chart(&[(String::new(), of.1.clone())], &of.0), "")
    })
}

fn calibration(evaluation: &Evaluation) -> Section {
    let error = number::decimal(100.0 * evaluation.ece, 1);
    let text = format!(
        "A probability of 70\u{A0}% should be right in 70\u{A0}% of all cases: the points then lie on the dashed line. On \
         average they are {error} percentage points away from it (expected calibration error, {} bins, Guo et al. 2017).",
        evaluation.reliability.len()
    );
    let note = "Above the dashed line predictions are too cautious, below it they are too sure.";
    let curve = Chart::Reliability(ReliabilityCurve::new(evaluation.reliability.clone()));
    Section::new("Calibration").text(text).chart("How often predictions are right, by their probability", curve, note)
}

fn titles<'a>(first: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let measures = ["recall", "specificity", "precision", "F1", "Jaccard", "Dice"];
    [first].into_iter().chain(more.iter().copied()).chain(measures).collect()
}

fn cells(measures: Measures, intervals: Option<Measures<Option<Interval>>>) -> impl Iterator<Item = Cell> {
    let ends = |ends: Measures<Option<Interval>>| {
        [ends.recall, ends.specificity, ends.precision, ends.f1, ends.jaccard, ends.dice]
    };
    let values =
        [measures.recall, measures.specificity, measures.precision, measures.f1, measures.jaccard, measures.dice];
    let intervals = intervals.map_or([None; 6], ends);
    values.into_iter().zip(intervals).map(|(value, interval)| Cell::percent(value).percent_interval(interval))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::metrics::Predictions;
    use crate::random::Random;
    use crate::report::Page;

    /// Predictions that are right in about two cases of three.
    pub fn evaluation(classes: usize, resamples: usize) -> Evaluation {
        let names = (0..classes).map(|class| format!("class {class} <script>")).collect();
        let mut predictions = Predictions::new(names);
        let mut random = Random::new(5);
        for sample in 0..20 * classes {
            // The last class has no samples.
            let label = sample % (classes - 1);
            let mut row: Vec<f32> = (0..classes).map(|_| random.uniform() + 0.01).collect();
            row[label] += 0.6;
            let sum: f32 = row.iter().sum();
            predictions.labels.push(label);
            predictions.probabilities.push(row.into_iter().map(|value| value / sum).collect());
        }
        Evaluation::new(&predictions, 1, resamples).expect("an evaluation")
    }

    #[test]
    fn an_evaluation_becomes_a_page() {
        for (classes, resamples) in [(2, 0), (7, 50), (30, 20)] {
            let evaluation = evaluation(classes, resamples);
            let page =
                Page::new("test").cards(evaluation_cards(&evaluation)).sections(evaluation_sections(&evaluation));
            let html = page.html();
            assert!(html.contains(&number::percent(evaluation.accuracy)));
            assert!(html.contains("<span class=\"undefined\">undefined</span>"));
            assert!(!html.contains("NaN") && !html.contains("<script"), "{classes} classes");
            assert_eq!(html.contains("No intervals were computed."), resamples == 0);
        }
    }

    #[test]
    fn an_evaluation_from_a_damaged_file_does_no_harm() {
        let mut evaluation = evaluation(3, 10);
        evaluation.per_class.clear();
        evaluation.confusion.pop();
        evaluation.reliability.clear();
        evaluation.accuracy = f64::NAN;
        let html =
            Page::new("test").cards(evaluation_cards(&evaluation)).sections(evaluation_sections(&evaluation)).html();
        assert!(html.contains("undefined") && !html.contains("NaN"));
    }
}
