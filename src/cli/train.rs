//! `vultus train`: a head for VGG16's base, from a folder of labelled faces.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use vultus::data::ImageFolder;
use vultus::face::{Architecture, ModelCard};
use vultus::nn::vgg16::Pooling;
use vultus::ops::Normalization;
use vultus::train::{Epoch, Extractor, Features, HeadTraining, evaluate, train_head};
use vultus::weights::safetensors;

use super::failure::Failure;
use super::global::Global;
use super::table::{Align, Table, widest};

/// Train a head on a folder with one sub-folder of faces per class
///
/// VGG16's convolutional base stays as it is: what it makes of each picture is computed once and cached. The head is
/// trained on that by backpropagation; the epoch that does best on the pictures kept for validation is saved, with its
/// class names and preprocessing. The same seed on the same device gives the same head.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus train faces --out my_head.safetensors
  vultus train faces --test other_faces --epochs 40 --seed 7
  vultus predict photo.jpg --model my_head.safetensors")]
pub struct Arguments {
    /// The folder: one sub-folder per class, named after it, with pictures of faces
    folder: PathBuf,
    /// The file to save the head in
    #[arg(long, value_name = "FILE", default_value = "head.safetensors")]
    out: PathBuf,
    /// Another folder of the same kind to test the saved head on; may be given more than once
    #[arg(long, value_name = "DIR")]
    test: Vec<PathBuf>,
    /// Height and width that faces are scaled to
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = RangedU64ValueParser::<usize>::new().range(32..=1024))]
    input: usize,
    /// Keep the colours instead of turning every face gray
    #[arg(long)]
    color: bool,
    /// What stands between base and head
    #[arg(long, value_enum, default_value_t = PoolingName::Flatten)]
    pooling: PoolingName,
    /// Widths of the hidden layers, separated by commas; 0 for none
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_value = "256")]
    hidden: Vec<usize>,
    /// Probability of dropout behind each hidden layer
    #[arg(long, value_name = "P", default_value_t = 0.5)]
    dropout: f32,
    /// How often every picture is seen
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    epochs: usize,
    /// Pictures per step
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = RangedU64ValueParser::<usize>::new().range(1..=4096))]
    batch: usize,
    /// Learning rate at the start
    #[arg(long, value_name = "RATE", default_value_t = 1e-3)]
    learning_rate: f32,
    /// Part of the pictures of each class that is kept for validation
    #[arg(long, value_name = "PART", default_value_t = 0.1)]
    validation: f64,
    /// Seed of the split, the start, the order and the dropout
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Side of the crop around a found face when the head is used, relative to the face's box
    #[arg(long, value_name = "SCALE", default_value_t = 0.9)]
    margin: f32,
    /// Folder for the cached features [default: vultus in the user's cache folder]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

/// What stands between base and head.
#[derive(Clone, Copy, ValueEnum)]
enum PoolingName {
    /// Every place of the last feature maps counts on its own
    Flatten,
    /// The mean of each feature map
    Average,
}

impl Arguments {
    fn training(&self) -> Result<HeadTraining, Failure> {
        let within = |name: &str, value: f64, low: f64, high: f64| {
            let wrong = || Failure::Usage(format!("--{name} {value} is not within {low} and {high}"));
            (low..=high).contains(&value).then_some(()).ok_or_else(wrong)
        };
        within("dropout", f64::from(self.dropout), 0.0, 0.99)?;
        within("learning-rate", f64::from(self.learning_rate), 0.0, 10.0)?;
        within("validation", self.validation, 0.0, 0.9)?;
        within("margin", f64::from(self.margin), 0.5, 4.0)?;
        Ok(HeadTraining {
            pooling: match self.pooling {
                PoolingName::Flatten => Pooling::Flatten,
                PoolingName::Average => Pooling::Average,
            },
            hidden: self.hidden.iter().copied().filter(|&width| width > 0).collect(),
            dropout: self.dropout,
            epochs: self.epochs,
            batch: self.batch,
            learning_rate: self.learning_rate,
            validation: self.validation,
            seed: self.seed,
            ..HeadTraining::default()
        })
    }

    /// `--cache`, else the user's cache folder as the XDG rules and macOS have it.
    fn cache(&self) -> Option<PathBuf> {
        let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let user = || variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
        self.cache.clone().or_else(|| Some(user()?.join("vultus")))
    }
}

