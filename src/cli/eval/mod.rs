//! `vultus eval`: how good is the recogniser on labelled images?

mod classes;
mod files;
mod judge;
mod page;
mod priors;
mod results;
mod small;
mod table;
mod votes;

use std::io::Write;
use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use vultus::Device;
use vultus::data::{ClassMap, Dataset, Part};
use vultus::metrics::Evaluation;
use vultus::wgpu::DeviceType;

use super::class_names::{matched, open_renamed};
use super::detector::DetectorArguments;
use super::existing::refuse_input;
use super::failure::Failure;
use super::global::Global;
use super::recognizer::RecognizerArguments;
use classes::Classes;
use files::Files;
use judge::{Judge, Judged};
use priors::Expectation;
use results::{Results, Uncertain};
use votes::Rule;

/// Measure how good the recogniser is on labelled images
///
/// Prints the measures of each class, figures over all with 95 % intervals, and the confusion matrix. docs/metrics.md
/// has the formulas. In each image the largest face counts, in an image whose face's box is given that one. Images without
/// a face are counted and left out. Where the model's card gives a bound below which it is uncertain, all figures are of the
/// most probable class all the same; how many answers are below the bound, and how many of the others are right, is told
/// beside them. Images that cannot be read are named on standard error, the others are evaluated, and the exit status is 1.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus eval faces/test --faces
  vultus eval ck48 --faces --classes angry=anger,sad=sadness --restrict
  vultus eval fer2013/test --faces --votes ferplus.csv --restrict=angry,disgust,fear,happy,neutral,sad,surprise
  vultus eval photos --model trained.safetensors --tta flip --csv predictions.csv
  vultus eval faces/test --faces --json | jq .macro.recall
  vultus eval faces/test --faces --out evaluation

