//! The video with boxes drawn into it.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind};
use std::path::Path;
use std::process::ChildStdin;

use vultus::Error;
use vultus::file::Pending;
use vultus::image::RgbImage;
use vultus::video::{FrameRate, MjpegWriter, Y4mWriter};

use super::ffmpeg::{Ffmpeg, Sound};
use crate::cli::failure::Failure;

/// The quality of pictures in Motion JPEG: no loss is seen, and a tenth of the size.
const QUALITY: u8 = 92;

/// What ffmpeg writes that has no sound.
const SILENT: [&str; 5] = ["apng", "avif", "gif", "png", "webp"];

/// A video that is written frame by frame, and appears when it is finished.
pub struct Annotated {
    file: Pending,
    rate: FrameRate,
    /// What the file sounds like, where its format has sound.
    sound: Option<Sound>,
    writer: Writer,
}

/// What an extension stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Y4m,
    Mjpeg,
    /// Something for ffmpeg.
    Other,
}

enum Writer {
    /// Nothing was written: the size is not known yet.
    None,
    Y4m(Y4mWriter<BufWriter<File>>),
    Mjpeg(MjpegWriter<BufWriter<File>>),
    Ffmpeg(Ffmpeg, Y4mWriter<BufWriter<ChildStdin>>),
}

impl Annotated {
    /// Plans a file whose extension says its format.
    ///
    /// # Errors
    /// [`Failure::Usage`] without an extension; [`Failure::Failed`] if there is no place for it, or ffmpeg is needed
    /// and is not there.
    pub fn plan(path: &Path, rate: FrameRate, sound: Option<Sound>) -> Result<Self, Failure> {
        if path.extension().is_none() {
            let reason = "the extension says the format: .y4m and .mjpeg are written here, others by ffmpeg";
            return Err(Failure::Usage(format!("{}: {reason}", path.display())));
        }
        let annotated = Annotated { file: Pending::new(path)?, rate, sound, writer: Writer::None };
        if annotated.format() == Format::Other {
            Ffmpeg::check(path)?;
        }
        Ok(annotated)
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// [`Failure::Failed`] if the file takes no more, or ffmpeg is needed and fails.
    pub fn write(&mut self, image: &RgbImage) -> Result<(), Failure> {
        if matches!(self.writer, Writer::None) {
            self.writer = self.begin(image.width(), image.height())?;
        }
        let written = match &mut self.writer {
            Writer::None => Ok(()),
            Writer::Y4m(writer) => writer.write(image),
            Writer::Mjpeg(writer) => writer.write(image),
            Writer::Ffmpeg(_, writer) => writer.write(image),
        };
        written.map_err(|error| self.failed(error))
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// As [`Annotated::write`]. There is no new file then.
    pub fn finish(mut self) -> Result<(), Failure> {
        let finished = match std::mem::replace(&mut self.writer, Writer::None) {
            Writer::None => Ok(()),
            Writer::Y4m(writer) => writer.finish().map(drop),
            Writer::Mjpeg(writer) => writer.finish().map(drop),
            Writer::Ffmpeg(ffmpeg, writer) => {
                // That its pipe broke says less than what it says itself.
                let flushed = writer.finish().map(drop);
                match ffmpeg.finish() {
                    Ok(()) => flushed,
                    Err(reason) => return Err(self.refused(&reason)),
                }
            }
        };
        finished.map_err(|error| self.failed(error))?;
        Ok(self.file.keep()?)
    }

    fn begin(&self, width: u32, height: u32) -> Result<Writer, Failure> {
        let failed = |source| Error::Io { path: self.file.path().to_path_buf(), source };
        match self.format() {
            Format::Y4m => {
                Ok(Writer::Y4m(Y4mWriter::new(self.file.writer()?, width, height, self.rate).map_err(failed)?))
            }
            Format::Mjpeg => Ok(Writer::Mjpeg(MjpegWriter::new(self.file.writer()?, QUALITY))),
            Format::Other => {
                let (ffmpeg, pipe) = Ffmpeg::encode(self.file.path(), self.file.temporary(), self.sound())?;
                let writer = Y4mWriter::new(BufWriter::new(pipe), width, height, self.rate).map_err(failed)?;
                Ok(Writer::Ffmpeg(ffmpeg, writer))
            }
        }
    }

    /// The sound, unless the file is one of pictures.
    fn sound(&self) -> Option<&Sound> {
        let extension = self.file.path().extension().unwrap_or_default().to_ascii_lowercase();
        let is_silent = extension.to_str().is_some_and(|extension| SILENT.contains(&extension));
        self.sound.as_ref().filter(|_| !is_silent)
    }

    fn format(&self) -> Format {
        let extension = self.file.path().extension().unwrap_or_default().to_ascii_lowercase();
        match extension.to_str() {
            Some("y4m") => Format::Y4m,
            Some("mjpeg" | "mjpg") => Format::Mjpeg,
            _ => Format::Other,
        }
    }

    /// Why a frame could not be written. A pipe breaks when ffmpeg has ended: it has said why.
    fn failed(&mut self, error: io::Error) -> Failure {
        match std::mem::replace(&mut self.writer, Writer::None) {
            Writer::Ffmpeg(ffmpeg, writer) if error.kind() == ErrorKind::BrokenPipe => {
                drop(writer);
                match ffmpeg.finish() {
                    Err(reason) => self.refused(&reason),
                    Ok(()) => self.refused("ffmpeg ended before the video did"),
                }
            }
            _ => Error::Io { path: self.file.path().to_path_buf(), source: error }.into(),
        }
    }

    fn refused(&self, reason: &str) -> Failure {
        Failure::Failed(format!("{}: {reason}", self.file.path().display()))
    }
}
