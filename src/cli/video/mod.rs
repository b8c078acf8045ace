//! `vultus video`: who is in a video, and what do they express, and when?

mod annotated;
mod course;
mod ffmpeg;
mod page;
mod people;
mod progress;
mod rows;
mod source;
mod span;
mod summary;
mod timeline;

use std::io::Write;
use std::path::{Path, PathBuf};

use vultus::file::Pending;
use vultus::track::TrackerOptions;
use vultus::video::FrameRate;

use super::analyzer::analyzer;
use super::detector::SearchArguments;
use super::existing::is_same;
use super::failure::Failure;
use super::global::Global;
use super::interrupt;
use super::recognizer::RecognizerArguments;
use annotated::Annotated;
use course::{Course, Seen};
use rows::Rows;
use source::Source;
use span::{Span, parse_moment};

/// Recognise the faces in every frame of a video
///
/// Faces are followed from frame to frame, so that each person has a number, and what they show is averaged over a
/// short time. Prints a table with a row for each face: from when to when it was seen, which part of that time each
/// expression took and how probable it was then, and for which part the model was uncertain.
///
/// Y4M (8 bits) and Motion JPEG are read and written without any other program; everything else goes through ffmpeg, if
/// that is installed, sound along with it. Formats are told by what is in the file, not by its name; addresses (https://,
/// rtsp://) are for ffmpeg too. Pixels that are not square become so. Where a video is damaged or ends within a frame, all
/// other frames are used, everything is written, and the exit status is 1; after Ctrl-C it is 130.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus video clip.mp4
  vultus video clip.mp4 --page clip.html --annotate clip-with-faces.mp4
  vultus video clip.mp4 --csv > faces.csv
  vultus video talk.mp4 --from 1:30 --to 2:00 --every 5 --json | jq '.faces[].expression'
  ffmpeg -i clip.mkv -f yuv4mpegpipe -pix_fmt yuv420p - | vultus video -
  vultus video camera.mjpeg --fps 10 --annotate faces.mjpeg

JSON, one object per frame on a line, whose faces are predict's with three keys more:
  {\"frame\", \"time\", \"width\", \"height\", \"faces\": [{\"id\", \"box\": [x1, y1, x2, y2], \"probability\",
   \"landmarks\": [[x, y], ...], \"expression\", \"scores\": {CLASS: probability, ...},
   \"smoothed\": {CLASS: probability, ...}, \"since\"}]}
Frames count from 0, time is in seconds, faces count from 1 in the order in which they appear. \"expression\" is the
answer for this frame alone, as in predict: a class, or \"uncertain\". \"since\" is how many seconds ago the face was first
found. CSV has a line for each face and for each frame without any: after frame, time and face the columns of predict, and
then smoothed_CLASS for each class.")]
pub struct Arguments {
    /// The video, - for standard input, or the address of a camera or of a file elsewhere
    #[arg(value_name = "FILE|-|ADDRESS")]
    video: PathBuf,
    /// Print one JSON object per frame
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values: a line for each face of each frame, and one for each frame without a face
    #[arg(long)]
    csv: bool,
    /// Write the video with boxes and expressions drawn into it: .y4m, .mjpeg, or what ffmpeg knows by its extension
    #[arg(long, value_name = "OUT")]
    annotate: Option<PathBuf>,
    /// Write a page with each face's expressions over time and its surest moments
    #[arg(long, value_name = "OUT.html")]
    page: Option<PathBuf>,
    /// Look at one of so many frames. An annotated video has all of them, with the boxes of the last look
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    every: u64,
    /// Begin at this moment: seconds, m:ss or h:mm:ss
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    from: Option<f64>,
    /// End before this moment
    #[arg(long, value_name = "MOMENT", value_parser = parse_moment)]
    to: Option<f64>,
    /// Frame rate, if the video has none (Motion JPEG): a number or a ratio such as 30000/1001
    #[arg(long, value_name = "RATE", default_value = "25")]
    fps: FrameRate,
    /// Smoothing time constant in seconds (exponential; 0 for single frames)
    #[arg(long, value_name = "SECONDS", default_value_t = TrackerOptions::default().smoothing)]
    #[arg(value_parser = smoothing)]
    smoothing: f64,
    /// In how many frames in a row a face must be found to count: what is found in fewer is mostly none
    #[arg(long, value_name = "N", default_value_t = TrackerOptions::default().min_hits)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=1000))]
    min_hits: u32,
    /// The frames are faces already: look at all of each instead of searching it for faces
    #[arg(long, conflicts_with_all = ["min_face", "min_probability"])]
    faces: bool,
    #[command(flatten)]
    recognizer: RecognizerArguments,
    #[command(flatten)]
    search: SearchArguments,
}

fn smoothing(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=3600.0).contains(seconds));
    seconds.ok_or_else(|| "a number of seconds from 0 to 3600 is needed".to_owned())
}

