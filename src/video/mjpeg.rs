//! Motion JPEG: pictures one after the other, without anything around them.

use std::io::{self, BufRead, Read, Write};

use ::image::RgbImage;
use ::image::codecs::jpeg::JpegEncoder;

use super::MAX_FRAME_PIXELS;
use super::fault::Fault;

/// The most bytes of one picture.
const MAX_FRAME_BYTES: usize = 64 << 20;
/// The most bytes between two pictures, which some cameras fill up or put their own lines into.
const MAX_BETWEEN: usize = 1 << 20;

/// Cuts a stream into pictures. Segments are skipped by their length (ITU-T T.81, B.1), so that a thumbnail inside one
/// is no picture of its own.
pub(super) struct MjpegReader<R> {
    input: R,
    /// The picture that was read last, from its start to its end.
    frame: Vec<u8>,
    /// Whether the start of the next picture was read already.
    is_started: bool,
}

impl<R: BufRead> MjpegReader<R> {
    pub fn new(input: R) -> Self {
        MjpegReader { input, frame: Vec::new(), is_started: false }
    }

    /// The bytes of the picture that was read last.
    pub fn frame(&self) -> &[u8] {
        &self.frame
    }

    /// Reads the next picture, if there is one. One that has lost its end stops where the next one begins.
    pub fn advance(&mut self) -> Result<bool, Fault> {
        self.frame.clear();
        if !std::mem::take(&mut self.is_started) && !self.find_start()? {
            return Ok(false);
        }
        self.frame.extend([0xFF, 0xD8]);
        loop {
            self.until_marker()?;
            // Any number of fill bytes may stand before a marker.
            let marker = loop {
                match self.byte()? {
                    0xFF => {}
                    marker => break marker,
                }
            };
            match marker {
                // The end of the image.
                0xD9 => return Ok(true),
                // The start of another image.
                0xD8 => {
                    self.frame.truncate(self.frame.len() - 2);
                    self.is_started = true;
                    return Ok(true);
                }
                // A byte 0xFF of compressed data, a temporary marker, a restart: nothing follows.
                0x00 | 0x01 | 0xD0..=0xD7 => {}
                marker => self.segment(marker)?,
            }
        }
    }

    /// Passes over what is before the next start of an image.
    fn find_start(&mut self) -> Result<bool, Fault> {
        let (mut passed, mut last) = (0, 0);
        loop {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                return Ok(false);
            }
            let before = |at: usize| if at == 0 { last } else { buffer[at - 1] };
            let start = (0..buffer.len()).find(|&at| buffer[at] == 0xD8 && before(at) == 0xFF);
            let length = buffer.len();
            if let Some(at) = start {
                self.input.consume(at + 1);
                return Ok(true);
            }
            last = buffer[length - 1];
            self.input.consume(length);
            passed += length;
            if passed > MAX_BETWEEN {
                return Err(Fault::Wrong("after a picture there is something else: the video is damaged".to_owned()));
            }
        }
    }

    /// Reads up to and with the next 0xFF.
    fn until_marker(&mut self) -> Result<(), Fault> {
        let room = self.room()?;
        (&mut self.input).take(room).read_until(0xFF, &mut self.frame)?;
        if self.frame.last() == Some(&0xFF) { Ok(()) } else { self.cut() }
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        let at = self.frame.len();
        self.bytes(1)?;
        Ok(self.frame[at])
    }

    fn bytes(&mut self, count: u64) -> Result<(), Fault> {
        let room = self.room()?;
        let read = (&mut self.input).take(count.min(room)).read_to_end(&mut self.frame)?;
        if read as u64 == count { Ok(()) } else { self.cut() }
    }

    /// How many bytes the picture may still have.
    fn room(&self) -> Result<u64, Fault> {
        match MAX_FRAME_BYTES.saturating_sub(self.frame.len()) {
            0 => Err(Fault::Wrong(format!("a picture has more than {MAX_FRAME_BYTES} bytes"))),
            room => Ok(room as u64),
        }
    }

    /// Why there is less than was to be read.
    fn cut<T>(&self) -> Result<T, Fault> {
        self.room()?;
        Err(Fault::CutShort)
    }

    /// Reads a segment: its length, which counts its own two bytes, and what is in it.
    fn segment(&mut self, marker: u8) -> Result<(), Fault> {
        let start = self.frame.len();
        self.bytes(2)?;
        let length = u16::from_be_bytes([self.frame[start], self.frame[start + 1]]);
        self.bytes(u64::from(length.saturating_sub(2)))?;
        // The start of a frame, for all ways of coding: precision, height, width.
        let is_size = matches!(marker, 0xC0..=0xCF) && !matches!(marker, 0xC4 | 0xC8 | 0xCC);
        if let (true, &[_, high, low, wide_high, wide_low, ..]) = (is_size, &self.frame[start + 2..]) {
            let (height, width) = (u16::from_be_bytes([high, low]), u16::from_be_bytes([wide_high, wide_low]));
            if u64::from(width) * u64::from(height) > MAX_FRAME_PIXELS {
                let reason = format!("a picture has {width}×{height} pixels, at most {MAX_FRAME_PIXELS} are read");
                return Err(Fault::Wrong(reason));
            }
        }
        Ok(())
    }
}

/// Writes pictures as JPEG one after the other. Motion JPEG has no frame rate: who shows it must know.
///
/// ```
/// use vultus::image::RgbImage;
/// use vultus::video::{MjpegWriter, VideoFormat};
///
/// let mut writer = MjpegWriter::new(Vec::new(), 90);
/// writer.write(&RgbImage::new(64, 48))?;
/// let video = writer.finish()?;
/// assert_eq!(VideoFormat::of(&video), Some(VideoFormat::Mjpeg));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct MjpegWriter<W> {
    out: W,
    quality: u8,
}

impl<W: Write> MjpegWriter<W> {
    /// A video whose pictures have this quality, from 1 to 100.
    pub fn new(out: W, quality: u8) -> Self {
        MjpegWriter { out, quality: quality.clamp(1, 100) }
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// What the writer says; [`io::ErrorKind::InvalidInput`] if the picture is larger than a JPEG can be or empty.
    pub fn write(&mut self, image: &RgbImage) -> io::Result<()> {
        let mut bytes = Vec::new();
        let encoded = JpegEncoder::new_with_quality(&mut bytes, self.quality).encode_image(image);
        encoded.map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        self.out.write_all(&bytes)
    }

    /// The writer, with everything written.
    ///
    /// # Errors
    /// What the writer says.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}
