//! The results for people.

use std::io::{self, Write};
use std::path::Path;

use vultus::metrics::{Interval, Measures, Unit};

use super::priors::Expectation;
use super::results::Results;
use crate::cli::models;
use crate::cli::table::{Align, Table, widest};

/// Writes what was evaluated, the measures of each class, the figures over all, and the confusion matrix.
pub fn write(out: &mut dyn Write, results: &Results) -> io::Result<()> {
    let model = models::title(results.model.as_deref().map(Path::new));
    let part = if results.part == "all" { String::new() } else { format!(", part {}", results.part) };
    writeln!(out, "{model} on {}{part}: {} images", results.data, results.evaluation.n)?;
    write_not_evaluated(out, results)?;
    write_votes(out, results)?;
    write_priors(out, results)?;
    writeln!(out)?;
    write_classes(out, results)?;
    writeln!(out)?;
    write_totals(out, results)?;
    writeln!(out)?;
    write_confusion(out, results)
}

fn write_not_evaluated(out: &mut dyn Write, results: &Results) -> io::Result<()> {
    let left_out = results.left_out.values().sum();
    let counts = [
        (results.without_face.len(), "without a face"),
        (results.unreadable.len(), "unreadable"),
        (left_out, "of classes that the model does not have"),
    ];
    let parts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    if parts.is_empty() { Ok(()) } else { writeln!(out, "not evaluated: {}", parts.join(", ")) }
}

fn write_votes(out: &mut dyn Write, results: &Results) -> io::Result<()> {
    let Some(votes) = &results.votes else { return Ok(()) };
    let own = &votes.own_labels;
    let interval = own.interval.map(|[low, high]| format!(" ({:.1} to {:.1})", 100.0 * low, 100.0 * high));
    writeln!(
        out,
        "labels are the majority ({}) of {} of the {} images that people voted on",
        votes.rule, votes.judged, votes.voted
    )?;
    writeln!(out, "log loss against all votes: {:.3}, at best {:.3}", votes.log_loss, votes.entropy)?;
    let interval = interval.unwrap_or_default();
    writeln!(out, "by the data set's own labels {:.1} %{interval} of {} are right", 100.0 * own.accuracy, own.n)
}

/// Where it is a question: the choice is among fewer classes than the model's, or all are expected alike.
fn write_priors(out: &mut dyn Write, results: &Results) -> io::Result<()> {
    let Some(priors) =
        results.priors.as_ref().filter(|priors| results.restricted || priors.taken == Expectation::Equal)
    else {
        return Ok(());
    };
    let (classes, [learned, equal]) =
        (results.evaluation.classes.len(), [priors.accuracy_learned, priors.accuracy_equal].map(|right| 100.0 * right));
    writeln!(
        out,
        "the choice is among {classes} classes: each expected as often as the others, {equal:.1} % are right, as often as \
         the model learned, {learned:.1} %; the figures are by the {} (--priors)",
        if priors.taken == Expectation::Equal { "first" } else { "second" }
    )
}

fn write_classes(out: &mut dyn Write, results: &Results) -> io::Result<()> {
    let evaluation = &results.evaluation;
    let measure = |title| (title, Align::Right, "100.0".len());
    let table = Table::new([
        ("class, %", Align::Left, widest(evaluation.classes.iter().map(String::as_str))),
        ("images", Align::Right, 0),
        ("predicted", Align::Right, 0),
        measure("recall"),
        measure("specificity"),
        measure("precision"),
        measure("F1 = Dice"),
        measure("Jaccard"),
    ]);
    table.head(out)?;
    let row = |out: &mut dyn Write, name: &str, [images, predicted]: [String; 2], measures: &Measures| {
        let Measures { recall, specificity, precision, f1, jaccard, dice: _ } = *measures;
        let [a, b, c, d, e] = [recall, specificity, precision, f1, jaccard].map(percent);
        table.row(out, [name.to_owned(), images, predicted, a, b, c, d, e])
    };
    for class in &evaluation.classes {
        let Some(figures) = evaluation.per_class.get(class) else { continue };
        let counts = [figures.support, figures.predicted].map(|count| count.to_string());
        row(out, class, counts, &figures.measures)?;
    }
    row(out, "macro", Default::default(), &evaluation.macro_average)?;
    row(out, "weighted", Default::default(), &evaluation.weighted)?;
    row(out, "micro", Default::default(), &evaluation.micro)?;
    let with: Vec<&str> = evaluation.classes_with_samples().collect();
    if with.len() < evaluation.classes.len() {
        writeln!(out, "macro: the mean over the {} classes that have images: {}", with.len(), with.join(", "))?;
    }
    Ok(())
}

