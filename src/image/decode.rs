//! From a file's bytes to upright 8-bit RGB, within limits that are checked before anything is decoded.

use std::borrow::Cow;
#[cfg(feature = "files")]
use std::fs;
use std::io::Cursor;
use std::path::Path;

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage};

use super::jpeg;
use super::palette::PaletteTiff;
use super::profile::without_packed_chunks;
use super::unread;
use super::wide_tiff::WideTiff;
use crate::error::{Error, Result};

/// The most pixels that a picture may have: 200 megapixels, as many as phones make.
pub const MAX_PIXELS: u64 = 200_000_000;

/// The largest file that is read: 1 GiB, more than the largest picture needs at 16 bits for each of four channels.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// The most memory that a decoder may take for the picture and for itself, each, for each pixel that the picture may
/// have: a little more than 16 bits for each of four channels.
const DECODER_BYTES_PER_PIXEL: u64 = 10;

/// Reads a picture and decodes it as [`decode_bytes`] does, whatever the file's name says.
///
/// ```no_run
/// use std::path::Path;
///
/// let photo = vultus::image::decode_file(Path::new("photo.jpg"))?;
/// println!("{}×{} pixels", photo.width(), photo.height());
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Io`] if the file cannot be read; [`Error::Image`] if it is not an ordinary file, or as [`decode_bytes`].
#[cfg(feature = "files")]
pub fn decode_file(path: &Path) -> Result<RgbImage> {
    read_file(path).map(|decoded| decoded.image)
}

/// As [`decode_file`], with what is odd about the file.
///
/// ```no_run
/// use std::path::Path;
///
/// for warning in vultus::image::read_file(Path::new("photo.jpg"))?.warnings {
///     println!("photo.jpg: {warning}");
/// }
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// As [`decode_file`].
#[cfg(feature = "files")]
pub fn read_file(path: &Path) -> Result<Decoded> {
    let metadata = fs::metadata(path).map_err(|e| Error::io(path, e))?;
    if metadata.is_dir() {
        return Err(refused(path, "this is a folder, a picture is needed"));
    }
    if !metadata.is_file() {
        return Err(refused(path, "this is not an ordinary file"));
    }
    check_file_size(path, metadata.len())?;
    decode_with_warnings(path, &fs::read(path).map_err(|e| Error::io(path, e))?, MAX_PIXELS)
}

/// Decodes a picture's bytes: JPEG (also CMYK), PNG, BMP, GIF, TIFF, WebP or PNM, told apart by their contents. It is
/// turned upright as its EXIF orientation says. 16 bits are rounded to 8, gray is put into all three channels, alpha is
/// dropped. Of an animation this is the first frame. `path` is only for messages.
///
/// ```
/// use std::path::Path;
///
/// // A PNM of two pixels: red and blue.
/// let picture = vultus::image::decode_bytes(Path::new("upload"), b"P6 2 1 255\n\xFF\0\0\0\0\xFF")?;
/// assert_eq!(picture.get_pixel(1, 0).0, [0, 0, 255]);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Image`] if this is not a picture, is damaged or cut short, has no pixels, or is larger than [`MAX_PIXELS`]
/// or [`MAX_FILE_BYTES`] allow.
pub fn decode_bytes(path: &Path, bytes: &[u8]) -> Result<RgbImage> {
    decode_bytes_within(path, bytes, MAX_PIXELS)
}

/// As [`decode_bytes`], for pictures of at most this many pixels ([`MAX_PIXELS`] holds too): for bytes of strangers.
/// The decoder gets no more memory than such a picture needs.
///
/// ```
/// use std::path::Path;
/// use vultus::image::decode_bytes_within;
///
/// let (name, upload) = (Path::new("upload"), b"P5 3 2 255\n......");
/// assert_eq!(decode_bytes_within(name, upload, 6)?.dimensions(), (3, 2));
/// assert!(decode_bytes_within(name, upload, 5).is_err());
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// As [`decode_bytes`].
pub fn decode_bytes_within(path: &Path, bytes: &[u8], max_pixels: u64) -> Result<RgbImage> {
    check_file_size(path, bytes.len() as u64)?;
    decode_with_warnings(path, bytes, max_pixels).map(|decoded| decoded.image)
}

