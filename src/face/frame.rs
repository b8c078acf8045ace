//! What is given to an analyzer: a picture in any of the usual forms.

use std::borrow::Cow;

use ::image::{Rgb, RgbImage};

use super::face_size::FaceSize;
use crate::engine::Picture;
use crate::error::{Error, Result};
use crate::image::yuv::{Range, ToRgb};
use crate::ops::Crop;

/// How the bytes of a frame are laid out, row by row from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PixelFormat {
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue, and alpha, which is left out.
    Rgba,
    /// Blue, green, red, and alpha, which is left out.
    Bgra,
    /// One byte.
    Gray,
    /// A plane of luma, then one of half the width and height (rounded up) in which blue and red chroma alternate: what
    /// cameras give. ITU-R BT.601, 16 to 235 for luma.
    Nv12,
}

/// A picture in which faces are wanted: pixels in memory or a [`Picture`] on the analyzer's device.
///
/// ```
/// use vultus::face::{Frame, PixelFormat};
///
/// // Two rows of a camera that pads each to 16 bytes.
/// let camera = [128; 2 * 16];
/// let frame = Frame::with_stride(PixelFormat::Bgra, &camera, 3, 2, 16)?;
/// assert_eq!((frame.width(), frame.height()), (3, 2));
/// assert!(Frame::new(PixelFormat::Bgra, &camera, 3, 2).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
pub struct Frame<'a> {
    pub(super) pixels: Pixels<'a>,
    pub(super) min_face: Option<FaceSize>,
    /// The part of it that is a face, where nobody is to look for one.
    pub(super) part: Option<Crop>,
}

/// Where a frame's pixels are.
pub(super) enum Pixels<'a> {
    Memory(Cow<'a, RgbImage>),
    Device(&'a Picture),
}

impl<'a> Frame<'a> {
    /// A frame of bytes without gaps between rows.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no pixel or these are not as many bytes as the format has for so many pixels.
    pub fn new(format: PixelFormat, bytes: &[u8], width: u32, height: u32) -> Result<Frame<'static>> {
        let stride = format.row_bytes(width);
        let count = format.rows(height).checked_mul(stride);
        if count != Some(bytes.len()) {
            let wanted = count.map_or("more than can be".to_owned(), |count| count.to_string());
            let reason =
                format!("{format:?} of {width}×{height} pixels takes {wanted} bytes, there are {}", bytes.len());
            return Err(Error::shape("frame", reason));
        }
        Self::with_stride(format, bytes, width, height, stride)
    }

    /// A frame whose rows begin this many bytes apart. After the last row there may be a gap too, or not.
    ///
    /// # Errors
    /// [`Error::Shape`] if there is no pixel, a row is longer than the stride, or there are too few bytes.
    pub fn with_stride(
        format: PixelFormat,
        bytes: &[u8],
        width: u32,
        height: u32,
        stride: usize,
    ) -> Result<Frame<'static>> {
        let (row, rows) = (format.row_bytes(width), format.rows(height));
        if width == 0 || height == 0 {
            return Err(Error::shape("frame", format!("{width}×{height} pixels are none")));
        }
        if stride < row {
            return Err(Error::shape("frame", format!("rows of {row} bytes do not fit into a stride of {stride}")));
        }
        let least = (rows - 1).checked_mul(stride).and_then(|before| before.checked_add(row));
        if least.is_none_or(|least| bytes.len() < least) {
            let reason = format!("{rows} rows, {stride} bytes apart, do not fit into {} bytes", bytes.len());
            return Err(Error::shape("frame", reason));
        }
        let pixel = |x: u32, y: u32| format.pixel(bytes, stride, height, x as usize, y as usize);
        Ok(RgbImage::from_fn(width, height, pixel).into())
    }

    /// Looks for faces from this size on in this frame, whatever the analyzer was made for.
    pub fn min_face(self, size: FaceSize) -> Self {
        Frame { min_face: Some(size), ..self }
    }

    /// Takes the whole frame for one face, cut out by somebody else: no face is looked for.
    pub fn as_face(self) -> Self {
        let whole = Crop::whole(self.width(), self.height());
        self.face_in(whole)
    }

    /// Takes this part of the frame for its only face: no face is looked for. A part that leaves the frame is refused when
    /// it is analysed.
    pub fn face_in(self, part: Crop) -> Self {
        Frame { part: Some(part), ..self }
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        match &self.pixels {
            Pixels::Memory(image) => image.width(),
            Pixels::Device(picture) => picture.width(),
        }
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        match &self.pixels {
            Pixels::Memory(image) => image.height(),
            Pixels::Device(picture) => picture.height(),
        }
    }

    fn of(pixels: Pixels<'a>) -> Self {
        Frame { pixels, min_face: None, part: None }
    }
}

impl<'a> From<&'a RgbImage> for Frame<'a> {
    fn from(image: &'a RgbImage) -> Self {
        Frame::of(Pixels::Memory(Cow::Borrowed(image)))
    }
}