fn write_totals(out: &mut dyn Write, results: &Results) -> io::Result<()> {
    let evaluation = &results.evaluation;
    let intervals = evaluation.intervals.as_ref();
    let table = Table::new([
        ("over all", Align::Left, "accuracy of others".len()),
        ("figure", Align::Right, "100.0 %".len()),
        ("95 % interval", Align::Left, 0),
    ]);
    table.head(out)?;
    let share = |value: f64| format!("{:.1} %", 100.0 * value);
    let plain = |value: f64| format!("{value:.3}");
    let mut row = |name: &str, value: Option<f64>, interval: Option<Interval>, form: &dyn Fn(f64) -> String| {
        let interval = interval.map(|[low, high]| format!("{} – {}", form(low), form(high)));
        let value = value.map_or_else(|| UNDEFINED.to_owned(), form);
        table.row(out, [name.to_owned(), value, interval.unwrap_or_default()])
    };
    let (averages, averaged) = (&evaluation.macro_average, intervals.map(|i| &i.macro_average));
    row("accuracy", Some(evaluation.accuracy), intervals.map(|i| i.accuracy), &share)?;
    row("balanced accuracy", Some(evaluation.balanced_accuracy), intervals.map(|i| i.balanced_accuracy), &share)?;
    row("macro F1", averages.f1, averaged.and_then(|m| m.f1), &share)?;
    row("macro Jaccard", averages.jaccard, averaged.and_then(|m| m.jaccard), &share)?;
    row("top-2 accuracy", Some(evaluation.top2), intervals.map(|i| i.top2), &share)?;
    row("Cohen's kappa", evaluation.kappa, intervals.and_then(|i| i.kappa), &plain)?;
    row("log loss", Some(evaluation.log_loss), intervals.map(|i| i.log_loss), &plain)?;
    row("calibration error", Some(evaluation.ece), None, &plain)?;
    if let Some(uncertain) = &results.uncertain {
        row("uncertain", Some(uncertain.share), None, &share)?;
        row("accuracy of others", uncertain.accuracy_of_others, None, &share)?;
    }
    if let Some(method) = intervals.map(|intervals| intervals.method) {
        let unit = match method.unit {
            Unit::Image => "images",
            Unit::Subject => "subjects with all of their images",
        };
        writeln!(out, "intervals: {} resamples of {} {unit}, seed {}", method.resamples, method.units, method.seed)?;
    }
    Ok(())
}

fn write_confusion(out: &mut dyn Write, results: &Results) -> io::Result<()> {
    let evaluation = &results.evaluation;
    let title = "true \\ predicted";
    let first = widest(evaluation.classes.iter().map(String::as_str).chain([title]));
    let counts = evaluation.confusion.iter().flatten().map(u64::to_string).collect::<Vec<_>>();
    let width = |class: &str| widest(counts.iter().map(String::as_str).chain([class]));
    let head: Vec<String> =
        evaluation.classes.iter().map(|class| format!("{class:>width$}", width = width(class))).collect();
    writeln!(out, "{title:<first$}  {}", head.join("  "))?;
    for (class, row) in evaluation.classes.iter().zip(&evaluation.confusion) {
        let cell = |(count, class): (&u64, &String)| format!("{count:>width$}", width = width(class));
        let cells: Vec<String> = row.iter().zip(&evaluation.classes).map(cell).collect();
        writeln!(out, "{class:<first$}  {}", cells.join("  "))?;
    }
    Ok(())
}

/// What stands in place of a figure that is a part of nothing.
const UNDEFINED: &str = "-";

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| UNDEFINED.to_owned(), |share| format!("{:.1}", 100.0 * share))
}
