//! `vultus study`: several methods on one data set, from the pictures to a report.

mod methods;
mod networks;
mod outcome;
mod page;
mod results;

use std::io::Write;
use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use vultus::baseline::Faces;
use vultus::data::ClassMap;
use vultus::metrics::{Evaluation, PairedTest};
use vultus::prepare::Augmentation;
use vultus::report::number;

use super::class_names::{matched, open_renamed};
use super::faces::FaceArguments;
use super::failure::Failure;
use super::global::Global;
use super::models;
use super::protocol::{Protocol, Trial, ratio, trials};
use super::table::{Align, Table};
use super::train::augmentation;
use networks::{Known, Networks};
use outcome::{Choice, Outcome};
use results::Results;

/// Compare older methods, trained heads and deeper training on one data set
///
/// Every method is trained on the same part of the faces and tested on the same other part: once (--protocol people or
/// random), or fold by fold, with nobody in two folds (--protocol subject). A table is printed, with the p-value of a paired
/// test against the best method (docs/metrics.md); the folder gets report.html with all measures and pictures,
/// results.json, the split, the predictions of each method and its training curves. Files of an older study there are
/// removed. One
/// seed decides everything that is drawn. The images are faces already, unless --detect finds them; where the data set
/// gives a face's box, its surroundings are cut away.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus study faces --out study
  vultus study ck48 --protocol subject --methods drlbp-rbf,head,adapted --out by_subject
  vultus study ck48 --methods head,adapted,light,mobilenet --epochs 10 --out networks
  vultus study faces --methods head,deep,light --device cpu --seed 7 --out seven")]
pub struct Arguments {
    /// The labelled faces: a folder with a sub-folder for each class, or another layout that `vultus data` knows
    #[arg(value_name = "PATH")]
    data: PathBuf,
    /// The folder for the report and all figures
    #[arg(long, value_name = "DIR", default_value = "study")]
    out: PathBuf,
    /// How to split the data set [default: parts where it has train and test, else people
    /// where it is known whom each image shows, else random]
    #[arg(long, value_enum)]
    protocol: Option<Protocol>,
    /// Share of the images of each class to train on, for --protocol random and people
    #[arg(long, value_name = "SHARE", default_value_t = 0.7, value_parser = ratio)]
    ratio: f64,
    /// Number of folds, for --protocol subject
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = RangedU64ValueParser::<usize>::new().range(2..=1000))]
    folds: usize,
    /// What the data set calls the classes of the model to start from, as pairs of model=dataset [default: names that
    /// mean the same are matched, such as anger and angry]
    #[arg(long, value_name = "angry=anger,…", value_parser = ClassMap::parse)]
    classes: Option<ClassMap>,
    #[command(flatten)]
    faces: FaceArguments,
    /// What is compared
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "drlbp-linear,drlbp-rbf,lbp-linear,hog-linear,head,deep,adapted,light"
    )]
    methods: Vec<Choice>,
    /// The model that `adapted` starts from: default, light or vgg16, which come with the program, or a file (./light, if
    /// it is called so) [default: default]
    #[arg(long, value_name = models::VALUE)]
    start: Option<PathBuf>,
    /// The first layer that `deep` and `adapted` train, or all [default: block4_conv1 of VGG16, all of other networks]
    #[arg(long, value_name = "LAYER")]
    train_from: Option<String>,
    /// Height and width that faces are scaled to for networks
    #[arg(long, value_name = "N", default_value_t = 48, value_parser = RangedU64ValueParser::<usize>::new().range(32..=1024))]
    input: usize,
    /// Epochs of `deep` and `adapted`; heads are trained for twice as many, networks that begin with random numbers for four times as many
    #[arg(long, value_name = "N", default_value_t = 15, value_parser = RangedU64ValueParser::<usize>::new().range(1..=10_000))]
    epochs: usize,
    /// Pictures per step
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096))]
    batch: usize,
    /// How training pictures are varied where more than a head is trained: none, light, standard, and changes to it
    #[arg(long, value_name = "NAME[,X=V…]", default_value = "standard", value_parser = augmentation)]
    augment: Augmentation,
    /// Seed of the split and of everything else that is drawn
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Number of resamples that intervals are made from; 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = RangedU64ValueParser::<usize>::new().range(0..=1_000_000))]
    resamples: usize,
    /// Folder for decoded pictures, and what frozen layers make of them [default: vultus in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