/// Trains, saves and tests a head.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let settings = arguments.training()?;
    check_place(&arguments.out)?;
    let data = ImageFolder::open(&arguments.folder)?;
    let classes = data.classes.clone();
    let tests: Vec<ImageFolder> =
        arguments.test.iter().map(|folder| test_set(folder, &classes, global)).collect::<Result<_, _>>()?;
    let base = global.vgg16_base()?;
    let architecture = Architecture::Vgg16 {
        pooling: settings.pooling,
        hidden: settings.hidden.clone(),
        base_sha256: base.sha256.clone(),
    };
    let card = ModelCard {
        margin: arguments.margin,
        ..ModelCard::new(
            architecture,
            classes.clone(),
            arguments.input,
            Normalization { gray: !arguments.color, ..Normalization::CAFFE },
        )
    };
    let metadata = card.to_metadata().map_err(|error| Failure::Usage(error.to_string()))?;
    let device = global.device()?;
    let mut extractor = Extractor::new(&device, base, arguments.input, card.preprocessing)?;

    let (features, mut unreadable) = features(&mut extractor, &data, arguments, global)?;
    if let Some(class) = (0..classes.len()).find(|class| !features.labels.contains(class)) {
        let folder = arguments.folder.display();
        return Err(Failure::Failed(format!("{folder}: no picture of the class {:?} can be read", classes[class])));
    }
    let epochs = Table::new([("epoch", Align::Right, 5), ("loss", Align::Right, 8), ("validation", Align::Right, 10)]);
    epochs.head(out)?;
    let bar = progress(global, "training", settings.epochs * features.labels.len().div_ceil(settings.batch));
    let mut written = Ok(());
    let report = |epoch: &Epoch| {
        let accuracy = if epoch.accuracy.is_nan() { "-".to_owned() } else { percent(epoch.accuracy.into()) };
        bar.suspend(|| {
            let row = epochs.row(out, [epoch.number.to_string(), format!("{:.4}", epoch.loss), accuracy]);
            written = row.and_then(|()| out.flush());
        });
    };
    let steps = |done: usize, all: usize| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    };
    let head = train_head(&device, &features, classes.len(), &settings, steps, report)?;
    bar.finish_and_clear();

    let mut metadata = metadata;
    metadata.insert("model".to_owned(), "expression head for VGG16's convolutional base".to_owned());
    metadata.insert("trained_on".to_owned(), format!("{} pictures", features.labels.len()));
    safetensors::write(&arguments.out, &head.parameters, &metadata, safetensors::Precision::F16)?;
    // Only now: that nobody reads the rows any more must not cost the head.
    written?;
    writeln!(out, "saved epoch {} in {}", head.best.number, arguments.out.display())?;

    // What is tested is the file: its numbers are rounded to f16.
    let saved = safetensors::read(&arguments.out)?;
    for data in &tests {
        let (features, more) = self::features(&mut extractor, data, arguments, global)?;
        unreadable += more;
        let confusion = evaluate(&device, &features, &saved.parameters, &settings, classes.len())?;
        report_test(out, data, &classes, &confusion)?;
    }
    match unreadable {
        0 => Ok(()),
        n => Err(Failure::Failed(format!("{n} files could not be read; the others were used"))),
    }
}

/// Whether a file can be written there: that should not turn out after the training.
fn check_place(file: &Path) -> Result<(), Failure> {
    if file.is_dir() {
        return Err(Failure::Failed(format!("{}: this is a folder, the head needs a file", file.display())));
    }
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| vultus::Error::Io { path: folder.to_path_buf(), source };
    Ok(tempfile::tempfile_in(folder).map(drop).map_err(failed)?)
}

/// A data set to test on, in the classes of the head. Says what it holds besides.
fn test_set(folder: &Path, classes: &[String], global: &Global) -> Result<ImageFolder, Failure> {
    let data = ImageFolder::open(folder)?;
    let unknown: Vec<&str> = data.classes.iter().filter(|name| !classes.contains(name)).map(String::as_str).collect();
    let unknown = unknown.join(", ");
    let known = data.with_classes(classes)?;
    if !unknown.is_empty() {
        global.note(&format!("{}: left out, since the head does not have these classes: {unknown}", folder.display()));
    }
    Ok(known)
}

/// The features of a data set and how many files could not be read, which are named.
fn features(
    extractor: &mut Extractor,
    data: &ImageFolder,
    arguments: &Arguments,
    global: &Global,
) -> Result<(Features, usize), Failure> {
    let bar = progress(global, "features", data.samples.len());
    let features = extractor.features(data, arguments.cache().as_deref(), |done| bar.set_position(done as u64))?;
    bar.finish_and_clear();
    for error in &features.unreadable {
        global.note(&format!("vultus: {error}"));
    }
    let unreadable = features.unreadable.len();
    Ok((features, unreadable))
}

fn progress(global: &Global, what: &'static str, length: usize) -> ProgressBar {
    let target = if global.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(length as u64), target).with_message(what);
    let style = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} {eta} left");
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

fn report_test(
    out: &mut dyn Write,
    data: &ImageFolder,
    classes: &[String],
    confusion: &[Vec<usize>],
) -> Result<(), Failure> {
    let right: usize = (0..classes.len()).map(|i| confusion[i][i]).sum();
    let all: usize = confusion.iter().flatten().sum();
    writeln!(out, "\n{}: {right} of {all} right, {}", data.folder.display(), percent(right as f64 / all as f64))?;
    let width = widest(classes.iter().map(String::as_str));
    let table = Table::new([
        ("class", Align::Left, width),
        ("pictures", Align::Right, 8),
        ("recall", Align::Right, 8),
        ("precision", Align::Right, 9),
    ]);
    table.head(out)?;
    let share = |part: usize, whole: usize| match whole {
        0 => "undefined".to_owned(),
        _ => percent(part as f64 / whole as f64),
    };
    for (i, class) in classes.iter().enumerate() {
        let pictures: usize = confusion[i].iter().sum();
        let answered: usize = confusion.iter().map(|row| row[i]).sum();
        let right = confusion[i][i];
        table.row(out, [class.clone(), pictures.to_string(), share(right, pictures), share(right, answered)])?;
    }
    Ok(())
}

fn percent(share: f64) -> String {
    format!("{:.2} %", 100.0 * share)
}