JSON, one object:
  {\"classes\", \"n\", \"accuracy\", \"balanced_accuracy\", \"kappa\", \"top2\", \"log_loss\", \"ece\",
   \"macro\": {\"recall\", \"specificity\", \"precision\", \"f1\", \"jaccard\", \"dice\"}, \"micro\", \"weighted\",
   \"per_class\": {CLASS: {\"support\", \"predicted\", \"recall\", ...}}, \"confusion\": [[...], ...],
   \"reliability\": [...], \"intervals\": {\"accuracy\": [low, high], \"macro\": {...}, ...},
   \"data\", \"part\", \"model\", \"faces\", \"detector\", \"tta\", \"restricted\",
   \"priors\": {\"taken\", \"accuracy_learned\", \"accuracy_equal\"},
   \"votes\": {\"table\", \"rule\", \"voted\", \"judged\", \"log_loss\", \"entropy\", \"own_labels\"},
   \"uncertain\": {\"below\", \"n\", \"share\", \"accuracy_of_others\"},
   \"left_out\": {CLASS: count}, \"without_face\": [...], \"unreadable\": [...]}
The confusion matrix has a row for each true class. Undefined values (0/0) are null.")]
pub struct Arguments {
    /// The labelled images: a folder with a sub-folder for each class, or another layout that `vultus data` knows
    #[arg(value_name = "PATH")]
    data: PathBuf,
    /// The images are faces already: look at all of each instead of searching it for a face [default: if they are small]
    #[arg(long)]
    faces: bool,
    /// The images are photos: search each for its largest face, or the one in the box that the data set gives
    #[arg(long, conflicts_with = "faces")]
    detect: bool,
    /// The part of the data set to evaluate [default: test where there is one, else all]
    #[arg(long, value_enum)]
    part: Option<PartName>,
    #[command(flatten)]
    detector: DetectorArguments,
    #[command(flatten)]
    recognizer: RecognizerArguments,
    /// What the data set calls the model's classes, as pairs of model=dataset [default: names that mean the same are
    /// matched, such as anger and angry, and so are the numbers of FER2013 and RAF-DB]
    #[arg(long, value_name = "angry=anger,…", value_parser = ClassMap::parse)]
    classes: Option<ClassMap>,
    /// Choose among those classes only that the model and the data set both have, or among these
    #[arg(long, value_name = "CLASS,…", num_args = 0..=1, require_equals = true, value_delimiter = ',', default_missing_value = "")]
    restrict: Option<Vec<String>>,
    /// How frequent the classes are expected to be, for a model whose card says what it learned [default: learned, but equal
    /// where --restrict leaves less than nine tenths of what the model expects, as with posed faces of which none is neutral]
    #[arg(long, value_enum)]
    priors: Option<Expectation>,
    /// A table of what several people said of each picture, such as FER+'s fer2013new.csv: the majority is the label then,
    /// and pictures without one are left out
    #[arg(long, value_name = "FILE")]
    votes: Option<PathBuf>,
    /// What counts as a majority
    #[arg(long, value_enum, default_value_t = Rule::Half)]
    majority: Rule,
    /// Faces that are computed at a time [default: 16 on a GPU, else 8]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=1024))]
    batch: Option<usize>,
    /// Seed of the resamples that intervals are made from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Number of resamples; 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = RangedU64ValueParser::<usize>::new().range(0..=1_000_000))]
    resamples: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write the prediction for each image into this file, as comma-separated values
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,
    /// Write report.html, results.json, predictions.csv and confusion.csv into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// A part of a data set by its name.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum PartName {
    Train,
    Validation,
    Test,
    All,
}

/// Evaluates the recogniser on a data set.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(csv) = &arguments.csv {
        let read = [Some(&arguments.data), arguments.votes.as_ref()].into_iter().flatten().map(PathBuf::as_path);
        refuse_input(csv, read.chain(arguments.recognizer.model.name()))?;
    }
    let files = Files::plan(arguments.csv.as_deref(), arguments.out.as_deref())?;
    let mut data = open_renamed(&arguments.data, arguments.classes.as_ref(), global)?;
    if let Some(table) = &arguments.votes {
        data = data.with_votes(table)?;
    }
    let (data, part) = part_of(data, arguments.part, global)?;
    let (device, model) = global.device_beside(|| arguments.recognizer.read(global))?;
    let batch = arguments.batch.unwrap_or_else(|| batch(&device));
    let (recognizer, tta) = arguments.recognizer.place(&device, model, batch)?;
    let data = match &arguments.classes {
        Some(map) => map.check_model(recognizer.classes()).map(|()| data)?,
        None => matched(data, recognizer.classes(), global)?,
    };
    let classes = Classes::of(data, recognizer.classes(), arguments.restrict.as_deref())?;
    classes.note_left_out(global);
    let are_faces = arguments.faces || (!arguments.detect && small::are_faces(&classes.data, global));
    let detector = match are_faces {
        true => None,
        false => Some(arguments.detector.load(&device, global)?),
    };

    let card = recognizer.card().clone();
    let found_by = detector.as_ref().map(|detector| detector.kind().name());
    let judge = Judge { device, detector, recognizer, tta, batch };
    let Judged { mut predictions, names, votes, without_face, unreadable } = judge.all(&classes.data, global)?;
    if names.is_empty() {
        let (path, no_face, broken) = (arguments.data.display(), without_face.len(), unreadable.len());
        let reason = format!("no image can be evaluated: {no_face} without a face, {broken} unreadable");
        return Err(Failure::Failed(format!("{path}: {reason}")));
    }
    // What the model says, whatever the choice is then restricted to.
    let answered: Vec<bool> = predictions.probabilities.iter().map(|row| card.answer(row).class.is_some()).collect();
    // Which of the predictions are left.
    let mut kept: Vec<usize> = (0..names.len()).collect();
    let mut agreement = None;
    if let Some(table) = &arguments.votes {
        let (rule, intervals) = ((table.as_path(), arguments.majority), (arguments.seed, arguments.resamples));
        let judged = votes::by_majority(predictions, &votes, rule, intervals)?;
        (predictions, kept, agreement) = (judged.predictions, judged.indices, Some(judged.agreement));
    }
    if let Some(chosen) = &classes.restricted {
        let mut labels = predictions.labels.iter();
        kept.retain(|_| labels.next().is_some_and(|&label| chosen.contains(&predictions.classes[label])));
        predictions = predictions.restrict(chosen)?;
    }
    let is_restricted = classes.restricted.is_some();
    let (predictions, priors) = priors::expecting(predictions, &card, arguments.priors, is_restricted)?;
    let names: Vec<String> = kept.iter().map(|&index| names[index].clone()).collect();
    let answered: Vec<bool> = kept.iter().map(|&index| answered[index]).collect();
    let results = Results {
        evaluation: Evaluation::new(&predictions, arguments.seed, arguments.resamples)?,
        data: arguments.data.display().to_string(),
        part,
        model: arguments.recognizer.model.name().map(|path| path.display().to_string()),
        faces: are_faces,
        detector: found_by,
        tta: results::tta_name(tta),
        uncertain: card.uncertain_below.map(|below| Uncertain::count(below, &answered, &predictions)),
        restricted: is_restricted,
        priors,
        votes: agreement,
        left_out: classes.left_out,
        without_face,
        unreadable,
    };
    files.write(&results, &predictions, &names)?;
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &results)?;
        writeln!(out)?;
    } else {
        table::write(out, &results)?;
    }
    match results.unreadable.len() {
        0 => Ok(()),
        broken => {
            let count = classes.data.samples.len();
            Err(Failure::Failed(format!("{broken} of {count} images could not be read; the others were evaluated")))
        }
    }
}

/// The part of the data set that is asked for, and its name.
fn part_of(data: Dataset, part: Option<PartName>, global: &Global) -> Result<(Dataset, &'static str), Failure> {
    let wanted = match part {
        Some(PartName::Train) => Some(Part::Train),
        Some(PartName::Validation) => Some(Part::Validation),
        Some(PartName::Test) => Some(Part::Test),
        Some(PartName::All) => None,
        None => Some(Part::Test).filter(|&part| !data.part(part).is_empty()),
    };
    let Some(wanted) = wanted else { return Ok((data, "all")) };
    let indices = data.part(wanted);
    if indices.is_empty() {
        let path = data.path.display();
        return Err(Failure::Usage(format!("{path}: no image is in the part {}; try --part all", wanted.name())));
    }
    if part.is_none() && indices.len() < data.samples.len() {
        let (some, all) = (indices.len(), data.samples.len());
        global.note(&format!("the part {}: {some} of {all} images (--part chooses another)", wanted.name()));
    }
    Ok((data.subset(&indices), wanted.name()))
}

/// Faces that are computed at a time. On a processor more than a few gain little and take memory.
fn batch(device: &Device) -> usize {
    let hardware = device.gpu().is_some_and(|gpu| gpu.info().device_type != DeviceType::Cpu);
    if hardware { 16 } else { 8 }
}