/// A picture, and what is odd about its file.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    /// The picture.
    pub image: RgbImage,
    /// What its viewer should know, a sentence each: that the mark of its end is missing, say.
    pub warnings: Vec<String>,
}

/// As [`decode_bytes_within`], with what is odd about the file.
///
/// ```
/// use std::path::Path;
///
/// // 16 bits of which only the lowest four are used.
/// let dark = b"P5 2 1 65535\n\0\x0F\0\x01";
/// let decoded = vultus::image::decode_with_warnings(Path::new("dark.pgm"), dark, 100)?;
/// assert!(decoded.warnings[0].contains("nearly black"));
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// As [`decode_bytes`].
pub fn decode_with_warnings(path: &Path, bytes: &[u8], max_pixels: u64) -> Result<Decoded> {
    check_file_size(path, bytes.len() as u64)?;
    decode(bytes, max_pixels.min(MAX_PIXELS)).map_err(|reason| refused(path, reason))
}

/// Width and height that a picture's file says, before it is turned upright. Nothing is decoded.
///
/// ```
/// use std::path::Path;
///
/// // The head is enough: this file has no pixels in it.
/// assert_eq!(vultus::image::stored_size(Path::new("upload"), b"P6 640 480 255\n")?, [640, 480]);
/// # Ok::<(), vultus::Error>(())
/// ```
///
/// # Errors
/// [`Error::Image`] if this is not a picture, or its head is damaged.
pub fn stored_size(path: &Path, bytes: &[u8]) -> Result<[u32; 2]> {
    let open = || {
        let (format, max_bytes) = (format(bytes)?, DECODER_BYTES_PER_PIXEL * MAX_PIXELS);
        if format == ImageFormat::Tiff
            && let Some(wide) = WideTiff::open(bytes, max_bytes)?
        {
            return Ok(<[u32; 2]>::from(wide.dimensions()));
        }
        Ok(<[u32; 2]>::from(decoder(format, bytes, max_bytes)?.dimensions()))
    };
    open().map_err(|reason: String| refused(path, reason))
}

fn refused(path: &Path, reason: impl Into<String>) -> Error {
    Error::Image { file: path.to_path_buf(), reason: reason.into() }
}

fn check_file_size(path: &Path, bytes: u64) -> Result<()> {
    if bytes > MAX_FILE_BYTES {
        return Err(refused(path, format!("the file has {bytes} bytes, at most {MAX_FILE_BYTES} are read")));
    }
    Ok(())
}

fn decode(bytes: &[u8], max_pixels: u64) -> std::result::Result<Decoded, String> {
    let format = format(bytes)?;
    let bytes = &match format {
        ImageFormat::Jpeg => jpeg::with_tables(bytes),
        ImageFormat::Png => without_packed_chunks(bytes),
        _ => Cow::Borrowed(bytes),
    };
    let max_bytes = DECODER_BYTES_PER_PIXEL * max_pixels;
    if format == ImageFormat::Tiff
        && let Some(mut wide) = WideTiff::open(bytes, max_bytes)?
    {
        let (width, height) = wide.dimensions();
        check_size(width, height, max_pixels)?;
        let orientation = wide.orientation();
        let (image, said) = wide.read()?;
        return Ok(Decoded { image: upright(image, orientation), warnings: said.into_iter().collect() });
    }
    let decoded = match format {
        ImageFormat::Jpeg if !jpeg::is_complete(bytes) => {
            Err("the picture is cut short: its end is missing".to_owned())
        }
        _ => decode_as(format, bytes, max_pixels),
    };
    let (image, warnings) = match decoded {
        Ok((image, warning)) => (image, warning.into_iter().collect()),
        // Cameras forget the mark of the end, or write something of their own in its place.
        Err(reason) => {
            let whole = if format == ImageFormat::Jpeg { jpeg::with_end(bytes) } else { None };
            let (image, _) = decode_as(format, &whole.ok_or(reason)?, max_pixels)?;
            (
                image,
                vec!["the mark of the picture's end is missing or in the wrong place; all pixels are there".to_owned()],
            )
        }
    };
    Ok(Decoded { image, warnings })
}

