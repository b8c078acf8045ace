//! `vultus predict`: where are faces, and what do they express?

mod annotations;
pub mod report;
mod shard;
mod source;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use indicatif::ProgressBar;
use vultus::Error;
use vultus::face::{Analyzer, Frame};
use vultus::image::Decoded;
use vultus::track::TrackerOptions;

use super::analyzer::analyzer;
use super::detector::SearchArguments;
use super::failure::{Failure, say};
use super::global::Global;
use super::recognizer::RecognizerArguments;
use annotations::Annotations;
use report::{Found, Report};
use shard::Shard;
use source::Source;

/// Find the faces in pictures and say what they express
///
/// Prints a table with the two most probable expressions of every face. Where the model's card gives a bound and the most
/// probable one is below it, the answer is uncertain. A picture that cannot be read is reported on standard error, the
/// others are still done, and the exit status is 1. A picture without faces is not a failure.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus predict photo.jpg
  vultus predict photo.jpg --annotate photo-with-boxes.png
  vultus predict holiday/ --csv > faces.csv
  vultus predict holiday/ --annotate boxes/
  vultus predict holiday/ --shard 2/8 --json > faces.2.jsonl
  curl -s https://example.org/photo.jpg | vultus predict - --json | jq '.faces[].expression'
  vultus predict photo.jpg --model trained.safetensors --min-face 40
  vultus predict faces/ --faces --csv > faces.csv

JSON, one object per picture and line:
  {\"file\", \"width\", \"height\", \"faces\": [{\"box\": [x1, y1, x2, y2], \"probability\",
   \"landmarks\": [[x, y], ...], \"expression\", \"scores\": {CLASS: probability, ...}}]}
  {\"file\", \"error\"} for a picture that cannot be read
\"expression\" is the most probable class, or \"uncertain\". All coordinates are pixels of the upright picture, in which
boxes end; landmarks may lie outside. With --faces the box is the picture, and probability and landmarks are null. The
landmarks are the eyes, the nose and the corners of the mouth, of pairs first the one on the left of the picture.")]
pub struct Arguments {
    /// Pictures, folders of pictures (without the folders in them), or - for one picture on standard input
    #[arg(required = true, value_name = "FILE|DIR|-")]
    pictures: Vec<PathBuf>,
    /// Print one JSON object per picture and line
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values: a line for each face, and one for each picture without a face or that cannot be read
    #[arg(long)]
    csv: bool,
    /// Draw boxes and expressions into copies of the pictures: a .png for one picture, a folder for several
    #[arg(long, value_name = "OUT")]
    annotate: Option<PathBuf>,
    /// Process only shard I of N: every Nth picture of the list in order of names, from the Ith on
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// The pictures are faces already: look at all of each instead of searching it for faces
    #[arg(long, conflicts_with_all = ["min_face", "min_probability"])]
    faces: bool,
    #[command(flatten)]
    recognizer: RecognizerArguments,
    #[command(flatten)]
    search: SearchArguments,
}

/// The sides up to which a picture may well be a face by itself: FER2013's have 48 pixels, RAF-DB's 100.
const SMALL: u32 = 128;

/// Predicts for all pictures.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let mut sources = Source::all(&arguments.pictures)?;
    let single = matches!(arguments.pictures.as_slice(), [picture] if !picture.is_dir());
    if arguments.shard.is_some() {
        sources.sort();
    }
    // For all pictures, so that those of two shards never get the same name.
    let plan = |out: &PathBuf| Annotations::plan(out, &sources, single);
    let mut annotations = arguments.annotate.as_ref().map(plan).transpose()?;
    if let Some(shard) = arguments.shard {
        sources = shard.part(sources);
        annotations = annotations.map(|annotations| annotations.part(shard));
    }
    let mut analyzer =
        analyzer(&arguments.recognizer, &arguments.search, TrackerOptions::default(), global, sources.len() == 1)?;

    let names: Vec<String> = sources.iter().map(Source::to_string).collect();
    let report = match (arguments.json, arguments.csv) {
        (true, _) => Report::Json,
        (_, true) => Report::Csv(analyzer.card().classes.clone()),
        _ => Report::table(names.iter().map(String::as_str), analyzer.card()),
    };
    report.begin(out)?;
    let progress = progress(sources.len(), global);
    let mut failures = Vec::new();
    let mut small = 0;
    for (number, source) in sources.iter().enumerate() {
        let predicted = predict(&mut analyzer, arguments.faces, source, &report, out)?;
        if let Ok((Decoded { image, .. }, found)) = &predicted {
            let is_small = image.width().max(image.height()) <= SMALL;
            small += usize::from(is_small && found.analysis.faces.is_empty());
        }
        let annotated = predicted.and_then(|(Decoded { image, warnings }, found)| {
            for warning in warnings {
                progress.suspend(|| global.note(&format!("warning: {source}: {warning}")));
            }
            annotations.as_ref().map_or(Ok(()), |annotations| annotations.write(number, image, &found))
        });
        if let Err(error) = annotated {
            progress.suspend(|| {
                if sources.len() > 1 {
                    say(&format!("vultus: {error}"))
                }
            });
            failures.push(error);
        }
        progress.inc(1);
    }
    progress.finish_and_clear();
    if small > 0 {
        let of = format!("in {small} of {} pictures, of at most {SMALL} pixels, no face was found", sources.len());
        global.note(&format!("{of}: if they are faces already, --faces looks at all of each"));
    }
    match (failures.as_slice(), sources.len()) {
        ([], _) => Ok(()),
        ([error], 1) => Err(Failure::Failed(error.to_string())),
        (failures, count) => Err(Failure::Failed(format!("{} of {count} pictures failed", failures.len()))),
    }
}

/// Predicts for one picture and reports it; what it found, and in what. The inner error is one of this picture alone; after
/// the outer one, nothing more can be done.
fn predict(
    analyzer: &mut Analyzer,
    is_face: bool,
    source: &Source,
    report: &Report,
    out: &mut dyn Write,
) -> Result<Result<(Decoded, Found), Error>, Failure> {
    let file = source.to_string();
    let predicted = source.read().and_then(|decoded| {
        let frame = Frame::from(&decoded.image);
        let analysis = analyzer.analyze(if is_face { frame.as_face() } else { frame })?;
        Ok((decoded, analysis))
    });
    match predicted {
        Ok((decoded, analysis)) => {
            let found = Found { file, analysis };
            report.found(out, &found)?;
            Ok(Ok((decoded, found)))
        }
        Err(error) => {
            report.failed(out, &file, &error.to_string())?;
            match error {
                Error::DeviceLost { .. } => Err(error.into()),
                error => Ok(Err(error)),
            }
        }
    }
}

/// A bar on standard error, where there is something to wait for and it does not mix with the results.
fn progress(pictures: usize, global: &Global) -> ProgressBar {
    if pictures > 1 && !global.quiet && !io::stdout().is_terminal() {
        ProgressBar::new(pictures as u64)
    } else {
        ProgressBar::hidden()
    }
}
