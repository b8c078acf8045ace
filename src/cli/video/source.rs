//! Where the video comes from.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use vultus::Error;
use vultus::image::RgbImage;
use vultus::video::{FrameRate, VideoFormat, VideoReader};

use super::ffmpeg::{Ffmpeg, Sound, address};
use crate::cli::failure::Failure;

type Input = Box<dyn Read + Send>;

/// A video, read by itself or through ffmpeg.
pub struct Source {
    name: PathBuf,
    reader: VideoReader<Counted>,
    progress: Rc<Progress>,
    /// The bytes of the file, where it is one that is read here.
    length: Option<u64>,
    ffmpeg: Option<Ffmpeg>,
}

impl Source {
    /// Opens a file, or standard input for `-`. The rate is for videos that do not say theirs.
    ///
    /// # Errors
    /// [`Failure::Failed`] if it cannot be read or is no video, or is one for ffmpeg and that is not there.
    pub fn open(path: &Path, rate: FrameRate) -> Result<Self, Failure> {
        if address(path).is_some() {
            let (ffmpeg, out) = Ffmpeg::decode_file(path)?;
            return Self::through(path.to_path_buf(), Some(ffmpeg), Box::new(out), None, rate);
        }
        let is_stdin = path == Path::new("-");
        let name = if is_stdin { PathBuf::from("standard input") } else { path.to_path_buf() };
        let failed = |source| Error::Io { path: name.clone(), source };
        let (mut input, file_length): (Input, _) = if is_stdin {
            (Box::new(io::stdin()), None)
        } else {
            let metadata = fs::metadata(path).map_err(failed)?;
            if metadata.is_dir() {
                return Err(Failure::Failed(format!("{}: this is a folder, a video is needed", name.display())));
            }
            (Box::new(File::open(path).map_err(failed)?), metadata.is_file().then_some(metadata.len()))
        };
        let mut beginning = Vec::new();
        input.by_ref().take(VideoFormat::BEGINNING as u64).read_to_end(&mut beginning).map_err(failed)?;
        // What is empty is told by the reader.
        let is_own = beginning.is_empty() || VideoFormat::of(&beginning).is_some();
        let whole: Input = Box::new(Cursor::new(beginning).chain(input));
        let (ffmpeg, input): (_, Input) = match (is_own, file_length) {
            (true, _) => (None, whole),
            (false, Some(_)) => {
                Ffmpeg::decode_file(path).map(|(ffmpeg, out)| (Some(ffmpeg), Box::new(out) as Input))?
            }
            (false, None) => Ffmpeg::decode_stream(&name.to_string_lossy(), whole)
                .map(|(ffmpeg, out)| (Some(ffmpeg), Box::new(out) as Input))?,
        };
        Self::through(name, ffmpeg, input, file_length.filter(|_| is_own), rate)
    }

    fn through(
        name: PathBuf,
        ffmpeg: Option<Ffmpeg>,
        input: Input,
        length: Option<u64>,
        rate: FrameRate,
    ) -> Result<Self, Failure> {
        let progress = Rc::new(Progress::default());
        match VideoReader::open(&name, Counted { input, progress: progress.clone() }, rate) {
            Ok(reader) => Ok(Source { name, reader, progress, length, ffmpeg }),
            Err(error) => Err(cause(&name, error, ffmpeg.filter(|_| progress.ended.get()))),
        }
    }

    /// Where the sound of the video is, from a moment on: in a file that ffmpeg reads.
    pub fn sound(&self, from: f64) -> Option<Sound> {
        let is_file = self.ffmpeg.is_some() && self.name.is_file();
        is_file.then(|| Sound { path: self.name.clone(), from })
    }

    /// Reads the next frame; says whether there was one.
    ///
    /// # Errors
    /// [`Failure::Failed`] if it is damaged or cut short. Frames that were read before are good.
    pub fn advance(&mut self) -> Result<bool, Failure> {
        match self.reader.advance() {
            Ok(true) => Ok(true),
            Ok(false) => match self.ffmpeg.take().map_or(Ok(()), Ffmpeg::finish) {
                Ok(()) => Ok(false),
                Err(reason) => Err(Failure::Failed(format!("{}: {reason}", self.name.display()))),
            },
            Err(error) => Err(cause(&self.name, error, self.ffmpeg.take().filter(|_| self.progress.ended.get()))),
        }
    }

    /// The frame that was read last.
    ///
    /// # Errors
    /// [`Failure::Failed`] if it is damaged or has another size than those before.
    pub fn image(&mut self) -> Result<RgbImage, Failure> {
        Ok(self.reader.image()?)
    }

    /// The number of the frame that was read last, from 0 on, and its time in seconds.
    pub fn place(&self) -> (u64, f64) {
        let number = self.reader.number().unwrap_or(0);
        (number, self.rate().time_of(number))
    }

    /// Frames per second.
    pub fn rate(&self) -> FrameRate {
        self.reader.rate()
    }

    /// Which part of the file was read, 0 to 1, where that is known.
    pub fn share(&self) -> Option<f64> {
        self.length.map(|length| self.progress.bytes.get() as f64 / length.max(1) as f64)
    }
}

/// What went wrong. Where the pipe of an ffmpeg has ended, what that says is nearer to the cause.
fn cause(name: &Path, error: Error, ended: Option<Ffmpeg>) -> Failure {
    match ended.map(Ffmpeg::finish) {
        Some(Err(reason)) => Failure::Failed(format!("{}: {reason}", name.display())),
        _ => error.into(),
    }
}

/// How far an input was read.
#[derive(Default)]
struct Progress {
    bytes: Cell<u64>,
    ended: Cell<bool>,
}

/// An input that takes note of how far it was read.
struct Counted {
    input: Input,
    progress: Rc<Progress>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.progress.bytes.set(self.progress.bytes.get() + count as u64);
        self.progress.ended.set(count == 0 && !buffer.is_empty());
        Ok(count)
    }
}