/// The picture of bytes in a format, upright, and what is odd about it.
fn decode_as(
    format: ImageFormat,
    bytes: &[u8],
    max_pixels: u64,
) -> std::result::Result<(RgbImage, Option<String>), String> {
    let max_bytes = DECODER_BYTES_PER_PIXEL * max_pixels;
    let mut decoder = decoder(format, bytes, max_bytes)?;
    let (width, height) = decoder.dimensions();
    check_size(width, height, max_pixels)?;
    if decoder.total_bytes() > max_bytes {
        return Err(format!("decoded it has {} bytes, at most {max_bytes} are read", decoder.total_bytes()));
    }
    // EXIF data that cannot be understood say nothing: the picture stays as it is.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| reason(format, bytes, &error.to_string()))?;
    let warning = dark(&picture);
    Ok((upright(picture.into_rgb8(), orientation), warning))
}

/// What is wrong, in words of our own where a JPEG is coded in a way that is not read.
fn reason(format: ImageFormat, bytes: &[u8], said: &str) -> String {
    let unread = if format == ImageFormat::Jpeg { jpeg::unread(bytes) } else { None };
    unread.map_or_else(|| said.to_owned(), |what| format!("this is {what}"))
}

fn upright(image: RgbImage, orientation: Orientation) -> RgbImage {
    let mut picture = DynamicImage::ImageRgb8(image);
    picture.apply_orientation(orientation);
    picture.into_rgb8()
}

/// Whether samples of 16 bits look as if only 12 or fewer were used.
fn dark(picture: &DynamicImage) -> Option<String> {
    let brightest = |values: &[u16]| values.iter().copied().max();
    let brightest = match picture {
        DynamicImage::ImageLuma16(image) => brightest(image),
        DynamicImage::ImageRgb16(image) => brightest(image),
        _ => None,
    };
    let brightest = brightest.filter(|value| (1..1 << 12).contains(value))?;
    let cause = "if fewer than 16 bits were stored, scale the values up";
    Some(format!("the picture is nearly black: its largest value is {brightest} of 65535; {cause}"))
}

/// The format of these bytes.
fn format(bytes: &[u8]) -> std::result::Result<ImageFormat, String> {
    if bytes.is_empty() {
        return Err("the file is empty".to_owned());
    }
    if bytes.starts_with(b"II\x2B\0") || bytes.starts_with(b"MM\0\x2B") {
        return Ok(ImageFormat::Tiff);
    }
    let known = ::image::guess_format(bytes).ok().filter(ImageFormat::reading_enabled);
    known.ok_or_else(|| match unread::name(bytes) {
        Some(name) => format!("this is {name}, which is not read: convert it to JPEG or PNG first"),
        None => "this is not a JPEG, PNG, BMP, GIF, TIFF, WebP or PNM picture".to_owned(),
    })
}

/// What reads these bytes, with as much memory as it may take.
fn decoder(
    format: ImageFormat,
    bytes: &[u8],
    max_bytes: u64,
) -> std::result::Result<Box<dyn ImageDecoder + '_>, String> {
    if format == ImageFormat::Tiff
        && let Some(palette) = PaletteTiff::open(bytes, max_bytes)?
    {
        return Ok(Box::new(palette));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(max_bytes);
    reader.limits(limits);
    Ok(Box::new(reader.into_decoder().map_err(|error| reason(format, bytes, &error.to_string()))?))
}

/// Whether the picture is worth decoding and may be.
fn check_size(width: u32, height: u32, max_pixels: u64) -> std::result::Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(format!("the picture has no pixels: its size is {width}×{height}"));
    }
    if pixels > max_pixels {
        let (megapixels, limit) = (pixels as f64 / 1e6, max_pixels as f64 / 1e6);
        return Err(format!("{width}×{height} pixels are {megapixels:.1} megapixels, at most {limit} are read"));
    }
    Ok(())
}
