//! Reading videos of any known format.

use std::io::{BufReader, Chain, Cursor, Read};
use std::path::{Path, PathBuf};

use ::image::RgbImage;

use super::fault::Fault;
use super::format::VideoFormat;
use super::frame_rate::FrameRate;
use super::mjpeg::MjpegReader;
use super::y4m::Y4mReader;
use crate::error::{Error, Result};
use crate::image::decode_bytes;

/// A video that is read frame by frame, with the memory of one frame.
///
/// Y4M: 8 bits per value; 4:2:0, 4:2:2, 4:4:4 or gray; chroma of the nearest place; colours of BT.601, limited range
/// unless the video says that it is full. Motion JPEG: any JPEG; all pictures must have the size of the first.
///
/// ```
/// use std::path::Path;
/// use vultus::image::RgbImage;
/// use vultus::video::{FrameRate, MjpegWriter, VideoReader};
///
/// let mut writer = MjpegWriter::new(Vec::new(), 90);
/// for red in [0, 100, 200] {
///     writer.write(&RgbImage::from_pixel(32, 24, [red, 0, 0].into()))?;
/// }
/// let (bytes, rate) = (writer.finish()?, FrameRate::new(10, 1).expect("neither is 0"));
/// let mut reader = VideoReader::open(Path::new("camera.mjpeg"), &bytes[..], rate)?;
/// while reader.advance()? {
///     // Frames between those of interest are not decoded.
///     if reader.number() == Some(2) {
///         assert!(reader.image()?.get_pixel(0, 0).0[0] > 190);
///         assert_eq!(reader.rate().time_of(2), 0.2);
///     }
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct VideoReader<R> {
    name: PathBuf,
    input: Input<R>,
    rate: FrameRate,
    /// The size of the first frame.
    size: Option<(u32, u32)>,
    /// How many frames were read.
    frames: u64,
    /// Whether the last of them is there as a whole.
    ready: bool,
}

/// The source with the bytes again that the format was told by.
type Whole<R> = BufReader<Chain<Cursor<Vec<u8>>, R>>;

enum Input<R> {
    Y4m(Y4mReader<Whole<R>>),
    Mjpeg(MjpegReader<Whole<R>>),
}

impl<R: Read> VideoReader<R> {
    /// Begins to read a video, whose format is told by how it begins. The name is only for messages; the rate is for
    /// videos that do not say theirs: Motion JPEG never does.
    ///
    /// # Errors
    /// [`Error::Io`] if nothing can be read; [`Error::Video`] if it is empty, of another format, stored in a way that
    /// is not known, or larger than [`super::MAX_FRAME_PIXELS`] allow.
    pub fn open(name: &Path, mut input: R, rate: FrameRate) -> Result<Self> {
        let mut beginning = Vec::new();
        let needed = VideoFormat::BEGINNING as u64;
        (&mut input).take(needed).read_to_end(&mut beginning).map_err(|error| Error::io(name, error))?;
        let format = VideoFormat::of(&beginning);
        let is_empty = beginning.is_empty();
        let input = BufReader::new(Cursor::new(beginning).chain(input));
        let (input, own_rate, size) = match format {
            Some(VideoFormat::Y4m) => {
                let reader = Y4mReader::open(input).map_err(|fault| unopened(name, fault))?;
                let (rate, size) = (reader.rate(), reader.size());
                (Input::Y4m(reader), rate, Some(size))
            }
            Some(VideoFormat::Mjpeg) => (Input::Mjpeg(MjpegReader::new(input)), None, None),
            None => {
                let reason = if is_empty { "the video is empty" } else { "this is neither Y4M nor Motion JPEG" };
                return Err(refused(name, reason));
            }
        };
        Ok(VideoReader {
            name: name.to_path_buf(),
            input,
            rate: own_rate.unwrap_or(rate),
            size,
            frames: 0,
            ready: false,
        })
    }

    /// Reads the next frame; says whether there was one. A video without any frame is none.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read; [`Error::Video`] if it ends within the frame, is damaged, or the frame is
    /// too large. Frames that were read before are good.
    pub fn advance(&mut self) -> Result<bool> {
        self.ready = false;
        let advanced = match &mut self.input {
            Input::Y4m(reader) => reader.advance(),
            Input::Mjpeg(reader) => reader.advance(),
        };
        let advanced = advanced.map_err(|fault| failure(&self.name, self.frames, fault))?;
        if !advanced && self.frames == 0 {
            return Err(refused(&self.name, "the video has no frame"));
        }
        self.ready = advanced;
        self.frames += u64::from(advanced);
        Ok(advanced)
    }

    /// The frame that [`VideoReader::advance`] has read. Frames whose pictures are not asked for cost little.
    ///
    /// # Errors
    /// [`Error::Video`] if it is damaged or has another size than the first, or if no frame was read.
    pub fn image(&mut self) -> Result<RgbImage> {
        let refuse = |reason: String| Err(refused(&self.name, reason));
        let Some(number) = self.number().filter(|_| self.ready) else {
            return refuse("no frame was read".to_owned());
        };
        let image = match &self.input {
            Input::Y4m(reader) => reader.image(),
            Input::Mjpeg(reader) => match decode_bytes(&self.name, reader.frame()) {
                Ok(image) => image,
                Err(Error::Image { reason, .. }) => return refuse(format!("frame {number}: {reason}")),
                Err(error) => return Err(error),
            },
        };
        let (width, height) = image.dimensions();
        match *self.size.get_or_insert((width, height)) {
            first if first == (width, height) => Ok(image),
            (w, h) => refuse(format!("frame {number} has {width}×{height} pixels, the first one {w}×{h}")),
        }
    }

    /// The number of the frame that was read last; the first has the number 0.
    pub fn number(&self) -> Option<u64> {
        self.frames.checked_sub(1)
    }

    /// How many frames a second has: what the video says, else what was given.
    pub fn rate(&self) -> FrameRate {
        self.rate
    }
}

fn refused(name: &Path, reason: impl Into<String>) -> Error {
    Error::Video { file: name.to_path_buf(), reason: reason.into() }
}

/// What is wrong before the first frame.
fn unopened(name: &Path, fault: Fault) -> Error {
    match fault {
        Fault::Wrong(reason) => refused(name, reason),
        fault => failure(name, 0, fault),
    }
}

/// What went wrong with the frame of this number.
fn failure(name: &Path, frame: u64, fault: Fault) -> Error {
    match fault {
        Fault::Io(error) => Error::io(name, error),
        Fault::CutShort => refused(name, format!("the video is cut short: it ends within frame {frame}")),
        Fault::Wrong(reason) => refused(name, format!("frame {frame}: {reason}")),
    }
}
