//! `vultus baseline`: what older methods reach on a data set.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use serde::Serialize;
use vultus::baseline::{Faces, FeatureKind, Method, Selection, Settings, Summary, SvmKind, evaluate};
use vultus::data::Dataset;
use vultus::file;
use vultus::metrics::{Evaluation, Predictions};
use vultus::ops::Normalization;
use vultus::prepare::Augmentation;
use vultus::train::Pictures;

use super::class_names::{matched, unified};
use super::faces::FaceArguments;
use super::failure::Failure;
use super::global::Global;
use super::protocol::{Protocol, Trial, ratio, trials};
use super::table::{Align, Table};

/// Measure what older methods reach: handmade features and a support vector machine
///
/// Each method is trained on one part of the faces and asked about the other. The cost C and the width γ of the machine
/// are those that do best on a fifth of the training part that is kept aside, of whole people where they are known.
/// The images are faces already, unless --detect finds them; where the data set gives a face's box, its surroundings are
/// cut away.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus baseline ck48                          70 % to train on, 30 % to test, nobody is in both
  vultus baseline ck48 --protocol subject       ten folds, nobody is in two of them
  vultus baseline fer2013/train --test fer2013/test --svm linear
  vultus baseline ck48 --features drlbp --json | jq '.methods[].evaluation.accuracy'
  vultus baseline ck48 --out baseline           baseline/baseline.json, baseline/drlbp-linear.csv, …

JSON, one object:
  {\"path\", \"test\", \"protocol\", \"seed\", \"unreadable\", \"methods\": [{\"features\", \"svm\", \"seconds\",
   \"trained\": [{\"given\", \"used\", \"features\", \"c\", \"gamma\", \"validation_accuracy\", …}, …],
   \"evaluation\": {as of vultus eval --json}}, …]}")]
pub struct Arguments {
    /// The labelled faces: a folder with a sub-folder for each class, or another layout that is known
    #[arg(value_name = "PATH")]
    data: PathBuf,
    /// Train on all of PATH and test on this data set instead of splitting one
    #[arg(long, value_name = "PATH", conflicts_with_all = ["protocol", "ratio", "folds"])]
    test: Option<PathBuf>,
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
    #[command(flatten)]
    faces: FaceArguments,
    /// What is measured of each face
    #[arg(long, value_enum, value_delimiter = ',', default_value = "drlbp,lbp,hog")]
    features: Vec<FeatureName>,
    /// Classifier
    #[arg(long, value_enum, value_delimiter = ',', default_value = "linear,rbf")]
    svm: Vec<SvmName>,
    /// Rows and columns of the grid of cells of DRLBP and LBP
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = RangedU64ValueParser::<usize>::new().range(1..=40))]
    cells: usize,
    /// Seed of the split, of what is kept aside, and of the resamples that intervals are made from
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Number of resamples; 0 for no intervals
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = RangedU64ValueParser::<usize>::new().range(0..=1_000_000))]
    resamples: usize,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Write baseline.json and the answers for each image into this folder
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// What is measured of each face.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum FeatureName {
    /// Dominant rotated local binary patterns
    Drlbp,
    /// Uniform local binary patterns
    Lbp,
    /// Histograms of oriented gradients
    Hog,
}

/// What tells the classes apart.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
enum SvmName {
    /// A hyperplane for each pair of classes
    Linear,
    /// Radial basis functions
    Rbf,
}

/// All that is found.
#[derive(Serialize)]
struct Report<'a> {
    path: &'a Path,
    test: Option<&'a Path>,
    protocol: &'static str,
    seed: u64,
    unreadable: usize,
    methods: Vec<Found>,
}

/// What one method reaches.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    method: Method,
    seconds: f64,
    trained: Vec<Summary>,
    evaluation: Evaluation,
    #[serde(skip)]
    predictions: Predictions,
    #[serde(skip)]
    names: Vec<String>,
}

