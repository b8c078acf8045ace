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
use vultus::track::{Tracker, TrackerOptions};
use vultus::video::FrameRate;

use super::detector::SearchArguments;
use super::existing::is_same;
use super::failure::Failure;
use super::global::Global;
use super::predictor::Predictor;
use super::recognizer::RecognizerArguments;
use annotated::Annotated;
use course::{Course, Seen};
use rows::Rows;
use source::Source;
use span::{Span, parse_moment};

/// Recognise the faces in every frame of a video
///
/// Faces are followed from frame to frame, so that each person has a number, and what they show is averaged over a
/// short time. Prints a table with a row for each face: from when to when it was seen, and which part of that time each
/// expression took, or the model was uncertain.
///
/// Y4M (8 bits) and Motion JPEG are read and written without any other program; everything else goes through ffmpeg, if
/// that is installed. Formats are told by what is in the file, not by its name. Where a video ends within a frame or is
/// damaged, all frames before are used, everything is written, and the exit status is 1.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  vultus video clip.mp4
  vultus video clip.mp4 --page clip.html --annotate clip-with-faces.mp4
  vultus video clip.mp4 --csv > faces.csv
  vultus video talk.mp4 --from 1:30 --to 2:00 --every 5 --json | jq .expression
  ffmpeg -i clip.mkv -f yuv4mpegpipe -pix_fmt yuv420p - | vultus video -
  vultus video camera.mjpeg --fps 10 --annotate faces.mjpeg

JSON, one object per frame and face on a line:
  {\"frame\", \"time\", \"face\", \"box\": [x1, y1, x2, y2], \"probability\", \"landmarks\": [[x, y], ...],
   \"expression\", \"scores\": {CLASS: probability, ...}, \"smoothed\": {CLASS: probability, ...}}
Frames count from 0, time is in seconds, faces count from 1 in the order in which they appear. \"expression\" is the
answer for this frame alone, as in predict: a class, or \"uncertain\". CSV has the same columns as predict's behind frame, time and
face, and then smoothed_CLASS for each class.")]
pub struct Arguments {
    /// The video, or - for standard input
    #[arg(value_name = "FILE|-")]
    video: PathBuf,
    /// Print one JSON object per frame and face
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// Print comma-separated values, one line per frame and face
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
    /// Frames per second of a video that does not say so, as Motion JPEG: a number or a ratio such as 30000/1001
    #[arg(long, value_name = "RATE", default_value = "25")]
    fps: FrameRate,
    /// Over how many seconds what a face shows is averaged: what is that long ago counts a third of what is now; 0 for
    /// single frames
    #[arg(long, value_name = "SECONDS", default_value_t = TrackerOptions::default().smoothing)]
    #[arg(value_parser = smoothing)]
    smoothing: f64,
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
    let annotated = arguments.annotate.as_deref().map(|path| Annotated::plan(path, source.rate())).transpose()?;
    let options = TrackerOptions { smoothing: arguments.smoothing, ..TrackerOptions::default() };
    let rate = source.rate().to_string();
    let course = Course {
        predictor: Predictor::new(&arguments.recognizer, &arguments.search, global, false)?,
        tracker: Tracker::new(options)?,
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
        global.note(&format!("no face was found in {} frames", seen.people.looks()));
    }
    match seen.cut {
        Some(Failure::Failed(reason)) => Err(Failure::Failed(format!("{reason} (the frames before it were used)"))),
        Some(failure) => Err(failure),
        None => Ok(()),
    }
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
            Some(Failure::Failed(reason)) => Some(reason.clone()),
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
