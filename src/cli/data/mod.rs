//! `vultus data`: what is in a data set, and what is wrong with it.

mod overview;

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;
use vultus::data::{ClassMap, Cleaning, Dataset, Inspected, Inspection, Leakage, inspect, leakage};

use super::class_names::unified;
use super::existing::refuse_input;
use super::failure::Failure;
use super::global::Global;

/// Inspect a data set: what is in it, and what is wrong with it
///
/// Every picture is decoded: counted are classes, parts, sizes and people; found are pictures that cannot be read or are
/// blank, and those that stand in the set twice, pixel for pixel: with different labels, or in training and test. A data
/// set is a folder with a sub-folder per class (or such folders in train, validation, test), FER2013's CSV, RAF-DB's
/// list_patition_label.txt, a folder of JAFFE, or a manifest: CSV with the columns path and label, and subject, split and
/// face (x1 y1 x2 y2) where they are known, and votes_CLASS for what several people said, or JSON with these keys.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus data ck48
  vultus data fer2013.csv --dedup clean.csv
  vultus data my_faces.csv --against fer2013 --list 50
  vultus data fer2013 --json

Exit status: 0 although pictures are bad, they are listed; 1 if none can be read; 2 bad use.")]
pub struct Arguments {
    /// The data set: a folder or a list
    path: PathBuf,
    /// Another data set: which pictures are in both?
    #[arg(long, value_name = "PATH")]
    against: Option<PathBuf>,
    /// Write a list of the samples without what cannot be read, and without what is not for training: pictures that are
    /// also in the test or validation part (or in --against), repeated or blank ones, those with more than one label. The
    /// test part stays as it is
    #[arg(long, value_name = "FILE")]
    dedup: Option<PathBuf>,
    /// How many pictures are named of each kind that is wrong; JSON names all
    #[arg(long, value_name = "N", default_value_t = 5)]
    list: usize,
    /// Print one JSON object: {"path", "pictures", "readable", "classes", "subjects", "sizes", "unreadable", "blank",
    /// "duplicates", "conflicts", "leakage", "against", "left_out", …}
    #[arg(long)]
    json: bool,
}

/// All that is printed.
#[derive(Serialize)]
struct Report {
    #[serde(flatten)]
    inspection: Inspection,
    /// The pictures that another data set has, too.
    against: Option<Against>,
    /// What the list of `--dedup` does not have.
    left_out: Option<Cleaning>,
}

#[derive(Serialize)]
struct Against {
    path: String,
    #[serde(flatten)]
    leakage: Leakage,
}

/// Inspects a data set and prints what was found.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    if let Some(list) = &arguments.dedup {
        check_place(list, &arguments.path)?;
    }
    let set = unified(Dataset::open(&arguments.path)?, global)?;
    if let Some((order, names)) = ClassMap::numbered(&set.classes) {
        let pairs: Vec<String> = set.classes.iter().zip(names).map(|(class, name)| format!("{class} {name}")).collect();
        global.note(&format!("classes: numbers, which are taken in {order}'s order: {}", pairs.join(", ")));
    }
    let other = arguments.against.as_deref().map(Dataset::open).transpose()?;
    let other = other.map(|other| alike(unified(other, global)?, &set)).transpose()?;
    let set = decoded(&set, global);
    let other = other.map(|other| decoded(&other, global));

    let cleaning = arguments.dedup.as_ref().map(|_| set.clean(other.as_ref()));
    let report = Report {
        inspection: set.summary(),
        against: other
            .as_ref()
            .map(|other| Against { path: other.dataset().path.display().to_string(), leakage: leakage(&set, other) }),
        left_out: cleaning,
    };
    if arguments.json {
        serde_json::to_writer_pretty(&mut *out, &report)?;
        writeln!(out)?;
    } else {
        overview::print(&report, arguments.list, out)?;
    }
    if report.inspection.readable == 0 {
        let (path, number) = (arguments.path.display(), report.inspection.pictures);
        return Err(Failure::Failed(format!("{path}: none of its {number} pictures can be read")));
    }
    if let (Some(list), Some(cleaning)) = (&arguments.dedup, &report.left_out) {
        write_list(set.dataset(), cleaning, list, global)?;
    }
    Ok(())
}

/// A data set whose classes have another one's names where they mean the same, so that labels can be compared.
fn alike(set: Dataset, other: &Dataset) -> Result<Dataset, vultus::Error> {
    let map = ClassMap::matching(&set.classes, &other.classes);
    set.map_classes(&map)
}

fn decoded(set: &Dataset, global: &Global) -> Inspected {
    let bar = global.progress("decoding", set.samples.len());
    let inspected = inspect(set, |_| bar.inc(1));
    bar.finish_and_clear();
    inspected
}

/// The data set itself must not be overwritten, and that a list cannot be written should not turn out at the end.
fn check_place(list: &Path, set: &Path) -> Result<(), Failure> {
    if list.is_dir() {
        return Err(Failure::Usage(format!("{}: this is a folder, the list needs a file", list.display())));
    }
    refuse_input(list, [set])?;
    let folder = list.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let failed = |source| vultus::Error::Io { path: folder.to_path_buf(), source };
    Ok(tempfile::tempfile_in(folder).map(drop).map_err(failed)?)
}

fn write_list(set: &Dataset, cleaning: &Cleaning, list: &Path, global: &Global) -> Result<(), Failure> {
    let kept = set.without(&cleaning.all());
    if kept.samples.is_empty() {
        return Err(Failure::Failed(format!("{}: no picture is left to list", list.display())));
    }
    kept.write(list)?;
    global.note(&format!("{} of {} pictures are listed in {}", kept.samples.len(), set.samples.len(), list.display()));
    Ok(())
}
