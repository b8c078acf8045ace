//! Writing Y4M.

use std::io::{self, Write};

use ::image::RgbImage;

use super::header::MAGIC;
use crate::image::yuv::{chroma, luma};
use crate::video::frame_rate::FrameRate;

/// Writes an uncompressed video (4:2:0, BT.601, limited range), half of the size of its pictures, which all programs
/// for videos read.
///
/// ```
/// use vultus::image::RgbImage;
/// use vultus::video::{FrameRate, Y4mWriter};
///
/// let rate = FrameRate::new(24, 1).expect("neither is 0");
/// let mut writer = Y4mWriter::new(Vec::new(), 4, 2, rate)?;
/// writer.write(&RgbImage::from_pixel(4, 2, [255; 3].into()))?;
/// let video = writer.finish()?;
/// // 8 values of luma and twice 2 of chroma at the end.
/// assert!(video.ends_with(&[[235; 8].as_slice(), &[128; 4]].concat()));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Y4mWriter<W> {
    out: W,
    width: u32,
    height: u32,
    frame: Vec<u8>,
}

impl<W: Write> Y4mWriter<W> {
    /// Writes the first line of a video of this size.
    ///
    /// # Errors
    /// What the writer says.
    pub fn new(mut out: W, width: u32, height: u32, rate: FrameRate) -> io::Result<Self> {
        let (numerator, denominator) = (rate.numerator(), rate.denominator());
        let more = "Ip A1:1 C420jpeg XCOLORRANGE=LIMITED";
        writeln!(out, "{MAGIC} W{width} H{height} F{numerator}:{denominator} {more}")?;
        Ok(Y4mWriter { out, width, height, frame: Vec::new() })
    }

    /// Writes a frame.
    ///
    /// # Errors
    /// What the writer says; [`io::ErrorKind::InvalidInput`] if the picture has another size than the video.
    pub fn write(&mut self, image: &RgbImage) -> io::Result<()> {
        if image.dimensions() != (self.width, self.height) {
            let (width, height) = image.dimensions();
            let reason = format!("a frame has {width}×{height} pixels, the video {}×{}", self.width, self.height);
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        self.frame.clear();
        self.frame.extend(image.pixels().map(|pixel| luma(pixel.0)));
        let (columns, rows) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let blocks = (0..rows).flat_map(|y| (0..columns).map(move |x| [2 * x, 2 * y]));
        let pairs: Vec<[u8; 2]> = blocks.map(|corner| chroma(mean(image, corner))).collect();
        self.frame.extend(pairs.iter().map(|pair| pair[0]));
        self.frame.extend(pairs.iter().map(|pair| pair[1]));
        self.out.write_all(b"FRAME\n")?;
        self.out.write_all(&self.frame)
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

/// The mean colour of the 2×2 pixels from this corner on, of as many of them as there are.
fn mean(image: &RgbImage, [x, y]: [u32; 2]) -> [f32; 3] {
    let (mut sums, mut count) = ([0.0; 3], 0.0);
    for (y, x) in [y, y + 1].into_iter().flat_map(|y| [(y, x), (y, x + 1)]) {
        if let Some(pixel) = image.get_pixel_checked(x, y) {
            (0..3).for_each(|channel| sums[channel] += f32::from(pixel[channel]));
            count += 1.0;
        }
    }
    sums.map(|sum| sum / count)
}
