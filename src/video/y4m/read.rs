//! Reading Y4M.

use std::io::{self, BufRead, Read};

use ::image::RgbImage;
use ::image::imageops::{self, FilterType};

use super::header::{Header, Planes};
use crate::image::yuv::ToRgb;
use crate::video::fault::Fault;
use crate::video::frame_rate::FrameRate;

/// The most bytes of the first line, and of the line before a frame.
const MAX_LINE: u64 = 1024;

/// A Y4M video, frame by frame.
pub(in crate::video) struct Y4mReader<R> {
    input: R,
    header: Header,
    colors: ToRgb,
    /// The planes of the frame that was read last.
    frame: Vec<u8>,
}

impl<R: BufRead> Y4mReader<R> {
    pub fn open(mut input: R) -> Result<Self, Fault> {
        let Some(line) = line(&mut input)? else {
            return Err(Fault::Wrong("it has no first line that ends within 1024 bytes".to_owned()));
        };
        let header = Header::parse(&line).map_err(Fault::Wrong)?;
        Ok(Y4mReader { input, header, colors: ToRgb::new(header.range), frame: Vec::new() })
    }

    /// Width and height of the frames' pictures.
    pub fn size(&self) -> (u32, u32) {
        self.header.square_size()
    }

    pub fn rate(&self) -> Option<FrameRate> {
        self.header.rate
    }

    /// Reads the next frame, if there is one.
    pub fn advance(&mut self) -> Result<bool, Fault> {
        if self.input.fill_buf()?.is_empty() {
            return Ok(false);
        }
        match line(&mut self.input)? {
            Some(line) if line == b"FRAME" || line.starts_with(b"FRAME ") => {}
            None if self.input.fill_buf()?.is_empty() => return Err(Fault::CutShort),
            _ => return Err(Fault::Wrong("a frame does not begin with FRAME: the video is damaged".to_owned())),
        }
        let bytes = self.header.frame_bytes();
        self.frame.clear();
        // Memory grows with what is there, not with what the first line promises.
        let read = (&mut self.input).take(bytes as u64).read_to_end(&mut self.frame)?;
        if read < bytes { Err(Fault::CutShort) } else { Ok(true) }
    }

    /// The frame that was read last, in square pixels.
    pub fn image(&self) -> RgbImage {
        let stored = self.stored();
        let (width, height) = self.header.square_size();
        if stored.dimensions() == (width, height) {
            stored
        } else {
            imageops::resize(&stored, width, height, FilterType::Triangle)
        }
    }

    fn stored(&self) -> RgbImage {
        let (width, height) = (self.header.width as usize, self.header.height as usize);
        let (luma, chroma) = self.frame.split_at(self.frame.len().min(width * height));
        let (chroma_width, chroma_height) = self.header.chroma_size();
        let (u, v) = chroma.split_at(chroma.len().min(chroma_width * chroma_height));
        let mut image = RgbImage::new(self.header.width, self.header.height);
        let rows = image.chunks_exact_mut(3 * width).zip(luma.chunks_exact(width));
        for (y, (out, luma)) in rows.enumerate() {
            let pixels = out.as_chunks_mut::<3>().0.iter_mut().zip(luma);
            match self.header.planes {
                Planes::Mono => pixels.for_each(|(out, &y)| *out = self.colors.pixel([y, 128, 128])),
                Planes::Chroma { columns, rows } => {
                    let start = y / rows as usize * chroma_width;
                    let (u, v) = (&u[start..][..chroma_width], &v[start..][..chroma_width]);
                    for (x, (out, &y)) in pixels.enumerate() {
                        let x = x / columns as usize;
                        *out = self.colors.pixel([y, u[x], v[x]]);
                    }
                }
            }
        }
        image
    }
}

/// The next line without its end; none if it is too long or there is no end.
fn line(input: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    input.take(MAX_LINE).read_until(b'\n', &mut line)?;
    Ok((line.pop() == Some(b'\n')).then_some(line))
}