/// Works through the video and writes all that was asked for.
pub fn run(arguments: &Arguments, global: &Global, out: &mut dyn Write) -> Result<(), Failure> {
    let span = Span::of(arguments)?;
    check_places(arguments)?;
    let source = Source::open(&arguments.video, arguments.fps)?;
    let plan = |path| Annotated::plan(path, source.rate(), source.sound(span.from));
    let annotated = arguments.annotate.as_deref().map(plan).transpose()?;
    interrupt::listen();
    let (min_hits, smoothing) = (arguments.min_hits, arguments.smoothing);
    let options = TrackerOptions { min_hits, smoothing, ..TrackerOptions::default() };
    let rate = source.rate().to_string();
    let course = Course {
        analyzer: analyzer(&arguments.recognizer, &arguments.search, options, global, false)?,
        is_face: arguments.faces,
        source,
        annotated,
        rows: match (arguments.json, arguments.csv) {
            (true, _) => Rows::Json,
            (_, true) => Rows::Csv,
            _ => Rows::None,
        },
        pictures: arguments.page.is_some(),
        span,
    };
    let seen = course.run(global, out)?;
    report(arguments, &seen, rate, out)?;
    if seen.people.all().is_empty() {
        let (looks, hits) = (seen.people.looks(), arguments.min_hits);
        let hint =
            if looks < u64::from(hits) { format!("; it counts after {hits} (--min-hits)") } else { String::new() };
        global.note(&format!("no face was found in {looks} frames{hint}"));
    }
    match seen.cut {
        Some(Failure::Failed(reason)) => Err(Failure::Failed(format!("{reason} (all other frames were used)"))),
        Some(Failure::Interrupted(reason)) => Err(Failure::Interrupted(format!("{reason}{}", written(arguments)))),
        Some(failure) => Err(failure),
        None => Ok(()),
    }
}

/// The files that hold what was seen.
fn written(arguments: &Arguments) -> String {
    let files: Vec<_> = [&arguments.annotate, &arguments.page].into_iter().flatten().collect();
    let names: Vec<String> = files.iter().map(|path| path.display().to_string()).collect();
    if names.is_empty() { String::new() } else { format!("; written: {}", names.join(", ")) }
}

/// Writes what is known at the end: the table and the page.
fn report(arguments: &Arguments, seen: &Seen, rate: String, out: &mut dyn Write) -> Result<(), Failure> {
    if !arguments.json && !arguments.csv {
        summary::write(out, &seen.people, &seen.classes)?;
        if seen.people.dropped() > 0 {
            writeln!(out, "and {} more that were seen for less time", seen.people.dropped())?;
        }
        out.flush()?;
    }
    let Some(path) = &arguments.page else { return Ok(()) };
    let name =
        if arguments.video == Path::new("-") { "standard input".into() } else { arguments.video.to_string_lossy() };
    let facts = page::Facts {
        name: &name,
        size: seen.size,
        rate,
        span: seen.span,
        every: arguments.every,
        smoothing: arguments.smoothing,
        model: arguments.recognizer.model.name(),
        cut: match &seen.cut {
            Some(Failure::Failed(reason) | Failure::Interrupted(reason)) => Some(reason.clone()),
            _ => None,
        },
    };
    Ok(page::page(&facts, &seen.people, &seen.classes).save(path)?)
}

/// Finds out before any work whether the files have places of their own.
fn check_places(arguments: &Arguments) -> Result<(), Failure> {
    let outputs = [("--annotate", &arguments.annotate), ("--page", &arguments.page)];
    for (option, path) in outputs.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?))) {
        if is_same(path, &arguments.video) {
            let reason = format!("this is the video to read: name another file for {option}");
            return Err(Failure::Usage(format!("{}: {reason}", path.display())));
        }
        Pending::new(path)?;
    }
    if arguments.page.is_some() && arguments.page == arguments.annotate {
        return Err(Failure::Usage("--page and --annotate need a file each".to_owned()));
    }
    Ok(())
}