/// Faces to train on and to test, and how they are split.
struct Material {
    data: Dataset,
    /// The data set to test on, where it is another one.
    test: Option<Dataset>,
    trials: Vec<Trial>,
    protocol: &'static str,
}

/// Trains and tests the methods.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let methods = arguments.methods();
    if let Some(folder) = &arguments.out {
        std::fs::create_dir_all(folder).map_err(|source| vultus::Error::Io { path: folder.clone(), source })?;
    }
    let material = arguments.material(global)?;
    let settings = Settings { cells: arguments.cells, seed: arguments.seed, ..Settings::default() };
    let training = Faces::load(&arguments.pictures(&material.data, settings.side));
    let test = material.test.as_ref().map(|data| Faces::load(&arguments.pictures(data, settings.side)));
    let unreadable =
        report_unreadable(&training, global) + test.as_ref().map_or(0, |test| report_unreadable(test, global));

    let mut rows = (!arguments.json).then(table);
    if let Some(table) = &mut rows {
        table.head(out)?;
    }
    let mut found = Vec::new();
    for method in methods {
        let faces = (&training, test.as_ref().unwrap_or(&training));
        let one = arguments.measure(method, faces, &material, &settings, global)?;
        if let Some(table) = &rows {
            table.row(out, row(&one))?;
            out.flush()?;
        }
        found.push(one);
    }
    let report = Report {
        path: &arguments.data,
        test: arguments.test.as_deref(),
        protocol: material.protocol,
        seed: arguments.seed,
        unreadable,
        methods: found,
    };
    if arguments.json {
        serde_json::to_writer(&mut *out, &report)?;
        writeln!(out)?;
    }
    if let Some(folder) = &arguments.out {
        report.write(folder)?;
    }
    match unreadable {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{n} images could not be read; the others were used"))),
    }
}

impl Arguments {
    /// Every combination that is asked for, once.
    fn methods(&self) -> Vec<Method> {
        let mut methods = Vec::new();
        for (features, svm) in self.features.iter().flat_map(|f| self.svm.iter().map(move |s| (f, s))) {
            let features = match features {
                FeatureName::Drlbp => FeatureKind::Drlbp,
                FeatureName::Lbp => FeatureKind::Lbp,
                FeatureName::Hog => FeatureKind::Hog,
            };
            let svm = match svm {
                SvmName::Linear => SvmKind::Linear,
                SvmName::Rbf => SvmKind::Rbf,
            };
            let method = Method { features, svm };
            if !methods.contains(&method) {
                methods.push(method);
            }
        }
        methods
    }

    /// Opens the data and splits it.
    fn material(&self, global: &Global) -> Result<Material, Failure> {
        let mut finder = self.faces.finder(|| global.device(), global)?;
        let mut locate = |data| match &mut finder {
            Some(finder) => finder.located(data, global),
            None => Ok(data),
        };
        let data = locate(unified(Dataset::open(&self.data)?, global)?)?;
        if let Some(path) = &self.test {
            let test = matched(unified(Dataset::open(path)?, global)?, &data.classes, global)?;
            let unknown = test.classes.iter().filter(|name| !data.classes.contains(name)).map(String::as_str);
            let unknown = unknown.collect::<Vec<_>>().join(", ");
            let test = locate(test.with_classes(&data.classes)?)?;
            if !unknown.is_empty() {
                global.note(&format!("{}: left out, since they were not trained: {unknown}", path.display()));
            }
            let trial = Trial { training: all(&data), test: all(&test) };
            return Ok(Material { data, test: Some(test), trials: vec![trial], protocol: "test" });
        }
        let protocol = self.protocol.unwrap_or_else(|| Protocol::of(&data));
        let split = protocol.split(&data, self.ratio, self.folds, self.seed, global)?;
        Ok(Material { data, test: None, trials: trials(&split), protocol: protocol.name() })
    }

