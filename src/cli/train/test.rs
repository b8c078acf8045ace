//! What the saved model makes of other data sets.

use std::io::Write;
use std::path::Path;

use vultus::Device;
use vultus::data::Dataset;
use vultus::face::{TestTimeAugmentation, assemble};
use vultus::metrics::{Evaluation, Predictions};
use vultus::prepare::Augmentation;
use vultus::train::{Pictures, Predictor};
use vultus::weights::{WeightFile, safetensors};

use super::progress::percent;
use crate::cli::class_names::{matched, unified};
use crate::cli::failure::Failure;
use crate::cli::global::Global;
use crate::cli::table::{Align, Table, widest};

/// A data set to test on, in the classes of the model. Says what it holds besides.
pub fn open(path: &Path, classes: &[String], global: &Global) -> Result<Dataset, Failure> {
    let data = matched(unified(Dataset::open(path)?, global)?, classes, global)?;
    let unknown: Vec<&str> = data.classes.iter().filter(|name| !classes.contains(name)).map(String::as_str).collect();
    let unknown = unknown.join(", ");
    let known = data.with_classes(classes)?;
    if !unknown.is_empty() {
        global.note(&format!("{}: left out, since the model does not have these classes: {unknown}", path.display()));
    }
    Ok(known)
}

/// Tests the model in a file: its numbers are rounded as they were saved. How many pictures could not be read.
pub fn run(
    file: &Path,
    base: Option<&WeightFile>,
    device: &Device,
    batch: usize,
    data: &Dataset,
    out: &mut dyn Write,
) -> Result<usize, Failure> {
    let (card, parameters) = assemble(base.cloned(), safetensors::read(file)?)?;
    let network = card.network()?;
    let pictures = Pictures::new(data, &card, Augmentation::none());
    let order: Vec<usize> = (0..data.samples.len()).collect();
    let flip = card.tta == TestTimeAugmentation::Flip;
    let predictor = Predictor { device, network: &network, parameters: &parameters, batch, flip };
    let (tested, probabilities): (Vec<usize>, Vec<Vec<f32>>) =
        predictor.predict(&pictures, &order)?.into_iter().unzip();
    let labels = tested.iter().map(|&index| data.samples[index].label).collect();
    let predictions = Predictions { classes: card.classes, labels, probabilities, subjects: None };
    report(out, data, &Evaluation::new(&predictions, 0, 0)?)?;
    Ok(order.len() - tested.len())
}

fn report(out: &mut dyn Write, data: &Dataset, evaluation: &Evaluation) -> Result<(), Failure> {
    let right: u64 = (0..evaluation.classes.len()).map(|class| evaluation.confusion[class][class]).sum();
    let (path, all) = (data.path.display(), evaluation.n);
    writeln!(out, "\n{path}: {right} of {all} right, {}", percent(evaluation.accuracy))?;
    let width = widest(evaluation.classes.iter().map(String::as_str));
    let table = Table::new([
        ("class", Align::Left, width),
        ("pictures", Align::Right, 8),
        ("recall", Align::Right, 8),
        ("precision", Align::Right, 9),
        ("F1", Align::Right, 8),
    ]);
    table.head(out)?;
    let share = |value: Option<f64>| value.map_or("undefined".to_owned(), percent);
    for class in &evaluation.classes {
        let found = &evaluation.per_class[class];
        let measures = [found.measures.recall, found.measures.precision, found.measures.f1].map(share);
        let [recall, precision, f1] = measures;
        table.row(out, [class.clone(), found.support.to_string(), recall, precision, f1])?;
    }
    Ok(())
}