/// Runs the study.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let mut data = open_renamed(&arguments.data, arguments.classes.as_ref(), global)?;
    let known = Known::load(arguments, global)?;
    if let Some(classes) = known.classes().filter(|_| arguments.classes.is_none()) {
        data = matched(data, classes, global)?;
    }
    let device = global.device()?;
    if let Some(mut finder) = arguments.faces.finder(|| Ok(device.clone()), global)? {
        data = finder.located(data, global)?;
    }
    let protocol = arguments.protocol.unwrap_or_else(|| Protocol::of(&data));
    let split = protocol.split(&data, arguments.ratio, arguments.folds, arguments.seed, global)?;
    let trials = trials(&split);
    let networks = Networks::new(arguments, device, &data, protocol, known, global);
    let folder = &arguments.out;
    std::fs::create_dir_all(folder).map_err(|source| vultus::Error::Io { path: folder.clone(), source })?;
    let faces = Faces::load(&networks.pictures(&Augmentation::none()));
    faces.unreadable.values().for_each(|error| global.note(&format!("vultus: {error}")));

    let mut outcomes = Vec::new();
    for (number, &choice) in arguments.methods.iter().enumerate() {
        if arguments.methods[..number].contains(&choice) {
            continue;
        }
        let outcome = methods::run(choice, &networks, &faces, &trials, global)?;
        let evaluation = Evaluation::new(&outcome.predictions, arguments.seed, arguments.resamples)?;
        let (right, seconds) = (100.0 * evaluation.accuracy, outcome.seconds);
        global.note(&format!("{}: {right:.2} % right, {seconds:.0} s", outcome.name));
        outcomes.push((outcome, evaluation));
    }
    let paired = against_best(&outcomes)?;
    let table = table();
    table.head(out)?;
    for ((outcome, evaluation), test) in outcomes.iter().zip(&paired) {
        table.row(out, row(outcome, evaluation, test.as_ref()))?;
    }
    let results =
        Results::new(arguments, &data, protocol, &trials, networks.device.to_string(), &faces, &outcomes, &paired);
    let report = page::page(&results, &networks, &data, &outcomes)?;
    results::remove_old(folder)?;
    split.write(&data, &folder.join("split.json"))?;
    results.write(folder, &data, &outcomes)?;
    report.save(&folder.join("report.html"))?;
    writeln!(out, "wrote {}", folder.join("report.html").display())?;
    match faces.unreadable.len() {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{n} pictures could not be read; the others were used"))),
    }
}

/// Each method tested against the one that is right most often, on the pictures that both have answered; nothing for that
/// one itself.
fn against_best(outcomes: &[(Outcome, Evaluation)]) -> Result<Vec<Option<PairedTest>>, Failure> {
    let best = (0..outcomes.len()).reduce(|best, other| {
        let more = outcomes[other].1.accuracy > outcomes[best].1.accuracy;
        if more { other } else { best }
    });
    let Some(best) = best else { return Ok(Vec::new()) };
    let test = |(number, (outcome, _)): (usize, &(Outcome, Evaluation))| match number == best {
        true => Ok(None),
        false => outcome.tested_against(&outcomes[best].0).map(Some),
    };
    outcomes.iter().enumerate().map(test).collect()
}

fn table() -> Table<7> {
    Table::new([
        ("method", Align::Left, 14),
        ("accuracy", Align::Right, 8),
        ("recall", Align::Right, 8),
        ("F1", Align::Right, 8),
        ("p", Align::Right, 7),
        ("ms", Align::Right, 7),
        ("training", Align::Right, 9),
    ])
}

fn row(outcome: &Outcome, evaluation: &Evaluation, test: Option<&PairedTest>) -> [String; 7] {
    let share = |value: Option<f64>| value.map_or("undefined".to_owned(), |value| format!("{:.2} %", 100.0 * value));
    [
        outcome.name.clone(),
        share(Some(evaluation.accuracy)),
        share(evaluation.macro_average.recall),
        share(evaluation.macro_average.f1),
        test.map_or("best".to_owned(), |test| number::p_value(test.p)),
        outcome.milliseconds.map_or("-".to_owned(), |time| format!("{time:.2}")),
        format!("{:.0} s", outcome.seconds),
    ]
}