impl From<RgbImage> for Frame<'static> {
    fn from(image: RgbImage) -> Self {
        Frame::of(Pixels::Memory(Cow::Owned(image)))
    }
}

impl<'a> From<&'a Picture> for Frame<'a> {
    fn from(picture: &'a Picture) -> Self {
        Frame::of(Pixels::Device(picture))
    }
}

impl PixelFormat {
    /// The bytes of a row.
    fn row_bytes(self, width: u32) -> usize {
        let width = width as usize;
        match self {
            PixelFormat::Rgb => 3 * width,
            PixelFormat::Rgba | PixelFormat::Bgra => 4 * width,
            PixelFormat::Gray => width,
            // The chroma of an odd width has one byte more than its luma.
            PixelFormat::Nv12 => width.next_multiple_of(2),
        }
    }

    /// Rows in all planes.
    fn rows(self, height: u32) -> usize {
        let height = height as usize;
        if self == PixelFormat::Nv12 { height + height.div_ceil(2) } else { height }
    }

    /// The pixel at a place.
    fn pixel(self, bytes: &[u8], stride: usize, height: u32, x: usize, y: usize) -> Rgb<u8> {
        let row = &bytes[y * stride..];
        Rgb(match self {
            PixelFormat::Rgb => [row[3 * x], row[3 * x + 1], row[3 * x + 2]],
            PixelFormat::Rgba => [row[4 * x], row[4 * x + 1], row[4 * x + 2]],
            PixelFormat::Bgra => [row[4 * x + 2], row[4 * x + 1], row[4 * x]],
            PixelFormat::Gray => [row[x]; 3],
            PixelFormat::Nv12 => {
                let chroma = &bytes[(height as usize + y / 2) * stride + (x & !1)..];
                ToRgb::new(Range::Limited).pixel([row[x], chroma[0], chroma[1]])
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(frame: &Frame<'_>) -> RgbImage {
        match &frame.pixels {
            Pixels::Memory(image) => image.clone().into_owned(),
            Pixels::Device(_) => panic!("nothing was put on a device"),
        }
    }

    #[test]
    fn every_format_gives_the_same_pixels() {
        // Red, white, black; gray, gray, gray.
        let rgb = [200, 20, 30, 255, 255, 255, 0, 0, 0, 7, 7, 7, 8, 8, 8, 9, 9, 9];
        let wanted = RgbImage::from_raw(3, 2, rgb.to_vec()).unwrap();
        let with_alpha = |order: [usize; 3]| -> Vec<u8> {
            rgb.chunks(3).flat_map(|p| [p[order[0]], p[order[1]], p[order[2]], 77]).collect()
        };
        for (format, bytes) in [
            (PixelFormat::Rgb, rgb.to_vec()),
            (PixelFormat::Rgba, with_alpha([0, 1, 2])),
            (PixelFormat::Bgra, with_alpha([2, 1, 0])),
        ] {
            let frame = Frame::new(format, &bytes, 3, 2).unwrap();
            assert_eq!(image(&frame), wanted, "{format:?}");
            // The same with a gap after each row but the last.
            let row = bytes.len() / 2;
            let padded = [&bytes[..row], &[99; 5], &bytes[row..]].concat();
            assert_eq!(image(&Frame::with_stride(format, &padded, 3, 2, row + 5).unwrap()), wanted, "{format:?}");
        }
        let gray = Frame::new(PixelFormat::Gray, &[1, 2, 3, 4], 2, 2).unwrap();
        assert_eq!(image(&gray).into_raw(), [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    }

    #[test]
    fn nv12_shares_chroma_among_four_pixels_also_at_odd_edges() {
        // 3×3: three rows of luma in a stride of 4, then two of chroma. White above, red below on the left.
        let luma = [235, 235, 235, 0, 235, 235, 235, 0, 81, 16, 16, 0];
        let chroma = [128, 128, 128, 128, 90, 240, 128, 128];
        let bytes = [&luma[..], &chroma[..]].concat();
        let image = image(&Frame::new(PixelFormat::Nv12, &bytes, 3, 3).unwrap());
        assert_eq!((image[(0, 0)].0, image[(2, 1)].0, image[(2, 2)].0), ([255; 3], [255; 3], [0; 3]));
        assert!(image[(0, 2)][0] > 250 && image[(0, 2)][1] < 5, "{:?}", image[(0, 2)]);
        assert!(Frame::new(PixelFormat::Nv12, &bytes[1..], 3, 3).is_err());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (bytes, width, height, stride) in [(6, 0, 1, 6), (6, 1, 0, 6), (6, 2, 1, 5), (11, 2, 2, 6), (6, 2, 2, 6)] {
            let frame = Frame::with_stride(PixelFormat::Rgb, &vec![0; bytes], width, height, stride);
            assert!(matches!(frame, Err(Error::Shape { .. })), "{bytes} {width} {height} {stride}");
        }
        assert!(Frame::with_stride(PixelFormat::Rgb, &[0; 9], 1, 2, usize::MAX).is_err());
        assert!(Frame::new(PixelFormat::Rgba, &[0; 12], u32::MAX, u32::MAX).is_err());
    }
}