    /// The faces as older methods take them.
    fn pictures<'a>(&self, data: &'a Dataset, side: u32) -> Pictures<'a> {
        Pictures {
            data,
            input: side as usize,
            normalization: Normalization::CAFFE,
            preparation: self.faces.preparation(true),
            augmentation: Augmentation::none(),
            alignment: self.faces.alignment(),
            margin: 1.0,
        }
    }

    /// Trains and tests a method on every split.
    fn measure(
        &self,
        method: Method,
        (training, test): (&Faces, &Faces),
        material: &Material,
        settings: &Settings,
        global: &Global,
    ) -> Result<Found, Failure> {
        let start = Instant::now();
        let data = material.test.as_ref().unwrap_or(&material.data);
        let mut predictions = Predictions::new(training.classes.clone());
        let (mut trained, mut names) = (Vec::new(), Vec::new());
        for trial in &material.trials {
            let select = |faces, indices| Selection { faces, indices };
            let answered = evaluate(method, select(training, &trial.training), select(test, &trial.test), settings)?;
            note(&answered.summary, global);
            predictions.extend(answered.predictions)?;
            names.extend(answered.tested.iter().map(|&index| data.samples[index].name(&data.path)));
            trained.push(answered.summary);
        }
        let seconds = start.elapsed().as_secs_f64();
        let evaluation = Evaluation::new(&predictions, self.seed, self.resamples)?;
        Ok(Found { method, seconds, trained, evaluation, predictions, names })
    }
}

impl Report<'_> {
    /// Writes the figures, and a file of answers for each method.
    fn write(&self, folder: &Path) -> Result<(), Failure> {
        let json = serde_json::to_string_pretty(self)?;
        file::write(&folder.join("baseline.json"), |file| writeln!(file, "{json}"))?;
        for found in &self.methods {
            let name = format!("{:?}-{:?}.csv", found.method.features, found.method.svm).to_lowercase();
            file::write(&folder.join(name), |file| found.predictions.write_csv(&found.names, file))?;
        }
        Ok(())
    }
}

fn all(data: &Dataset) -> Vec<usize> {
    (0..data.samples.len()).collect()
}

fn report_unreadable(faces: &Faces, global: &Global) -> usize {
    faces.unreadable.values().for_each(|error| global.note(&format!("vultus: {error}")));
    faces.unreadable.len()
}

/// Says what became of a training.
fn note(summary: &Summary, global: &Global) {
    let Summary { method, given, used, features, c, validation_accuracy, .. } = summary;
    let faces = if used < given { format!("{used} of {given} faces") } else { format!("{used} faces") };
    let gamma = summary.gamma.map_or(String::new(), |gamma| format!(", γ = {gamma}"));
    let kept = 100.0 * validation_accuracy;
    global.note(&format!("{method}: {faces}, {features} features, C = {c}{gamma} ({kept:.1} % of those kept aside)"));
}

fn table() -> Table<6> {
    Table::new([
        ("method", Align::Left, 18),
        ("accuracy", Align::Right, 8),
        ("95 % interval", Align::Right, 15),
        ("macro recall", Align::Right, 12),
        ("macro F1", Align::Right, 8),
        ("seconds", Align::Right, 7),
    ])
}

fn row(found: &Found) -> [String; 6] {
    let Evaluation { accuracy, intervals, macro_average, .. } = &found.evaluation;
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let interval = |[low, high]: [f64; 2]| format!("{:.1} – {:.1} %", 100.0 * low, 100.0 * high);
    [
        found.method.to_string(),
        percent(*accuracy),
        intervals.as_ref().map_or_else(|| "-".to_owned(), |intervals| interval(intervals.accuracy)),
        macro_average.recall.map_or_else(|| "-".to_owned(), percent),
        macro_average.f1.map_or_else(|| "-".to_owned(), percent),
        format!("{:.1}", found.seconds),
    ]
}
